"""How an endpoint that is a file or a database keeps a password: in clear, or as a hash that we make for it.

What is stored is a text: crypt(5) forms, the `$pbkdf2-sha256$` of passlib and its successors, Django's, a PHC
string of Argon2id, or the `{SSHA…}` of directories. Making and verifying block: they belong in a thread.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from provserver.connectors.contract import Accepts, ConnectorError, PasswordIllFormed, SettingsError
from provserver.connectors.libcrypt import LONGEST_PHRASE, NoLibcrypt, crypt, new_setting
from provserver.connectors.registry import Settings
from provserver.vault import schemes
from provserver.vault.secret import Secret

Random = Callable[[int], bytes]

SETTING_NAMES: Final[Mapping[str, str]] = {
    "hash": "how passwords are kept there: clear, sha512-crypt, sha256-crypt, yescrypt, bcrypt, argon2id "
    "($argon2id$), pbkdf2-sha256 ($pbkdf2-sha256$), django-pbkdf2 (pbkdf2_sha256$), ssha, ssha256, ssha512",
    "cost": "what a hash costs: rounds of the sha crypts (100000 when not given), yescrypt 1 to 11 (5), "
    "bcrypt 4 to 20 (12), iterations of PBKDF2 (600000) and of argon2id (3, in 64 MiB)",
    "schemes": "schemes in which passwords that came encoded are stored as they are, e.g. SSHA,ARGON2; none "
    "(the default): clear text only",
}


class HashName(Enum):
    """What the setting `hash` may be."""

    CLEAR = "clear"
    SHA512_CRYPT = "sha512-crypt"
    SHA256_CRYPT = "sha256-crypt"
    YESCRYPT = "yescrypt"
    BCRYPT = "bcrypt"
    ARGON2ID = "argon2id"
    PBKDF2_SHA256 = "pbkdf2-sha256"
    DJANGO_PBKDF2 = "django-pbkdf2"
    SSHA = "ssha"
    SSHA256 = "ssha256"
    SSHA512 = "ssha512"


class Hash(Protocol):
    """One way of keeping a password."""

    def make(self, secret: Secret, random: Random) -> str:
        """What is stored. PasswordIllFormed: it cannot be told apart from another one in this form."""

    def verify(self, secret: Secret, stored: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Clear:
    def make(self, secret: Secret, random: Random) -> str:
        return text_of(secret)

    def verify(self, secret: Secret, stored: str) -> bool:
        return hmac.compare_digest(secret.reveal(), stored.encode(errors="surrogateescape"))


@dataclass(frozen=True, slots=True)
class Crypt:
    """crypt(5). `longest`: octets beyond it would be ignored (bcrypt), or are not taken (all)."""

    prefix: str
    cost: int
    salt_size: int = 16
    longest: int = LONGEST_PHRASE

    def make(self, secret: Secret, random: Random) -> str:
        if not secret or b"\0" in secret.reveal() or len(secret.reveal()) > self.longest:
            raise PasswordIllFormed(f"expected 1 to {self.longest} octets, none of them NUL")
        try:
            return crypt(secret.reveal(), new_setting(self.prefix, self.cost, random(self.salt_size)))
        except NoLibcrypt as error:
            raise ConnectorError(str(error)) from None

    def verify(self, secret: Secret, stored: str) -> bool:
        if b"\0" in secret.reveal() or len(secret.reveal()) > self.longest:
            return False
        try:
            return hmac.compare_digest(crypt(secret.reveal(), stored).encode(), stored.encode())
        except (NoLibcrypt, ValueError):
            return False


@dataclass(frozen=True, slots=True)
class Directory:
    """The forms that directories store, and PHC strings, which they store behind `{ARGON2}`."""

    recipe: schemes.Recipe
    bare: bool = False

    def make(self, secret: Secret, random: Random) -> str:
        salt = random(schemes.SALT_SIZE)
        text = schemes.Derived(self.recipe, salt, self.recipe.derive(salt, secret)).text
        return text.partition("}")[2] if self.bare else text

    def verify(self, secret: Secret, stored: str) -> bool:
        try:
            kept = schemes.parse(stored)
        except schemes.UnreadableHash:
            return False
        return kept.matches(schemes.Derived(kept.recipe, kept.salt, kept.recipe.derive(kept.salt, secret)))


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """PBKDF2 with HMAC-SHA-256 as `$pbkdf2-sha256$iterations$salt$key` in adapted base64."""

    iterations: int

    _form = re.compile(r"\$pbkdf2-sha256\$(\d{1,8})\$([A-Za-z0-9./]{1,1000})\$([A-Za-z0-9./]{43})")

    def make(self, secret: Secret, random: Random) -> str:
        salt = random(16)
        key = _derived(secret, salt, self.iterations)
        return f"$pbkdf2-sha256${self.iterations}${_adapted(salt)}${_adapted(key)}"

    def verify(self, secret: Secret, stored: str) -> bool:
        form = self._form.fullmatch(stored)
        if form is None:
            return False
        try:
            salt = binascii.a2b_base64(form[2].replace(".", "+") + "=" * (-len(form[2]) % 4))
        except ValueError:
            return False
        return hmac.compare_digest(_adapted(_derived(secret, salt, int(form[1]))), form[3])


@dataclass(frozen=True, slots=True)
class DjangoPbkdf2:
    """The same key as `pbkdf2_sha256$iterations$salt$key`: the salt is text, the key plain base64."""

    iterations: int

    _form = re.compile(r"pbkdf2_sha256\$(\d{1,8})\$([^$]{1,1000})\$([A-Za-z0-9+/]{43}=)")

    def make(self, secret: Secret, random: Random) -> str:
        salt = random(16).hex()
        key = base64.b64encode(_derived(secret, salt.encode(), self.iterations)).decode()
        return f"pbkdf2_sha256${self.iterations}${salt}${key}"

    def verify(self, secret: Secret, stored: str) -> bool:
        form = self._form.fullmatch(stored)
        if form is None:
            return False
        key = _derived(secret, form[2].encode(errors="surrogateescape"), int(form[1]))
        return hmac.compare_digest(base64.b64encode(key).decode(), form[3])


@dataclass(frozen=True, slots=True)
class Keeping:
    """How one endpoint keeps passwords, by its settings."""

    name: HashName
    how: Hash
    accepts: Accepts
    random: Random

    @classmethod
    def of(cls, given: Settings, random: Random = os.urandom) -> Keeping:
        """By `hash`, which has no default: nobody keeps clear text by accident. SettingsError."""
        given.text("hash")
        accepts = given.accepts("schemes")
        name = given.choice("hash", HashName.CLEAR)
        default, least, most, make = _COSTS.get(name, _NO_COST)
        if make is None:
            if "cost" in given:
                raise SettingsError("cost", f"expected only with a hash that has one, not with {name.value}")
            return cls(name, _PLAIN[name], accepts, random)
        how = make(given.count("cost", default, least=least, most=most))
        try:
            if isinstance(how, Crypt):
                new_setting(how.prefix, how.cost, bytes(how.salt_size))
        except NoLibcrypt as error:
            raise SettingsError("hash", str(error)) from None
        return cls(name, how, accepts, random)

    def stored(self, secret: Secret) -> str:
        """What is stored for a password. Blocks. PasswordIllFormed, ConnectorError."""
        return self.how.make(secret, self.random)

    def verify(self, secret: Secret, stored: str) -> bool:
        """Whether a stored text is of this password, in whatever form it was stored. Blocks.

        Where only clear text is kept nothing is a hash, whatever it looks like; where hashes are, the text of
        a hash is no password.
        """
        if self.name is HashName.CLEAR and not self.accepts.schemes:
            return self.how.verify(secret, stored)
        for begins, how in _BY_BEGINNING:
            if begins(stored):
                return how.verify(secret, stored)
        return self.how.verify(secret, stored)


def text_of(secret: Secret) -> str:
    """The password as a text. PasswordIllFormed: it is none."""
    try:
        return secret.reveal_text()
    except ValueError as error:
        raise PasswordIllFormed(str(error)) from None


def _derived(secret: Secret, salt: bytes, iterations: int) -> bytes:
    return schemes.Pbkdf2(iterations).derive(salt, secret)


def _adapted(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=").replace("+", ".")


def _argon2id(iterations: int) -> Hash:
    # RFC 9106 section 4, the second recommended choice.
    return Directory(schemes.Argon2(64 * 1024, iterations, 4), bare=True)


_PLAIN: Final[Mapping[HashName, Hash]] = {
    HashName.CLEAR: Clear(),
    HashName.SSHA: Directory(schemes.SaltedSha1()),
    HashName.SSHA256: Directory(schemes.SaltedSha256()),
    HashName.SSHA512: Directory(schemes.SaltedSha512()),
}

_Cost = tuple[int, int, int, Callable[[int], Hash] | None]
_NO_COST: Final[_Cost] = (0, 0, 0, None)
_COSTS: Final[Mapping[HashName, _Cost]] = {
    HashName.SHA512_CRYPT: (100_000, 1000, 9_999_999, lambda rounds: Crypt("$6$", rounds)),
    HashName.SHA256_CRYPT: (100_000, 1000, 9_999_999, lambda rounds: Crypt("$5$", rounds)),
    HashName.YESCRYPT: (5, 1, 11, lambda cost: Crypt("$y$", cost)),
    # OpenBSD's bcrypt reads 72 octets and passes over the rest: two passwords would be one.
    HashName.BCRYPT: (12, 4, 20, lambda cost: Crypt("$2b$", cost, longest=72)),
    HashName.ARGON2ID: (3, 1, 100, _argon2id),
    HashName.PBKDF2_SHA256: (600_000, 1000, 9_999_999, Pbkdf2),
    HashName.DJANGO_PBKDF2: (600_000, 1000, 9_999_999, DjangoPbkdf2),
}

_BY_BEGINNING: Final[tuple[tuple[Callable[[str], object], Hash], ...]] = (
    (re.compile(r"\{[A-Za-z0-9-]+\}|\$argon2id?\$|\$scrypt\$").match, Directory(schemes.SaltedSha1())),
    (re.compile(r"\$pbkdf2-sha256\$").match, Pbkdf2(1)),
    (re.compile(r"pbkdf2_sha256\$").match, DjangoPbkdf2(1)),
    (re.compile(r"\$2[abxy]\$").match, Crypt("$2b$", 12, longest=72)),
    (re.compile(r"\$(?:1|5|6|7|y|gy)\$").match, Crypt("$6$", 1000)),
)
