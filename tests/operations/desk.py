"""A desk at which searches are asked without a wire: a store in memory that never waits, and a line that
keeps what is sent.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from partly import partly

from provserver.directory.access import Identity, Role
from provserver.directory.names import DN
from provserver.foundation import Foundation, lay_foundation, load_schema
from provserver.ldap.ber import element
from provserver.ldap.ber_writing import SEQUENCE
from provserver.ldap.codec import decode_message
from provserver.ldap.controls import ControlValue, encode_request
from provserver.ldap.filters import Filter, Scope, parse_filter
from provserver.ldap.limits import DEFAULT_LIMITS
from provserver.ldap.messages import DerefAliases, SearchRequest, SearchResultEntry, SearchResultReference
from provserver.ldap.results import Refusal
from provserver.operations.asked import NOTHING_ASKED, read_controls
from provserver.operations.context import House, SearchBounds
from provserver.operations.edits import Edits
from provserver.operations.search import Searches
from provserver.operations.signposts import Signposts
from provserver.operations.subschema import Subschema
from provserver.settings import Settings
from provserver.storage.sqlite import SqliteStore
from provserver.testing.wire import Told
from provserver.vault.keyring import KeyRing

T = TypeVar("T")

ROOT = Identity(Role.DOMAIN_ADMINISTRATOR, DN.parse("cn=root,dc=im"))
OTHER_ROOT = Identity(Role.DOMAIN_ADMINISTRATOR, DN.parse("cn=other,dc=im"))
TOP = "dc=im,dc=eta"


@cache
def _keys() -> KeyRing:
    return KeyRing.generate()


def end(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waits")


@dataclass(eq=False)
class DeskLine:
    """A connection as operations see it."""

    sent: list[bytes] = field(default_factory=list)
    identity: object = None
    peer: str = "test"
    tls: bool = False
    is_loopback: bool = True

    def send(self, data: bytes) -> None:
        """One message after the other."""
        while data:
            _, end = element(data, 0, len(data), SEQUENCE, "LDAPMessage")
            self.sent.append(data[:end])
            data = data[end:]

    async def drained(self) -> None:
        """The other side reads at once."""


class Desk:
    """Made with the limits of searches; closed by nobody, since it is in memory only."""

    def __init__(
        self, *, size: int = 0, time: int = 0, candidates: int = 0, most_sorted: int = 0, paged: int = 5
    ) -> None:
        self.now = 0.0
        self.tick = 0.0
        """Seconds that pass each time somebody looks at the clock."""
        self.schema = load_schema()
        self.store = end(SqliteStore.in_memory(self.schema))
        self.foundation: Foundation = lay_foundation(
            Settings(), _keys(), self.schema, self.store, wall=lambda: 1.7e9
        )
        given: dict[str, Any] = {
            "rooms": self.foundation.rooms,
            "signposts": Signposts(self.store),
            "subschema": Subschema(self.schema, self.foundation.views),
            "bounds": SearchBounds(size, time, candidates, most_sorted, paged),
            "limits": DEFAULT_LIMITS,
            "monotonic": self._look_at_the_clock,
        }
        self.house = partly(House, **given)
        self.searches = Searches(self.house)
        self.line = DeskLine()
        self.add("dc=im", "domain")

    def _look_at_the_clock(self) -> float:
        self.now += self.tick
        return self.now

    def add(self, dn: str, kind: str, **attributes: str | Sequence[str]) -> str:
        """Add an entry; its name on the wire."""
        edits = Edits(self.foundation.rooms, "tests")
        given = [("objectClass", [kind.encode(), b"extensibleObject"])]
        for name, values in attributes.items():
            several = [values] if isinstance(values, str) else values
            given.append((name.replace("_", ";", 1).replace("_", "-"), [value.encode() for value in several]))
        end(edits.add(DN.parse(dn), given))
        end(self.store.commit(edits.commit()))
        return f"{dn},dc=eta"

    def people(self, names: Mapping[str, str] | Sequence[str], above: str = "dc=im") -> None:
        """Persons by cn, with a surname each; without names to them it is `x`."""
        surnames = names if isinstance(names, Mapping) else dict.fromkeys(names, "x")
        for name, surname in surnames.items():
            self.add(f"cn={name},{above}", "person", sn=surname)

    def remove(self, dn: str) -> None:
        edits = Edits(self.foundation.rooms, "tests")
        end(edits.delete(DN.parse(dn)))
        end(self.store.commit(edits.commit()))

    def modify(self, dn: str, description: str, *values: str) -> None:
        edits = Edits(self.foundation.rooms, "tests")
        end(edits.modify(DN.parse(dn), [(2, description, [value.encode() for value in values])]))
        end(self.store.commit(edits.commit()))

    def ask(
        self,
        filter: str | Filter = "(objectClass=*)",
        *controls: ControlValue,
        critical: bool = True,
        base: str = TOP,
        scope: Scope = Scope.SUBTREE,
        deref: DerefAliases = DerefAliases.NEVER,
        size: int = 0,
        time: int = 0,
        types_only: bool = False,
        attributes: Sequence[str] = (),
        identity: Identity = ROOT,
        line: DeskLine | None = None,
    ) -> Told:
        """A search, as it would be answered."""
        wanted = parse_filter(filter) if isinstance(filter, str) else filter
        request = SearchRequest(base, scope, deref, size, time, types_only, wanted, tuple(attributes))
        return self.ask_for(request, *controls, critical=critical, identity=identity, line=line)

    def ask_for(
        self,
        request: SearchRequest,
        *controls: ControlValue,
        critical: bool = True,
        identity: Identity = ROOT,
        line: DeskLine | None = None,
    ) -> Told:
        line = line or self.line
        line.sent.clear()
        told = Told()
        asked = NOTHING_ASKED
        try:
            if controls:
                encoded = [encode_request(control, critical=critical) for control in controls]
                asked = read_controls(encoded, request, DEFAULT_LIMITS)
            told.result = end(self.searches.search(1, request, identity, line, asked))
        except Refusal as refusal:
            told.result = refusal.result
        told.controls = tuple(asked.answers)
        for data in line.sent:
            operation = decode_message(data, 0, len(data)).operation
            if isinstance(operation, SearchResultEntry):
                told.entries.append(operation)
            else:
                assert isinstance(operation, SearchResultReference)
                told.references.append(operation.uris)
        return told


def leaves(told: Told) -> list[str]:
    """The first value of each name: `b` of `cn=b,dc=im,dc=eta`."""
    return [name.partition(",")[0].partition("=")[2] for name in told.names]
