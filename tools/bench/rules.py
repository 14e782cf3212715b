"""Our Password Profile in the cycle: which of its rules are on, and the lists that they look into.

slapd's ppolicy has the first two only, in both cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha1
from pathlib import Path
from typing import Final

from our_home import COMMON
from side import HISTORY, MIN_LENGTH

FEW: Final[Mapping[str, int]] = {
    "provMinLength": MIN_LENGTH,
    # Ours counts the password in force, as Windows does; slapd's pwdInHistory only those before it.
    "provHistoryCount": HISTORY + 1,
}
ALL: Final[Mapping[str, int]] = {
    **FEW,
    "provMaxLength": 64,
    "provMinUpper": 1,
    "provMinLower": 1,
    "provMinDigits": 1,
    "provMinSpecial": 1,
    "provMinInterval": 3600,
    "provMinClasses": 4,
    "provMaxRepeated": 2,
    "provMaxOccurrences": 4,
    "provMaxSequence": 3,
    "provNameLength": 3,
    "provWordLength": 4,
    "provBreachCount": 1,
    "provMaxAgeDays": 90,
    "provWarningDays": 14,
    "provGraceBinds": 3,
}
"""All but `provHistoryDays`: it would remember every password of the run, where slapd remembers five."""
RULES: Final = {"few": FEW, "all": ALL}
LISTED: Final = {"provWordLength", "provBreachCount"}
"""These look into a list."""

BREACHED_HASHES: Final = 1_000_000
_SYLLABLES: Final = tuple(f"{consonant}{vowel}" for consonant in "bcdfghjklmnpqrstv" for vowel in "aeiou")


def profile_ldif(rules: Mapping[str, int]) -> str:
    """The profile, enabled, with these rules."""
    dn = f"eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,{COMMON}"
    values = {"provProfileEnabled": "TRUE", **rules}
    changes = "".join(f"replace: {name}\n{name}: {value}\n-\n" for name, value in values.items())
    return f"dn: {dn}\nchangetype: modify\n{changes}\n"


def list_settings(rules: Mapping[str, int], directory: Path) -> tuple[str, ...]:
    """Write the lists that these rules look into; the settings that name them."""
    if not LISTED & rules.keys():
        return ()
    dictionary, breached = directory / "words.txt", directory / "breached.txt"
    if not breached.exists():
        dictionary.write_text("\n".join(_words()))
        breached.write_text("".join(f"{digest}:1\n" for digest in sorted(_digests())))
    return f"passwords.dictionary={dictionary}", f"passwords.breached={breached}"


def _words() -> Iterator[str]:
    """Some 100,000 that can be pronounced, of four and of six letters."""
    for number, first in enumerate(_SYLLABLES):
        for second in _SYLLABLES:
            yield first + second
            yield from (first + second + third for third in _SYLLABLES[number % 6 :: 6])


def _digests() -> Iterator[str]:
    """SHA-1, in hexadecimal, of what nobody uses here."""
    for number in range(BREACHED_HASHES):
        yield sha1(b"%d" % number, usedforsecurity=False).hexdigest().upper()
