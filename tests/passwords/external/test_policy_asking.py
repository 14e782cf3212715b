"""Places are asked in order, within bounds, and what is wrong with them is said once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_twisted
from stand_in import (
    REACTOR,
    SECRET,
    Behaviour,
    StandIn,
    accepting,
    breath,
    refusing,
    saying,
    silent,
    until,
    with_status,
)
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.external.asking import PolicyService
from provserver.passwords.external.opening import policy_service
from provserver.passwords.opinions import Kind, Question
from provserver.passwords.reasons import PolicyRefusal, PolicyRule
from provserver.settings import Settings
from provserver.testing.clock import TurnedClock
from provserver.vault.secret import Secret

PASSWORD = "Kelp-Compass-88"
QUESTION = Question(
    Kind.SYNC, "aokafor", "Okafor, Ada", "AD-Corp", "ActiveDirectory", Secret(PASSWORD.encode())
)
Starter = Callable[..., StandIn]
Asked = Deferred[tuple[PolicyRefusal, ...] | None]


class Policy:
    """A policy service's client as the settings make it, and its clock."""

    def __init__(self, *services: StandIn | str, **settings: object) -> None:
        self.clock = TurnedClock()
        urls = [one if isinstance(one, str) else one.url() for one in services]
        chosen = Settings().override("external_policy.urls=" + ",".join(urls))
        for key, value in settings.items():
            chosen = chosen.override(f"external_policy.{key}={value}")
        self.service: PolicyService = policy_service(
            chosen.external_policy,
            SECRET,
            None,
            reactor=REACTOR,
            clock=self.clock,
            wall=self.clock.wall,
            random=lambda size: b"n" * size,
        )
        self.service.startService()

    def ask(self, question: Question = QUESTION) -> Asked:
        return Deferred.fromCoroutine(self.service.objections(question))

    async def stop(self) -> None:
        await breath()
        await maybeDeferred(self.service.stopService)
        await breath()
        assert self.clock.getDelayedCalls() == [], "no timer is left"


@contextmanager
def said() -> Iterator[list[str]]:
    """What is logged meanwhile of the external policy, with its level."""
    lines: list[str] = []

    def note(event: dict[str, Any]) -> None:
        if event["log_level"] >= LogLevel.info:
            lines.append(f"{event['log_level'].name} {formatEvent(event)}")

    globalLogPublisher.addObserver(note)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(note)


@pytest_twisted.ensureDeferred
async def test_the_service_is_asked_what_it_is_about(stand_in: Starter) -> None:
    service = stand_in()
    policy = Policy(service)
    assert await policy.ask() == ()
    assert service.asked[0].document == {
        "kind": "sync",
        "user": "aokafor",
        "account": "Okafor, Ada",
        "endpoint": "AD-Corp",
        "namespace": "ActiveDirectory",
        "password": PASSWORD,
    }
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_its_reasons_come_back(stand_in: Starter) -> None:
    service = stand_in(refusing(("passwordInHistory", "it was used in spring")))
    policy = Policy(service)
    assert await policy.ask() == (PolicyRefusal(PolicyRule.IN_HISTORY, "it was used in spring"),)
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_a_reason_that_repeats_the_password_is_withheld(stand_in: Starter) -> None:
    service = stand_in(refusing(("passwordInHistory", f"{PASSWORD} was used in spring")))
    policy = Policy(service)
    (objection,) = await policy.ask() or ()
    assert objection.text == "the external password policy refuses it"
    await policy.stop()


BROKEN: dict[str, Behaviour] = {
    "a wrong status": with_status(500),
    "another form": saying({"verdict": "maybe"}),
    "a redirection": with_status(302, "http://127.0.0.1:1/"),
}


