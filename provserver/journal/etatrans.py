"""The transaction log in the form that IMPS writes, so that existing habits of reading it keep working.

`20190402:111426:TID=000b38:Modify    :E462:----:S: text`: date, time, thread, operation (10 wide), own id,
parent id or `----`, kind, text; `+` after the kind marks a wrapped line. Kinds S (start), P (parameter), F
(failure) are seen; success has no seen kind, ours is `S:` with "SUCCESS:" [G]. Source: facts/imps.md 3.5.
Secrets never reach this module: callers pass `MASK` in their place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

FAILURES: Final = 1
WRITES: Final = 3
REQUESTS: Final = 5
EVERYTHING: Final = 7
"""What is written from which Transaction Log/Level on: external requests that failed, those that write, what
the server asked of others because of them (its store, the connectors), and external requests that only read.
7 is IMPS's level for support (KB 130383); the steps below it are ours."""

MASK: Final = "********"
_WIDTH: Final = 81
"""Columns of text before a line is wrapped: all seen samples are, there."""
_INDENT: Final = "    "
"""Of a parameter, and of the rest of one that was wrapped."""
_LEAF: Final = re.compile(r"(?:[^,\\]|\\.)*", re.DOTALL)


class Sink(Protocol):
    """Where lines go; buffers, and never blocks the caller."""

    def write(self, text: str) -> None: ...


class Etatrans:
    """Writes transactions; which ones is the caller's to decide (config parameter Transaction Log/Level)."""

    def __init__(self, sink: Sink | None, wall: Callable[[], float], thread: int = 0) -> None:
        self.enabled = sink is not None
        self.level = WRITES
        """What the config parameter said when it was last read: at every external request."""
        self._sink = sink
        self._wall = wall
        self._tid = f"TID={thread:06x}"
        self._next = 0
        self._second = -1
        self._stamp = ""

    def reserve(self, letter: str) -> str:
        """The id of a transaction that will be written later: `E` external request, `C` what follows from it,
        `S` connector request (all as seen), `D` a commit (ours)."""
        self._next += 1
        return f"{letter}{self._next % 10_000:03d}"

    def begin(self, letter: str, operation: str, parent: str = "", own: str = "") -> Transaction:
        """A transaction; `own` is an id that was reserved for it."""
        return Transaction(self, own or self.reserve(letter), operation, parent)

    def head(self, operation: str, own: str, parent: str) -> str:
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y%m%d:%H%M%S", time.localtime(second))
        return f"{self._stamp}:{self._tid}:{operation:<10}:{own}:{parent or '----'}:"

    def emit(self, text: str) -> None:
        if self._sink is not None:
            self._sink.write(text)


class Transaction:
    """One request's lines, gathered and written together."""

    __slots__ = ("_head", "_lines", "_log", "id")

    def __init__(self, log: Etatrans, own: str, operation: str, parent: str) -> None:
        self._log = log
        self.id: Final = own
        self._head = log.head(operation, own, parent)
        self._lines: list[str] = []

    def _add(self, kind: str, text: str) -> None:
        if not text.isprintable():
            text = _printable(text)
        self._lines.append(f"{self._head}{kind}: {text[:_WIDTH]}\n")
        if len(text) > _WIDTH:
            indent = _INDENT if kind == "P" else ""
            step = _WIDTH - len(indent)
            for start in range(_WIDTH, len(text), step):
                self._lines.append(f"{self._head}{kind}:+{indent}{text[start : start + step]}\n")

    def start(self, text: str) -> None:
        self._add("S", text)

    def parameters(self, dn: str, values: Sequence[tuple[str, str]]) -> None:
        self._add("P", f"    dn: {dn}")
        for name, value in values:
            self._add("P", f"    {name}:  {value}")

    def failure(self, what: str, code: int, code_text: str, message: str) -> None:
        self._add("F", f"FAILURE: {what}")
        self._add("F", f"    rc: 0x{code:04x} ({code_text})")
        self._add("F", f"    msg: {message}")
        self._finish()

    def success(self, message: str) -> None:
        self._add("S", f"SUCCESS: {message}")
        self._finish()

    def _finish(self) -> None:
        self._log.emit("".join(self._lines))


def leaf(dn: str) -> str:
    """The first part of a name as it was sent; a comma inside a CN is escaped (facts/imps.md 1.3)."""
    found = _LEAF.match(dn)
    return found[0] if found is not None else dn


def _printable(text: str) -> str:
    """One line, whatever a client put into a name: a forged log line begins with a line end."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
