"""How statements ended, for people and for machines alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from provserver.ldap.client import LineError
from provserver.ldap.results import Refusal


class Ending(Enum):
    """Of one statement."""

    DONE = "done"
    SHOWN = "not done: a dry run"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_DONE = "not done"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a server refused, or a line that broke: then there is no code, and whether it took place is not
    known.
    """

    dn: str
    message: str
    code: int | None = None
    name: str | None = None

    @classmethod
    def of(cls, dn: str, error: Refusal | LineError) -> Self:
        if isinstance(error, Refusal):
            return cls(dn, error.result.diagnostic, int(error.code), error.code.name.lower())
        return cls(dn, str(error))

    @classmethod
    def given_up(cls, dn: str) -> Self:
        """Somebody did not want to wait for the answer."""
        return cls(dn, "given up: whether it took place is not known")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`entries` were found, changed or made; `message` is the server's, or says how to go on."""

    ending: Ending
    entries: int = 0
    failures: int = 0
    skipped: int = 0
    """Of a masschange that goes on: done by the run before."""
    message: str = ""


@dataclass(slots=True)
class Count:
    """Of a report: how many entries, and how many have which value of an attribute."""

    entries: int = 0
    values: dict[str, Counter[bytes]] = field(default_factory=dict)
    without: Counter[str] = field(default_factory=Counter)
    """How many entries have no value of an attribute (that may be seen)."""
    others: Counter[str] = field(default_factory=Counter)
    """How many values are not told apart, because there are too many different ones."""
