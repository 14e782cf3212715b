"""Asks the external password policy about a password, at the first place that answers.

Places are tried in order, each once, all together within a bounded time; so many questions at the same time,
and so many that wait. What cannot be asked within these bounds is silence (None), and never acceptance. Why
a place fails is logged once for each cause, and again when it answers.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from provserver.https.causes import NoAnswer
from provserver.https.lines import Lines
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.external.calling import Calls
from provserver.passwords.external.forms import Malformed, decode_answer, discreet, encode_question
from provserver.passwords.external.places import Places
from provserver.passwords.opinions import Question
from provserver.passwords.reasons import PolicyRefusal

_log = Logger(__name__)


class PolicyService(Service):
    """The external policy, as `opinions.External`. `patience`: seconds for all places together;
    `concurrency`: questions at the same time; `waiting`: how many more may wait for their turn.
    """

    def __init__(
        self,
        places: Places,
        calls: Calls,
        lines: Lines,
        *,
        patience: float,
        concurrency: int,
        waiting: int,
        clock: IReactorTime,
    ) -> None:
        self._places = places
        self._calls = calls
        self._lines = lines
        self._patience = patience
        self._waiting = waiting
        self._clock = clock
        self._turns = DeferredSemaphore(concurrency)
        self._under_way: set[Deferred[tuple[PolicyRefusal, ...] | None]] = set()

    async def objections(self, question: Question) -> tuple[PolicyRefusal, ...] | None:
        """All objections to a password, none when it is accepted; None: nobody could be asked.
        Refusal BUSY.
        """
        if not self._turns.tokens and len(self._turns.waiting) >= self._waiting:
            raise Refusal(ResultCode.BUSY, "too many passwords wait for the external policy: try again later")
        asked = Deferred.fromCoroutine(self._in_turn(question))
        asked.addTimeout(self._patience, self._clock, lambda *_: None)
        self._under_way.add(asked)
        try:
            return await asked
        except CancelledError:
            if self.running:
                raise
            return None  # the server is stopping
        finally:
            self._under_way.discard(asked)

    async def _in_turn(self, question: Question) -> tuple[PolicyRefusal, ...] | None:
        await self._turns.acquire()
        try:
            return await self._of_first_who_answers(question)
        finally:
            self._turns.release()

    async def _of_first_who_answers(self, question: Question) -> tuple[PolicyRefusal, ...] | None:
        body = encode_question(question)
        for url in self._places.in_order():
            try:
                objections = decode_answer(await self._calls.call(url, body))
            except NoAnswer as no_answer:
                self._failed(url, str(no_answer))
            except Malformed as malformed:
                self._failed(url, f"not an answer of this form: {malformed}")
            else:
                if self._places.answered(url):
                    _log.info("external password policy: {place} answers again", place=_shown(url))
                return discreet(objections, question.secret)
        return None

    def _failed(self, url: str, cause: str) -> None:
        if self._places.failed(url, cause):
            _log.warn("external password policy: {place}: {cause}", place=_shown(url), cause=cause)

    def stopService(self) -> Deferred[None]:  # noqa: N802  Twisted's name
        """Nobody is asked any more; what was asked is silence."""
        super().stopService()  # type: ignore[no-untyped-call]  # Twisted's services have no types
        for asked in list(self._under_way):
            asked.cancel()
        return Deferred.fromCoroutine(self._lines.close_kept())


def _shown(url: str) -> str:
    """A place as logs name it: a query may hold somebody's token."""
    return urlsplit(url)._replace(query="").geturl()
