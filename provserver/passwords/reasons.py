"""Why a password is refused: a name for machines, a sentence for the person who chose it.

Every sentence of the Password Profile is here, without capital or full stop, to be joined. It holds numbers,
never the password, nor which part of it was at fault: sentences are logged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final


class PolicyRule(Enum):
    """The rule that a password breaks: a name for machines."""

    TOO_SHORT = "tooShort"
    TOO_LONG = "tooLong"
    TOO_FEW_UPPER = "tooFewUpper"
    TOO_FEW_LOWER = "tooFewLower"
    TOO_FEW_DIGITS = "tooFewDigits"
    TOO_FEW_SPECIAL = "tooFewSpecial"
    TOO_FEW_CLASSES = "tooFewClasses"
    NOT_TEXT = "notText"
    REPEATED = "repeatedCharacter"
    TOO_OFTEN = "frequentCharacter"
    SEQUENCE = "sequence"
    OWN_NAME = "ownName"
    DICTIONARY_WORD = "dictionaryWord"
    BREACHED = "breached"
    IN_HISTORY = "inHistory"
    TOO_YOUNG = "tooYoung"
    EXTERNAL = "externalPolicy"
    """The external policy's own word for it says no more."""

    @property
    def behera_error(self) -> int:
        """The error of the password policy response control (draft-behera-ldap-password-policy 6.2)."""
        return _BEHERA_ERRORS.get(self, 5)


_BEHERA_ERRORS: Final = {
    PolicyRule.TOO_SHORT: 6,
    PolicyRule.TOO_YOUNG: 7,
    PolicyRule.IN_HISTORY: 8,
    PolicyRule.TOO_LONG: 9,
}
"""The others are 5, insufficientPasswordQuality."""


@dataclass(frozen=True, slots=True)
class PolicyRefusal:
    """Why a password is refused: the rule, and a sentence without capital or full stop, to be joined."""

    rule: PolicyRule
    text: str


NOT_TEXT: Final = PolicyRefusal(PolicyRule.NOT_TEXT, "the password must be text in UTF-8")
OWN_NAME: Final = PolicyRefusal(
    PolicyRule.OWN_NAME, "the password contains a name or an id of the user, or a part of one"
)
DICTIONARY_WORD: Final = PolicyRefusal(
    PolicyRule.DICTIONARY_WORD, "the password contains a word that is easily guessed"
)
BREACHED: Final = PolicyRefusal(
    PolicyRule.BREACHED, "the password is known from data breaches of other services"
)

_NAMES: Final = {
    PolicyRule.TOO_SHORT: ("character", "characters"),
    PolicyRule.TOO_FEW_UPPER: ("upper-case letter", "upper-case letters"),
    PolicyRule.TOO_FEW_LOWER: ("lower-case letter", "lower-case letters"),
    PolicyRule.TOO_FEW_DIGITS: ("digit", "digits"),
    PolicyRule.TOO_FEW_SPECIAL: ("special character", "special characters"),
}


def too_few(rule: PolicyRule, needed: int, given: int) -> PolicyRefusal:
    """Of a length or of one class of characters."""
    one, many = _NAMES[rule]
    return PolicyRefusal(rule, f"at least {_are(needed, one, many)} needed, {_given(given)}")


def too_few_classes(needed: int, given: int) -> PolicyRefusal:
    kinds = _are(needed, "kind of character", "kinds of characters")
    return PolicyRefusal(
        PolicyRule.TOO_FEW_CLASSES,
        f"at least {kinds} needed (upper-case letters, lower-case letters, digits, special characters), "
        f"{_given(given)}",
    )


def too_long(most: int, given: int) -> PolicyRefusal:
    allowed = _are(most, "character", "characters")
    return PolicyRefusal(PolicyRule.TOO_LONG, f"at most {allowed} allowed, {given} were given")


def repeated(most: int) -> PolicyRefusal:
    return PolicyRefusal(PolicyRule.REPEATED, f"the same character may come at most {_times(most)} in a row")


def too_often(most: int) -> PolicyRefusal:
    return PolicyRefusal(PolicyRule.TOO_OFTEN, f"the same character may come at most {_times(most)}")


def sequence(most: int) -> PolicyRefusal:
    return PolicyRefusal(
        PolicyRule.SEQUENCE,
        f"at most {most} characters may follow each other as in the alphabet, as numbers, or as on a "
        "keyboard, forwards or backwards",
    )


def in_history(count: int, days: int) -> PolicyRefusal:
    """Of a password that is remembered, among so many or for so many days; 0: not by that."""
    spans = []
    if count:
        spans.append(f"among the last {_number(count, 'password', 'passwords')}")
    if days:
        spans.append(f"in the last {_number(days, 'day', 'days')}")
    return PolicyRefusal(PolicyRule.IN_HISTORY, f"the password was used before ({' or '.join(spans)})")


def too_young(missing: float) -> PolicyRefusal:
    """Of a change that comes so many seconds too early."""
    seconds = _number(max(1, math.ceil(missing)), "second", "seconds")
    return PolicyRefusal(
        PolicyRule.TOO_YOUNG, f"the password was changed too recently; wait {seconds} and try again"
    )


def _number(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _are(number: int, one: str, many: str) -> str:
    return f"{_number(number, one, many)} {'is' if number == 1 else 'are'}"


def _given(number: int) -> str:
    return f"{number or 'none'} {'was' if number == 1 else 'were'} given"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
