"""Passwords that come encoded: a stored form, `{SCHEME}…`, in the place of the password (seed 002).

An agent that hashes at once, as Ping's does, never has more to send. Nothing but the form can be judged, so
only who is trusted with that may send one; to everybody else it is refused, because the form set as a
password would lock its user out and make the stolen hash a password. Ours, in detail:

- A value has the form when it can be read as one of `ENCODINGS`, or begins with a scheme of other servers and
  goes on as their values do. What does not have it is clear text, whatever it begins with.
- From who is trusted, what begins like one of `ENCODINGS` and cannot be read is refused: something was lost.
"""

from __future__ import annotations

import re
from typing import Final

from provserver.connectors.contract import ENCODINGS, scheme_of
from provserver.imps.messages import Reason
from provserver.ldap.controls import PolicyError
from provserver.ldap.results import ResultCode
from provserver.passwords.gates import Closed
from provserver.records import record
from provserver.vault.schemes import Argon2, Derived, parse
from provserver.vault.secret import Secret

_OTHERS: Final = frozenset(
    (
        *("CRYPT", "MD5", "SMD5", "SHA", "SHA1", "SHA256", "SHA384", "SHA512", "SSHA1", "SCRYPT", "BCRYPT"),
        *("PBKDF2", "PBKDF2-SHA1", "PBKDF2-SHA512", "PBKDF2_SHA256", "PBKDF2-SHA384", "X-PBKDF2"),
    )
)
"""What other servers store, and we do not take: unsalted, broken, or not spoken here."""
_THEIR_FORM: Final = re.compile(rb"[A-Za-z0-9+/=.$,:_-]{13,}")
"""crypt(3), the shortest, has 13 characters."""
_MOST_WORK: Final = 2**22
"""KiB times passes of an Argon2 that may come from outside: some seconds for each bind of its user."""


@record
class Encoded:
    """A password of which only this is known; the secret itself is the stored form."""

    scheme: str
    derived: Derived

    @property
    def remark(self) -> str:
        """What the journal adds."""
        return f"it came encoded as {self.scheme}: its quality could not be judged"

    def is_same_as(self, stored: Derived | None) -> bool:
        """Whether it is what is stored. Of the same password with another salt, nobody can tell."""
        return stored is not None and stored.same_source(self.derived) and stored.matches(self.derived)


class NotTaken(Closed):
    """An encoded password that is refused: nothing about it could be checked (draft-behera 8.2.5)."""

    def __init__(self, reason: Reason, **fields: str) -> None:
        super().__init__(
            reason.value.format(**fields),
            ResultCode.CONSTRAINT_VIOLATION,
            PolicyError.INSUFFICIENT_PASSWORD_QUALITY,
        )


def may_be_encoded(secret: Secret) -> bool:
    """Whether it is worth a closer look; clear text mostly is not."""
    return secret.reveal().startswith(b"{")


def read_encoded(secret: Secret, *, trusted: bool) -> Encoded | None:
    """What an encoded password says; None: it is clear text. `trusted`: who sent it may. NotTaken."""
    scheme = scheme_of(secret)
    if scheme in ENCODINGS:
        try:
            derived = parse(secret.reveal().decode())
        except ValueError:  # UnreadableHash, or no text
            if trusted:
                raise NotTaken(Reason.ENCODED_UNREADABLE, scheme=scheme) from None
            return None
    elif scheme in _OTHERS and _THEIR_FORM.fullmatch(secret.reveal(), len(scheme) + 2):
        derived = None
    else:
        return None
    if not trusted:
        raise NotTaken(Reason.ENCODED_NOT_ALLOWED)
    if derived is None:
        raise NotTaken(Reason.ENCODING_UNKNOWN, scheme=scheme, schemes=", ".join(ENCODINGS))
    recipe = derived.recipe
    if isinstance(recipe, Argon2) and recipe.memory * recipe.iterations > _MOST_WORK:
        raise NotTaken(Reason.ENCODED_TOO_COSTLY)
    return Encoded(scheme, derived)
