"""Forty clients who mean harm, all at once: each of them ends as it should, by the server's clock, and an
honest client beside them is answered at every moment.

What they say is made by the benchmark's attackers (`tools/bench/attack.py`), which show on a process of its
own that the honest do not have to wait long. Here it is seen how every one of them ends.
"""

from __future__ import annotations

import socket
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest_twisted
from harbour import PASSWORDS, SUFFIX, administrator
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    BindRequest,
    DerefAliases,
    ExtendedResponse,
    Message,
    SearchRequest,
    SearchResultDone,
)
from provserver.ldap.offences import Offence
from provserver.ldap.outlet import UNSENT
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.vault.secret import Secret

sys.path.append(str(Path(__file__).parents[2] / "tools" / "bench"))

import attack

OF_EACH: Final = 5
C = ResultCode
EACH_OF_MANY: Final = "x" * 20_000
MANY: Final = "".join(
    f"dn: eTGlobalUserName=many{number},eTGlobalUserContainerName=Global Users,"
    "eTNamespaceName=CommonObjects,dc=im\n"
    f"objectClass: eTGlobalUser\neTDescription: {EACH_OF_MANY}\n\n"
    for number in range(50)
)
"""A megabyte, for those who do not read what they have asked for."""
ALL_OF_IT: Final = SearchRequest(
    SUFFIX, Scope.SUBTREE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ()
)
MOST_IN_VAIN: Final = 4 * UNSENT
"""Octets of answers that were made for somebody who does not read them: what the kernels of both sides hold,
and a batch of ours."""


class Brute(Protocol):
    """A connection that says what it is told to, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard = b""
        self.closed: Deferred[None] = Deferred()

    def say(self, octets: bytes) -> None:
        self._wire.write(octets)

    def bind(self) -> None:
        request = BindRequest(3, user_dn("etaadmin"), Secret.of_text(PASSWORDS["etaadmin"]))
        self.say(encode_message(Message(1, request)))

    def stop_reading(self) -> None:
        self._wire.pauseProducing()

    @property
    def answers(self) -> list[tuple[int, ResultCode]]:
        """Message ids and results of all that was heard, entries left out; 0 is a notice."""
        found, position = [], 0
        while position < len(self.heard):
            end = end_of_message(self.heard, position)
            message = decode_message(self.heard, position, end)
            operation: Any = message.operation
            if isinstance(operation, ExtendedResponse):
                assert (message.id, operation.oid) == (0, NOTICE_OF_DISCONNECTION)
            if isinstance(operation, ExtendedResponse | SearchResultDone) or hasattr(operation, "result"):
                found.append((message.id, operation.result.code))
            position = end
        return found

    @property
    def _wire(self) -> Any:
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.closed.callback(None)


def end_of_message(octets: bytes, position: int) -> int:
    length, start = octets[position + 1], position + 2
    if length > 127:
        start += length & 127
        length = int.from_bytes(octets[position + 2 : start], "big")
    return start + length


class Siege:
    """Brutes around a server, and an honest client inside."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.brutes: dict[str, list[Brute]] = {}

    async def come(self, kind: str, act: Callable[[Brute], None], *, url: str = "") -> None:
        host, _, port = (url or self.server.ldap_url).partition("://")[2].rpartition(":")
        for _ in range(OF_EACH):
            endpoint: Any = TCP4ClientEndpoint(self.server.reactor, host, int(port))
            brute = await connectProtocol(endpoint, Brute())
            brute._wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            act(brute)
            self.brutes.setdefault(kind, []).append(brute)

    async def honest(self) -> None:
        """An honest client is answered, whatever goes on."""
        client = await administrator(self.server)
        assert (await client.search(SUFFIX, "(eTTitle=berth planner)")).names == [user_dn("aokafor")]
        client.unbind()
        await client.closed

    async def all_closed(self, kind: str) -> None:
        for brute in self.brutes[kind]:
            await brute.closed.addTimeout(30, self.server.reactor)

    def how(self, kind: str) -> set[tuple[tuple[int, ResultCode], ...]]:
        """What brutes of a kind were told, in the end."""
        return {tuple(brute.answers) for brute in self.brutes[kind]}


