"""The Password Profile: lengths, character classes, history and minimum interval, as its entry says now.

IMPS's own attribute names are not public (facts/imps.md 2), so these are ours, by the pattern `prov…`; a
site adds its own as further NAMEs. A rule at 0 is not used. The refusals of a password are told all at
once, each as a sentence for the person who chose it; a sentence holds numbers, never the password.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from provserver.directory.entries import Entry
from provserver.vault.secret import Secret


class ProfileError(ValueError):
    """A profile that makes no sense: names the attribute and what was expected."""


class PolicyRule(Enum):
    """The rule that a password breaks: a name for machines."""

    TOO_SHORT = "tooShort"
    TOO_LONG = "tooLong"
    TOO_FEW_UPPER = "tooFewUpper"
    TOO_FEW_LOWER = "tooFewLower"
    TOO_FEW_DIGITS = "tooFewDigits"
    TOO_FEW_SPECIAL = "tooFewSpecial"
    NOT_TEXT = "notText"
    IN_HISTORY = "inHistory"
    TOO_YOUNG = "tooYoung"

    @property
    def behera_error(self) -> int:
        """The error of the password policy response control (draft-behera-ldap-password-policy 6.2)."""
        return _BEHERA_ERRORS.get(self, 5)


_BEHERA_ERRORS = {
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

    @classmethod
    def of(cls, entry: Entry | None) -> ProfileRules:
        """The rules of a profile entry; no entry is a disabled profile. ProfileError."""
        if entry is None:
            return cls()
        rules = cls(_flag(entry, "provprofileenabled"), *(_number(entry, key) for key in _NUMBERS))
        if 0 < rules.max_length < rules.min_length:
            raise ProfileError(
                f"provMaxLength is {rules.max_length}, at least provMinLength ({rules.min_length})"
                " was expected"
            )
        classes = rules.min_upper + rules.min_lower + rules.min_digits + rules.min_special
        if 0 < rules.max_length < classes:
            raise ProfileError(
                f"provMaxLength is {rules.max_length}, but the character classes need {classes} characters"
            )
        return rules

    @property
    def remembers(self) -> bool:
        """Whether there is a history to consult and to keep."""
        return self.enabled and (self.history_count > 0 or self.history_days > 0)


_NUMBERS = (
    "provminlength",
    "provmaxlength",
    "provminupper",
    "provminlower",
    "provmindigits",
    "provminspecial",
    "provhistorycount",
    "provhistorydays",
    "provmininterval",
)
"""Schema keys in the order of the fields."""


def refusals(rules: ProfileRules, secret: Secret) -> tuple[PolicyRefusal, ...]:
    """Every rule of length and character class that the password breaks; none: it may pass.

    Classes are Unicode's: a letter without case (as in Chinese) counts for the length only; special is
    whatever is neither letter nor digit, a space too.
    """
    if not rules.enabled:
        return ()
    octets = secret.reveal()
    if octets.isascii():
        length = len(octets)
        upper = length - len(octets.translate(None, _UPPER))
        lower = length - len(octets.translate(None, _LOWER))
        digits = length - len(octets.translate(None, _DIGITS))
        special = length - upper - lower - digits
    else:
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            return (PolicyRefusal(PolicyRule.NOT_TEXT, "the password must be text in UTF-8"),)
        length = len(text)
        upper = sum(map(str.isupper, text))
        lower = sum(map(str.islower, text))
        digits = sum(map(str.isdecimal, text))
        special = length - sum(map(str.isalnum, text))
    found: list[PolicyRefusal] = []
    if length < rules.min_length:
        found.append(_too_few(PolicyRule.TOO_SHORT, rules.min_length, length))
    if 0 < rules.max_length < length:
        allowed = _counted(rules.max_length, "character", "characters")
        found.append(PolicyRefusal(PolicyRule.TOO_LONG, f"at most {allowed} allowed, {length} were given"))
    if upper < rules.min_upper:
        found.append(_too_few(PolicyRule.TOO_FEW_UPPER, rules.min_upper, upper))
    if lower < rules.min_lower:
        found.append(_too_few(PolicyRule.TOO_FEW_LOWER, rules.min_lower, lower))
    if digits < rules.min_digits:
        found.append(_too_few(PolicyRule.TOO_FEW_DIGITS, rules.min_digits, digits))
    if special < rules.min_special:
        found.append(_too_few(PolicyRule.TOO_FEW_SPECIAL, rules.min_special, special))
    return tuple(found)


def history_refusal(rules: ProfileRules) -> PolicyRefusal:
    """The refusal of a password that `History.contains`."""
    spans = []
    if rules.history_count:
        last = _counted(rules.history_count, "password", "passwords", verb=False)
        spans.append(f"among the last {last}")
    if rules.history_days:
        days = _counted(rules.history_days, "day", "days", verb=False)
        spans.append(f"in the last {days}")
    when = " or ".join(spans)
    return PolicyRefusal(PolicyRule.IN_HISTORY, f"the password was used before ({when})")


def interval_refusal(rules: ProfileRules, changed_at: float | None, now: float) -> PolicyRefusal | None:
    """The refusal of a change by the user that comes too soon after the last one; None: it may pass.

    A last change that lies in the future (the clock was put back) does not refuse: it would do so for no
    one knows how long.
    """
    if not rules.enabled or not rules.min_interval or changed_at is None:
        return None
    since = now - changed_at
    if not 0 <= since < rules.min_interval:
        return None
    missing = math.ceil(rules.min_interval - since)
    seconds = _counted(max(1, missing), "second", "seconds", verb=False)
    return PolicyRefusal(
        PolicyRule.TOO_YOUNG, f"the password was changed too recently; wait {seconds} and try again"
    )


_UPPER = bytes(range(ord("A"), ord("Z") + 1))
_LOWER = bytes(range(ord("a"), ord("z") + 1))
_DIGITS = bytes(range(ord("0"), ord("9") + 1))

_NAMES = {
    PolicyRule.TOO_SHORT: ("character", "characters"),
    PolicyRule.TOO_FEW_UPPER: ("upper-case letter", "upper-case letters"),
    PolicyRule.TOO_FEW_LOWER: ("lower-case letter", "lower-case letters"),
    PolicyRule.TOO_FEW_DIGITS: ("digit", "digits"),
    PolicyRule.TOO_FEW_SPECIAL: ("special character", "special characters"),
}


def _too_few(rule: PolicyRule, needed: int, given: int) -> PolicyRefusal:
    one, many = _NAMES[rule]
    was = "was" if given == 1 else "were"
    expected = _counted(needed, one, many)
    return PolicyRefusal(rule, f"at least {expected} needed, {given or 'none'} {was} given")


def _counted(number: int, one: str, many: str, *, verb: bool = True) -> str:
    if number == 1:
        return f"1 {one} is" if verb else f"1 {one}"
    return f"{number} {many} are" if verb else f"{number} {many}"


def _flag(entry: Entry, key: str) -> bool:
    """LDAP's Boolean (RFC 4517 3.3.3); absent is FALSE."""
    text = entry.text(key, "FALSE").upper()
    if text not in ("TRUE", "FALSE"):
        raise ProfileError(f"{_shown(entry, key)} is TRUE or FALSE")
    return text == "TRUE"


def _number(entry: Entry, key: str) -> int:
    text = entry.text(key, "0")
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise ProfileError(f"{_shown(entry, key)} is a whole number from 0 to 999999999")
    return int(text)


def _shown(entry: Entry, key: str) -> str:
    attribute = entry.attributes.get(key)
    return attribute.description if attribute is not None else key
