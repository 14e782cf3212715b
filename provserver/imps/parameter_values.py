"""How the values of config parameters are read: what each kind may be, and the sentence that says so.

A reader takes all values of a parameter, at least one, in their order. ValueError: what was expected; what
came is not repeated, for a value may be something that nobody should read in a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from provserver.directory.names import DN, InvalidName

LONGEST_SECONDS: Final = 10_000_000
MOST_DETAIL: Final = 7
"""The transaction log's level for support (KB 130383)."""
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*=.+", re.DOTALL)
_WORDS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_EVERYTHING: Final = "all"


def yes(values: tuple[str, ...]) -> bool:
    expected = "yes or no"
    found = _WORDS.get(_one(values, expected).lower())
    if found is None:
        raise ValueError(f"expected {expected}")
    return found


def seconds(values: tuple[str, ...]) -> float:
    expected = f"a number of seconds from 0 to {LONGEST_SECONDS:,}"
    text = _one(values, expected)
    if not _NUMBER.fullmatch(text) or float(text) > LONGEST_SECONDS:
        raise ValueError(f"expected {expected}")
    return float(text)


def level(values: tuple[str, ...]) -> int:
    expected = f"a level from 0 to {MOST_DETAIL}"
    text = _one(values, expected)
    if not (len(text) == 1 and text.isascii() and text.isdecimal()) or int(text) > MOST_DETAIL:
        raise ValueError(f"expected {expected}")
    return int(text)


def assignments(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_ASSIGNMENT.fullmatch(value.strip()) for value in values):
        raise ValueError("expected attribute=value, as in EnablePasswordSync=1")
    return tuple(value.strip() for value in values)


def names(values: tuple[str, ...]) -> tuple[str, ...]:
    """DNs, in any of the views."""
    for value in values:
        try:
            DN.parse(value.strip())
        except InvalidName as error:
            raise ValueError(f"expected names of global users (DNs), one a value: {error}") from None
    return tuple(value.strip() for value in values)


@dataclass(frozen=True, slots=True)
class AccountChecks:
    """At which endpoints the passwords of accounts are checked: `(checked, namespace, endpoint)` in lower
    case, a later one wins; an empty name is all of them.
    """

    rules: tuple[tuple[bool, str, str], ...]

    def cover(self, namespace: str, endpoint: str) -> bool:
        """Whether passwords of accounts of this endpoint are checked."""
        asked = namespace.lower(), endpoint.lower()
        checked = False
        for answer, of_namespace, of_endpoint in self.rules:
            if of_namespace in ("", asked[0]) and of_endpoint in ("", asked[1]):
                checked = answer
        return checked


def account_checks(values: tuple[str, ...]) -> AccountChecks:
    """ALL, <Namespace> or <Namespace>:<Directory>, each with a minus in front to except them (CA docs
    236752). Nothing is said of names that do not exist: endpoints come and go. (Ours.)
    """
    rules = []
    for value in values:
        text = value.strip().lower()
        named = text.removeprefix("-").strip()
        namespace, colon, endpoint = (part.strip() for part in named.partition(":"))
        if not namespace or (colon and not endpoint):
            raise ValueError(
                "expected ALL, <Namespace> or <Namespace>:<Directory>, or one of them after a minus"
            )
        rules.append((not text.startswith("-"), "" if named == _EVERYTHING else namespace, endpoint))
    return AccountChecks(tuple(rules))


def _one(values: tuple[str, ...], expected: str) -> str:
    if len(values) != 1:
        raise ValueError(f"expected one value, {expected}; {len(values)} were given")
    return values[0].strip()
