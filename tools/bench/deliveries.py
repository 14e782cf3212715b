"""Did every acknowledged password arrive? Asked over LDAP, as the administrator, once the outbox is empty.

Two questions, each a callable, so that how they are put can change without the rest: `Outstanding` says how
many deliveries are still in the outbox, `NotHeld` names those endpoint accounts that do not hold the password
they should (the emulated connector keeps a digest; no password ever comes back).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import generator
from generator import BenchFailed
from our_side import ADMINISTRATOR, VIEW, OurSide, account_names
from requests import Step, Template, bind_request, write_cycles

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    CompareRequest,
    DerefAliases,
    Message,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
)
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
    line = _Line(side)
    request = SearchRequest(
        MONITOR, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), (OUTBOX_SIZE,)
    )

    def outstanding() -> int:
        entry = line.search(request)
        for attribute in entry.attributes if entry else ():
            if attribute.description.lower() == OUTBOX_SIZE.lower():
                return int(attribute.values[0])
        raise NotAnswered(f"{MONITOR} has no {OUTBOX_SIZE}")

    return outstanding


def compare_held_passwords(side: OurSide, program: Path, directory: Path) -> NotHeld:
    """Asks by compare of provHeldPassword on each account entry, through the load generator."""
    bind = bind_request(ADMINISTRATOR + VIEW, side.instance.administrator_password)
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


class _Line:
    """A blocking connection of the administrator's, for one question at a time."""

    def __init__(self, side: OurSide) -> None:
        self._socket = socket.create_connection(("127.0.0.1", side.port), timeout=30)
        self._buffer = b""
        self._socket.sendall(bind_request(ADMINISTRATOR + VIEW, side.instance.administrator_password))
        self._answer()

    def search(self, request: SearchRequest) -> SearchResultEntry | None:
        """The entry that was found, if any. NotAnswered with the result when it is none of the good ones."""
        self._socket.sendall(encode_message(Message(2, request)))
        found = None
        while True:
            operation = self._answer().operation
            if isinstance(operation, SearchResultEntry):
                found = operation
            elif isinstance(operation, SearchResultDone):
                if operation.result.code is not ResultCode.SUCCESS:
                    said = f"{operation.result.code.name}: {operation.result.diagnostic}"
                    raise NotAnswered(f"search of {request.base}: {said}")
                return found

    def _answer(self) -> Message:
        """The next message; all of ours are shorter than 64 KiB and come with definite lengths."""
        while (end := _end(self._buffer)) > len(self._buffer):
            more = self._socket.recv(65536)
            if not more:
                raise BenchFailed("the server closed the administrator's connection")
            self._buffer += more
        message = decode_message(self._buffer, 0, end)
        self._buffer = self._buffer[end:]
        return message


def _end(buffer: bytes) -> int:
    """Where the first message ends; beyond the buffer when more is needed to know, or to have it."""
    if len(buffer) < 2 or (buffer[1] > 0x80 and len(buffer) < 2 + (buffer[1] & 0x7F)):
        return len(buffer) + 1
    if buffer[1] < 0x80:
        return 2 + buffer[1]
    size = buffer[1] & 0x7F
    return 2 + size + int.from_bytes(buffer[2 : 2 + size], "big")
