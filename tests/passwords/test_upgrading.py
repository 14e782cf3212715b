"""A hash of another recipe is made anew at the next bind with the right password."""

from __future__ import annotations

from typing import Final

import pytest
import pytest_twisted
from harbour import NEW, OTHER, administrator

from provserver.directory.entries import Entry
from provserver.journal.events import Event
from provserver.passwords.credentials import HASH_KEY
from provserver.passwords.hashing import HashingBusy
from provserver.passwords.upgrading import Upgrades
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace
from provserver.vault.schemes import Derived, Recipe, SaltedSha1, SaltedSha256, parse
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

DN: Final = user_dn("loaded")


def record(value: str) -> str:
    return (
        f"dn: {DN.removesuffix(',dc=eta')}\nobjectClass: eTGlobalUser\n"
        f"eTGlobalUserName: loaded\neTPassword: {value}\n"
    )


def value(recipe: Recipe, salt: bytes = b"s" * 16) -> str:
    return Derived(recipe, salt, recipe.derive(salt, Secret.of_text(NEW))).text


async def entry_of(server: RunningServer) -> Entry:
    entry = await server.entry(DN)
    assert entry is not None
    return entry


@pytest.mark.parametrize("given", [value(SaltedSha1()), value(SaltedSha256(), b"8 bytes.")])
@test
async def test_the_right_password_is_hashed_as_the_settings_say(
    provserver: RunningServer, given: str
) -> None:
    """Another scheme; the same one with a short salt."""
    await provserver.load(record(given))
    before = await entry_of(provserver)
    await provserver.wire("loaded", NEW)
    after = await entry_of(provserver)
    assert after.text(HASH_KEY) != given
    made = parse(after.text(HASH_KEY))
    assert (made.recipe, len(made.salt)) == (SaltedSha256(), 16)
    others = {key: value for key, value in after.attributes.items() if key != HASH_KEY}
    assert others == {key: value for key, value in before.attributes.items() if key != HASH_KEY}, "no change"
    await provserver.wire("loaded", NEW)
    assert (await entry_of(provserver)).version == after.version, "once is enough"
    lines = [line for line in await provserver.journal() if line.event == Event.HASHED_ANEW]
    assert [line.fields["user"] for line in lines] == [DN.removesuffix(",dc=eta")]
    assert NEW not in str(lines)


@test
async def test_a_wrong_password_leaves_it(provserver: RunningServer) -> None:
    given = value(SaltedSha1())
    await provserver.load(record(given))
    client = await provserver.wire()
    assert (await client.bind(DN, OTHER)).code != 0
    assert (await entry_of(provserver)).text(HASH_KEY) == given


@test
async def test_a_new_setting_is_taken_up_at_the_next_bind(start_provserver: Starter) -> None:
    server = await start_provserver(
        settings=["passwords.scheme=pbkdf2-sha256", "passwords.pbkdf2_iterations=1000"]
    )
    await server.load(record(value(SaltedSha256())))
    await server.wire("loaded", NEW)
    assert (await entry_of(server)).text(HASH_KEY).startswith("{PBKDF2-SHA256}1000$")
    await server.wire("loaded", NEW)


@test
async def test_whoever_changes_the_user_meanwhile_is_right(provserver: RunningServer) -> None:
    await provserver.load(record(value(SaltedSha1())))
    stale = await entry_of(provserver)
    admin = await administrator(provserver)
    assert (await admin.modify(DN, replace("eTPassword", OTHER))).code == 0
    foundation = provserver.service.foundation
    upgrades = Upgrades(foundation.store, foundation.hasher, provserver.clock.wall)
    await upgrades(stale, Secret.of_text(NEW))
    assert await provserver.has_password("loaded", OTHER)


@test
async def test_a_bind_is_not_refused_because_too_many_wait(
    provserver: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = value(SaltedSha1())
    await provserver.load(record(given))

    async def busy(*arguments: object) -> None:
        raise HashingBusy("too many")

    foundation = provserver.service.foundation
    monkeypatch.setattr(foundation.hasher, "derive", busy)
    upgrades = Upgrades(foundation.store, foundation.hasher, provserver.clock.wall)
    await upgrades(await entry_of(provserver), Secret.of_text(NEW))
    assert (await entry_of(provserver)).text(HASH_KEY) == given
