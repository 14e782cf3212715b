"""One call to a web service: what is asked, and what came back in time, of a bounded size.

Redirections are not followed: what may hold a password goes to the urls of the settings and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.web.http_headers import Headers

from provserver import __version__
from provserver.connectors.web.place import Place
from provserver.https.causes import ClosedBefore, NoAnswer, told
from provserver.https.lines import Line, TooLong
from provserver.records import field, record
from provserver.vault.secret import Secret

ANSWER_LIMIT: Final = 1024 * 1024
"""Octets of an answer that is about one account."""

_HARMLESS: Final = ("GET", "HEAD")


@record
class Call:
    """A request. Neither its headers, which say who we are, nor its body are shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: Secret | None = None

    def with_headers(self, more: Mapping[str, str]) -> Call:
        return Call(self.method, self.url, {**self.headers, **more}, self.body)


@record
class Answer:
    """`body` may repeat what was sent, and is not shown. It is empty where it was longer than allowed."""

    code: int
    body: bytes = field(repr=False)
    retry_after: str = ""

    @property
    def is_good(self) -> bool:
        return 200 <= self.code < 300


class Unanswered(Exception):
    """There is no answer; the text says why. `sent`: the other end may have seen the request."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class Calls:
    """Calls over one line, which is kept open between them."""

    def __init__(self, place: Place, reactor: Any) -> None:
        """ConnectorError: a file of the place's cannot be used."""
        self._lines = place.lines(reactor)
        self._patience = place.patience
        self._clock = reactor

    async def call(self, call: Call, most: int = ANSWER_LIMIT) -> Answer:
        """The answer, whatever it says. Unanswered; who cancels closes the connection."""
        line = self._lines.line()
        try:
            return await self._in_time(line, call, most)
        except ClosedBefore as closed:
            why = str(closed)
        # It was kept too long, and closed at the other end just as it was used again: so may others be.
        if line.was_kept and call.method in _HARMLESS:
            await self._lines.close_kept()
            line = self._lines.line()
            try:
                return await self._in_time(line, call, most)
            except ClosedBefore as closed:
                why = str(closed)
        raise Unanswered(why, sent=line.may_have_sent)

    @property
    def is_connected(self) -> bool:
        return self._lines.has_kept

    async def close(self) -> None:
        await self._lines.close_kept()

    async def _in_time(self, line: Line, call: Call, most: int) -> Answer:
        """ClosedBefore, Unanswered."""
        asked: Deferred[Answer] = Deferred.fromCoroutine(self._asked(line, call, most))
        asked.addTimeout(self._patience, self._clock)
        try:
            return await asked
        except ClosedBefore:
            raise
        except OutOfTime:
            why = f"no answer in {self._patience:g} s"
        except NoAnswer as error:
            why = str(error)
        raise Unanswered(why, sent=line.may_have_sent)

    async def _asked(self, line: Line, call: Call, most: int) -> Answer:
        problem: Exception | None = None
        try:
            # Not into names of ours: a traceback shows those.
            response = await line.ask(
                call.method, call.url, _headers(call), None if call.body is None else call.body.reveal()
            )
            code, after = response.code, response.headers.getRawHeaders("Retry-After", [""])[0]
            try:
                return Answer(code, await line.body_of(response, most), after)
            except TooLong:
                line.abort()
                return Answer(code, b"", after)
        except Exception as error:
            problem = told(error)
        line.abort()
        raise problem


def _headers(call: Call) -> Headers:
    return Headers(
        {
            "User-Agent": [f"provserver/{__version__}"],
            **{name: [value] for name, value in call.headers.items()},
        }
    )
