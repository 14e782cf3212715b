"""What a consumer is told of a stretch of the change log, line by line.

Entries are told as they are now, under the names that they had: names are taken and given up in the order in
which that happened, so that at no time two entries of a copy have one name. An entry that several lines are
about is told once, and again where its name changed. Whatever a line says may have left the content is told
to be absent, or deleted, which the consumer may never have had.
"""

from __future__ import annotations

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.controls import EntryState
from provserver.operations.content import Content
from provserver.operations.cookies import Cookies
from provserver.recent import Recent
from provserver.storage.contract import ChangeRecord, Store


class Stretch:
    """The lines after `before`, in their order. `last` is the number of the last one there is; at most
    `remembered` entries are known to have been told.
    """

    def __init__(
        self,
        content: Content,
        cookies: Cookies,
        store: Store,
        before: ChangeRecord,
        last: int,
        remembered: int,
    ) -> None:
        self._content = content
        self._cookies = cookies
        self._store = store
        self._before = before
        self._last = last
        self._told: Recent[EntryId, str] = Recent(remembered)
        """Keys of the names under which entries were told."""

    async def message(self, line: ChangeRecord, state: EntryState) -> bytes:
        """What the next line is about, in this state if it is there; empty: nothing that matters."""
        before, self._before = self._before, line
        content = self._content
        if line.kind == "delete":
            self._told.pop(line.id)
            return content.deleted(line.id, line.dn) if content.shows(line.dn) else b""
        entry = await self._store.read_id(line.id)
        if entry is not None and content.holds(_named(entry, line.dn)):
            return await self._present(entry, line, state)
        self._told.pop(line.id)
        # An entry that is deleted later is told by that line, but its name may be another's before that.
        if line.kind == "move" or (line.kind == "modify" and entry is not None and content.shows(line.dn)):
            return content.absent(line.id, self._cookies.cookie(before))
        return b""

    async def _present(self, entry: Entry, line: ChangeRecord, state: EntryState) -> bytes:
        name = entry.dn
        if name != line.dn:
            if line.kind != "move":
                return b""  # it is told where it has its next name
            name = await self._passing(line)
        if self._told.get(entry.id) == name.key:
            return b""
        self._told.put(entry.id, name.key)
        stamp = self._cookies.stamp(self._last, self._last - line.sequence)
        return self._content.present(_named(entry, name), state, stamp)

    async def _passing(self, line: ChangeRecord) -> DN:
        """A name for an entry that has another one later: what it was called then, or, if there is nothing
        above that any more, one that nobody else has.
        """
        above = line.dn.parent
        if above is not None and await self._store.read(above) is not None:
            return line.dn
        return self._content.base.dn.child("eTID", line.id)


def _named(entry: Entry, name: DN) -> Entry:
    return entry if name is entry.dn else Entry(entry.id, name, entry.attributes, entry.version)
