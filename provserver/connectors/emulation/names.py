"""The setting `accounts`: a hundred thousand names in a few letters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from provserver.connectors.contract import SettingsError

MOST: Final = 10_000_000
_RANGE: Final = re.compile(r"(?P<before>[^{}]*)\{(?P<low>\d{1,9})-(?P<high>\d{1,9})\}(?P<after>[^{}]*)")


@dataclass(frozen=True, slots=True)
class _Names:
    before: str
    numbers: range
    after: str

    def __contains__(self, name: str) -> bool:
        number = name[len(self.before) : len(name) - len(self.after)]
        whole = name.startswith(self.before) and name.endswith(self.after)
        return (
            whole
            and number.isascii()
            and number.isdigit()
            and str(int(number)) == number
            and (int(number) in self.numbers)
        )

    def __iter__(self) -> Iterator[str]:
        return (f"{self.before}{number}{self.after}" for number in self.numbers)


@dataclass(frozen=True, slots=True)
class NameList:
    """`ada,bob,kit-{1-5000}`: names, and ranges of them; nothing is spelled out before it is asked for."""

    singles: frozenset[str]
    ranges: tuple[_Names, ...]

    @classmethod
    def parse(cls, text: str) -> NameList:
        """SettingsError."""
        singles, ranges = set(), []
        for part in filter(None, map(str.strip, text.split(","))):
            found = _RANGE.fullmatch(part)
            if found is None and not set(part).isdisjoint("{}"):
                raise SettingsError(
                    "accounts", f"expected a name, or a range such as kit-{{1-5000}}: {part!r}"
                )
            if found is None:
                singles.add(part)
                continue
            numbers = range(int(found["low"]), int(found["high"]) + 1)
            if not 0 < len(numbers) <= MOST:
                raise SettingsError("accounts", f"expected from 1 to {MOST} names in {part!r}")
            ranges.append(_Names(found["before"], numbers, found["after"]))
        return cls(frozenset(singles), tuple(ranges))

    def __contains__(self, name: str) -> bool:
        return name in self.singles or any(name in names for names in self.ranges)

    def __iter__(self) -> Iterator[str]:
        """Each once, also where ranges overlap."""
        yield from sorted(self.singles)
        for number, names in enumerate(self.ranges):
            earlier = self.ranges[:number]
            for name in names:
                if name not in self.singles and not any(name in one for one in earlier):
                    yield name
