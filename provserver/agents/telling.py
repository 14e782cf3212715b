"""A change is told, and kept until a server has it.

After the local change (not `vetoable`) it goes into the spool before it is sent: whatever happens then, it is
there. For whoever can still veto it is put there only when it may have been done or will be: what is vetoed
must leave no trace where an older change of the account, which was done, may wait.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Final

from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.decisions import Decision, decided
from provserver.agents.encoding import encoded
from provserver.agents.pauses import pause_after
from provserver.agents.reporting import Report, report
from provserver.agents.spool import Spool, SpoolError
from provserver.agents.verdicts import Answer, Verdict
from provserver.vault.secret import Secret

_BEST_FIRST: Final = (
    Verdict.ACCEPTED,
    Verdict.REFUSED,
    Verdict.UNCONFIRMED,
    Verdict.NOT_TAKEN,
    Verdict.NOBODY,
)
_FINAL: Final = frozenset({Verdict.ACCEPTED, Verdict.REFUSED})
_PERHAPS_DONE: Final = frozenset({Verdict.ACCEPTED, Verdict.UNCONFIRMED})


class Telling:
    """For one change. `name` makes an id that no other change has."""

    def __init__(
        self,
        conf: Conf,
        book: Book,
        wall: Callable[[], float],
        name: Callable[[], str] = lambda: os.urandom(16).hex(),
    ) -> None:
        self._conf = conf
        self._book = book
        self._wall = wall
        self._name = name

    def tell(self, account: str, secret: Secret, *, vetoable: bool, nobody: Answer | None = None) -> Decision:
        """Tell of a change. `nobody`: it was just seen that no server is there, so none is tried."""
        conf = self._conf
        told = Report(self._name(), account, self._wall(), encoded(secret, conf.scheme))
        answers: list[Answer] = [nobody] if nobody is not None else []
        with contextlib.ExitStack() as open_things:
            try:
                spool = self._spool(open_things)
                if spool is not None and not vetoable:
                    # Nobody else is to deliver it while we are at it.
                    self._replaced(spool.put(told, self._wall() + conf.times.search + conf.times.update))
            except SpoolError as error:
                self._book.wrong(f"a change that nobody takes is lost: {error}")
                spool = None
            if nobody is None and conf.times.search:
                answers = report(conf, told, self._book, self._wall)
            return self._settled(told, answers, spool, vetoable)

    def _spool(self, open_things: contextlib.ExitStack) -> Spool | None:
        directory = self._conf.waiting.directory
        return None if directory is None else open_things.enter_context(Spool(directory))

    def _settled(
        self, told: Report, answers: Sequence[Answer], spool: Spool | None, vetoable: bool
    ) -> Decision:
        """What becomes of the change here, after what the servers said."""
        conf, best = self._conf, _best(answers)
        what = f"{told.account}: change {told.id}"
        final = {answer.server for answer in answers if answer.verdict in _FINAL}
        complete = len(final) == len(conf.servers) if conf.waiting.everyone else bool(final)
        vetoed = vetoable and best.verdict not in _PERHAPS_DONE
        if conf.out_of_sync and best.verdict is not Verdict.REFUSED:
            vetoed = False
        waits = spool is not None and not complete and not vetoed
        try:
            if spool is not None and waits:
                self._keep(told, answers, spool, put=vetoable)
            elif spool is not None and not vetoed:
                spool.settle(told)
        except SpoolError as error:
            self._book.wrong(f"{what}: {error}")
            waits = waits and not vetoable
        return decided(conf, self._book, what, best, waits=waits)

    def _keep(self, told: Report, answers: Sequence[Answer], spool: Spool, *, put: bool) -> None:
        now = self._wall()
        if put:
            self._replaced(spool.put(told, now))
        for answer in answers:
            if answer.verdict in _FINAL:
                spool.take(told.id, answer.server)
        rest = [answer for answer in answers if answer.verdict not in _FINAL]
        tries = int(any(answer.verdict is Verdict.NOT_TAKEN for answer in rest))
        spool.later(told.id, now + pause_after(tries), tries, _together(rest))

    def _replaced(self, older: Sequence[str]) -> None:
        for id in older:
            self._book.note(f"change {id} did not arrive and need not: its account has a newer one")


def _best(answers: Sequence[Answer]) -> Answer:
    """The answer that counts here; where nobody was asked, why."""
    if not answers:
        return Answer(Verdict.NOBODY, "no server was asked: search_acct_dn_timeout is 0")
    best = min(answers, key=lambda answer: _BEST_FIRST.index(answer.verdict))
    return best if best.verdict is not Verdict.NOBODY else Answer(Verdict.NOBODY, _together(answers))


def _together(answers: Sequence[Answer]) -> str:
    return "; ".join(f"{one.server}: {one.text}" if one.server else one.text for one in answers)
