"""Rows of the table of result codes: who asks what, on which kind of line, and what the answer must be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.x509.oid import NameOID
from harbour import PASSWORDS
from operations.client_certificates import ClientAuthority, under_tls

from provserver.ldap.controls import ControlValue
from provserver.ldap.results import ResultCode
from provserver.testing.clock import TurnedClock
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient

Case = Callable[[WireClient], Awaitable[Told]]
Preparation = Callable[[RunningServer, pytest.MonkeyPatch], Awaitable[object]]


@dataclass(frozen=True)
class Row:
    """One question, and its answer. `text` is a part of the diagnostic message, `clause` says who wants it so
    ("ours" where nobody does), `who` is bound before (empty: nobody). `far`: from another machine, in clear
    text. `certificate`: the common name of the client's own. With `first`, which is done when the client has
    bound, the row has a server to itself.
    """

    case: str
    ask: Case
    code: ResultCode
    text: str
    clause: str
    who: str = "etaadmin"
    scene: str = "demo"
    tls: bool = False
    far: bool = False
    certificate: str = ""
    first: Preparation | None = None
    control: ControlValue | None = None
    """One that comes with the answer."""
    changes: bool = False
    """Whether what was asked was done all the same."""
    quiet: bool = False
    """Whether the text is not this row's business."""

    def __str__(self) -> str:
        return f"{self.code.name}: {self.clause}: {self.case}"


class HastyClock(TurnedClock):
    """With a step, time passes whenever somebody looks."""

    step = 0.0

    def seconds(self) -> float:
        self.rightNow += self.step
        return self.rightNow


async def line_for(row: Row, server: RunningServer, clients: ClientAuthority) -> WireClient:
    """The line that a row's question is asked on."""
    if row.certificate:
        client = await under_tls(server, clients.vouches_for((NameOID.COMMON_NAME, row.certificate)))
    else:
        client = await (under_tls(server) if row.tls else server.wire())
    if row.who:
        told = await client.bind(user_dn(row.who), PASSWORDS[row.who])
        assert told.code is ResultCode.SUCCESS, told
    if row.far:
        move_away(server, client)
    return client


def move_away(server: RunningServer, client: WireClient) -> None:
    """From now on the server takes the client for one on another machine."""
    number = client.transport.getHost().port  # type: ignore[union-attr]  # it is connected
    connections: Any = server.service._counters.connections
    for connection in connections:
        if connection.port == number:
            connection.is_loopback = False


async def be_alone(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """What a row changes is not for others to see."""
