"""What explorations stand on: the rooms of the house that they use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from provserver.connectors.contract import Connector
from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.imps.endpoints import Endpoint
from provserver.imps.inclusions import Inclusions
from provserver.imps.parameters import Parameters
from provserver.storage.contract import Store


@dataclass(frozen=True, slots=True)
class Ground:
    """`make` makes a closed connector (LookupError, ValueError: there can be none); `turn` lets the reactor
    do other things.
    """

    store: Store
    schema: Schema
    domain: DN
    inclusions: Inclusions
    parameters: Parameters
    new_id: Callable[[], EntryId]
    wall: Callable[[], float]
    stamp: Callable[[float], str]
    make: Callable[[Endpoint], Connector]
    turn: Callable[[], Awaitable[None]]
    random: Callable[[int], bytes]
