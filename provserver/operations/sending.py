"""Entries on their way to the client: what is shown of each, and no more of them, nor for longer, than the
stricter of the client's limits and the server's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Attribute, Entry
from provserver.imps.views import View
from provserver.ldap.codec import encode_entry, enveloped
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.context import House, Line
from provserver.operations.cuts import Cuts, Cutter
from provserver.operations.matched import Matched
from provserver.operations.selection import Selection
from provserver.operations.statuses import Statuses

_PIECE: Final = 64 * 1024
"""Octets of answers that are gathered before they are sent."""
_SELECTIONS: Final = 1_000
"""Lists of requested attributes kept resolved; clients ask for the same few."""


class Deadline:
    """Until when a search may go on."""

    __slots__ = ("_at", "_monotonic", "_seconds")

    def __init__(self, seconds: int, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._at = monotonic() + seconds

    def look(self) -> None:
        """Refusal TIME_LIMIT_EXCEEDED once it has passed."""
        if self._monotonic() > self._at:
            raise Refusal(ResultCode.TIME_LIMIT_EXCEEDED, f"more than {self._seconds} s")


class Sender:
    """Sends what was found; remembers how requested attributes resolve."""

    def __init__(self, house: House) -> None:
        self._rooms = house.rooms
        self._bounds = house.bounds
        self._monotonic = house.monotonic
        self._selections: dict[tuple[str, ...], Selection] = {}
        self._cuts = Cuts()
        self._statuses: Statuses | None = None

    def selection(self, requested: tuple[str, ...]) -> Selection:
        known = self._selections.get(requested)
        if known is None:
            if len(self._selections) >= _SELECTIONS:
                self._selections.clear()
            known = self._selections[requested] = Selection(requested, self._rooms.schema)
        return known

    def deadline(self, request: SearchRequest) -> Deadline | None:
        """The stricter of both sides' time limits, from now on; None: neither has one."""
        seconds = _stricter(request.time_limit, self._bounds.time)
        return Deadline(seconds, self._monotonic) if seconds else None

    def size(self, request: SearchRequest) -> int:
        """The stricter of both sides' limits of entries; 0: neither has one."""
        return _stricter(request.size_limit, self._bounds.size)

    async def _about_deliveries(self, entry: Entry, selection: Selection) -> list[Attribute]:
        if self._statuses is None:  # hardly any search asks
            self._statuses = Statuses.of(self._rooms)
        return await self._statuses.about(entry, selection.of_deliveries)

    async def send(
        self,
        message_id: int,
        request: SearchRequest,
        selection: Selection,
        view: View,
        line: Line,
        batches: AsyncIterator[Sequence[Entry]],
        deadline: Deadline | None,
        *,
        reader: Identity | None = None,
        matched: Matched | None = None,
        sent: int = 0,
    ) -> tuple[int, bytes]:
        """Send the entries as they come: how many were sent in all, and the last one as it was encoded.

        `selection`: of the request. `reader`: whoever may not see all of them; None: that was judged before.
        `sent`: how many went out with earlier pages of the same search. Refusal SIZE_LIMIT_EXCEEDED,
        TIME_LIMIT_EXCEEDED, when what is within the limit was sent.
        """
        size = self.size(request)
        as_stored = selection.stored and not request.types_only and matched is None
        cutter = Cutter(selection, view, self._cuts) if as_stored else None
        encoded = b""
        async for batch in batches:
            gathered = _Gathered(line)
            try:
                for entry in batch:
                    if reader is not None and not may_read(reader, entry.dn):
                        continue
                    if size and sent >= size:
                        raise Refusal(ResultCode.SIZE_LIMIT_EXCEEDED, f"more than {size} entries")
                    encoded = cutter.entry(entry) if cutter is not None else b""
                    if not encoded:
                        attributes = selection.of(entry, view)
                        if selection.at_reading and entry.version:  # what is not stored has all its own
                            attributes += await selection.about_children(entry.dn, self._rooms.store)
                            if selection.of_deliveries:
                                attributes += await self._about_deliveries(entry, selection)
                        if request.types_only:
                            attributes = [attribute._replace(values=()) for attribute in attributes]
                        elif matched is not None:
                            attributes = matched.of(attributes)
                        encoded = encode_entry(entry.dn.text + view.value, attributes)
                    gathered.add(enveloped(message_id, encoded))
                    sent += 1
            finally:
                gathered.send()
            if deadline is not None:
                deadline.look()
            if sent > 1:
                await line.drained()
        return sent, encoded


class _Gathered:
    """Messages for one line, handed to it in few pieces: it may have to ask the kernel about each."""

    __slots__ = ("_line", "_messages", "_size")

    def __init__(self, line: Line) -> None:
        self._line = line
        self._messages: list[bytes] = []
        self._size = 0

    def add(self, message: bytes) -> None:
        self._messages.append(message)
        self._size += len(message)
        if self._size >= _PIECE:
            self.send()

    def send(self) -> None:
        if self._messages:
            self._line.send(b"".join(self._messages))
            self._messages.clear()
            self._size = 0


def _stricter(asked: int, ours: int) -> int:
    """The smaller of two limits of which 0 means none."""
    return min(asked, ours) if asked and ours else asked or ours
