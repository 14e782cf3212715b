"""The hash schemes: how a key is derived from a password, and how it is written down.

What is stored is one text: `{SCHEME}` and what the scheme needs to derive again. The forms are those that
other servers read: `{SSHA}`, `{SSHA256}`, `{SSHA384}`, `{SSHA512}` (RFC 2307 and its usual extensions:
base64 of digest and salt), `{PBKDF2-SHA256}` (OpenLDAP's pw-pbkdf2: iterations$salt$key in adapted base64),
`{ARGON2}$argon2id$…` (OpenLDAP's argon2 module around a PHC string), `{SCRYPT}$scrypt$…` (a PHC string).
PHC strings are read without the prefix too, `$argon2i$` as well (OpenLDAP's module writes that when it is
built with libargon2), and the unsalted `{SHA}`, `{SHA256}`, `{SHA384}`, `{SHA512}` as the salted form with an
empty salt.

A recipe is a scheme with its parameters. Pure: no settings, no threads; `passwords.hashing` decides where a
derivation runs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import field
from enum import Enum
from typing import ClassVar, Protocol

from cryptography.hazmat.primitives.kdf.argon2 import Argon2i, Argon2id

from provserver.records import record
from provserver.vault.secret import Secret

SALT_SIZE = 16
KEY_SIZE = 32

# Bounds on what a stored value may ask of us: whoever may load entries must not be able to stop the server
# with one line of LDIF. The settings stay inside them.
MAX_MEMORY = 2**30
"""Bytes that one derivation may use."""
MAX_ITERATIONS = 10_000_000
MAX_LANES = 64
MAX_PART = 1024
"""Bytes of a salt or a key."""


class UnreadableHash(ValueError):
    """A text that is no stored password, or of a scheme that is not spoken here. Never shows the text."""


class SchemeName(Enum):
    """The schemes that a setting may name."""

    ARGON2ID = "argon2id"
    PBKDF2_SHA256 = "pbkdf2-sha256"
    SCRYPT = "scrypt"
    SSHA512 = "ssha512"
    SSHA384 = "ssha384"
    SSHA256 = "ssha256"
    SSHA = "ssha"


class Recipe(Protocol):
    """A scheme with its parameters; equal recipes with equal salts derive equal keys."""

    name: ClassVar[SchemeName]
    expensive: ClassVar[bool]
    """Whether it takes milliseconds (a thread's work) rather than microseconds."""

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        """The key. Blocks; releases the interpreter lock where it is expensive."""

    def text(self, salt: bytes, key: bytes) -> str:
        """The stored form; with an empty key, the form of a source: what is needed to derive again."""


@record
class Derived:
    """A key with all that it was derived from; also what `parse` makes of a stored text."""

    recipe: Recipe
    salt: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def same_source(self, other: Derived) -> bool:
        """Whether the keys can be compared: one recipe, one salt."""
        return self.salt == other.salt and self.recipe == other.recipe

    def matches(self, other: Derived) -> bool:
        """Whether both come from the same password; takes the same time either way.

        ValueError when they have no common source: then "no" would be no answer, derive again with the
        other's.
        """
        if not self.same_source(other):
            raise ValueError("keys of different recipes or salts cannot be compared")
        return hmac.compare_digest(self.key, other.key)

    @property
    def text(self) -> str:
        """The stored form: `parse` reads it."""
        return self.recipe.text(self.salt, self.key)

    @property
    def source(self) -> str:
        """The stored form without the key: `parse_source` reads it."""
        return self.recipe.text(self.salt, b"")


@record
class Argon2:
    """Argon2id (RFC 9106), or Argon2i where others wrote that. `memory` in KiB.

    Older releases of `cryptography` hold the interpreter lock through a derivation, which would stop the
    reactor; 50.0.2, the one pinned, does not (pyca/cryptography pull request 15163; measured).
    """

    memory: int
    iterations: int
    lanes: int
    variant: str = "argon2id"

    name: ClassVar = SchemeName.ARGON2ID
    expensive: ClassVar = True

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        function = _ARGON2[self.variant](
            salt=salt,
            length=KEY_SIZE,
            iterations=self.iterations,
            lanes=self.lanes,
            memory_cost=self.memory,
        )
        return function.derive(secret.reveal())

    def text(self, salt: bytes, key: bytes) -> str:
        cost = f"m={self.memory},t={self.iterations},p={self.lanes}"
        return f"{{ARGON2}}${self.variant}$v=19${cost}${_bare(salt)}${_bare(key)}"


_ARGON2: dict[str, type[Argon2id] | type[Argon2i]] = {"argon2id": Argon2id, "argon2i": Argon2i}


@record
class Scrypt:
    """scrypt (RFC 7914); `n` is a power of two. Built on PBKDF2: "x" and "x\\0" derive alike."""

    n: int
    r: int
    p: int

    name: ClassVar = SchemeName.SCRYPT
    expensive: ClassVar = True

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        memory = 128 * self.r * (self.n + self.p + 2) + 1024
        return hashlib.scrypt(
            secret.reveal(), salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=KEY_SIZE
        )

    def text(self, salt: bytes, key: bytes) -> str:
        cost = f"ln={self.n.bit_length() - 1},r={self.r},p={self.p}"
        return f"{{SCRYPT}}$scrypt${cost}${_bare(salt)}${_bare(key)}"


@record
class Pbkdf2:
    """PBKDF2 with HMAC-SHA-256 (RFC 8018). HMAC pads its key with zeros: "x" and "x\\0" derive alike."""

    iterations: int

    name: ClassVar = SchemeName.PBKDF2_SHA256
    expensive: ClassVar = True

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", secret.reveal(), salt, self.iterations, KEY_SIZE)

    def text(self, salt: bytes, key: bytes) -> str:
        return f"{{PBKDF2-SHA256}}{self.iterations}${_adapted(salt)}${_adapted(key)}"


@record
class SaltedSha512:
    """{SSHA512}: one round. For labs, comparisons and migrations: it can be guessed at billions a second."""

    name: ClassVar = SchemeName.SSHA512
    expensive: ClassVar = False

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        return hashlib.sha512(secret.reveal() + salt).digest()

    def text(self, salt: bytes, key: bytes) -> str:
        return "{SSHA512}" + base64.b64encode(key + salt).decode()


@record
class SaltedSha384:
    """{SSHA384}: one round; see SaltedSha512."""

    name: ClassVar = SchemeName.SSHA384
    expensive: ClassVar = False

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        return hashlib.sha384(secret.reveal() + salt).digest()

    def text(self, salt: bytes, key: bytes) -> str:
        return "{SSHA384}" + base64.b64encode(key + salt).decode()


@record
class SaltedSha256:
    """{SSHA256}: one round; see SaltedSha512."""

    name: ClassVar = SchemeName.SSHA256
    expensive: ClassVar = False

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        return hashlib.sha256(secret.reveal() + salt).digest()

    def text(self, salt: bytes, key: bytes) -> str:
        return "{SSHA256}" + base64.b64encode(key + salt).decode()


@record
class SaltedSha1:
    """{SSHA}: one round of SHA-1 (RFC 2307); see SaltedSha512."""

    name: ClassVar = SchemeName.SSHA
    expensive: ClassVar = False

    def derive(self, salt: bytes, secret: Secret) -> bytes:
        return hashlib.sha1(secret.reveal() + salt, usedforsecurity=False).digest()

    def text(self, salt: bytes, key: bytes) -> str:
        return "{SSHA}" + base64.b64encode(key + salt).decode()


def parse(text: str) -> Derived:
    """What a stored text says. UnreadableHash."""
    return _read(text, with_key=True)


def parse_source(text: str) -> tuple[Recipe, bytes]:
    """Recipe and salt of `Derived.source`. UnreadableHash."""
    derived = _read(text, with_key=False)
    return derived.recipe, derived.salt


def _read(text: str, *, with_key: bool) -> Derived:
    if text.startswith("$"):
        return _read_phc(text, with_key)
    name, closed, rest = text.partition("}")
    if not closed or not name.startswith("{"):
        raise UnreadableHash("a stored password begins with {SCHEME}")
    if reader := _READERS.get(name[1:].upper()):
        return reader(rest, with_key)
    if digest := _DIGESTS.get(name[1:].upper()):
        return _read_salted(rest, with_key, *digest)
    raise UnreadableHash("the stored password is of a scheme that is not spoken here")


_DIGESTS: dict[str, tuple[Recipe, int]] = {
    "SSHA512": (SaltedSha512(), 64),
    "SSHA384": (SaltedSha384(), 48),
    "SSHA256": (SaltedSha256(), 32),
    "SSHA": (SaltedSha1(), 20),
    "SHA512": (SaltedSha512(), 64),
    "SHA384": (SaltedSha384(), 48),
    "SHA256": (SaltedSha256(), 32),
    "SHA": (SaltedSha1(), 20),
}


def _read_salted(text: str, with_key: bool, recipe: Recipe, size: int) -> Derived:
    decoded = _decode(text)
    if not with_key:
        return Derived(recipe, decoded, b"")
    if len(decoded) < size:
        raise UnreadableHash("the stored password is cut off")
    return Derived(recipe, decoded[size:], decoded[:size])


def _read_pbkdf2(text: str, with_key: bool) -> Derived:
    parts = text.split("$")
    if len(parts) != 3:
        raise UnreadableHash("{PBKDF2-SHA256} is followed by iterations$salt$key")
    iterations = _number(parts[0], MAX_ITERATIONS)
    salt, key = _decode(parts[1].replace(".", "+")), _decode(parts[2].replace(".", "+"))
    return _checked(Pbkdf2(iterations), salt, key, with_key)


def _read_phc(text: str, with_key: bool) -> Derived:
    """A PHC string: $name[$v=19]$parameters$salt$key."""
    match text.split("$"):
        case ["", ("argon2id" | "argon2i") as variant, "v=19", costs, salt, key]:
            memory, iterations, lanes = _numbers(costs, ("m", "t", "p"))
            if memory * 1024 > MAX_MEMORY or lanes > MAX_LANES or memory < 8 * lanes:
                raise UnreadableHash("the stored password asks for a memory or lanes out of bounds")
            recipe = Argon2(memory, iterations, lanes, variant)
            return _checked(recipe, _decode(salt), _decode(key), with_key)
        case ["", "scrypt", costs, salt, key]:
            exponent, r, p = _numbers(costs, ("ln", "r", "p"))
            # n < 2**(128 r / 8) (RFC 7914 2) holds for every n within our memory bound.
            if exponent > 30 or p > MAX_LANES or 128 * r * 2**exponent > MAX_MEMORY:
                raise UnreadableHash("the stored password asks for a memory or lanes out of bounds")
            return _checked(Scrypt(2**exponent, r, p), _decode(salt), _decode(key), with_key)
        case _:
            raise UnreadableHash(
                "$argon2id$v=19$, $argon2i$v=19$ or $scrypt$, parameters, salt and key were expected"
            )


_READERS: dict[str, Callable[[str, bool], Derived]] = {
    "ARGON2": _read_phc,
    "SCRYPT": _read_phc,
    "PBKDF2-SHA256": _read_pbkdf2,
}


def _checked(recipe: Recipe, salt: bytes, key: bytes, with_key: bool) -> Derived:
    if with_key and len(key) != KEY_SIZE:
        raise UnreadableHash(f"the stored password has a key of {len(key)} bytes, {KEY_SIZE} were expected")
    if len(salt) < 8:
        # Argon2 takes no shorter one (RFC 9106 3.1).
        raise UnreadableHash(f"the stored password has a salt of {len(salt)} bytes, at least 8 were expected")
    return Derived(recipe, salt, key if with_key else b"")


def _numbers(text: str, names: tuple[str, str, str]) -> list[int]:
    found = [part.partition("=") for part in text.split(",")]
    if tuple(name for name, _, _ in found) != names:
        raise UnreadableHash(f"the stored password's parameters are {','.join(names)}, in this order")
    return [_number(number, MAX_ITERATIONS) for _, _, number in found]


def _number(text: str, maximum: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 12 or not 1 <= int(text) <= maximum:
        raise UnreadableHash(f"the stored password has a parameter that is no number from 1 to {maximum}")
    return int(text)


def _decode(text: str) -> bytes:
    """Base64, padded or not."""
    if len(text) > 2 * MAX_PART:
        raise UnreadableHash("the stored password is too long")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        raise UnreadableHash("the stored password is not base64") from None


def _bare(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")


def _adapted(octets: bytes) -> str:
    return _bare(octets).replace("+", ".")
