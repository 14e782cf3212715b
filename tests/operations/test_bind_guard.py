"""Guessing by binds: it gets slower and slower, and nobody is locked out."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
import pytest_twisted
from harbour import NEW, OTHER, PASSWORDS, administrator
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from provserver.directory.names import DN
from provserver.ldap.messages import BindRequest
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.peers import Addresses
from provserver.ldap.results import ResultCode
from provserver.operations.bind_guard import BindGuard, GuardSettings
from provserver.passwords.hashing import HashingBusy
from provserver.settings import SettingsError
from provserver.testing.clock import TurnedClock
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient, replace
from provserver.vault.secret import Secret

ADA, BORIS = DN.parse("eTGlobalUserName=ada,dc=im"), DN.parse("eTGlobalUserName=boris,dc=im")
HERE, THERE = "192.0.2.7", "192.0.2.8"
C = ResultCode


class Post:
    """A guard, and binds that come to it."""

    def __init__(self, **changed: Any) -> None:
        self.clock = TurnedClock()
        self.offences = Offences(self.clock.seconds)
        settings: dict[str, Any] = {
            "delay_after": 3,
            "address_delay_after": 0,
            "first_delay": 1.0,
            "longest_delay": 5.0,
            "failure_window": 600.0,
        }
        self.guard = BindGuard(GuardSettings(**{**settings, **changed}), self.clock, self.offences)
        self.checked = 0

    def bind(self, name: DN | None = ADA, *, right: bool = False, host: str = HERE) -> Deferred[str | None]:
        """What comes of it: "in", or None; not yet fired while it waits."""

        async def check() -> str | None:
            self.checked += 1
            return "in" if right else None

        return ensureDeferred(self.guard.admitted(name, host, check))

    def waits(self, name: DN | None = ADA, *, right: bool = False, host: str = HERE) -> float:
        """How many seconds a bind waits."""
        bind = self.bind(name, right=right, host=host)
        waited = 0
        while not bind.called:
            self.clock.turn(0.25)
            waited += 1
        return waited / 4


def test_after_some_failures_the_next_ones_wait_longer_and_longer() -> None:
    post = Post()
    assert [post.waits() for _ in range(8)] == [0, 0, 0, 1, 2, 4, 5, 5]
    assert post.checked == 8, "each is judged"
    assert post.offences.counts == {Offence.FAILED_BINDS: 5}


def test_it_waits_before_it_is_judged_whatever_will_be_found() -> None:
    post = Post()
    for _ in range(3):
        post.bind()
    right = post.bind(right=True)
    assert (right.called, post.checked) == (False, 3)
    post.clock.turn(1)
    assert (right.result, post.checked) == ("in", 4)


def test_a_success_forgets_the_name_s_failures() -> None:
    post = Post()
    assert [post.waits() for _ in range(4)] == [0, 0, 0, 1]
    assert post.waits(right=True) == 2
    assert [post.waits() for _ in range(4)] == [0, 0, 0, 1]


def test_other_names_do_not_wait_and_a_name_waits_from_wherever() -> None:
    post = Post()
    for _ in range(3):
        post.bind()
    assert post.waits(BORIS) == 0
    assert post.waits(DN.parse("ETGLOBALUSERNAME=Ada , DC=IM"), host=THERE) == 1
    assert post.waits(None) == 0


def test_an_address_that_tries_many_names_waits() -> None:
    post = Post(delay_after=0, address_delay_after=3)
    waits = [post.waits(DN.parse(f"cn=u{number},dc=im")) for number in range(5)]
    assert waits == [0, 0, 0, 1, 2]
    assert post.waits(right=True) == 4, "a success is not the address's: one known password is no licence"
    assert post.waits(host=THERE) == 0


def test_after_a_while_without_failures_all_is_forgotten() -> None:
    post = Post()
    for _ in range(4):
        post.waits()
    post.clock.turn(599)
    assert post.waits() == 2
    post.clock.turn(600)
    assert [post.waits() for _ in range(4)] == [0, 0, 0, 1]


def test_exempt_names_and_addresses_never_wait() -> None:
    post = Post(
        address_delay_after=3, exempt_names=frozenset({ADA}), exempt_addresses=Addresses(["192.0.2.8"])
    )
    assert [post.waits() for _ in range(6)] == [0] * 6
    assert [post.waits(BORIS, host=THERE) for _ in range(6)] == [0] * 6
    assert [post.waits(BORIS) for _ in range(4)] == [0, 0, 0, 1], "nothing of theirs was counted"


def test_who_hangs_up_while_it_waits_has_failed() -> None:
    post = Post()
    for _ in range(3):
        post.bind()
    hangs_up = post.bind(right=True)
    hangs_up.cancel()
    hangs_up.addErrback(lambda failure: failure.trap(CancelledError))
    assert (post.checked, post.clock.getDelayedCalls()) == (3, [])
    assert post.waits() == 2


def test_a_server_that_is_busy_is_no_failure_of_the_client() -> None:
    post = Post()

    async def busy() -> str | None:
        raise HashingBusy("many wait")

    for _ in range(5):
        refused: Any = ensureDeferred(post.guard.admitted(ADA, HERE, busy))
        refused.addErrback(lambda failure: failure.trap(HashingBusy))
    assert post.waits() == 0
    assert post.offences.counts == {Offence.WAITING_BINDS: 5}


def test_memory_is_bounded_whatever_names_are_tried() -> None:
    post = Post()
    for number in range(30_000):
        post.bind(DN.parse(f"cn={number},dc=im"), host=f"10.{number >> 8 & 255}.{number & 255}.1")
    assert len(post.guard._names) <= 20_000
    assert len(post.guard._addresses) <= 20_000


# On the wire


async def answered(server: RunningServer, client: WireClient, bind: BindRequest) -> tuple[ResultCode, float]:
    """The result of a bind, and how many seconds it took by the server's clock."""
    number = client.begin(bind)
    before = server.clock.seconds()
    answer: Awaitable[Any] = client.answer(number)
    for _ in range(3):
        await server.breathe()
    while not client.is_answered(number):
        server.clock.turn(0.25)
        await server.breathe()
    return (await answer).code, server.clock.seconds() - before


