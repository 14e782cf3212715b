"""What an exploration has done so far, counted; and the first few lines of it in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Final

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""What is told to programs."""

_MOST_LINES: Final = 100


@dataclass(slots=True)
class Counts:
    """Accounts and users, by what became of them."""

    accounts: int = 0
    """Accounts that were looked at."""
    added: int = 0
    changed: int = 0
    moved: int = 0
    """Accounts that have another place at the endpoint now; they stay their user's."""
    removed: int = 0
    """Accounts that the endpoint no longer has; their inclusions went with them."""
    unchanged: int = 0
    skipped: int = 0
    """Accounts that cannot be in the tree: the problems say why."""
    containers: int = 0
    """Containers that were made for accounts."""
    correlated: int = 0
    """Accounts that were joined to a global user."""
    defaulted: int = 0
    """Accounts that were given to `[default user]`, because no user was found."""
    left: int = 0
    """Accounts that stay nobody's: their user holds an admin profile, or there is no `[default user]`."""
    created: int = 0
    """Global users that were made."""
    updated: int = 0
    """Global users that took something over from their account."""

    def add(self, other: Counts) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def sentence(self) -> str:
        """`accounts: 3, added: 1`: those that are not 0, and the accounts."""
        told = {name: count for name, count in asdict(self).items() if count or name == "accounts"}
        return ", ".join(f"{name}: {count}" for name, count in told.items())


@dataclass(slots=True)
class Report:
    """Counts, problems, and (of a dry run) differences; of the lines only the first hundred of each kind."""

    counts: Counts = field(default_factory=Counts)
    problems: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def take(self, other: Report) -> None:
        self.counts.add(other.counts)
        for line in other.problems:
            self.problem(line)
        for line in other.differences:
            self.difference(line)

    def problem(self, line: str) -> None:
        if len(self.problems) < _MOST_LINES:
            self.problems.append(line)

    def difference(self, line: str) -> None:
        if len(self.differences) < _MOST_LINES:
            self.differences.append(line)
