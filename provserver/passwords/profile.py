"""The Password Profile: which rules are in force, as its entry says now.

IMPS's own attribute names are not public (facts/imps.md 2), so these are ours, by the pattern `prov…`; a
site adds its own as further NAMEs. A rule at 0 is not used. A profile that makes no sense is refused when it
is written (`sense_of_profile`); one that makes none any more, because a list is gone, when it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.passwords.history import LONGEST as LONGEST_HISTORY
from provserver.passwords.lists import NO_LISTS, Lists
from provserver.passwords.rules import dictionary, names

_MOST: Final = 999_999_999
_MOST_DAYS: Final = 9_999
_DAY: Final = 86_400
_CLASSES: Final = 4


class ProfileError(ValueError):
    """A profile that makes no sense: names the attribute and what was expected."""


def profile_dn(domain: DN) -> DN:
    """The one profile's documented place (facts/imps.md 1.2)."""
    return DN.parse(
        "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
        f"eTNamespaceName=CommonObjects,{domain}"
    )


@dataclass(frozen=True, slots=True)
class ProfileRules:
    """The profile as its entry says. Lengths in characters, `min_interval` in seconds; 0: not used."""

    enabled: bool = False
    min_length: int = 0
    max_length: int = 0
    min_upper: int = 0
    min_lower: int = 0
    min_digits: int = 0
    min_special: int = 0
    history_count: int = 0
    history_days: int = 0
    min_interval: int = 0
    min_classes: int = 0
    max_repeated: int = 0
    """Of one character, in a row."""
    max_occurrences: int = 0
    """Of one character, anywhere."""
    max_sequence: int = 0
    name_length: int = 0
    """From which on names and ids of the user may not be in the password."""
    word_length: int = 0
    """From which on words of the dictionary may not be in it."""
    breach_count: int = 0
    """From which on a password that was met in breaches is refused."""
    max_age_days: int = 0
    warning_days: int = 0
    grace_binds: int = 0

    @classmethod
    def of(cls, entry: Entry | None, lists: Lists = NO_LISTS) -> ProfileRules:
        """The rules of a profile entry; no entry is a disabled profile. ProfileError."""
        if entry is None:
            return cls()
        rules = cls(_flag(entry, "provprofileenabled"), *[_number(entry, one) for one in NUMBERS])
        problem = _contradiction(rules) or _missing_list(rules, lists)
        if problem:
            raise ProfileError(problem)
        return rules

    @property
    def remembers(self) -> bool:
        """Whether there is a history to consult and to keep."""
        return self.enabled and (self.history_count > 0 or self.history_days > 0)

    @property
    def needed_by_classes(self) -> int:
        """Characters in the shortest password that has all classes."""
        least = (self.min_upper, self.min_lower, self.min_digits, self.min_special)
        named = len([number for number in least if number])
        return sum(least) + max(0, self.min_classes - named)


class Number(NamedTuple):
    """An attribute, and what it may be beside 0."""

    name: str
    least: int = 1
    most: int = _MOST

    @property
    def expected(self) -> str:
        """As an error says it."""
        first = "a whole number from 0" if self.least == 1 else f"0, or a whole number from {self.least}"
        return f"{first} to {self.most}"


NUMBERS: Final = (
    Number("provMinLength"),
    Number("provMaxLength"),
    Number("provMinUpper"),
    Number("provMinLower"),
    Number("provMinDigits"),
    Number("provMinSpecial"),
    Number("provHistoryCount", most=LONGEST_HISTORY),
    Number("provHistoryDays", most=_MOST_DAYS),
    Number("provMinInterval"),
    Number("provMinClasses", most=_CLASSES),
    Number("provMaxRepeated"),
    Number("provMaxOccurrences"),
    Number("provMaxSequence", least=2),
    Number("provNameLength", least=names.SHORTEST),
    Number("provWordLength", least=dictionary.SHORTEST, most=dictionary.LONGEST),
    Number("provBreachCount"),
    Number("provMaxAgeDays", most=_MOST_DAYS),
    Number("provWarningDays", most=_MOST_DAYS),
    Number("provGraceBinds"),
)
"""In the order of the fields."""


def sense_of_profile(domain: DN, lists: Lists) -> Callable[[Entry], str | None]:
    """Says what is wrong with the profile that is about to be written; None: nothing, or it is another
    entry of its class, which means nothing.
    """
    place = profile_dn(domain)

    def problem_of(entry: Entry) -> str | None:
        if entry.dn != place:
            return None
        try:
            ProfileRules.of(entry, lists)
        except ProfileError as error:
            return str(error)
        return None

    return problem_of


def _contradiction(rules: ProfileRules) -> str | None:
    longest, shortest = rules.max_length, rules.min_length
    if 0 < longest < shortest:
        return f"provMaxLength is {longest}, at least provMinLength ({shortest}) was expected"
    classes = rules.needed_by_classes
    if 0 < longest < classes:
        return f"provMaxLength is {longest}, but the character classes need {classes} characters"
    days = rules.max_age_days
    if days and rules.min_interval >= days * _DAY:
        return f"provMinInterval is {rules.min_interval}, less than provMaxAgeDays ({days}) was expected"
    if days and rules.warning_days >= days:
        return f"provWarningDays is {rules.warning_days}, less than provMaxAgeDays ({days}) was expected"
    return None


def _missing_list(rules: ProfileRules, lists: Lists) -> str | None:
    if rules.word_length and not lists.has_dictionary:
        return "provWordLength is not 0, but there is no dictionary: set passwords.dictionary"
    if rules.breach_count and not lists.has_breached:
        return "provBreachCount is not 0, but there is no list of breached passwords: set passwords.breached"
    return None


def _flag(entry: Entry, key: str) -> bool:
    """LDAP's Boolean (RFC 4517 3.3.3); absent is FALSE."""
    text = entry.text(key, "FALSE").upper()
    if text not in ("TRUE", "FALSE"):
        raise ProfileError(f"{_shown(entry, key)} is TRUE or FALSE")
    return text == "TRUE"


def _number(entry: Entry, number: Number) -> int:
    key = number.name.lower()
    text = entry.text(key, "0")
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST)):
        found = int(text)
        if found == 0 or number.least <= found <= number.most:
            return found
    raise ProfileError(f"{_shown(entry, key)} is {number.expected}")


def _shown(entry: Entry, key: str) -> str:
    attribute = entry.attributes.get(key)
    return attribute.description if attribute is not None else key
