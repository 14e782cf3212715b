"""The two sides of the comparison, as the runner sees them: a server that is up, and what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from prepared import PASSWORD_LENGTH, Step

from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode

MIN_LENGTH: Final = 8
HISTORY: Final = 5
TOO_SHORT: Final = b"Short-1"
CHECKS: Final = (
    Step(ModifyRequest, ResultCode.CONSTRAINT_VIOLATION),
    Step(ModifyRequest, ResultCode.CONSTRAINT_VIOLATION),
)
"""A password that is too short and the oldest one of the history: both sides must refuse both."""


def user_name(user: int) -> str:
    return f"u{user:05d}"


def former_password(user: int, age: int) -> bytes:
    """What the user's password was before the run: 0 the current one, 1 to 5 those that the history holds."""
    password = b"Old%d-%011d" % (age, user)
    assert len(password) == PASSWORD_LENGTH  # noqa: S101  the templates' lengths depend on it
    return password


class Side(Protocol):
    """A server with its users loaded, their histories filled, and nothing left to do."""

    name: str
    """How the table calls it."""
    port: int
    bind: bytes
    steps: Sequence[Step]

    def cycle(self, user: int, password: bytes) -> Sequence[bytes]:
        """The requests with which this user's password becomes `password`."""

    def check(self, user: int) -> Sequence[bytes]:
        """The two requests that CHECKS says must be refused. They change nothing."""

    def pids(self) -> Sequence[int]:
        """Every process of this server."""

    def stop(self) -> None:
        """End it and remove what it left."""
