"""One exploration of one endpoint, page by page, in a memory that does not grow with the endpoint.

Accounts come from the connector in a stream. For each page of them the entries that are there are looked up
by name, compared, and only what is different is written, the page in one commit: account, container, user and
inclusion together. What was met is kept as a few bytes for each name (`seen`), and so, when the stream has
ended by itself, the entries that it did not name are found and removed. A stream that breaks off removes
nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from provserver.connectors.contract import Account, Connector
from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.exploration.correlation import Correlation
from provserver.exploration.counts import Report
from provserver.exploration.ground import Ground
from provserver.exploration.mapping import AccountMapping
from provserver.exploration.places import Place, Places
from provserver.exploration.portions import Portion
from provserver.exploration.seen import Seen
from provserver.exploration.users import NewUsers
from provserver.exploration.wishes import Action, Wish
from provserver.imps.endpoints import Endpoint
from provserver.imps.inclusions import SUBORDINATE_KEY, SUPERIOR_KEY
from provserver.imps.namespaces import namespace
from provserver.imps.parameters import CREATE_USERS_DEFAULT_ATTRIBUTES
from provserver.ldap.filters import Equality, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Conflict, SearchLimits

T = TypeVar("T")

PORTION: Final = 100
"""Accounts that are compared, and written, together, while nobody else is served: some milliseconds."""
_TRIES: Final = 10
"""Times that a portion is planned anew, because others changed something of it meanwhile."""
_FEW_NAMESAKES: Final = 4
"""Entries of one name, at all endpoints, that are read to find the one of this endpoint."""
_MOST_NAMESAKES: Final = 50
"""Entries of one name that are looked through for one of this endpoint; `root` may be everywhere."""
_CHANGE_PAGE: Final = 1_000
_OVERTAKEN: Final = frozenset(
    {ResultCode.ENTRY_ALREADY_EXISTS, ResultCode.NO_SUCH_OBJECT, ResultCode.NOT_ALLOWED_ON_NON_LEAF}
)
"""What a store says when others were there first."""


class Stopped(Exception):
    """Somebody wants the exploration to end."""


Found = tuple[Place, Account]


class Explorer:
    """Done once. `report` is what was done so far."""

    def __init__(
        self,
        ground: Ground,
        endpoint: Endpoint,
        wish: Wish,
        by: str,
        mapping: AccountMapping,
        wanted: Callable[[], bool],
    ) -> None:
        """`by`: in whose name; `wanted`: whether it shall go on."""
        self._ground = ground
        self._endpoint = endpoint
        self._wish = wish
        self._by = by
        self.report = Report()
        self._wanted = wanted
        self._row = namespace(endpoint.namespace)
        self._places = Places(endpoint.dn, self._row)
        self._mapping = mapping
        self._accounts = Equality("objectClass", self._row.account.object_class.encode())
        self._naming = ground.schema.key(self._row.account.rdn_type)
        self._class = self._row.account.object_class.encode()
        self._sought = ground.schema.key(
            self._row.logon if self._places.is_tree else self._row.account.rdn_type
        )
        self._seen = Seen(ground.random(16))
        self._containers: set[str] = set()
        self._correlation: Correlation | None = None

    async def run(self, connector: Connector) -> None:
        """Explore, and whatever else was asked. ConnectorFailure, Stopped: it broke off, and what the report
        tells is done. Refusal: it cannot begin.
        """
        await self._prepare()
        began = (await self._ground.store.history()).last
        await connector.open()
        async with aclosing(self._pages(connector)) as pages:
            async for page in pages:
                await self._done(page, self._land)
        await self._remove_gone(began)

    async def run_here(self) -> None:
        """What was asked beside exploring, of the accounts that are in the tree. Stopped, Refusal."""
        await self._prepare()
        async with aclosing(self._known()) as batches:
            async for batch in batches:
                self.report.counts.accounts += len(batch)
                await self._done(batch, self._judge_all)

    async def _prepare(self) -> None:
        defaults = await self._ground.parameters.get(CREATE_USERS_DEFAULT_ATTRIBUTES)
        new_users = NewUsers(defaults if Action.CREATE in self._wish.actions else (), self._ground.schema)
        if self._wish.actions & (Action.CORRELATE | Action.UPDATE):
            self._correlation = Correlation(self._ground, self._row, self._wish, new_users)

    # -- what is there, page by page

    async def _pages(self, connector: Connector) -> AsyncGenerator[Sequence[Found], None]:
        """Accounts that can be in the tree, each name once."""
        page: list[Found] = []
        report = self.report
        accounts = connector.explore()
        try:
            async for account in accounts:
                report.counts.accounts += 1
                try:
                    place = self._places.of(account)
                except ValueError as error:
                    self._skip(f"{account.name!r}: {error}")
                    continue
                if not self._seen.add(place.dn.key):
                    self._skip(f"{place.dn}: the endpoint has two accounts of this name")
                    continue
                page.append((place, account))
                if len(page) == PORTION:
                    yield page
                    page = []
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(accounts, "aclose", None)
            if close is not None:
                await close()
        if page:
            yield page

    def _known(self) -> AsyncGenerator[Sequence[Entry], None]:
        """The accounts that we have of this endpoint."""
        limits = SearchLimits(batch=PORTION)
        return self._ground.store.search(self._endpoint.dn, Scope.SUBTREE, self._accounts, limits)

    # -- a portion, planned and written

    async def _done(self, what: Sequence[T], plan: Callable[[Sequence[T], Portion], Awaitable[None]]) -> None:
        """Plan and write; when that does not work together, one by one, so that one account that cannot be
        written costs no other.
        """
        if not self._wanted():
            raise Stopped
        refusal = await self._tried(what, plan)
        if refusal is not None and len(what) > 1:
            for one in what:
                refusal = await self._tried([one], plan)
                if refusal is not None:
                    self._skip(refusal.result.diagnostic)
        elif refusal is not None:
            self._skip(refusal.result.diagnostic)
        await self._ground.turn()

    async def _tried(
        self, what: Sequence[T], plan: Callable[[Sequence[T], Portion], Awaitable[None]]
    ) -> Refusal | None:
        """The refusal, if it is one and stays one."""
        last = Refusal(ResultCode.BUSY, "others keep changing these accounts")
        for _ in range(_TRIES):
            portion = Portion(self._ground, self._by)
            await plan(what, portion)
            commit = portion.commit()
            try:
                if commit is not None and not self._wish.dry_run:
                    await self._ground.store.commit(commit)
            except Conflict:
                continue
            except Refusal as refusal:
                last = refusal
                self._containers.clear()
                if refusal.code in _OVERTAKEN:
                    continue
                break
            self.report.take(portion.report)
            self._containers |= portion.containers
            if self._correlation is not None:
                self._correlation.committed(portion)
            return None
        return last

    async def _land(self, page: Sequence[Found], portion: Portion) -> None:
        there = await self._there(page)
        for place, account in page:
            entry, is_new = await self._reconciled(place, account, there.get(place.dn.key), portion)
            if entry is not None and self._correlation is not None:
                await self._correlation.judge(entry, portion, is_new=is_new)

    async def _there(self, page: Sequence[Found]) -> dict[str, Entry]:
        """The entries of these names that there are, by DN key: read together, and not kept in memory, since
        nobody will look at them again soon.
        """
        store, ids, crowded = self._ground.store, dict[EntryId, None](), list[DN]()
        for place, _ in page:
            named = await store.find(self._naming, place.name.encode())
            if len(named) <= _FEW_NAMESAKES:
                ids.update(dict.fromkeys(named))
            else:
                crowded.append(place.dn)
        found = {entry.dn.key: entry for entry in await store.read_ids(list(ids))}
        for dn in crowded:
            entry = await store.read(dn)
            if entry is not None:
                found[dn.key] = entry
        return found

    async def _judge_all(self, accounts: Sequence[Entry], portion: Portion) -> None:
        assert self._correlation is not None  # noqa: S101 -- what else would have been asked for?
        for account in accounts:
            await self._correlation.judge(account, portion, is_new=False)

    async def _reconciled(
        self, place: Place, account: Account, entry: Entry | None, portion: Portion
    ) -> tuple[Entry | None, bool]:
        """The account's entry as the endpoint has it, and whether it is new; None: it cannot be. `entry`: the
        one that has this name now.
        """
        report, wanted = portion.report, self._mapping.of(account)
        if entry is not None and entry.id in portion.moved:
            entry = None
        if entry is not None and self._class.lower() not in [c.lower() for c in entry.values("objectclass")]:
            self._skipped(portion, f"{place.dn}: is there, and is no {self._row.account.object_class}")
            return None, False
        moved = False
        if entry is None:
            entry = await self._elsewhere(place, account, wanted.get(self._sought), portion)
            moved = entry is not None and place.binding
        try:
            if entry is None:
                return await self._added(place, wanted, portion), True
            if moved:
                await self._make_containers(place, portion)
                entry = await self._moved(entry, place.dn, portion)
            changes, refused = self._mapping.changes(entry, wanted)
            if changes:
                entry = portion.change(entry, changes)
        except Refusal as refusal:
            self._skipped(portion, f"{place.dn}: {refusal.result.diagnostic}")
            return None, False
        self._tell_refused(place.dn, refused, portion)
        if moved:
            report.counts.moved += 1
        elif changes:
            report.counts.changed += 1
            self._tell(
                portion, entry.dn, f"would be changed: {', '.join(str(name) for _, name, _ in changes)}"
            )
        else:
            report.counts.unchanged += 1
        return entry, False

    async def _added(self, place: Place, wanted: dict[str, tuple[bytes, ...]], portion: Portion) -> Entry:
        await self._make_containers(place, portion)
        attributes, refused = self._mapping.sound(wanted)
        entry = portion.add(place.dn, [("objectClass", (self._class,)), *attributes])
        portion.report.counts.added += 1
        self._tell(portion, place.dn, "would be added")
        self._tell_refused(place.dn, refused, portion)
        return entry

    async def _moved(self, entry: Entry, dn: DN, portion: Portion) -> Entry:
        self._tell(portion, entry.dn, f"would become {dn}")
        moved = portion.move(entry, dn)
        for inclusion in await self._inclusions(entry):
            if inclusion.values("etsubordinateclassentry"):
                portion.change(inclusion, [(2, "eTSubordinateClassEntry", [dn.text.encode()])])
        return moved

    async def _elsewhere(
        self, place: Place, account: Account, named: tuple[bytes, ...] | None, portion: Portion
    ) -> Entry | None:
        """The entry of this account at another place below the endpoint: in a tree by its logon name, which
        stays when it moves; else by its name, where somebody has put it into another container.
        """
        store = self._ground.store
        value = named[0] if named else place.name.encode()
        ids = await store.find(self._sought, value)
        if not ids or len(ids) > _MOST_NAMESAKES:
            return None
        for entry in await store.read_ids(ids):
            if not entry.dn.is_within(self._endpoint.dn) or entry.id in portion.moved:
                continue
            if self._class.lower() not in [name.lower() for name in entry.values("objectclass")]:
                continue
            if not place.binding:
                self._seen.add(entry.dn.key)
            elif entry.dn.key in self._seen:
                continue  # another account of the endpoint's
            return entry
        return None

    async def _make_containers(self, place: Place, portion: Portion) -> None:
        dn = self._endpoint.dn
        for container in place.containers:
            dn = dn.child(container.kind.rdn_type, container.value)
            if dn.key in self._containers or dn.key in portion.containers:
                continue
            portion.containers.add(dn.key)
            if await self._ground.store.read(dn) is None:
                portion.add(dn, [("objectClass", (container.kind.object_class.encode(),))])
                portion.report.counts.containers += 1
                self._tell(portion, dn, "would be made")

    # -- what is gone

    async def _remove_gone(self, began: int) -> None:
        """Entries that the endpoint did not name, except those that somebody added meanwhile."""
        fresh: Seen | None = None
        async with aclosing(self._known()) as batches:
            async for batch in batches:
                gone = [entry for entry in batch if entry.dn.key not in self._seen]
                if gone and not len(self._seen):
                    self.report.problem("the endpoint showed no account at all: nothing was removed")
                    return
                if gone and fresh is None:
                    fresh = await self._added_since(began)
                gone = [entry for entry in gone if fresh is None or entry.dn.key not in fresh]
                if gone:
                    await self._done(gone, self._remove)

    async def _added_since(self, sequence: int) -> Seen:
        added = Seen(self._ground.random(16))
        while lines := await self._ground.store.changes(sequence, _CHANGE_PAGE):
            for line in lines:
                if line.kind == "add" and line.dn.key not in self._seen:
                    added.add(line.dn.key)
            sequence = lines[-1].sequence
        return added

    async def _remove(self, gone: Sequence[Entry], portion: Portion) -> None:
        for account in gone:
            for inclusion in await self._inclusions(account):
                portion.remove(inclusion)
            portion.remove(account)
            portion.report.counts.removed += 1
            self._tell(portion, account.dn, "would be removed")

    async def _inclusions(self, account: Entry) -> list[Entry]:
        store, found = self._ground.store, []
        for inclusion_id in await store.find(SUBORDINATE_KEY, account.id.encode()):
            inclusion = await store.read_id(inclusion_id)
            if inclusion is not None and inclusion.values(SUPERIOR_KEY):
                found.append(inclusion)
        return found

    # -- what is told

    def _tell(self, portion: Portion, dn: DN, what: str) -> None:
        if self._wish.dry_run:
            portion.report.difference(f"{dn}: {what}")

    def _tell_refused(self, dn: DN, refused: Sequence[str], portion: Portion) -> None:
        for problem in refused:
            portion.report.problem(f"{dn}: {problem}")

    def _skip(self, problem: str) -> None:
        self.report.counts.skipped += 1
        self.report.problem(problem)

    def _skipped(self, portion: Portion, problem: str) -> None:
        portion.report.counts.skipped += 1
        portion.report.problem(problem)
