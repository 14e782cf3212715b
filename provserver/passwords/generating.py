"""Passwords that the server makes up (RFC 3062 2: a Password Modify without a new password): random, as the
profile wants them, and without characters that people take for one another.
"""

from __future__ import annotations

from typing import Final

from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.judging import current_policy
from provserver.passwords.policy import Policy
from provserver.passwords.profile import ProfileRules
from provserver.vault.keyring import Randomness
from provserver.vault.secret import Secret

LENGTH: Final = 16
"""Characters, where the profile allows it: some 95 bits."""
LONGEST: Final = 256
"""A profile that demands more was not meant for passwords that anybody types."""

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

    async def password(self) -> Secret:
        """Refusal UNAVAILABLE, UNWILLING_TO_PERFORM: what the profile asks for cannot be made."""
        return generated((await current_policy(self._policy)).rules, self._random)


def generated(rules: ProfileRules, random: Randomness) -> Secret:
    """A password that these rules accept, each time another. Refusal UNWILLING_TO_PERFORM."""
    if not rules.enabled:
        rules = ProfileRules()
    demanded = {
        _UPPER: rules.min_upper,
        _LOWER: rules.min_lower,
        _DIGITS: rules.min_digits,
        _SPECIAL: rules.min_special,
    }
    length = max(LENGTH, rules.min_length, sum(demanded.values()))
    if rules.max_length:
        length = min(length, rules.max_length)
    if length > LONGEST:
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM,
            f"the Password Profile asks for more than {LONGEST} characters: give the new password",
        )
    # One of each class is more than our profile may demand, but endpoints have policies too.
    one_of_each = {alphabet: max(count, 1) for alphabet, count in demanded.items()}
    counts = one_of_each if sum(one_of_each.values()) <= length else demanded
    chosen = [_one_of(alphabet, random) for alphabet, count in counts.items() for _ in range(count)]
    chosen += [_one_of(_ALL, random) for _ in range(length - len(chosen))]
    for last in range(length - 1, 0, -1):
        place = _below(last + 1, random)
        chosen[last], chosen[place] = chosen[place], chosen[last]
    return Secret(bytes(chosen))


def _one_of(alphabet: bytes, random: Randomness) -> int:
    return alphabet[_below(len(alphabet), random)]


def _below(limit: int, random: Randomness) -> int:
    """A number from 0 to `limit` - 1 (at most 256 of them), each as likely as any other."""
    while True:
        octet = random(1)[0]
        if octet < 256 - 256 % limit:
            return octet % limit
