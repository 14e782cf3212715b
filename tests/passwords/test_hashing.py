"""Hashing: forms that others read, verdicts that are right, one cost for everyone."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from provserver.passwords.hashing import Hasher, HashingBusy, hashing_pool, recipe_for
from provserver.settings import PasswordSettings, Settings
from provserver.vault.schemes import (
    KEY_SIZE,
    SALT_SIZE,
    Argon2,
    Derived,
    Pbkdf2,
    Recipe,
    SaltedSha1,
    SaltedSha256,
    SaltedSha384,
    SaltedSha512,
    SchemeName,
    Scrypt,
    UnreadableHash,
    parse,
    parse_source,
)
from provserver.vault.secret import Secret

CHEAP: tuple[Recipe, ...] = (SaltedSha1(), SaltedSha256(), SaltedSha384(), SaltedSha512())
SMALL: tuple[Recipe, ...] = (Argon2(64, 1, 1), Argon2(64, 1, 1, "argon2i"), Scrypt(16, 1, 1), Pbkdf2(2))
"""Expensive schemes with parameters that cost nothing."""
SIZES = {SaltedSha1(): 20, SaltedSha256(): 32, SaltedSha384(): 48, SaltedSha512(): 64}

NO_COST = PasswordSettings(
    argon2_memory=128, argon2_iterations=1, scrypt_n=1024, scrypt_r=1, scrypt_p=1, pbkdf2_iterations=1000
)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of something that must not suspend."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited")


def offline(scheme: str) -> Hasher:
    return Hasher(Settings(passwords=NO_COST).override(f"passwords.scheme={scheme}").passwords, None, None)


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    pool = hashing_pool(2)
    pool.start()
    yield pool
    pool.stop()


def derived(recipe: Recipe, salt: bytes, password: bytes) -> Derived:
    return Derived(recipe, salt, recipe.derive(salt, Secret(password)))


def stored(recipe: Recipe, salt: bytes, password: bytes) -> str:
    return derived(recipe, salt, password).text


# Forms


@given(
    st.sampled_from(CHEAP + SMALL), st.binary(min_size=8, max_size=40), st.binary(min_size=64, max_size=64)
)
def test_what_is_written_is_read_back(recipe: Recipe, salt: bytes, octets: bytes) -> None:
    value = Derived(recipe, salt, octets[: SIZES.get(recipe, KEY_SIZE)])
    assert parse(value.text) == value
    assert parse_source(value.source) == (recipe, salt)


@given(
    st.one_of(
        st.builds(Argon2, st.integers(512, 2**20), st.integers(1, 1000), st.integers(1, 16)),
        st.builds(Pbkdf2, st.integers(1000, 10_000_000)),
        st.builds(Scrypt, st.integers(10, 18).map(lambda n: 2**n), st.integers(1, 16), st.integers(1, 16)),
    )
)
def test_every_recipe_that_the_settings_allow_can_be_read_back(recipe: Recipe) -> None:
    value = Derived(recipe, b"s" * SALT_SIZE, b"k" * KEY_SIZE)
    assert parse(value.text) == value


@pytest.mark.parametrize(
    ("text", "password"),
    [
        # Made by hand: base64(sha1(password + salt) + salt), RFC 2307 and the {SSHA} note of Netscape.
        ("{SSHA}" + base64.b64encode(hashlib.sha1(b"secretsalt").digest() + b"salt").decode(), b"secret"),
        # `slappasswd -h {SSHA} -s testing123`, the example that the LDAP HOWTOs print.
        (
            "{ssha}" + base64.b64encode(hashlib.sha1(b"testing123\x01\x02").digest() + b"\1\2").decode(),
            b"testing123",
        ),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", b"password"),
        ("{SHA256}" + base64.b64encode(hashlib.sha256(b"password").digest()).decode(), b"password"),
        ("{SHA384}" + base64.b64encode(hashlib.sha384(b"password").digest()).decode(), b"password"),
        ("{SHA512}" + base64.b64encode(hashlib.sha512(b"password").digest()).decode(), b"password"),
        # passlib's documentation of ldap_salted_sha1 and ldap_pbkdf2… forms.
        ("{SSHA}pKqkNr1tq3wtQqk+UcPyA3HnA2NsU5NJ", b"password"),
    ],
)
def test_values_that_others_made_are_verified(text: str, password: bytes) -> None:
    hasher = offline("ssha512")
    assert run(hasher.verify(text, Secret(password)))
    assert not run(hasher.verify(text, Secret(password + b"x")))


def test_pbkdf2_agrees_with_the_vector_of_rfc_7914() -> None:
    """RFC 7914 11: PBKDF2-HMAC-SHA-256 (P="passwd", S="salt", c=1), its first 32 bytes."""
    key = Pbkdf2(1).derive(b"salt", Secret(b"passwd"))
    assert key.hex() == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"


def test_scrypt_agrees_with_the_vector_of_rfc_7914() -> None:
    """RFC 7914 12: scrypt (P="pleaseletmein", S="SodiumChloride", N=16384, r=8, p=1), its first 32 bytes."""
    key = Scrypt(16384, 8, 1).derive(b"SodiumChloride", Secret(b"pleaseletmein"))
    assert key.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"


def test_argon2id_agrees_with_the_reference_implementation() -> None:
    """phc-winner-argon2, src/test.c: argon2id, version 0x13, t=2, m=2^16 KiB, p=1, "password", "somesalt"."""
    key = Argon2(65536, 2, 1).derive(b"somesalt", Secret(b"password"))
    assert key.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


def test_argon2i_agrees_with_the_reference_implementation() -> None:
    """phc-winner-argon2, src/test.c: argon2i, version 0x13, t=2, m=2^16 KiB, p=1, "password", "somesalt"."""
    key = Argon2(65536, 2, 1, "argon2i").derive(b"somesalt", Secret(b"password"))
    assert key.hex() == "c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0"


def test_the_forms_are_those_of_openldap() -> None:
    salt = b"\xfb\xff" * 8
    assert stored(Argon2(64, 1, 1), salt, b"x").startswith(
        "{ARGON2}$argon2id$v=19$m=64,t=1,p=1$+//7//v/+//7//v/+//7/w$"
    )
    assert stored(Pbkdf2(2), salt, b"x").startswith("{PBKDF2-SHA256}2$.//7//v/.//7//v/.//7/w$")
    assert stored(Scrypt(16, 1, 2), salt, b"x").startswith(
        "{SCRYPT}$scrypt$ln=4,r=1,p=2$+//7//v/+//7//v/+//7/w$"
    )


def test_a_phc_string_is_read_without_the_scheme_too() -> None:
    text = stored(Argon2(64, 1, 1), b"s" * 16, b"x")
    assert parse(text.removeprefix("{ARGON2}")) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "{hunter2",
        "{CRYPT}hunter2",
        "{SSHA}hunter2",
        "{SSHA}%%%hunter2%%",
        "{SSHA}aHVudGVyMg==",
        "{SSHA512}" + "A" * 10000,
        "{PBKDF2-SHA256}1$hunter2",
        "{PBKDF2-SHA256}0$c2FsdHNhbHQ$" + "A" * 43,
        "{PBKDF2-SHA256}99999999999$c2FsdHNhbHQ$" + "A" * 43,
        "{PBKDF2-SHA256}-1$c2FsdHNhbHQ$" + "A" * 43,
        "{PBKDF2-SHA256}\u0661$c2FsdHNhbHQ$" + "A" * 43,
        "{PBKDF2-SHA256}1$c2FsdHNhbHQ$hunter2",
        "{PBKDF2-SHA256}1$c2FsdA$" + "A" * 43,
        "{ARGON2}$argon2d$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "{ARGON2}$argon2id$v=16$m=64,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "{ARGON2}$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "{ARGON2}$argon2id$v=19$m=8,t=1,p=2$c2FsdHNhbHQ$" + "A" * 43,
        "{ARGON2}$argon2id$v=19$t=1,m=64,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "{ARGON2}$argon2id$v=19$m=64,t=1$c2FsdHNhbHQ$" + "A" * 43,
        "{SCRYPT}$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,
        "{SCRYPT}$scrypt$ln=20,r=9,p=1$c2FsdHNhbHQ$" + "A" * 43,
    ],
)
def test_a_text_that_is_no_stored_password_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UnreadableHash) as raised:
        parse(text)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert not run(offline("ssha").verify(text, Secret(b"hunter2")))


@given(st.text(max_size=60).map(lambda text: text.replace("\ud800", "")))
def test_whatever_text_comes_it_is_read_or_unreadable(text: str) -> None:
    for prefix in ("", "{SSHA}", "{PBKDF2-SHA256}", "{ARGON2}$argon2id$v=19$", "{SCRYPT}$scrypt$"):
        with contextlib.suppress(UnreadableHash):
            parse(prefix + text)


def test_what_shows_a_derived_key_shows_neither_key_nor_salt() -> None:
    value = derived(SaltedSha512(), b"saltsaltsaltsalt", b"Correct-Horse-9")
    shown = repr(value)
    assert "salt" not in shown.replace("SaltedSha512", "")
    assert repr(value.key) not in shown


# Verdicts


@given(
    st.sampled_from(CHEAP + SMALL),
    st.binary(min_size=8, max_size=20),
    st.binary(max_size=20),
    st.binary(max_size=20),
)
def test_a_password_verifies_against_its_own_hash_only(
    recipe: Recipe, salt: bytes, password: bytes, other: bytes
) -> None:
    if isinstance(recipe, Pbkdf2 | Scrypt):  # HMAC pads with zeros: there they do not count at the end
        password, other = password.rstrip(b"\0"), other.rstrip(b"\0")
    text = stored(recipe, salt, password)
    assert run(offline("ssha512").verify(text, Secret(other))) is (password == other)


def test_keys_of_different_salts_or_recipes_are_not_compared() -> None:
    one = derived(SaltedSha512(), b"a" * 16, b"x")
    for other in (derived(SaltedSha512(), b"b" * 16, b"x"), derived(SaltedSha256(), b"a" * 16, b"x")):
        assert not one.same_source(other)
        with pytest.raises(ValueError, match="cannot be compared"):
            one.matches(other)


def test_a_new_password_takes_the_salt_of_the_present_one() -> None:
    hasher = offline("ssha512")
    present = run(hasher.derive(Secret(b"old"), hasher.fresh_salt()))
    assert hasher.salt_for(parse(present.text)) == present.salt
    assert not hasher.needs_upgrade(present)


@pytest.mark.parametrize(
    "present",
    [
        None,
        derived(SaltedSha512(), b"short", b"x"),
        derived(SaltedSha256(), b"s" * SALT_SIZE, b"x"),
        derived(Argon2(64, 1, 1), b"s" * SALT_SIZE, b"x"),
    ],
)
def test_another_scheme_other_parameters_or_a_short_salt_get_a_fresh_salt(present: Derived | None) -> None:
    hasher = offline("ssha512")
    salt = hasher.salt_for(present)
    assert len(salt) == SALT_SIZE
    assert present is None or (salt != present.salt and hasher.needs_upgrade(present))


@pytest.mark.parametrize("scheme", [scheme.value for scheme in SchemeName])
def test_the_setting_chooses_the_scheme(scheme: str) -> None:
    hasher = offline(scheme)
    assert hasher.recipe.name.value == scheme
    value = run(hasher.derive(Secret(b"x"), hasher.fresh_salt()))
    assert parse(value.text) == value
    assert run(hasher.verify(value.text, Secret(b"x")))


def test_a_change_of_parameters_is_an_upgrade() -> None:
    dearer = Settings(passwords=NO_COST).override("passwords.argon2_iterations=2").passwords
    present = Derived(recipe_for(NO_COST), b"s" * SALT_SIZE, b"k" * KEY_SIZE)
    assert Hasher(dearer, None, None).needs_upgrade(present)


# Where and at what cost


@pytest.mark.parametrize("text", [None, "{CRYPT}x", stored(SaltedSha512(), b"s" * 16, b"right")])
def test_nobody_costs_as_much_as_a_wrong_password(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    hasher = offline("ssha512")
    real = SaltedSha512.derive

    def counted(self: SaltedSha512, salt: bytes, secret: Secret) -> bytes:
        calls.append(salt)
        return real(self, salt, secret)

    monkeypatch.setattr(SaltedSha512, "derive", counted)
    assert not run(hasher.verify(text, Secret(b"wrong")))
    assert [len(salt) for salt in calls] == [SALT_SIZE]


@pytest.mark.parametrize(
    "other", [SaltedSha1(), Pbkdf2(2), Argon2(64, 1, 1, "argon2i"), Argon2(128, 2, 1)], ids=repr
)
def test_a_wrong_password_costs_no_less_where_the_hash_is_of_another_recipe(
    other: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast answer would tell that there is such a user, and that its hash was loaded."""
    hasher = offline("argon2id")
    assert hasher.recipe == Argon2(128, 1, 1)
    made = recorded_recipes(monkeypatch)
    assert not run(hasher.verify(stored(other, b"s" * 16, b"right"), Secret(b"wrong")))
    assert made[1:] == [other, hasher.recipe]


