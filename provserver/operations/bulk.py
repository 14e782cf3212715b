"""The tree's half of a load: what `casting` made of a block of LDIF goes into the store, in its order.

Entries go in by the run. Where a run does not go in as a whole (a name in use, no parent, no such user), its
records are carried out one by one by the ordinary edits, which say which of them is wrong, and why.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from provserver.directory.classes import OBJECT_CLASS_KEY
from provserver.directory.entries import EntryId
from provserver.directory.ldif import LdifError, LdifRecord, read_block
from provserver.directory.ldifblocks import Block
from provserver.imps.users import makes_global_user
from provserver.ldap.results import Refusal
from provserver.operations.casting import Caster, Known, Part, Run, append, index_in
from provserver.operations.edits import Rooms
from provserver.operations.loading import commit_of
from provserver.storage.arrivals import LoadedStore

_USERS: Final = 4_096


class Bulk:
    """One load: everything in it has one author and one time."""

    def __init__(
        self,
        rooms: Rooms,
        store: LoadedStore,
        new_id: Callable[[], EntryId],
        by: str,
        failed: Callable[[LdifRecord, Refusal], None],
    ) -> None:
        """`failed` is told of each record that cannot be loaded; it may raise. `rooms` are the store's."""
        self.at: Final = rooms.wall()
        self._rooms = replace(rooms, wall=lambda: self.at)
        self._store = store
        self._by = by
        self._failed = failed
        stamp = rooms.stamp(self.at)
        self.caster: Final = Caster(
            rooms.schema, rooms.views, store.numbers, stamp, by, new_id, frozenset(rooms.meanings)
        )
        self._users: dict[str, Known] = {}

    async def land(self, block: Block, parts: Sequence[Part]) -> int:
        """Load what a block came to; how many of its records were loaded. LdifError."""
        loaded = 0
        records: list[LdifRecord] | None = None
        for part in parts:
            if isinstance(part, LdifError):
                raise part
            if isinstance(part, LdifRecord):
                loaded += await self._carry_out(part)
                continue
            if self._arrives(part):
                loaded += part.count
                continue
            if records is None:
                records = list(_readable(block))
            for record in records:
                if part.first <= record.line <= part.last:
                    loaded += await self._carry_out(record)
        return loaded

    async def _carry_out(self, record: LdifRecord) -> bool:
        try:
            await self._store.commit(await commit_of(record, self._rooms, self._by))
        except Refusal as refusal:
            self._failed(record, refusal)
            return False
        finally:
            self._users.clear()
        return True

    # Runs

    def _arrives(self, run: Run) -> bool:
        """Whether a run went in, with the inclusions of its accounts."""
        arrivals = run.arrivals
        owners = [self._user(key) for key in run.owners]
        above: dict[str, int] = {}
        for row, account_class, owner in run.owned:
            user = owners[owner]
            if user is None:
                return False
            account_id, key, _, name, _ = arrivals.rows[row]
            inclusion = self.caster.inclusion(user, (EntryId(account_id), name, key), account_class)
            if inclusion is None:
                return False
            made, parent = inclusion
            append(arrivals, made, ~index_in(arrivals.above, above, parent))
        return self._store.arrive(arrivals, self.at, self._by)

    def _user(self, key: str) -> Known | None:
        """The global user of that DN key that was there before."""
        user = self._users.get(key)
        if user is None:
            entry = self._store.brief(key)
            if entry is None or not makes_global_user(entry[2][OBJECT_CLASS_KEY].values):
                return None
            if len(self._users) >= _USERS:
                self._users.clear()
            user = self._users[key] = (entry[0], entry[1], key)
        return user


def _readable(block: Block) -> Iterator[LdifRecord]:
    """The records of a block as far as it can be read."""
    with contextlib.suppress(LdifError):
        yield from read_block(block)
