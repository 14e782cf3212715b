"""One call to one place, over real sockets: an answer that is whole, in time, small and signed; or none."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from stand_in import (
    REACTOR,
    SECRET,
    Asked,
    Behaviour,
    Blurters,
    StandIn,
    accepting,
    breath,
    saying,
    silent,
    until,
    with_status,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher
from twisted.web.server import Request

from provserver.https.causes import NoAnswer
from provserver.https.lines import Lines
from provserver.https.signing import SharedSecret
from provserver.passwords.external.calling import Calls
from provserver.testing.certificates import make_certificates
from provserver.testing.clock import TurnedClock

BODY = b'{"password": "Kelp-Compass-88"}'
ACCEPTED = b'{"verdict": "accept"}'
Starter = Callable[..., StandIn]


class Phone:
    """What calls, and the clock that its patience goes by."""

    def __init__(self, urls: list[str], ca_file: Path | None = None) -> None:
        self.clock = TurnedClock()
        self.lines = Lines(
            urls,
            str(ca_file) if ca_file else None,
            kept=4,
            idle_time=30,
            reactor=REACTOR,
            clock=self.clock,
        )
        self._nonces = iter(range(1, 1000))
        self.calls = Calls(
            self.lines,
            SECRET,
            patience=3,
            answer_limit=1024,
            clock=self.clock,
            wall=self.clock.wall,
            random=lambda size: next(self._nonces).to_bytes(size, "big"),
        )

    def begin(self, url: str) -> Deferred[bytes]:
        return Deferred.fromCoroutine(self.calls.call(url, BODY))

    async def fails(self, url: str) -> str:
        """Why there is no answer."""
        with pytest.raises(NoAnswer) as raised:
            await self.begin(url)
        return str(raised.value)

    async def hang_up(self) -> None:
        await breath()
        await self.lines.close_kept()
        assert self.clock.getDelayedCalls() == [], "no timer is left"


def phone(*services: StandIn) -> Phone:
    return Phone([service.url() for service in services])


@contextmanager
def logged() -> Iterator[list[str]]:
    """All that is logged meanwhile, with everything that hangs on it."""
    lines: list[str] = []

    def note(event: Any) -> None:
        lines.append(repr(event))

    globalLogPublisher.addObserver(note)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(note)


@pytest_twisted.ensureDeferred
async def test_a_request_is_signed_and_says_when_it_was_made(stand_in: Starter) -> None:
    service = stand_in()
    caller = phone(service)
    assert await caller.begin(service.url()) == ACCEPTED
    (asked,) = service.asked
    assert asked.is_signed
    assert asked.body == BODY
    assert asked.headers["x-provserver-time"] == str(int(TurnedClock.START))
    assert asked.nonce == f"{1:032x}"
    assert asked.headers["content-type"] == "application/json"
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_connections_are_kept_and_given_up_when_they_are_idle(stand_in: Starter) -> None:
    service = stand_in()
    caller = phone(service)
    for _ in range(3):
        await caller.begin(service.url())
    assert [asked.connection for asked in service.asked] == [1, 1, 1]
    assert len({asked.nonce for asked in service.asked}) == 3
    caller.clock.turn(31)
    await breath()
    await caller.begin(service.url())
    assert service.asked[-1].connection == 2
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_calls_at_the_same_time_have_a_connection_each(stand_in: Starter) -> None:
    service = stand_in(silent)
    caller = phone(service)
    begun = [caller.begin(service.url()) for _ in range(3)]
    await until(lambda: len(service.asked) == 3)
    assert {asked.connection for asked in service.asked} == {1, 2, 3}
    for one in begun:
        one.cancel()
        with pytest.raises(CancelledError):
            await one
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_a_connection_that_was_closed_just_now_costs_no_call(stand_in: Starter) -> None:
    service = stand_in()
    caller = phone(service)
    await caller.begin(service.url())

    def close(asked: Asked, request: Request) -> None:
        service.behave = accepting
        request.channel.loseConnection()

    service.behave = close
    assert await caller.begin(service.url()) == ACCEPTED
    assert [asked.connection for asked in service.asked] == [1, 1, 2]
    assert len({asked.nonce for asked in service.asked}) == 3, "none is used twice"
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_a_place_that_keeps_closing_is_asked_once_more_and_no_further(stand_in: Starter) -> None:
    service = stand_in()
    caller = phone(service)
    await caller.begin(service.url())
    service.behave = lambda asked, request: request.channel.loseConnection()
    assert await caller.fails(service.url()) == "the connection was closed before an answer came"
    assert len(service.asked) == 3
    assert await caller.fails(service.url()) == "the connection was closed before an answer came"
    assert len(service.asked) == 4, "a new connection is no stale one"
    await caller.hang_up()


async def gone() -> str:
    """A place where nobody listens any more."""
    service = StandIn().listen()
    await service.stop()
    return service.url()


@pytest_twisted.ensureDeferred
async def test_a_refused_connection_is_no_answer() -> None:
    url = await gone()
    caller = Phone([url])
    assert "no connection: Connection was refused" in await caller.fails(url)
    await caller.hang_up()


@pytest.mark.parametrize("code", [500, 503, 401, 404, 201, 204, 206])
@pytest_twisted.ensureDeferred
async def test_another_status_is_no_answer_however_well_it_is_signed(stand_in: Starter, code: int) -> None:
    service = stand_in(with_status(code))
    caller = phone(service)
    assert await caller.fails(service.url()) == f"HTTP status {code}, 200 was expected"
    await caller.hang_up()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest_twisted.ensureDeferred
async def test_a_redirection_is_not_followed(stand_in: Starter, code: int) -> None:
    elsewhere = stand_in()
    service = stand_in(with_status(code, elsewhere.url()))
    caller = phone(service)
    assert await caller.fails(service.url()) == f"HTTP status {code}, 200 was expected"
    await breath()
    assert elsewhere.asked == []
    assert elsewhere.lines == 0
    await caller.hang_up()


def unsigned(asked: Asked, request: Request) -> None:
    request.write(ACCEPTED)
    request.finish()


def signed_twice(asked: Asked, request: Request) -> None:
    signature = SECRET.of_answer(asked.nonce, ACCEPTED).encode()
    request.responseHeaders.setRawHeaders(b"X-Provserver-Signature", [b"0" * 64, signature])
    unsigned(asked, request)


def thrown_back(asked: Asked, request: Request) -> None:
    request.setHeader("X-Provserver-Signature", asked.headers["x-provserver-signature"])
    request.write(asked.body)
    request.finish()


def altered(asked: Asked, request: Request) -> None:
    refused = b'{"verdict": "refuse", "reasons": []}'
    request.setHeader("X-Provserver-Signature", SECRET.of_answer(asked.nonce, refused))
    unsigned(asked, request)


UNTRUE: dict[str, Behaviour] = {
    "unsigned": unsigned,
    "signed with another secret": saying({"verdict": "accept"}, secret=SharedSecret(b"x" * 32)),
    "signed twice": signed_twice,
    "the request thrown back": thrown_back,
    "altered on the way": altered,
}


@pytest.mark.parametrize("behave", UNTRUE.values(), ids=list(UNTRUE))
@pytest_twisted.ensureDeferred
async def test_what_is_not_signed_by_who_has_the_secret_is_no_answer(
    stand_in: Starter, behave: Behaviour
) -> None:
    service = stand_in(behave)
    caller = phone(service)
    assert await caller.fails(service.url()) == "the answer is not signed with our shared secret"
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_an_answer_to_an_earlier_request_is_none(stand_in: Starter) -> None:
    service = stand_in()
    caller = phone(service)
    await caller.begin(service.url())
    first = service.asked[0]
    service.behave = lambda asked, request: accepting(first, request)
    assert await caller.fails(service.url()) == "the answer is not signed with our shared secret"
    await caller.hang_up()


def too_long(asked: Asked, request: Request) -> None:
    saying(b" " * 1025)(asked, request)


def too_long_by_and_by(asked: Asked, request: Request) -> None:
    """Without a length, and it never ends."""
    for _ in range(1100):
        request.write(b" ")


def too_long_it_says(asked: Asked, request: Request) -> None:
    request.setHeader("Content-Length", "1025")
    request.write(b" ")


@pytest.mark.parametrize("behave", [too_long, too_long_by_and_by, too_long_it_says])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_too_long_is_not_waited_for(stand_in: Starter, behave: Behaviour) -> None:
    service = stand_in(behave)
    caller = phone(service)
    assert await caller.fails(service.url()) == "an answer of more than 1024 bytes"
    service.behave = accepting
    await caller.begin(service.url())
    assert service.asked[-1].connection == 2, "the first connection was broken off"
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_an_answer_of_just_the_length_is_one(stand_in: Starter) -> None:
    body = ACCEPTED + b" " * (1024 - len(ACCEPTED))
    service = stand_in(saying(body))
    caller = phone(service)
    assert await caller.begin(service.url()) == body
    await caller.hang_up()


def half(asked: Asked, request: Request) -> None:
    """A part of the answer, and no more."""
    request.setHeader("X-Provserver-Signature", SECRET.of_answer(asked.nonce, ACCEPTED))
    request.setHeader("Content-Length", str(len(ACCEPTED)))
    request.write(ACCEPTED[:5])


@pytest.mark.parametrize("behave", [silent, half])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_does_not_come_in_time_is_none(stand_in: Starter, behave: Behaviour) -> None:
    service = stand_in(behave)
    caller = phone(service)
    begun = caller.begin(service.url())
    await until(lambda: service.asked)
    await breath()
    caller.clock.turn(2.9)
    await breath()
    assert not begun.called
    caller.clock.turn(0.2)
    with pytest.raises(NoAnswer, match=r"^no answer in 3 s$"):
        await begun
    service.behave = accepting
    await caller.begin(service.url())
    assert service.asked[-1].connection == 2, "the first connection was broken off"
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_an_answer_that_breaks_off_is_none(stand_in: Starter) -> None:
    def broken(asked: Asked, request: Request) -> None:
        half(asked, request)
        request.channel.loseConnection()

    service = stand_in(broken)
    caller = phone(service)
    assert await caller.fails(service.url()) == "the connection was closed within the answer"
    await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    signature = SECRET.of_answer(f"{1:032x}", ACCEPTED)
    head = f"HTTP/1.0 200 OK\r\nX-Provserver-Signature: {signature}\r\n\r\n".encode()
    service = Blurters(head + ACCEPTED, hangs_up=True)
    caller = Phone([service.url()])
    assert await caller.begin(service.url()) == ACCEPTED
    await caller.hang_up()
    await service.stop()


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKelp-Compass-88\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"Kelp-Compass-88 Kelp-Compass-88 Kelp-Compass-88\r\n",
        b"x" * 100_000,
    ],
    ids=range(9),
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_http_is_no_answer_and_is_not_repeated(said: bytes) -> None:
    service = Blurters(said)
    caller = Phone([service.url()])
    with logged() as lines:
        cause = await caller.fails(service.url())
        await breath()
        gc.collect()
    assert "HTTP" in cause or "closed" in cause
    assert "Kelp" not in cause
    assert "Kelp" not in "".join(lines)
    await caller.hang_up()
    await service.stop()


@pytest_twisted.ensureDeferred
async def test_who_hangs_up_has_not_answered() -> None:
    service = Blurters(b"", hangs_up=True)
    caller = Phone([service.url()])
    assert await caller.fails(service.url()) == "the connection was closed before an answer came"
    await caller.hang_up()
    await service.stop()


@pytest.mark.parametrize("behave", [silent, half])
@pytest_twisted.ensureDeferred
async def test_a_call_that_is_called_off_leaves_no_connection(stand_in: Starter, behave: Behaviour) -> None:
    service = stand_in(behave)
    caller = phone(service)
    begun = caller.begin(service.url())
    await until(lambda: service.asked)
    await breath()
    begun.cancel()
    with pytest.raises(CancelledError):
        await begun
    await until(lambda: service.is_left_alone)
    await caller.hang_up()


# -- TLS


@pytest_twisted.ensureDeferred
async def test_over_tls_to_a_place_that_is_vouched_for(stand_in: Starter, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    service = stand_in(accepting, certificates)
    for host in ("127.0.0.1", "localhost", "LOCALHOST"):
        caller = Phone([service.url(host)], certificates.authority)
        assert await caller.begin(service.url(host)) == ACCEPTED
        assert await caller.begin(service.url(host)) == ACCEPTED
        await caller.hang_up()
    assert [asked.connection for asked in service.asked] == [1, 1, 2, 2, 3, 3]


@pytest_twisted.ensureDeferred
async def test_nobody_else_is_told_anything(stand_in: Starter, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("right", "another", "name", "old")]
    for folder in folders:
        folder.mkdir()
    right = make_certificates(folders[0])
    other_name = make_certificates(folders[2], ["elsewhere.example"])
    expired = make_certificates(folders[3], expired=True)
    for certificates, authority, why in (
        (make_certificates(folders[1]), right.authority, "TLS failed: certificate verify failed"),
        (other_name, other_name.authority, "TLS failed: "),
        (expired, expired.authority, "TLS failed: certificate verify failed"),
        (right, None, "TLS failed: certificate verify failed"),
    ):
        service = stand_in(accepting, certificates)
        caller = Phone([service.url()], authority)
        assert why in await caller.fails(service.url())
        await breath()
        assert service.lines == 1
        assert service.asked == []
        await caller.hang_up()


@pytest_twisted.ensureDeferred
async def test_without_tls_at_the_other_end_nothing_is_said(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    service = Blurters(b"HTTP/1.1 200 OK\r\n\r\n")
    url = service.url().replace("http:", "https:")
    caller = Phone([url], certificates.authority)
    assert "TLS failed" in await caller.fails(url)
    assert b"Kelp" not in service.heard
    await caller.hang_up()
    await service.stop()


def test_a_ca_file_without_certificates_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ValueError, match=r"the CA file .*empty\.pem holds no certificate"):
        Phone(["https://127.0.0.1/"], empty)


@pytest_twisted.ensureDeferred
async def test_what_went_well_is_not_logged(stand_in: Starter, tmp_path: Path) -> None:
    service = stand_in(accepting, make_certificates(tmp_path))
    caller = Phone([service.url()], tmp_path / "ca.pem")
    with logged() as lines:
        await caller.begin(service.url())
        await caller.hang_up()
    assert lines == []
