"""Changes that agents caught and report later: out of date, sent again, or news (design "Concurrency").

An agent that could not reach us keeps the change and sends it when we are back, with the control
`ldap.controls.Captured`. The last change of a user is the one that was made last, not the one that came last.
"""

from __future__ import annotations

import hashlib
from enum import Enum, auto
from typing import Final

from provserver.directory.entries import Attribute, Entry
from provserver.ldap.controls import Captured
from provserver.passwords.callers import Caller
from provserver.passwords.stamps import seconds_of, stamp
from provserver.records import record

CAPTURED: Final = "provCapturedChange"
CAPTURED_KEY: Final = CAPTURED.lower()


class Age(Enum):
    """What a captured change is beside the last one of its user."""

    NEW = auto()
    REPEATED = auto()
    """It is the last one, sent again: its agent has missed the answer."""
    OUT_OF_DATE = auto()


@record
class Capture:
    """`id`: the agent and its name for the change, in one. `made`: when, by our clock, as stamps have it."""

    id: str
    made: str

    @classmethod
    def of(cls, captured: Captured | None, caller: Caller, now: float) -> Capture | None:
        """What the control says, if there is one. A change made in the future was made now."""
        if captured is None:
            return None
        name = hashlib.sha256(f"{caller.key}\0".encode() + captured.change).hexdigest()[:32]
        return cls(name, stamp(now - captured.waited))

    @property
    def attribute(self) -> Attribute:
        """What its user's entry keeps of it."""
        return Attribute(CAPTURED, (f"{self.made} {self.id}".encode(),))

    def age(self, user: Entry, changed: float | None) -> Age:
        """`changed`: when the user's password was changed last, as it came."""
        made, _, known = user.text(CAPTURED_KEY).partition(" ")
        if known == self.id:
            return Age.REPEATED
        last = seconds_of(made) if made else changed
        mine = seconds_of(self.made)
        return Age.OUT_OF_DATE if last is not None and mine is not None and mine < last else Age.NEW
