"""A line to a server that does anything but what it should: a sentence, in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from provserver.agents.conf import Server
from provserver.agents.line import Line
from provserver.agents.wire import Deadline, LineLost, NoAnswer, TimedOut, Unreachable, open_wire
from provserver.ldap.errors import notice_of_disconnection
from provserver.ldap.results import ResultCode
from provserver.vault.secret import Secret

Play = Callable[[socket.socket], None]
Serve = Callable[[Play], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(play)`: where one connection is accepted, and played with after the first request."""
    ends: list[Callable[[], None]] = []

    def start(play: Play) -> Server:
        listener = socket.create_server(("127.0.0.1", 0))

        def work() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65_536)
                play(peer)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        ends.extend((lambda: thread.join(10), listener.close))
        return Server("127.0.0.1", listener.getsockname()[1])

    yield start
    for end in ends:
        end()


def bind(server: Server, seconds: float = 5.0) -> None:
    deadline = Deadline(seconds)
    with Line.open(server, None, deadline) as line:
        line.bind("cn=x", Secret(b"hunter-22"), deadline)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "the server closed the line"),
        (b"\x30", "the server closed the line"),
        (b"HTTP/1.1 400 Bad Request\r\n" * 9, "what it answered is not LDAP: "),
        (b"\x30\x84\x7f\xff\xff\xff\x02", "what it answered is not LDAP: LDAPMessage is too long"),
        (b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00", "it answered something else"),
        (notice_of_disconnection(ResultCode.BUSY, "come back later"), "the server ended it: come back later"),
    ],
)
def test_what_is_no_answer_is_told(serve: Serve, answer: bytes, told: str) -> None:
    with pytest.raises(LineLost) as caught:
        bind(serve(lambda peer: peer.sendall(answer)))
    assert str(caught.value).startswith(told)
    assert "hunter-22" not in str(caught.value)


def test_answers_to_other_requests_are_passed_over(serve: Serve) -> None:
    def play(peer: socket.socket) -> None:
        for number in (9, 1):
            peer.sendall(b"\x30\x0c\x02\x01" + bytes([number]) + b"\x61\x07\x0a\x01\x00\x04\x00\x04\x00")

    bind(serve(play))


def test_octets_that_trickle_do_not_make_it_last_longer(serve: Serve) -> None:
    over = threading.Event()

    def play(peer: socket.socket) -> None:
        peer.sendall(b"\x30\x82\x01\x00")
        while not over.wait(0.05):
            peer.sendall(b"\x00")

    begun = time.monotonic()
    try:
        with pytest.raises(TimedOut):
            bind(serve(play), 0.5)
    finally:
        over.set()
    assert time.monotonic() - begun < 5


def test_no_tls_is_told(serve: Serve) -> None:
    from provserver.agents.conf import Trust

    place = serve(lambda peer: peer.sendall(b"not tls at all, whatever this is"))
    with pytest.raises(Unreachable, match="no TLS: "):
        open_wire(place, Trust(None, None, None, None), Deadline(5))


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def getaddrinfo(*_: object, flags: int = 0, **__: object) -> list[object]:
        if not flags:
            over.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    begun = time.monotonic()
    try:
        with pytest.raises(TimedOut):
            open_wire(Server("imps.invalid", 1), None, Deadline(0.1))
    finally:
        over.set()
    assert time.monotonic() - begun < 5
    with pytest.raises(Unreachable, match="Name or service not known"):
        open_wire(Server("imps.invalid", 1), None, Deadline(5))


def test_nothing_begins_after_its_time() -> None:
    with pytest.raises(NoAnswer, match="in time"):
        open_wire(Server("127.0.0.1", 1), None, Deadline(0))


def test_a_deadline_is_shared_by_those_who_follow_one_another() -> None:
    now = [100.0]
    whole = Deadline(9, lambda: now[0])
    first = whole.share(3)
    assert first.left == 3
    now[0] += 3
    assert (first.left, whole.share(2).left) == (0, 3)
    now[0] += 100
    assert whole.left == 0
