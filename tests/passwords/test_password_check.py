"""The check of a bind's password, and the short memory of those that were right."""

from __future__ import annotations

import dataclasses
import threading

import pytest_twisted
from harbour import NEW, PASSWORDS, administrator
from twisted.internet.defer import ensureDeferred

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.messages import BindRequest
from provserver.ldap.results import ResultCode
from provserver.passwords.binding import PasswordCheck
from provserver.passwords.credentials import HASH
from provserver.passwords.hashing import Hasher
from provserver.settings import PasswordSettings
from provserver.testing.clock import TurnedClock
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import user_dn
from provserver.testing.wire import replace
from provserver.vault.schemes import SALT_SIZE, Derived
from provserver.vault.secret import Secret

C = ResultCode
RIGHT, WRONG = Secret(b"right"), Secret(b"wrong")


class Scales:
    """A hasher for which the right password is the one that is stored; every weighing is counted."""

    def __init__(self) -> None:
        self.weighed = 0
        self.hasher = Hasher(PasswordSettings(), None, None)
        self.hasher.verify = self._verify  # type: ignore[method-assign]
        self.hasher.verified = self._verified  # type: ignore[method-assign]

    async def _verify(self, stored: str | None, secret: Secret) -> bool:
        return await self._verified(stored, secret) is not None

    async def _verified(self, stored: str | None, secret: Secret) -> Derived | None:
        self.weighed += 1
        is_right = stored == secret.reveal().decode()
        return Derived(self.hasher.recipe, b"s" * SALT_SIZE, b"key") if is_right else None


async def nobody(user: Entry, secret: Secret) -> None:
    raise AssertionError("nothing is to be hashed anew")


class Shop:
    def __init__(self, kept_seconds: float = 30.0) -> None:
        self.clock = TurnedClock()
        self.scales = Scales()
        self.check = PasswordCheck(self.scales.hasher, nobody, self.clock.seconds, b"k" * 32, kept_seconds)

    def verify(self, user: Entry | None, secret: Secret = RIGHT) -> bool:
        return bool(ensureDeferred(self.check.verify(user, secret)).result)

    def weighed(self) -> int:
        """Since the last call."""
        weighed, self.scales.weighed = self.scales.weighed, 0
        return weighed


def user(name: str = "ada", version: int = 1, password: str = "right") -> Entry:
    attributes = {HASH.lower(): Attribute(HASH, (password.encode(),))}
    return Entry(EntryId(name), DN.parse(f"cn={name}"), attributes, version)


def test_a_right_password_is_checked_once_in_a_while() -> None:
    shop = Shop()
    assert [shop.verify(user()) for _ in range(3)] == [True] * 3
    assert shop.weighed() == 1
    shop.clock.turn(29.9)
    assert (shop.verify(user()), shop.weighed()) == (True, 0)
    shop.clock.turn(0.1)
    assert (shop.verify(user()), shop.weighed()) == (True, 1), "from the check on, not from the last use"


def test_a_wrong_one_is_checked_each_time() -> None:
    shop = Shop()
    assert shop.verify(user())
    assert not any(shop.verify(user(), WRONG) for _ in range(3))
    assert not any(shop.verify(None) for _ in range(2))
    assert shop.weighed() == 6, "and an unknown user costs as much"


def test_whatever_changes_the_user_ends_the_memory() -> None:
    shop = Shop()
    assert shop.verify(user())
    assert not shop.verify(user(version=2, password="another"))
    assert not shop.verify(user(name="boris", password="another"))
    assert shop.weighed() == 3


def test_a_user_without_a_password_has_none() -> None:
    nobody = dataclasses.replace(user(), attributes={})
    assert not Shop().verify(nobody)


def test_without_memory_every_bind_is_checked() -> None:
    shop = Shop(kept_seconds=0)
    assert [shop.verify(user()) for _ in range(2)] == [True] * 2
    assert shop.weighed() == 2
    assert len(shop.check._right) == 0


def test_memory_is_bounded() -> None:
    shop = Shop()
    for number in range(25_000):
        assert shop.verify(user(str(number)))
    assert len(shop.check._right) <= 20_000


# On the wire


@pytest_twisted.ensureDeferred
async def test_a_change_and_a_suspension_count_at_once(start_provserver: Starter) -> None:
    server = await start_provserver()
    admin, client = await administrator(server), await server.wire()
    assert (await client.bind("aokafor", PASSWORDS["aokafor"])).code is C.SUCCESS
    await admin.modify(user_dn("aokafor"), replace("eTPassword", NEW))
    assert (await client.bind("aokafor", PASSWORDS["aokafor"])).code is C.INVALID_CREDENTIALS
    assert (await client.bind("aokafor", NEW)).code is C.SUCCESS
    await admin.modify(user_dn("aokafor"), replace("eTSuspended", "1"))
    assert (await client.bind("aokafor", NEW)).code is C.UNWILLING_TO_PERFORM


@pytest_twisted.ensureDeferred
async def test_binds_beyond_their_queue_are_told_that_we_are_busy_and_exchanges_go_on(
    start_provserver: Starter,
) -> None:
    settings = [
        "passwords.scheme=argon2id",
        "passwords.argon2_memory=128",
        "binds.queue=2",
        "binds.threads=1",
    ]
    server = await start_provserver(settings=settings)
    admin = await administrator(server)
    gate = threading.Event()
    server.service._bind_pool.callInThread(gate.wait, 30)  # somebody else's password, as it were
    try:
        lines = [await server.wire() for _ in range(3)]
        binds = []
        for line in lines:
            binds.append(line.begin(BindRequest(3, "aokafor", Secret.of_text(PASSWORDS["aokafor"]))))
            await server.breathe()
        told = await lines[2].answer(binds[2])
        assert (told.code, told.text) == (C.BUSY, "2 passwords are waiting to be hashed")
        assert (await admin.modify(user_dn("bnovak"), replace("eTPassword", NEW))).code is C.SUCCESS
    finally:
        gate.set()
    for line, bind in zip(lines[:2], binds, strict=False):
        assert (await line.answer(bind)).code is C.SUCCESS