@pytest.mark.parametrize("behave", BROKEN.values(), ids=list(BROKEN))
@pytest_twisted.ensureDeferred
async def test_who_answers_wrongly_is_passed_over(stand_in: Starter, behave: Behaviour) -> None:
    first, second = stand_in(behave), stand_in(refusing(("passwordTooLong", "too long")))
    policy = Policy(first, second)
    assert await policy.ask() == (PolicyRefusal(PolicyRule.TOO_LONG, "too long"),)
    assert (len(first.asked), len(second.asked)) == (1, 1)
    first.behave = accepting
    assert len(await policy.ask() or ()) == 1, "the first is known to be down"
    assert (len(first.asked), len(second.asked)) == (1, 2)
    policy.clock.turn(30)
    await breath()
    assert await policy.ask() == (), "it is asked in its turn again"
    assert (len(first.asked), len(second.asked)) == (2, 2)
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_an_answer_and_nobody_else_is_asked(stand_in: Starter) -> None:
    first, second = stand_in(refusing(("passwordTooLong", "too long"))), stand_in()
    policy = Policy(first, second)
    assert len(await policy.ask() or ()) == 1
    assert second.asked == []
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_who_is_gone_is_passed_over_and_found_again(stand_in: Starter) -> None:
    first, second = stand_in(), stand_in()
    policy = Policy(first, second)
    await first.stop()
    assert await policy.ask() == ()
    await second.stop()
    assert await policy.ask() is None, "nobody is left"
    first.listen()
    assert await policy.ask() == (), "when all are down, all are asked"
    assert await policy.ask() == ()
    assert (len(first.asked), len(second.asked)) == (2, 1)
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_who_is_silent_is_passed_over_after_its_time(stand_in: Starter) -> None:
    first, second = stand_in(silent), stand_in()
    policy = Policy(first, second, attempt_time=3, total_time=8)
    asked = policy.ask()
    await until(lambda: first.asked)
    policy.clock.turn(2.9)
    await breath()
    assert second.asked == []
    policy.clock.turn(0.2)
    assert await asked == ()
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_all_together_have_a_time_of_their_own(stand_in: Starter) -> None:
    services = [stand_in(silent) for _ in range(4)]
    policy = Policy(*services, attempt_time=3, total_time=8)
    asked = policy.ask()
    for number in range(2):
        await until(lambda number=number: services[number].asked)
        policy.clock.turn(3)
    await until(lambda: services[2].asked)
    policy.clock.turn(1.9)
    await breath()
    assert not asked.called
    policy.clock.turn(0.2)
    assert await asked is None
    assert services[3].asked == []
    await until(lambda: all(service.is_left_alone for service in services))
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_so_many_are_asked_at_a_time_and_the_others_wait(stand_in: Starter) -> None:
    service = stand_in(silent)
    policy = Policy(service, concurrency=2, waiting=1)
    begun = [policy.ask() for _ in range(3)]
    await until(lambda: len(service.asked) == 2)
    await breath()
    assert len(service.asked) == 2
    with pytest.raises(Refusal) as raised:
        await policy.ask()
    assert raised.value.code is ResultCode.BUSY
    service.behave = accepting
    begun[0].cancel()
    with pytest.raises(CancelledError):
        await begun[0]
    assert await begun[2] == (), "its turn has come"
    policy.clock.turn(9)
    assert await begun[1] is None
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_who_waits_too_long_for_its_turn_is_not_asked_about(stand_in: Starter) -> None:
    service = stand_in(silent)
    policy = Policy(service, concurrency=1, attempt_time=600, total_time=8)
    first = policy.ask()
    policy.clock.turn(4)
    second = policy.ask()
    await until(lambda: service.asked)
    policy.clock.turn(4)
    assert await first is None
    await until(lambda: len(service.asked) == 2)
    policy.clock.turn(4)
    assert await second is None
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_none_may_have_to_wait(stand_in: Starter) -> None:
    service = stand_in()
    policy = Policy(service, concurrency=1, waiting=0)
    assert await policy.ask() == ()
    assert await policy.ask() == ()
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_a_cause_is_logged_once_and_so_is_its_end(stand_in: Starter) -> None:
    service = stand_in(with_status(500))
    policy = Policy(service)
    place = service.url().partition("?")[0]
    with said() as lines:
        for _ in range(3):
            assert await policy.ask() is None
        service.behave = saying({"verdict": PASSWORD})
        assert await policy.ask() is None
        service.behave = accepting
        for _ in range(3):
            assert await policy.ask() == ()
    assert lines == [
        f"warn external password policy: {place}: HTTP status 500, 200 was expected",
        f"warn external password policy: {place}: not an answer of this form: "
        'verdict: expected "accept" or "refuse"',
        f"info external password policy: {place} answers again",
    ]
    await policy.stop()


@pytest_twisted.ensureDeferred
async def test_when_the_server_stops_what_is_under_way_is_silence(stand_in: Starter) -> None:
    service = stand_in(silent)
    policy = Policy(service, concurrency=1)
    begun = [policy.ask(), policy.ask()]
    await until(lambda: service.asked)
    await policy.stop()
    assert [await one for one in begun] == [None, None]
    await until(lambda: service.is_left_alone)


@pytest_twisted.ensureDeferred
async def test_an_address_may_be_one_of_ipv6() -> None:
    policy = Policy("http://[::1]:1/")
    with said() as lines:
        assert await policy.ask() is None
    assert lines[0].startswith("warn external password policy: http://[::1]:1/: no connection: ")
    await policy.stop()