def drop_by_drop(brute: Brute) -> None:
    """A bind, but for its last byte."""
    request = encode_message(Message(1, BindRequest(3, "cn=x", Secret(b"y"))))
    for octet in request[:-1]:
        brute.say(bytes([octet]))


def ask_and_not_read(brute: Brute) -> None:
    brute.stop_reading()
    brute.bind()
    for number in range(2, 40):
        brute.say(encode_message(Message(number, ALL_OF_IT)))


def nest(brute: Brute) -> None:
    brute.bind()
    brute.say(attack.nested_search(attack.DEEP))
    brute.say(attack.nested_search(attack.TOO_DEEP))


def weigh_down(brute: Brute) -> None:
    brute.bind()
    brute.say(attack.search_for(attack.equality(b"cn", b"v" * attack.HUGE)))
    brute.say(b"\x30\x84" + attack.ANNOUNCED.to_bytes(4, "big") + bytes(64))


def weigh_down_as_a_stranger(brute: Brute) -> None:
    brute.say(attack.search_for(attack.equality(b"cn", b"v" * attack.HUGE)))


@pytest_twisted.ensureDeferred
async def test_everybody_ends_as_he_should_and_the_honest_are_answered(start_provserver: Starter) -> None:
    server = await start_provserver(
        more=[MANY],
        settings=[
            "limits.idle_time=900",
            "limits.time_to_first_bind=60",
            "limits.handshake_time=10",
            "limits.slow_reader_time=30",
        ],
    )
    siege = Siege(server)
    tracemalloc.start()
    try:
        await siege.come("garbage", lambda brute: brute.say(b"\x00\xff" * 256))
        await siege.come("hello", lambda brute: brute.say(attack.tls_hello()))
        await siege.come("deep", nest)
        await siege.come("huge", weigh_down)
        await siege.come("huge stranger", weigh_down_as_a_stranger)
        await siege.come("slow writer", drop_by_drop)
        await siege.come("slow reader", ask_and_not_read)
        await siege.come("silent", lambda _: None, url=server.ldaps_url)
        await siege.honest()

        for kind in ("garbage", "hello", "deep", "huge", "huge stranger"):
            await siege.all_closed(kind)
        assert siege.how("garbage") == siege.how("hello") == {((0, C.PROTOCOL_ERROR),)}
        assert siege.how("deep") == {((1, C.SUCCESS), (2, C.SUCCESS), (0, C.PROTOCOL_ERROR))}
        assert siege.how("huge") == {((1, C.SUCCESS), (2, C.SUCCESS), (0, C.PROTOCOL_ERROR))}
        assert siege.how("huge stranger") == {((0, C.PROTOCOL_ERROR),)}
        counts = server.service._offences.counts
        assert counts[Offence.MALFORMED] == 2 * OF_EACH
        assert counts[Offence.BER_DEPTH] == counts[Offence.MESSAGE_AFTER_BIND] == OF_EACH
        assert counts[Offence.MESSAGE_BEFORE_BIND] == OF_EACH

        server.clock.turn(10)
        await siege.all_closed("silent")
        assert siege.how("silent") == {()}
        assert counts[Offence.HANDSHAKE_TIME] == OF_EACH
        await siege.honest()

        assert max([line.sent for line in server.service._counters.connections]) < MOST_IN_VAIN
        server.clock.turn(20)
        for brute in siege.brutes["slow reader"]:
            brute._wire.resumeProducing()
        await siege.all_closed("slow reader")
        assert counts[Offence.SLOW_READER_TIME] == OF_EACH
        await siege.honest()

        server.clock.turn(30)
        await siege.all_closed("slow writer")
        assert siege.how("slow writer") == {((0, C.TIME_LIMIT_EXCEEDED),)}
        assert counts[Offence.TIME_TO_FIRST_BIND] == OF_EACH
        await siege.honest()
        await server.breathe()

        assert not server.service._counters.connections
        _, most = tracemalloc.get_traced_memory()
        assert most < 64 * 2**20
    finally:
        tracemalloc.stop()
