"""Passwords that the server makes up (RFC 3062 2: a Password Modify without a new password): random, as the
profile wants them, and without characters that people take for one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from provserver.directory.entries import Entry
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.judging import current_policy
from provserver.passwords.policy import Policy
from provserver.passwords.profile import ProfileRules
from provserver.passwords.rules.sequences import runs_on
from provserver.vault.keyring import Randomness
from provserver.vault.secret import Secret

LENGTH: Final = 16
"""Characters, where the profile allows it: some 95 bits."""
LONGEST: Final = 256
"""A profile that demands more was not meant for passwords that anybody types."""
_TRIES: Final = 100
"""A word of a large dictionary is in one of ten."""

_UPPER: Final = b"ABCDEFGHJKLMNPQRSTUVWXYZ"
_LOWER: Final = b"abcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = b"23456789"
_SPECIAL: Final = b"-+_.:,!"
_ALL: Final = _UPPER + _LOWER + _DIGITS + _SPECIAL


class Generator:
    """Makes passwords that the profile accepts as it is now. `random` gives that many random bytes."""

    def __init__(self, policy: Policy, random: Randomness) -> None:
        self._policy = policy
        self._random = random

    async def password(self, about: Sequence[Entry] = ()) -> Secret:
        """One for this user, and this account. Refusal UNAVAILABLE, UNWILLING_TO_PERFORM: what the profile
        asks for cannot be made.
        """
        rules = (await current_policy(self._policy)).rules
        return generated(rules, self._random, lambda made: not self._policy.quality(rules, made, about))


def generated(
    rules: ProfileRules, random: Randomness, is_good: Callable[[Secret], bool] = lambda made: True
) -> Secret:
    """A password that these rules accept, each time another; `is_good` has the last word on it. Refusal
    UNWILLING_TO_PERFORM.
    """
    if not rules.enabled:
        rules = ProfileRules()
    counts = _counts(rules)
    for _ in range(_TRIES):
        chosen = _chosen(counts, rules, random)
        made = _arranged(chosen, rules, random) if chosen is not None else None
        if made is not None and is_good(made):
            return made
    raise Refusal(
        ResultCode.UNWILLING_TO_PERFORM,
        "no password could be made up that the Password Profile accepts: give the new password",
    )


def _counts(rules: ProfileRules) -> dict[bytes, int]:
    """How many characters are needed of each alphabet, and of any: together a password's length."""
    counts = {
        _UPPER: rules.min_upper,
        _LOWER: rules.min_lower,
        _DIGITS: rules.min_digits,
        _SPECIAL: rules.min_special,
    }
    length = max(LENGTH, rules.min_length, rules.needed_by_classes)
    if rules.max_length:
        length = min(length, rules.max_length)
    if length > LONGEST:
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM,
            f"the Password Profile asks for more than {LONGEST} characters: give the new password",
        )
    # One of each class is more than our profile may demand, but endpoints have policies too.
    for alphabet, count in counts.items():
        if not count and sum(counts.values()) < length:
            counts[alphabet] = 1
    return {**counts, _ALL: length - sum(counts.values())}


def _chosen(counts: dict[bytes, int], rules: ProfileRules, random: Randomness) -> list[int] | None:
    """The characters, none of them more often than it may be; None: then there are not enough of them."""
    chosen: list[int] = []
    for alphabet, count in counts.items():
        for _ in range(count):
            left = alphabet
            if rules.max_occurrences:
                full = bytes([one for one in set(chosen) if chosen.count(one) >= rules.max_occurrences])
                left = alphabet.translate(None, full)
                if not left:
                    return None
            chosen.append(left[_below(len(left), random)])
    return chosen


def _arranged(pool: list[int], rules: ProfileRules, random: Randomness) -> Secret | None:
    """The characters in a random order that has no repeats and sequences; None: there was no way on."""
    made = bytearray()
    while pool:
        first = _below(len(pool), random)
        for place in (*range(first, len(pool)), *range(first)):
            if _may_follow(made, pool[place], rules):
                made.append(pool.pop(place))
                break
        else:
            return None
    return Secret(bytes(made))


def _may_follow(made: bytearray, character: int, rules: ProfileRules) -> bool:
    if rules.max_repeated and made.endswith(bytes([character]) * rules.max_repeated):
        return False
    if not rules.max_sequence:
        return True
    end = bytes([*made[-rules.max_sequence :], character]).decode().lower()
    return not runs_on(end, rules.max_sequence)


def _below(limit: int, random: Randomness) -> int:
    """A number from 0 to `limit` - 1 (at most 256 of them), each as likely as any other."""
    while True:
        octet = random(1)[0]
        if octet < 256 - 256 % limit:
            return octet % limit
