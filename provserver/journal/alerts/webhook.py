"""Alerts as webhooks: a POST of JSON, over verified TLS or to this machine, signed with a secret that the
receiver has too. Any status from 200 to 299 is a receipt; redirections are not followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from provserver import __version__
from provserver.https.causes import NoAnswer, told
from provserver.https.lines import Line, Lines, TooLong
from provserver.https.signing import NONCE, NONCE_SIZE, SIGNATURE, TIME, SharedSecret
from provserver.journal.alerts.channel import Undelivered
from provserver.journal.alerts.forms import Alert, as_json
from provserver.journal.alerts.rules import WEBHOOK

_ANSWER_LIMIT: Final = 16 * 1024
"""Bytes of an answer that nobody reads."""


class Webhook:
    """One receiver. `patience` seconds for all of a call; `wall` is for its time, `random` for its nonce."""

    recipient: Final = WEBHOOK

    def __init__(
        self,
        url: str,
        number: int,
        lines: Lines,
        secret: SharedSecret,
        server: str,
        *,
        patience: float,
        clock: IReactorTime,
        wall: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.name = f"{WEBHOOK} {number}"
        self._url = url
        self._lines = lines
        self._secret = secret
        self._server = server
        self._patience = patience
        self._clock = clock
        self._wall = wall
        self._random = random

    async def send(self, alert: Alert) -> None:
        """Undelivered."""
        sent: Deferred[None] = Deferred.fromCoroutine(self._sent(as_json(alert, self._server)))
        sent.addTimeout(self._patience, self._clock, self._out_of_time)
        await sent

    def _out_of_time(self, outcome: object, seconds: float) -> Failure:
        return Failure(Undelivered(f"no answer in {seconds:g} s"))  # type: ignore[no-untyped-call]  # Twisted's

    async def _sent(self, body: bytes) -> None:
        time, nonce = str(int(self._wall())), self._random(NONCE_SIZE).hex()
        headers = Headers(
            {
                "User-Agent": [f"provserver/{__version__}"],
                "Content-Type": ["application/json"],
                TIME: [time],
                NONCE: [nonce],
                SIGNATURE: [self._secret.of_alert(time, nonce, body)],
            }
        )
        line = self._lines.line()
        problem: Exception | None = None
        try:
            code = await self._asked(line, headers, body)
        except Exception as error:
            problem = told(error)
        if problem is not None:
            line.abort()
            raise Undelivered(str(problem)) if isinstance(problem, NoAnswer) else problem
        if not 200 <= code < 300:
            raise Undelivered(f"HTTP status {code}, 200 to 299 was expected")

    async def _asked(self, line: Line, headers: Headers, body: bytes) -> int:
        response = await line.post(self._url, headers, body)
        try:
            await line.body_of(response, _ANSWER_LIMIT)
        except TooLong:
            line.abort()
        return int(response.code)