def recorded_recipes(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """What keys are derived with."""
    recipes: list[Recipe] = []

    def noted(kind: type) -> None:
        real = kind.derive  # type: ignore[attr-defined]

        def derive(self: Recipe, salt: bytes, secret: Secret) -> bytes:
            recipes.append(self)
            return real(self, salt, secret)  # type: ignore[no-any-return]

        monkeypatch.setattr(kind, "derive", derive)

    for kind in (Argon2, Pbkdf2, SaltedSha1):
        noted(kind)
    return recipes


@pytest.mark.parametrize("scheme", ["argon2id", "ssha512"])
def test_what_is_stored_is_told_with_the_right_password_only(scheme: str) -> None:
    hasher = offline(scheme)
    text = stored(SaltedSha1(), b"s" * 16, b"right")
    assert run(hasher.verified(text, Secret(b"right"))) == parse(text)
    for there in (text, None, "{CRYPT}x"):
        assert run(hasher.verified(there, Secret(b"wrong"))) is None


def test_a_pool_without_a_number_has_a_thread_for_each_core() -> None:
    assert hashing_pool().max == len(os.sched_getaffinity(0))
    assert hashing_pool(3).max == 3


def recorded(monkeypatch: pytest.MonkeyPatch, kind: type) -> list[str]:
    """Names of the threads in which a scheme derives."""
    threads: list[str] = []
    real = kind.derive  # type: ignore[attr-defined]

    def derive(self: Recipe, salt: bytes, secret: Secret) -> bytes:
        threads.append(threading.current_thread().name)
        return real(self, salt, secret)

    monkeypatch.setattr(kind, "derive", derive)
    return threads


@pytest_twisted.ensureDeferred
async def test_an_expensive_scheme_runs_in_the_pool_and_a_cheap_one_where_it_is_called(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    dear, cheap = recorded(monkeypatch, Argon2), recorded(monkeypatch, SaltedSha1)
    hasher = Hasher(NO_COST, pool, reactor)
    value = await hasher.derive(Secret(b"x"), hasher.fresh_salt())
    assert await hasher.verify(value.text, Secret(b"x"))
    assert not await hasher.verify(None, Secret(b"x"))
    assert len(dear) == 3
    assert all("provserver-hashing" in name for name in dear)
    await hasher.derive(Secret(b"x"), hasher.fresh_salt(), SaltedSha1())
    assert cheap == [threading.current_thread().name]
    assert hasher.waiting == 0


@pytest_twisted.ensureDeferred
async def test_a_full_queue_says_busy_and_a_caller_who_left_still_counts(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    gate = threading.Event()
    real = Argon2.derive

    def held(self: Argon2, salt: bytes, secret: Secret) -> bytes:
        gate.wait(30)
        return real(self, salt, secret)

    monkeypatch.setattr(Argon2, "derive", held)
    hasher = Hasher(NO_COST, pool, reactor, waiting_limit=2)
    first = Deferred.fromCoroutine(hasher.derive(Secret(b"x"), b"s" * 16))
    second = Deferred.fromCoroutine(hasher.derive(Secret(b"x"), b"s" * 16))
    with pytest.raises(HashingBusy, match="2 passwords"):
        await hasher.derive(Secret(b"x"), b"s" * 16)
    assert hasher.waiting == 2
    gate.set()
    assert (await first) == (await second)
    assert hasher.waiting == 0


@pytest_twisted.ensureDeferred
async def test_a_derivation_that_fails_is_not_counted_for_ever(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twisted.internet import reactor

    def broken(self: Argon2, salt: bytes, secret: Secret) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Argon2, "derive", broken)
    hasher = Hasher(NO_COST, pool, reactor)
    with pytest.raises(MemoryError):
        await hasher.derive(Secret(b"x"), b"s" * 16)
    assert hasher.waiting == 0
