"""What waits in the spool is delivered, oldest first, each change once.

A change that a server has answered need not wait any more, whatever it said about the password; `pauses` says
how a no of another kind is taken. A line that breaks leaves everything behind it for the next server, and for
the next time. Which changes are out of date, and which came twice, the server knows: they carry their id and
when they were caught (docs/the-exchange.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from provserver.agents.book import Book
from provserver.agents.conf import Conf, Server
from provserver.agents.desk import SYNC, Desk, NotNow
from provserver.agents.pauses import MOST_TRIES, pause_after
from provserver.agents.spool import Held, SealBroken, Spool
from provserver.agents.verdicts import Answer, Verdict
from provserver.agents.wire import Deadline, NoAnswer

_NOT_ZERO: Final = 10.0
"""Seconds for a step whose time-out is 0: that is for people who wait, and nobody does here."""
_UNSURE_PAUSE: Final = 60.0
"""Seconds that a change rests whose answer did not come, so that it does not stop all others."""


class _Rests(NoAnswer):
    """A change was sent and its answer did not come; the change rests."""


@dataclass(slots=True)
class Flushed:
    """What came of it. `troubles`: why servers were not reached."""

    delivered: int = 0
    refused: int = 0
    given_up: int = 0
    waiting: int = 0
    troubles: list[str] = field(default_factory=list)


def flush(conf: Conf, spool: Spool, book: Book, wall: Callable[[], float]) -> Flushed | None:
    """Deliver what is due; None: somebody else is doing that. SpoolError."""
    with spool.delivering() as ours:
        return _Round(conf, spool, book, wall).done() if ours else None


class _Round:
    def __init__(self, conf: Conf, spool: Spool, book: Book, wall: Callable[[], float]) -> None:
        self._conf = conf
        self._spool = spool
        self._book = book
        self._wall = wall
        self._flushed = Flushed()
        self._servers = {str(server) for server in conf.servers}

    def done(self) -> Flushed:
        conf, spool, flushed = self._conf, self._spool, self._flushed
        for old in spool.purge(self._wall() - conf.waiting.keep):
            flushed.given_up += 1
            self._book.wrong(
                f"{old.account}: change {old.id} is given up: nobody took it in time; {old.trouble}"
            )
        rest = spool.waiting(until=self._wall())
        for server in conf.servers:
            mine = [held for held in rest if str(server) not in held.taken]
            if mine:
                offered = self._offer(server, mine)
                if not conf.waiting.everyone:
                    rest = [held for held in rest if held.id not in offered]
        flushed.waiting = len(spool.waiting())
        return flushed

    def _offer(self, server: Server, mine: Sequence[Held]) -> set[str]:
        """Tell one server; the ids of what it has answered."""
        conf = self._conf
        answered: set[str] = set()
        held = mine[0]
        try:
            with Desk.open(conf, server, self._book, Deadline(conf.times.search or _NOT_ZERO)) as desk:
                for held in mine:
                    if self._tell(desk, held):
                        answered.add(held.id)
        except _Rests as trouble:
            self._flushed.troubles.append(f"{server}: {trouble}")
        except NoAnswer as trouble:
            self._flushed.troubles.append(f"{server}: {trouble}")
            self._spool.later(held.id, held.due, held.tries, f"{server}: {trouble}")
        return answered

    def _tell(self, desk: Desk, held: Held) -> bool:
        """One change: whether the server answered for it. NoAnswer: nothing more is to be had there."""
        try:
            report = self._spool.report(held)
        except SealBroken as error:
            self._spool.later(held.id, self._wall() + pause_after(MOST_TRIES), held.tries, str(error))
            self._book.wrong(f"{held.account}: change {held.id} cannot be read: {error}")
            return True
        conf = self._conf
        try:
            answer = desk.tell(
                report.account,
                SYNC,
                report.secret,
                report.control(self._wall()),
                Deadline(conf.times.search or _NOT_ZERO),
                lambda: conf.times.update or _NOT_ZERO,
            )
        except NotNow as trouble:
            self._spool.later(held.id, self._wall() + pause_after(1), held.tries, str(trouble))
            return True
        if answer.verdict is Verdict.UNCONFIRMED:
            self._spool.later(held.id, self._wall() + _UNSURE_PAUSE, held.tries, answer.text)
            raise _Rests(answer.text)
        self._answered(held, answer)
        return True

    def _answered(self, held: Held, answer: Answer) -> None:
        what = f"{held.account}: change {held.id}: {answer.server}: {answer.text}"
        if answer.verdict is Verdict.ACCEPTED:
            self._flushed.delivered += 1
            self._book.note(f"{what}; it had waited {max(0.0, self._wall() - held.captured):.0f} s")
        elif answer.verdict is Verdict.REFUSED:
            self._flushed.refused += 1
            self._book.wrong(f"{what}; the password here is another one than there")
        elif held.tries + 1 < MOST_TRIES:
            tries = held.tries + 1
            self._spool.later(held.id, self._wall() + pause_after(tries), tries, what)
            self._book.warn(f"{what}; it will be offered again")
            return
        else:
            self._flushed.given_up += 1
            self._book.wrong(f"{what}; it is given up")
        self._spool.take(held.id, answer.server)
        taken = next((one.taken for one in self._spool.waiting() if one.id == held.id), frozenset())
        if not self._conf.waiting.everyone or taken >= self._servers:
            self._spool.drop(held.id)
