"""The access log: who asked what when, what came of it, and how long it took. One JSON object a line.

Every line has `time` (UTC) and `conn`, the number of the connection since the server was started. A line with
`kind` is an operation, written when it ends:

    op        message id
    kind      bind, search, modify, add, delete, rename, compare, extended
    user      DN as whom it was carried out, "" for anonymous
    peer      host of the client
    target    name that it is about, as it was sent; of an extended operation its object identifier
    code      LDAP result code; -1: it had no answer, because it was abandoned or the connection was lost
    us        microseconds from its request to its answer
    entries   entries returned; searches only
    controls  object identifiers of its controls, if it had any
    asker     DN of who really asked, if it was carried out as somebody else

A line with `event` is about the connection: `opened` (with `peer`, `port`, `tls`), `secured` (its TLS
handshake is done; with `version`), `closed` (with `why`, and the bytes `received` and `sent`).

No value is ever written, of an entry, a filter or a control: callers have nowhere to put one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

from provserver.journal.etatrans import Sink

NO_ANSWER: Final = -1


class AccessLog:
    """`wall` is stored time, `monotonic` measures; both in seconds."""

    def __init__(self, sink: Sink, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._sink = sink
        self._wall = wall
        self.monotonic = monotonic
        self._second = self._millisecond = -1
        self._stamp = self._head = ""

    def operation(
        self,
        connection: int,
        number: int,
        kind: str,
        user: str,
        peer: str,
        target: str,
        code: int,
        began: float,
        entries: int = -1,
        controls: Sequence[str] = (),
        asker: str = "",
    ) -> None:
        """An operation that began at `began`, by `monotonic`, has ended; a search has `entries`."""
        rest = f',"entries":{entries}}}\n' if entries >= 0 else "}\n"
        if controls:
            rest = f',"controls":[{",".join(map(quoted, controls))}]{rest}'
        if asker:
            rest = f',"asker":{quoted(asker)}{rest}'
        self._sink.write(
            f'{self._begun()}{connection},"op":{number},"kind":"{kind}",{_who(user, peer)},'
            f'"target":{quoted(target)},"code":{code},"us":{int((self.monotonic() - began) * 1e6)}{rest}'
        )

    def opened(self, connection: int, peer: str, port: int, *, tls: bool) -> None:
        facts = f'"peer":{quoted(peer)},"port":{port},"tls":{"true" if tls else "false"}'
        self._event(connection, "opened", facts)

    def secured(self, connection: int, version: str) -> None:
        self._event(connection, "secured", f'"version":{quoted(version)}')

    def closed(self, connection: int, why: str, received: int, sent: int) -> None:
        self._event(connection, "closed", f'"why":{quoted(why)},"received":{received},"sent":{sent}')

    def _event(self, connection: int, event: str, facts: str) -> None:
        self._sink.write(f'{self._begun()}{connection},"event":"{event}",{facts}}}\n')

    def _begun(self) -> str:
        """A line up to the number of its connection; many are written in one millisecond."""
        millisecond = int(self._wall() * 1000)
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            second, rest = divmod(millisecond, 1000)
            if second != self._second:
                self._second = second
                self._stamp = time.strftime('{"time":"%Y-%m-%dT%H:%M:%S', time.gmtime(second))
            self._head = f'{self._stamp}.{rest:03d}Z","conn":'
        return self._head


@lru_cache(4_096)
def _who(user: str, peer: str) -> str:
    """Clients ask more than once."""
    return f'"user":{quoted(user)},"peer":{quoted(peer)}'
