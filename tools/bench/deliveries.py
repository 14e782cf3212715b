"""Did every acknowledged password arrive? Asked over LDAP, as the administrator, once the outbox is empty.

Two questions, each a callable, so that how they are put can change without the rest: `Outstanding` says how
many deliveries are still in the outbox, `NotHeld` names those endpoint accounts that do not hold the password
they should (the emulated connector keeps a digest; no password ever comes back).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import generator
from generator import BenchFailed
from line import Line, values_of
from our_home import VIEW
from our_side import OurSide, account_names
from prepared import Step, Template, write_cycles

from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import CompareRequest, DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode

MONITOR: Final = "cn=monitor"
OUTBOX_SIZE: Final = "provOutboxSize"
HELD_PASSWORD: Final = "provHeldPassword"
PATIENCE: Final = 300.0
POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Expected:
    """An account at an endpoint that is not the originator's, and what its password must be now."""

    account: str
    """Its DN, as a client writes it."""
    password: bytes


Outstanding = Callable[[], int]
NotHeld = Callable[[Sequence[Expected]], Sequence[str]]


class NotAnswered(Exception):
    """The server does not answer this question; the text is its answer."""


@dataclass(frozen=True, slots=True)
class Verified:
    """`emptied`: when the outbox was empty (time.monotonic). `wrong`: accounts without their password."""

    emptied: float
    asked: int
    wrong: tuple[str, ...]


def verify_deliveries(last: Mapping[int, bytes], outstanding: Outstanding, not_held: NotHeld) -> Verified:
    """Wait until nothing is outstanding, then check the other accounts of the users in `last`.

    Raises NotAnswered when the server cannot be asked, BenchFailed when the outbox does not become empty.
    """
    begin = time.monotonic()
    while left := outstanding():
        if time.monotonic() - begin > PATIENCE:
            raise BenchFailed(f"{left} deliveries are still in the outbox after {PATIENCE:g} s")
        time.sleep(POLL_SECONDS)
    emptied = time.monotonic()
    expected = [
        Expected(account + VIEW, password)
        for user, password in last.items()
        for endpoint, account in account_names(user).items()
        if endpoint != "bench-ad"
    ]
    return Verified(emptied, len(expected), tuple(not_held(expected)))


def ask_outbox_size(side: OurSide) -> Outstanding:
    """Asks by a search of cn=monitor for provOutboxSize, on a connection that stays open."""
    line = Line(side.port, side.instance.home.administrator)
    request = SearchRequest(
        MONITOR, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), (OUTBOX_SIZE,)
    )

    def outstanding() -> int:
        answer = line.ask(request)
        if answer.result.code is not ResultCode.SUCCESS:
            raise NotAnswered(f"search of {MONITOR}: {answer.said}")
        for entry in answer.entries:
            for value in values_of(entry).get(OUTBOX_SIZE.lower(), ()):
                return int(value)
        raise NotAnswered(f"{MONITOR} has no {OUTBOX_SIZE}")

    return outstanding


def compare_held_passwords(side: OurSide, program: Path, directory: Path) -> NotHeld:
    """Asks by compare of provHeldPassword on each account entry, through the load generator."""
    bind = side.instance.home.administrator
    steps = (Step(CompareRequest, ResultCode.COMPARE_TRUE),)

    def not_held(expected: Sequence[Expected]) -> Sequence[str]:
        path = directory / "held.cycles"
        requests = (
            [Template(2, CompareRequest(one.account, HELD_PASSWORD, one.password)).with_password(b"")]
            for one in expected
        )
        write_cycles(path, bind, steps, requests)
        load = generator.run(program, path, side.port, 16, 0)
        path.unlink()
        wrong = [
            one.account
            for one, outcome in zip(expected, load.outcomes, strict=True)
            if outcome != generator.ACKNOWLEDGED
        ]
        if wrong and len(wrong) == len(expected):
            raise NotAnswered(f"compare of {HELD_PASSWORD}: {load.refusals[0]}")
        return wrong

    return not_held
