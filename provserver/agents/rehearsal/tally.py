"""What was seen so far, by all agents and by who watches: counts, and times."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from provserver.agents.rehearsal.spread import Spread
from provserver.agents.verdicts import said
from provserver.ldap.results import Result, ResultCode

GUARD: Final = "Another password change is in progress."
"""How the echo guard's refusal ends: the user's accounts are within the Agent Response Threshold. The
client's half of `imps.messages`; a test holds one against the other."""
_MOST_KINDS: Final = 20
"""Texts of errors that are told apart."""


class Step(Enum):
    """What an agent does for one change: two requests each."""

    TEST = "test"
    SYNC = "sync"


class Trouble(Enum):
    """How a change may end without an answer."""

    TIMED_OUT = "time-outs"
    ERROR = "errors"


@dataclass(frozen=True, slots=True)
class Stuck:
    """An account that was not reached."""

    account: str
    state: str
    text: str


@dataclass(slots=True)
class Seen:
    """At one moment. Times are seconds."""

    begun: int = 0
    accepted: int = 0
    guarded: int = 0
    """Refused by the echo guard."""
    refused: Counter[tuple[Step, ResultCode]] = field(default_factory=Counter)
    """For every other reason."""
    reasons: dict[tuple[Step, ResultCode], str] = field(default_factory=dict)
    """The first one of each."""
    troubles: Counter[Trouble] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    """Of the troubles."""
    connection: Spread = field(default_factory=Spread)
    """Connected, certificate verified, logged in."""
    steps: dict[Step, Spread] = field(default_factory=lambda: {step: Spread() for step in Step})
    whole: Spread = field(default_factory=Spread)
    """From the time that an accepted change was to begin to its last answer."""
    late: Spread = field(default_factory=Spread)
    """From the time that a change was to begin until an agent began it."""
    arrival: Spread = field(default_factory=Spread)
    """From the server's commit of a change until its last account was reached."""
    reached: int = 0
    """Accounts."""
    stuck: Counter[str] = field(default_factory=Counter)
    """Accounts that were not reached, by their state."""
    examples: list[Stuck] = field(default_factory=list)
    unknown: int = 0
    """Accepted changes of which nobody could say whether they have arrived."""

    @property
    def ended(self) -> int:
        """Changes that are over, one way or the other."""
        return self.accepted + self.guarded + self.refused.total() + self.troubles.total()

    @property
    def clean(self) -> bool:
        """Whether there was neither an error nor a time-out."""
        return not self.troubles


class Tally:
    """Takes notes from many threads."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._lock = threading.Lock()

    def seen(self) -> Seen:
        """A copy."""
        with self._lock:
            return copy.deepcopy(self._seen)

    def began(self, late: float) -> None:
        with self._lock:
            self._seen.begun += 1
            self._seen.late.add(late)

    def connected(self, seconds: float) -> None:
        with self._lock:
            self._seen.connection.add(seconds)

    def answered(self, step: Step, seconds: float) -> None:
        with self._lock:
            self._seen.steps[step].add(seconds)

    def accepted(self, seconds: float) -> None:
        with self._lock:
            self._seen.accepted += 1
            self._seen.whole.add(seconds)

    def refused(self, step: Step, result: Result) -> None:
        with self._lock:
            if result.diagnostic.endswith(GUARD):
                self._seen.guarded += 1
                return
            self._seen.refused[step, result.code] += 1
            self._seen.reasons.setdefault((step, result.code), said(result))

    def failed(self, trouble: Trouble, text: str) -> None:
        with self._lock:
            self._seen.troubles[trouble] += 1
            known = text in self._seen.texts or len(self._seen.texts) < _MOST_KINDS
            self._seen.texts[text if known else "others"] += 1

    def arrived(self, seconds: float, accounts: int) -> None:
        """A change has reached all its accounts."""
        with self._lock:
            self._seen.arrival.add(seconds)
            self._seen.reached += accounts

    def stuck(self, reached: int, accounts: list[Stuck]) -> None:
        """A change has not reached these."""
        with self._lock:
            self._seen.reached += reached
            self._seen.stuck.update(account.state for account in accounts)
            room = _MOST_KINDS - len(self._seen.examples)
            self._seen.examples.extend(accounts[:room])

    def unknown(self) -> None:
        with self._lock:
            self._seen.unknown += 1