def request(name: str, password: str) -> BindRequest:
    return BindRequest(3, name, Secret.of_text(password))


@pytest.mark.parametrize("names", [("aokafor", user_dn("aokafor")), ("ghost", user_dn("ghost"))])
@pytest_twisted.ensureDeferred
async def test_a_name_that_there_is_waits_like_one_that_there_is_not(
    start_provserver: Starter, names: tuple[str, str]
) -> None:
    settings = ["binds.delay_after=2", "binds.first_delay=1"]
    server = await start_provserver(settings=settings)
    client = await server.wire()
    bare, dn = names
    waited = [await answered(server, client, request(name, OTHER)) for name in (bare, dn, bare, dn)]
    assert waited == [
        (C.INVALID_CREDENTIALS, 0),
        (C.INVALID_CREDENTIALS, 0),
        (C.INVALID_CREDENTIALS, 1),
        (C.INVALID_CREDENTIALS, 2),
    ]


@pytest_twisted.ensureDeferred
async def test_the_user_is_let_in_after_the_delay_with_the_password_of_that_moment(
    start_provserver: Starter,
) -> None:
    server = await start_provserver(settings=["binds.delay_after=1", "binds.first_delay=1"])
    admin, client = await administrator(server), await server.wire()
    assert (await client.bind("aokafor", OTHER)).code is C.INVALID_CREDENTIALS
    old = client.begin(request("aokafor", PASSWORDS["aokafor"]))
    await server.breathe()
    assert (await admin.modify(user_dn("aokafor"), replace("eTPassword", NEW))).code is C.SUCCESS
    server.clock.turn(1)
    assert (await client.answer(old)).code is C.INVALID_CREDENTIALS
    assert await answered(server, client, request("aokafor", NEW)) == (C.SUCCESS, 2)
    assert await answered(server, client, request("aokafor", NEW)) == (C.SUCCESS, 0)


@pytest_twisted.ensureDeferred
async def test_agents_that_try_passwords_can_be_exempt_by_name(start_provserver: Starter) -> None:
    settings = ["binds.delay_after=1", "binds.exempt_names=psync-ad-corp"]
    server = await start_provserver(settings=settings)
    client = await server.wire()
    for _ in range(4):
        assert await answered(server, client, request("psync-ad-corp", OTHER)) == (C.INVALID_CREDENTIALS, 0)


@pytest_twisted.ensureDeferred
async def test_an_exempt_name_that_is_none_stops_the_start(start_provserver: Starter) -> None:
    with pytest.raises(SettingsError, match=r"binds\.exempt_names"):
        await start_provserver(settings=["binds.exempt_names=cn=x+"])
