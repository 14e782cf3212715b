"""Alerts as webhooks, over real sockets: signed, verified, bounded in time; what each failure is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_twisted
from desk_house import ALERT
from receivers import REACTOR, SECRET, Receiver, until
from twisted.internet.defer import Deferred

from provserver.https.lines import Lines
from provserver.journal.alerts.channel import Undelivered
from provserver.journal.alerts.forms import as_json
from provserver.journal.alerts.webhook import Webhook
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.clock import TurnedClock

Receivers = Callable[..., Receiver]


class Post:
    """A webhook to one URL; its clock is the test's."""

    def __init__(self, url: str, authority: Path | None = None) -> None:
        self.clock = TurnedClock()
        lines = Lines(
            [url],
            str(authority) if authority else None,
            kept=1,
            idle_time=5.0,
            reactor=REACTOR,
            clock=self.clock,
        )
        self.lines = lines
        self.hook = Webhook(
            url,
            1,
            self.lines,
            SECRET,
            "im on host",
            patience=10.0,
            clock=self.clock,
            wall=self.clock.wall,
            random=bytes,
        )

    async def send(self) -> str:
        """What is wrong; empty if it was sent."""
        try:
            await self.hook.send(ALERT)
        except Undelivered as undelivered:
            return str(undelivered)
        finally:
            await self.lines.close_kept()
        return ""


@pytest_twisted.ensureDeferred
async def test_it_is_posted_as_json_and_signed(receiver: Receivers) -> None:
    there = receiver()
    assert await Post(there.url()).send() == ""
    assert there.documents == [json.loads(as_json(ALERT, "im on host"))]
    assert there.headers[0]["content-type"] == "application/json"
    assert there.headers[0]["x-provserver-time"] == "1790000000"
    assert there.all_signed()


@pytest_twisted.ensureDeferred
async def test_over_tls_host_and_authority_are_verified(
    receiver: Receivers, certificates: Certificates, tmp_path: Path
) -> None:
    there = receiver(certificates)
    assert await Post(there.url("localhost"), certificates.authority).send() == ""
    assert there.all_signed()
    other = tmp_path / "other"
    other.mkdir()
    stranger = make_certificates(other, ["elsewhere.example.com"])
    assert "certificate verify failed" in await Post(there.url("localhost"), stranger.authority).send()
    false_name = receiver(stranger)
    problem = await Post(false_name.url("localhost"), stranger.authority).send()
    assert problem == "TLS failed: the certificate is not for this host"
    assert not false_name.bodies


@pytest.mark.parametrize("status", [199 + 1, 201, 299])
@pytest_twisted.ensureDeferred
async def test_every_status_from_200_to_299_is_a_receipt(receiver: Receivers, status: int) -> None:
    there = receiver()
    there.status = status
    there.answer = b"thanks" * 10_000
    assert await Post(there.url()).send() == ""


@pytest.mark.parametrize("status", [301, 401, 500])
@pytest_twisted.ensureDeferred
async def test_any_other_is_none_and_no_redirection_is_followed(receiver: Receivers, status: int) -> None:
    there, elsewhere = receiver(), receiver()
    there.status, there.location = status, elsewhere.url()
    assert await Post(there.url()).send() == f"HTTP status {status}, 200 to 299 was expected"
    assert elsewhere.bodies == []


@pytest_twisted.ensureDeferred
async def test_silence_ends_by_the_clock(receiver: Receivers) -> None:
    there = receiver()
    there.status = 0
    post = Post(there.url())
    sent = Deferred.fromCoroutine(post.send())
    await until(lambda: there.bodies)
    post.clock.turn(9.9)
    assert not sent.called
    post.clock.turn(0.2)
    assert await sent == "no answer in 10 s"


@pytest_twisted.ensureDeferred
async def test_nobody_there_is_said_so(receiver: Receivers) -> None:
    there = receiver()
    url = there.url()
    await there.stop()
    assert (await Post(url).send()).startswith("no connection: ")


@pytest_twisted.ensureDeferred
async def test_no_failure_shows_the_address_s_token_or_what_came_back(receiver: Receivers) -> None:
    there = receiver()
    there.status, there.answer = 500, b"Quay-Token-5"
    post = Post(there.url())
    assert "Quay-Token" not in await post.send() + post.hook.name
