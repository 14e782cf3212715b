"""One consumer's copy, and how it is brought up to date and kept so (RFC 4533 3.3, 3.4).

A copy that is known to be at some line of the change log is told what the log has after that (`telling`);
another one is told everything. The log is also the queue of each persistent search: one that reads slowly
reads the log later, and nothing waits for it in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final, NoReturn

from provserver.directory.access import may_search
from provserver.ldap.controls import EntryState, NewCookie, ProxiedAuthorization, SyncRequest
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.content import Content
from provserver.operations.context import House, Line, identity_on
from provserver.operations.cookies import Cookies, UnknownCookie, read_cookie
from provserver.operations.persisting import Listener
from provserver.operations.principals import acting_as
from provserver.operations.sending import Deadline
from provserver.operations.telling import Stretch
from provserver.storage.contract import ChangeRecord, History

_PAGE: Final = 256
"""Lines of the log that are in memory at once."""
_AHEAD: Final = 64 * 1024
"""Octets that are sent before a consumer is waited for, if it does not read them."""
_REMEMBERED: Final = 50_000
"""Entries that a refresh does not tell again."""
_SILENCE: Final = 1_000
"""Lines of the log that have nothing for a consumer, until it gets a new cookie all the same."""


class Outflow:
    """Messages on their way to a consumer, not many more than it has read; of a refresh also no more of them,
    and for no longer, than of a search.
    """

    def __init__(self, line: Line, size: int = 0, deadline: Deadline | None = None) -> None:
        self._line = line
        self._size = size
        self._deadline = deadline
        self._entries = 0
        self._ahead = 0

    async def entry(self, message: bytes) -> None:
        """Send what there is to say of an entry (RFC 4533 3.5.3). Refusal SIZE_LIMIT_EXCEEDED."""
        if self._size and self._entries >= self._size:
            raise Refusal(ResultCode.SIZE_LIMIT_EXCEEDED, f"more than {self._size} entries")
        self._entries += 1
        await self.send(message)

    async def send(self, message: bytes) -> None:
        self._line.send(message)
        self._ahead += len(message)
        if self._ahead >= _AHEAD:
            await self.pause()

    async def pause(self) -> None:
        """Let the consumer read. Refusal TIME_LIMIT_EXCEEDED."""
        if self._deadline is not None:
            self._deadline.look()
        self._ahead = 0
        await self._line.drained()


class Copy:
    """One consumer's copy, and how it is brought up to date."""

    _cookies: Cookies
    _reached: ChangeRecord
    """The line of the log up to which the copy has everything."""

    def __init__(self, content: Content, line: Line, house: House) -> None:
        self._content = content
        self._line = line
        self._house = house
        self._store = house.rooms.store

    def cookie(self) -> bytes:
        """For the copy as it is now."""
        return self._cookies.cookie(self._reached)

    # The refresh stage

    async def refresh(self, sync: SyncRequest, out: Outflow) -> bool:
        """Bring the copy up to what the tree is now. Whether it was told what is absent; if not, that is
        everything that it was not told of.
        """
        history = await self._store.history()
        after = await self._known(sync, history)
        if after is None:
            await self._everything(history.last, out)
        else:
            await self._since(after, history.last, out)
        self._reached = await self._at(history.last)
        return after is not None

    async def _known(self, sync: SyncRequest, history: History) -> ChangeRecord | None:
        """Up to where the consumer has everything already; None: it begins anew."""
        cookies = self._cookies = Cookies(history.began, self._content.key)
        place = None
        try:
            place = read_cookie(sync.cookie)
            if place is None:
                return None
            line = await self._at(cookies.sequence(place))
            if cookies.recognises(place, line):
                self._cookies = cookies.like(place)
                return line
        except (LookupError, UnknownCookie):
            pass
        if not sync.reload_hint:
            raise _begin_anew("expected a cookie for this content, not older than what is remembered")
        if place is not None:
            self._cookies = cookies.ahead_of(place, history.last)
        return None

    async def _at(self, sequence: int) -> ChangeRecord:
        """A line of the log. LookupError."""
        lines = await self._store.changes(sequence - 1, 1) if sequence > 0 else ()
        if not lines or lines[0].sequence != sequence:
            raise LookupError(f"there is no change {sequence}")
        return lines[0]

    async def _everything(self, last: int, out: Outflow) -> None:
        stamp = self._cookies.stamp(last)
        async with aclosing(self._content.walk.entries()) as batches:
            async for batch in batches:
                for entry in batch:
                    await out.entry(self._content.present(entry, EntryState.ADD, stamp))
                await out.pause()

    async def _since(self, after: ChangeRecord, last: int, out: Outflow) -> None:
        stretch = Stretch(self._content, self._cookies, self._store, after, last, _REMEMBERED)
        while after.sequence < last:
            lines = await self._lines(after.sequence)
            for line in lines:
                if line.sequence <= last:
                    message = await stretch.message(line, EntryState.ADD)
                    if message:
                        await out.entry(message)
            after = lines[-1]
            if after.sequence < last:  # whoever loses the connection here goes on from here
                await out.send(self._content.info(NewCookie(self._cookies.cookie(after))))
            await out.pause()

    # The persist stage

    async def persist(self, listener: Listener, asked: Asked) -> NoReturn:
        """Tell what changes. It ends by being cancelled, or by a Refusal."""
        out = Outflow(self._line)
        given = self._reached.sequence
        while True:
            await self._demand_same_rights(asked)
            lines = await self._lines(self._reached.sequence)
            if not lines:
                await listener.news()
                continue
            last = (await self._store.history()).last
            stretch = Stretch(self._content, self._cookies, self._store, self._reached, last, _PAGE)
            anything = False
            for line in lines:
                state = EntryState.ADD if line.kind == "add" else EntryState.MODIFY
                message = await stretch.message(line, state)
                if message:
                    await out.send(message)
                    anything = True
            await self._demand_same_base()
            self._reached = lines[-1]
            if anything or self._reached.sequence - given >= _SILENCE:
                given = self._reached.sequence
                await out.send(self._content.info(NewCookie(self.cookie())))
            await out.pause()

    async def _demand_same_rights(self, asked: Asked) -> None:
        identity = await identity_on(self._line, self._house)
        proxy = asked.get(ProxiedAuthorization)
        if proxy is not None:
            identity = await acting_as(proxy.authorization_id, identity, self._house)
        if identity == self._content.identity:
            return
        if not may_search(identity, self._content.base.dn):
            code = ResultCode.INSUFFICIENT_ACCESS_RIGHTS
            raise Refusal(code, f"'{identity.name()}' may not search here any more")
        raise _begin_anew(f"the rights of '{identity.name()}' have changed")

    async def _demand_same_base(self) -> None:
        """RFC 4533 3.5.1."""
        name = self._content.base.dn
        base = await self._store.read(name)
        if base is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{name}' does not exist any more")
        if base.id != self._content.base.id:
            raise _begin_anew(f"'{name}' is another entry now")

    async def _lines(self, after: int) -> Sequence[ChangeRecord]:
        lines = await self._store.changes(after, _PAGE)
        if lines and lines[0].sequence != after + 1:
            raise _begin_anew("what has changed since then is not remembered any more")
        return lines


def _begin_anew(why: str) -> Refusal:
    return Refusal(ResultCode.SYNC_REFRESH_REQUIRED, why)
