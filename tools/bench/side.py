"""The two sides of the comparison, as the runner sees them: a server that is up, and what it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from fresh import former_password
from prepared import Step

from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode

MIN_LENGTH: Final = 8
HISTORY: Final = 5
TOO_SHORT: Final = b"Short-1"
FILL_STEPS: Final = (Step(ModifyRequest),)
CHECKS: Final = (
    Step(ModifyRequest, ResultCode.CONSTRAINT_VIOLATION),
    Step(ModifyRequest, ResultCode.CONSTRAINT_VIOLATION),
)
"""A password that is too short and the oldest one of the history: both sides must refuse both."""


def user_name(user: int) -> str:
    return f"u{user:05d}"


def filling(users: int) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Who is changed to what so that every history is full: a round over all users for each password, the
    oldest first. Rounds do not overlap: slapd answers 20 when two changes of one user meet."""
    for age in range(HISTORY, -1, -1):
        yield [(user, former_password(user, age)) for user in range(users)]


class Side(Protocol):
    """A server with its users loaded and nothing left to do."""

    name: str
    """How the table calls it."""
    port: int
    bind: bytes
    steps: Sequence[Step]

    def cycle(self, user: int, password: bytes) -> Sequence[bytes]:
        """The requests with which this user's password becomes `password`."""

    def fill(self) -> Iterator[Sequence[Sequence[bytes]]]:
        """Rounds of the requests that give every user a password and a full history, by FILL_STEPS."""

    def check(self, user: int) -> Sequence[bytes]:
        """The two requests that CHECKS says must be refused. They change nothing."""

    def pids(self) -> Sequence[int]:
        """Every process of this server."""

    def stop(self) -> None:
        """End it and remove what it left."""
