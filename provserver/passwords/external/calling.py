"""One call to one place: a signed request, and an answer that is whole, in time, small and signed.

Whatever else happens is `NoAnswer`. Redirections are not followed: the password goes to the places of the
settings and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from provserver import __version__
from provserver.https.causes import ClosedBefore, NoAnswer, told
from provserver.https.lines import Line, Lines, TooLong
from provserver.https.signing import NONCE, NONCE_SIZE, SIGNATURE, TIME, SharedSecret

_OK: Final = 200


class Calls:
    """Calls places by their URLs. `wall` is for the time of a request, `random` for its nonce; a place has
    `patience` seconds, from the connection to the last byte, and `answer_limit` bytes for its answer.
    """

    def __init__(
        self,
        lines: Lines,
        secret: SharedSecret,
        *,
        patience: float,
        answer_limit: int,
        clock: IReactorTime,
        wall: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._lines = lines
        self._secret = secret
        self._patience = patience
        self._answer_limit = answer_limit
        self._clock = clock
        self._wall = wall
        self._random = random

    async def call(self, url: str, body: bytes) -> bytes:
        """The body of the answer. NoAnswer; who cancels closes the connection."""
        called: Deferred[bytes] = Deferred.fromCoroutine(self._called(url, body))
        called.addTimeout(self._patience, self._clock, self._out_of_time)
        return await called

    def _out_of_time(self, outcome: object, seconds: float) -> Failure:
        return Failure(NoAnswer(f"no answer in {seconds:g} s"))  # type: ignore[no-untyped-call]  # Twisted's

    async def _called(self, url: str, body: bytes) -> bytes:
        line = self._lines.line()
        try:
            return await self._asked(line, url, body)
        except ClosedBefore:
            if not line.was_kept:
                raise
        # It was kept too long, and closed at the other end just as it was used again: so may others be.
        await self._lines.close_kept()
        return await self._asked(self._lines.line(), url, body)

    async def _asked(self, line: Line, url: str, body: bytes) -> bytes:
        """A request with a time and a nonce of its own."""
        time, nonce = str(int(self._wall())), self._random(NONCE_SIZE).hex()
        headers = Headers(
            {
                "User-Agent": [f"provserver/{__version__}"],
                "Content-Type": ["application/json"],
                "Accept": ["application/json"],
                TIME: [time],
                NONCE: [nonce],
                SIGNATURE: [self._secret.of_request(time, nonce, body)],
            }
        )
        problem: Exception | None = None
        try:
            response = await line.post(url, headers, body)
            if response.code == _OK:
                answer = await line.body_of(response, self._answer_limit)
            else:
                problem = NoAnswer(f"HTTP status {response.code}, {_OK} was expected")
        except TooLong:
            problem = NoAnswer(f"an answer of more than {self._answer_limit} bytes")
        except Exception as error:
            problem = told(error)
        if problem is not None:
            line.abort()
            raise problem
        signatures = response.headers.getRawHeaders(SIGNATURE.encode(), [])
        if len(signatures) != 1 or not self._secret.is_of_answer(signatures[0], nonce, answer):
            raise NoAnswer("the answer is not signed with our shared secret")
        return answer
