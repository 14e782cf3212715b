"""Hashes that other programs verify: by their own examples, and by whom we could ask here."""

from __future__ import annotations

import itertools
import subprocess

import bcrypt
import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from provserver.connectors import libcrypt
from provserver.connectors.contract import PasswordIllFormed, SettingsError
from provserver.connectors.hashes import SETTING_NAMES, HashName, Keeping
from provserver.connectors.registry import Settings
from provserver.testing.connector_contract import encode
from provserver.vault.secret import Secret

HELLO = Secret.of_text("Hello world!")
CHEAP = {"sha512-crypt": 1000, "sha256-crypt": 1000, "yescrypt": 1, "bcrypt": 4, "argon2id": 1}
CHEAP |= {"pbkdf2-sha256": 1000, "django-pbkdf2": 1000}


def keeping(name: str, **more: str) -> Keeping:
    costs = {"cost": str(CHEAP[name])} if name in CHEAP else {}
    return Keeping.of(Settings({"hash": name, **costs, **more}, SETTING_NAMES))


every_hash = pytest.mark.parametrize("name", [name.value for name in HashName])


@every_hash
@pytest.mark.parametrize("password", ["Harbour-Light-21", "Grün-Straße-Ж-漢-🔑-12", " ", "$6$x$y", "{SSHA}x"])
def test_a_stored_password_is_verified_and_no_other_one(name: str, password: str) -> None:
    kept = keeping(name)
    stored = kept.stored(Secret.of_text(password))
    assert kept.verify(Secret.of_text(password), stored)
    assert not kept.verify(Secret.of_text(password + "x"), stored)
    assert not kept.verify(Secret(b""), stored)
    assert (stored == password) == (name == "clear")


@every_hash
def test_one_password_is_never_stored_twice_alike(name: str) -> None:
    kept = keeping(name)
    assert (kept.stored(HELLO) == kept.stored(HELLO)) == (name == "clear")


def test_what_other_programs_stored_is_verified() -> None:
    by_others = [bcrypt.hashpw(HELLO.reveal(), bcrypt.gensalt(4)).decode()]
    # passlib 1.7.4 made these two.
    by_others.append("$pbkdf2-sha256$1000$c2FsdHNhbHRzYWx0c2FsdA$U.D1N18JDd40G8Vp56OV3dHT4WG2jmmLeF7crEt86gI")
    by_others.append("pbkdf2_sha256$1000$saltsaltsalt$d+o5+l8s+LGaQzxcovmk87gkRWX2/MUVH6/6GVFuZFA=")
    argon2 = Argon2id(salt=b"saltsaltsalt", length=32, iterations=1, lanes=1, memory_cost=64)
    by_others.append(argon2.derive_phc_encoded(HELLO.reveal()))
    for method in ("-6", "-5", "-1"):
        done = subprocess.run(
            ["openssl", "passwd", method, "-stdin"], input=HELLO.reveal(), stdout=subprocess.PIPE, check=True
        )
        by_others.append(done.stdout.decode().strip())
    for kept, stored in itertools.product([keeping("ssha"), keeping("clear", schemes="SSHA")], by_others):
        assert kept.verify(HELLO, stored), stored
        assert not kept.verify(Secret.of_text("Hello world?"), stored)


def test_what_we_store_is_verified_by_others() -> None:
    assert bcrypt.checkpw(HELLO.reveal(), keeping("bcrypt").stored(HELLO).encode())
    Argon2id.verify_phc_encoded(HELLO.reveal(), keeping("argon2id").stored(HELLO))


@pytest.mark.parametrize("scheme", ["SSHA", "SSHA512", "PBKDF2-SHA256", "ARGON2"])
def test_a_password_that_came_encoded_is_verified_where_such_are_taken(scheme: str) -> None:
    stored = encode(HELLO, scheme).reveal_text()
    assert keeping("clear", schemes=scheme).verify(HELLO, stored)
    assert not keeping("clear", schemes=scheme).verify(Secret.of_text(stored), stored)


def test_where_only_clear_text_is_kept_nothing_is_a_hash() -> None:
    stored = encode(HELLO, "SSHA").reveal_text()
    assert keeping("clear").verify(Secret.of_text(stored), stored)
    assert not keeping("clear").verify(HELLO, stored)


@pytest.mark.parametrize("name", ["sha512-crypt", "sha256-crypt", "yescrypt", "bcrypt"])
@pytest.mark.parametrize("password", [b"", b"a\0b", b"x" * 512])
def test_what_crypt_would_take_for_another_password_is_ill_formed(name: str, password: bytes) -> None:
    with pytest.raises(PasswordIllFormed, match="none of them NUL"):
        keeping(name).stored(Secret(password))


def test_what_bcrypt_would_pass_over_is_ill_formed() -> None:
    kept = keeping("bcrypt")
    assert kept.verify(Secret(b"x" * 72), kept.stored(Secret(b"x" * 72)))
    assert not kept.verify(Secret(b"x" * 73), kept.stored(Secret(b"x" * 72)))
    with pytest.raises(PasswordIllFormed, match="1 to 72 octets"):
        kept.stored(Secret(b"x" * 73))


def test_clear_text_that_is_no_text_is_ill_formed_and_not_shown() -> None:
    with pytest.raises(PasswordIllFormed) as refused:
        keeping("clear").stored(Secret(b"Harbour\xff"))
    assert "Harbour" not in str(refused.value)


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_a_stored_text_of_any_kind_verifies_nothing_and_breaks_nothing(stored: str) -> None:
    for beginning in ("", "$6$", "$y$", "$2b$04$", "$pbkdf2-sha256$1$", "pbkdf2_sha256$1$a$", "{SSHA}"):
        assert not keeping("ssha").verify(HELLO, beginning + stored)


def test_a_system_without_libxcrypt_is_told_when_the_endpoint_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libcrypt, "_NAMES", ("libnosuchcrypt.so.9",))
    libcrypt._library.cache_clear()
    try:
        with pytest.raises(SettingsError, match=r"hash: needs the system's libxcrypt \(libnosuch"):
            keeping("bcrypt")
        assert keeping("argon2id").name is HashName.ARGON2ID
    finally:
        monkeypatch.undo()
        libcrypt._library.cache_clear()


def test_a_method_that_libcrypt_does_not_speak_is_a_failure_without_the_password() -> None:
    with pytest.raises(libcrypt.NoLibcrypt, match="does not make"):
        libcrypt.new_setting("$nosuch$", 1, b"x" * 16)
    with pytest.raises(libcrypt.NoLibcrypt, match="does not speak"):
        libcrypt.crypt(b"Hello", "$nosuch$x")
