"""A domain in memory with an endpoint that has the accounts a test gives it, and explorations of it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from twisted.internet.task import Clock

from provserver.cli.loading import load_stream
from provserver.connectors.contract import Account, ConnectorFailure
from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.exploration.explorations import Exploration, Explorations
from provserver.exploration.ground import Ground
from provserver.exploration.wishes import Wish, actions_of
from provserver.foundation import Foundation, lay_foundation, load_schema
from provserver.imps.endpoints import Endpoint
from provserver.imps.users import global_user_dn
from provserver.ldap.filters import Present, Scope
from provserver.operations.edits import Edits
from provserver.settings import Settings
from provserver.storage.contract import SearchLimits
from provserver.storage.sqlite import SqliteStore
from provserver.vault.keyring import KeyRing

T = TypeVar("T")

WHO = {"by": "tests"}
NOWHERE = DN.parse("")
UNIX = "eTETCDirectoryName=host,eTNamespaceName=UNIX - etc,dc=im"
AD = "eTADSDirectoryName=corp,eTNamespaceName=ActiveDirectory,dc=im"
ACCOUNTS = f"eTETCAccountContainerName=Accounts,{UNIX}"
ENDPOINTS = f"""\
dn: {UNIX}
objectClass: eTETCDirectory
provConnector: emulated

dn: {AD}
objectClass: eTADSDirectory
provConnector: emulated
"""
_KEYS = KeyRing.generate()


def end(work: Coroutine[Any, Any, T]) -> T:
    """The result of what never waits: a store in memory answers at once."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waits")


def account(name: str, dn: str = "", /, **attributes: str | Sequence[str]) -> Account:
    """An account of an endpoint; `dn`: what a directory calls it."""
    held = {key: (value,) if isinstance(value, str) else tuple(value) for key, value in attributes.items()}
    return Account(name, NOWHERE, {**held, **({"entryDN": (dn,)} if dn else {})})


class Port:
    """The connector of both endpoints: it has these accounts, or breaks off after them."""

    def __init__(self) -> None:
        self.accounts: Sequence[Account] = ()
        self.failure: Exception | None = None
        self.before: Callable[[], object] = lambda: None
        """Done while the endpoint is being explored."""
        self.closed = 0

    async def open(self, partition: str = "") -> None:
        """Always."""

    async def close(self) -> None:
        self.closed += 1

    async def explore(self) -> AsyncIterator[Account]:
        self.before()
        for one in self.accounts:
            yield one
        if self.failure is not None:
            raise self.failure


class Voyage:
    def __init__(self, *ldif: str) -> None:
        schema = load_schema()
        self.store = end(SqliteStore.in_memory(schema))
        self.foundation: Foundation = lay_foundation(
            Settings(), _KEYS, schema, self.store, wall=lambda: 1.7e9
        )
        self.load((files("provserver.ldif") / "base.ldif").read_text("utf-8"), ENDPOINTS, *ldif)
        self.port = Port()
        self.unmade: Exception | None = None
        """Why there can be no connector."""
        numbers = itertools.count(1)

        async def turn() -> None:
            """Nobody else is there."""

        self.ground = Ground(
            store=self.store,
            schema=schema,
            domain=self.foundation.views.domain,
            inclusions=self.foundation.inclusions,
            parameters=self.foundation.parameters,
            new_id=lambda: EntryId(f"id-{next(numbers)}"),
            wall=lambda: 1.7e9,
            stamp=self.foundation.rooms.stamp,
            make=self._make,
            turn=turn,
            random=lambda size: bytes(size),
        )
        self.explorations = Explorations(self.ground, Clock())

    def _make(self, endpoint: Endpoint) -> Any:
        if self.unmade is not None:
            raise self.unmade
        return self.port

    def load(self, *ldif: str) -> None:
        edits = Edits(self.foundation.rooms, "tests")
        for text in ldif:
            end(load_stream(self.foundation, edits, "ldif", text.encode().splitlines(keepends=True)))
        end(self.store.commit(edits.commit()))

    def user(self, name: str, **attributes: str) -> None:
        lines = [f"{key}: {value}" for key, value in attributes.items()]
        dn = global_user_dn(name, self.ground.domain)
        self.load("\n".join([f"dn: {dn}", "objectClass: eTGlobalUser", *lines, ""]))

    def endpoint(self, dn: str = UNIX) -> Endpoint:
        entry = end(self.store.read(DN.parse(dn)))
        assert entry is not None
        found = end(self.foundation.endpoints.get(entry.id))
        assert found is not None
        return found

    def explore(
        self, *accounts: Account, actions: str = "explore", at: str = UNIX, dry_run: bool = False
    ) -> Exploration:
        """Of an endpoint with these accounts; `actions`: what triggers say, with blanks between."""
        self.port.accounts = accounts
        wish = Wish(actions_of(actions.split()), dry_run)
        exploration = end(self.explorations.begin(self.endpoint(at), wish, WHO))
        assert not exploration.running
        return exploration

    def counts(self, exploration: Exploration) -> Mapping[str, int]:
        """Those that are not 0."""
        told: Any = exploration.told()
        return {key: value for key, value in told.items() if type(value) is int and value}

    def entry(self, dn: str) -> Entry | None:
        return end(self.store.read(DN.parse(dn)))

    def below(self, dn: str) -> dict[str, Entry]:
        """All entries below a name, by their names."""
        return {entry.dn.text: entry for entry in end(self._found(dn)) if entry.dn != DN.parse(dn)}

    async def _found(self, dn: str) -> list[Entry]:
        search = self.store.search(DN.parse(dn), Scope.SUBTREE, Present("objectClass"), SearchLimits())
        return [entry async for batch in search for entry in batch]

    def owner(self, dn: str) -> str | None:
        """The name of the global user whose account this is."""
        entry = self.entry(dn)
        assert entry is not None, dn
        user = end(self.foundation.inclusions.owner(entry))
        return user.dn.rdns[0].pairs[0][1] if user is not None else None

    def last_change(self) -> int:
        return end(self.store.history()).last

    def break_off(self, failure: ConnectorFailure) -> None:
        self.port.failure = failure


def unix(name: str) -> str:
    return f"eTETCAccountName={name},{ACCOUNTS}"
