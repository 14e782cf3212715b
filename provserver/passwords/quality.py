"""What a password is made of, judged by the rules of the profile: everything that is wrong with it, at once.

Lengths, classes, repeats, sequences, the user's names, and the lists. History and time are `policy`'s: they
are about the user, not about the password.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from provserver.directory.entries import Entry
from provserver.passwords import reasons
from provserver.passwords.lists import NO_LISTS, Lists
from provserver.passwords.profile import ProfileRules
from provserver.passwords.reasons import PolicyRefusal, PolicyRule
from provserver.passwords.rules.folding import LOOKED_AT, folded, read_as_letters
from provserver.passwords.rules.names import has_own_name
from provserver.passwords.rules.repeats import occurs_too_often, repeats_in_a_row
from provserver.passwords.rules.sequences import runs_on
from provserver.vault.secret import Secret

_UPPER: Final = bytes(range(ord("A"), ord("Z") + 1))
_LOWER: Final = bytes(range(ord("a"), ord("z") + 1))
_DIGITS: Final = bytes(range(ord("0"), ord("9") + 1))


class _Counts(NamedTuple):
    length: int
    upper: int
    lower: int
    digits: int
    special: int


def refusals(
    rules: ProfileRules, secret: Secret, about: Sequence[Entry] = (), lists: Lists = NO_LISTS
) -> tuple[PolicyRefusal, ...]:
    """Every rule that the password breaks; none: it may pass. `about`: the user, and the account under
    change, whose names must not be in it. ListError: a list cannot be asked.

    Classes are Unicode's: a letter without case (as in Chinese) counts for the length only; special is
    whatever is neither letter nor digit, a space too.
    """
    if not rules.enabled:
        return ()
    octets = secret.reveal()
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return (reasons.NOT_TEXT,)
    found = _miscounted(rules, _counts(octets, text))
    looked_at = text[:LOOKED_AT]
    if rules.max_repeated and repeats_in_a_row(looked_at, rules.max_repeated):
        found.append(reasons.repeated(rules.max_repeated))
    if rules.max_occurrences and occurs_too_often(looked_at, rules.max_occurrences):
        found.append(reasons.too_often(rules.max_occurrences))
    if rules.max_sequence or rules.name_length or rules.word_length:
        found += _guessable(rules, folded(looked_at), about, lists)
    if rules.breach_count and lists.times_breached(octets) >= rules.breach_count:
        found.append(reasons.BREACHED)
    return tuple(found)


def _counts(octets: bytes, text: str) -> _Counts:
    length = len(text)
    if octets.isascii():
        upper = length - len(octets.translate(None, _UPPER))
        lower = length - len(octets.translate(None, _LOWER))
        digits = length - len(octets.translate(None, _DIGITS))
        return _Counts(length, upper, lower, digits, length - upper - lower - digits)
    return _Counts(
        length,
        sum(map(str.isupper, text)),
        sum(map(str.islower, text)),
        sum(map(str.isdecimal, text)),
        length - sum(map(str.isalnum, text)),
    )


def _miscounted(rules: ProfileRules, given: _Counts) -> list[PolicyRefusal]:
    length, upper, lower, digits, special = given
    found: list[PolicyRefusal] = []
    if length < rules.min_length:
        found.append(reasons.too_few(PolicyRule.TOO_SHORT, rules.min_length, length))
    if 0 < rules.max_length < length:
        found.append(reasons.too_long(rules.max_length, length))
    if upper < rules.min_upper:
        found.append(reasons.too_few(PolicyRule.TOO_FEW_UPPER, rules.min_upper, upper))
    if lower < rules.min_lower:
        found.append(reasons.too_few(PolicyRule.TOO_FEW_LOWER, rules.min_lower, lower))
    if digits < rules.min_digits:
        found.append(reasons.too_few(PolicyRule.TOO_FEW_DIGITS, rules.min_digits, digits))
    if special < rules.min_special:
        found.append(reasons.too_few(PolicyRule.TOO_FEW_SPECIAL, rules.min_special, special))
    if rules.min_classes:
        classes = (upper > 0) + (lower > 0) + (digits > 0) + (special > 0)
        if classes < rules.min_classes:
            found.append(reasons.too_few_classes(rules.min_classes, classes))
    return found


def _guessable(rules: ProfileRules, text: str, about: Sequence[Entry], lists: Lists) -> list[PolicyRefusal]:
    """What is in a folded text that somebody would try."""
    found: list[PolicyRefusal] = []
    if rules.max_sequence and runs_on(text, rules.max_sequence):
        found.append(reasons.sequence(rules.max_sequence))
    if rules.name_length and has_own_name(text, about, rules.name_length):
        found.append(reasons.OWN_NAME)
    if rules.word_length and lists.has_word_in(read_as_letters(text), rules.word_length):
        found.append(reasons.DICTIONARY_WORD)
    return found
