"""How an emulated endpoint fails on command: for so many calls, or at the n-th call of an operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from provserver.connectors.contract import ConnectorFailure, DroppedConnection, ServerDown, SettingsError
from provserver.connectors.emulation.personalities import Personality, Trouble


class Operation(Enum):
    """What can be broken, one by one."""

    OPEN = "open"
    SET_PASSWORD = "set password"
    CHANGE_PASSWORD = "change password"
    EXPLORE = "explore"
    LOCATE = "locate"


@dataclass(slots=True)
class Fault:
    """What happens instead, for `left` more calls; None: until mended."""

    left: int | None = None
    delay: float = 0.0
    failure: Callable[[], ConnectorFailure] | None = None
    takes_it: bool = False
    """The password is set before the failure is raised: the caller can't know."""
    loses_line: bool = False


class Loss(Enum):
    """How a line goes."""

    DROP = "drop"
    DROP_AFTER = "drop-after"
    DOWN = "down"


def dropped_in_the_middle() -> ConnectorFailure:
    failure = DroppedConnection("the line broke in the middle of a password")
    failure.outcome_unknown = True
    return failure


def down() -> ConnectorFailure:
    return ServerDown("nobody answers")


@dataclass(frozen=True, slots=True)
class Rule:
    """One part of the setting `break`: at which calls of an operation what happens."""

    operation: Operation
    first: int
    last: int | None
    """None: and all later ones."""
    every: int
    """1: each call from `first` to `last`; 3: each third one, beginning with `first`."""
    delay: float = 0.0
    what: Trouble | Loss | None = None
    """None: it takes `delay` seconds, and then goes well."""

    def strikes(self, call: int) -> bool:
        """Whether the call of this number, counted from 1, is one of them."""
        if call < self.first or (self.last is not None and call > self.last):
            return False
        return (call - self.first) % self.every == 0

    def fault(self, personality: Personality, place: str, account: str) -> Fault:
        """Said as this personality says it."""
        what = self.what
        if what is None:
            return Fault(delay=self.delay)
        if isinstance(what, Trouble):
            changing = self.operation is Operation.CHANGE_PASSWORD
            return Fault(failure=lambda: personality.failure(what, place, account, change=changing))
        if what is Loss.DOWN:
            return Fault(failure=down, loses_line=True)
        return Fault(failure=dropped_in_the_middle, takes_it=what is Loss.DROP_AFTER, loses_line=True)


_OPERATIONS: Final[Mapping[str, Operation]] = {
    "open": Operation.OPEN,
    "set": Operation.SET_PASSWORD,
    "change": Operation.CHANGE_PASSWORD,
    "explore": Operation.EXPLORE,
    "locate": Operation.LOCATE,
}
_WHATS: Final[Mapping[str, Trouble | Loss]] = {one.value: one for kinds in (Trouble, Loss) for one in kinds}
_WHEN: Final = re.compile(r"(?P<one>\d{1,9})|(?P<from>\d{1,9})(?:-(?P<to>\d{1,9})|\+)|/(?P<every>\d{1,9})|\*")
_WAIT: Final = re.compile(r"wait=(\d{1,5}(?:\.\d{1,3})?)")


def parse_rules(text: str) -> tuple[Rule, ...]:
    """`set:3:drop,open:*:wait=2`: OPERATION:WHEN:WHAT, with commas between them.

    WHEN is 3 (the third call), 3-5, 3+ (the third and all later ones), /3 (every third) or *. WHAT is a
    `Trouble`, a `Loss`, or wait=SECONDS. SettingsError.
    """
    return tuple(_rule(part.strip()) for part in text.split(",") if part.strip())


def _rule(text: str) -> Rule:
    parts = text.split(":")
    if len(parts) != 3:
        raise SettingsError("break", f"expected OPERATION:WHEN:WHAT such as set:3:drop, got {text!r}")
    operation = _OPERATIONS.get(parts[0])
    if operation is None:
        raise SettingsError("break", f"expected one of {', '.join(_OPERATIONS)} in {text!r}")
    when = _WHEN.fullmatch(parts[1])
    first, last, every = (0, 0, 0) if when is None else _calls(when)
    if first < 1 or every < 1 or (last is not None and last < first):
        raise SettingsError("break", f"expected 3, 3-5, 3+, /3 or * after the operation in {text!r}")
    wait = _WAIT.fullmatch(parts[2])
    if wait is not None:
        return Rule(operation, first, last, every, delay=float(wait[1]))
    what = _WHATS.get(parts[2])
    if what is None:
        raise SettingsError("break", f"expected one of {', '.join(_WHATS)}, wait=SECONDS in {text!r}")
    return Rule(operation, first, last, every, what=what)


def _calls(when: re.Match[str]) -> tuple[int, int | None, int]:
    """First, last, every."""
    if when["one"] is not None:
        return int(when["one"]), int(when["one"]), 1
    if when["from"] is not None:
        return int(when["from"]), None if when["to"] is None else int(when["to"]), 1
    if when["every"] is not None:
        return int(when["every"]), None, int(when["every"])
    return 1, None, 1
