"""The user's own names and ids: what anybody who knows the user tries first.

Whole, and the parts of them between spaces, punctuation and signs; of an address what is before the @.
Which attributes these are is ours: the documents name no such rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from provserver.directory.entries import Entry
from provserver.imps.namespaces import NAMESPACES
from provserver.passwords.rules.folding import folded

SHORTEST: Final = 3
"""Fewer letters are in every other password."""

_OF_USERS: Final = frozenset(
    {"etglobalusername", "etuserid", "etfullname", "etfirstname", "etlastname", "etemailaddress"}
)
_OF_ACCOUNTS: Final = frozenset(
    {
        "etaccountname",
        "etadsuserprincipalname",
        *[row.logon.lower() for row in NAMESPACES],
        *[row.account.rdn_type.lower() for row in NAMESPACES],
    }
)
KEYS: Final = _OF_USERS | _OF_ACCOUNTS
"""The attributes, as schema keys."""

_REMEMBERED: Final = 4_096
"""Users whose names are kept prepared, by what they are: a test is followed by its sync."""
_SEPARATORS: Final = b" \t!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_HOST: Final = re.compile(rb"@[^\n]*")
_APART: Final = bytes.maketrans(_SEPARATORS, b"\n" * len(_SEPARATORS))


def own_names(entries: Sequence[Entry], shortest: int) -> frozenset[str]:
    """The names and ids of a user and of an account, folded, that have at least so many characters."""
    values: list[bytes] = []
    for entry in entries:
        attributes = entry.attributes
        for key in attributes.keys() & KEYS:
            values += attributes[key].values
    return _names_in(b"\n".join(values), shortest)


def has_own_name(text: str, entries: Sequence[Entry], shortest: int) -> bool:
    """Whether one of them is in a folded text."""
    for name in own_names(entries, shortest):  # noqa: SIM110 -- a generator takes twice as long
        if name in text:
            return True
    return False


@lru_cache(_REMEMBERED)
def _names_in(lines: bytes, shortest: int) -> frozenset[str]:
    whole = _HOST.sub(b"", lines)
    names = folded((whole + b"\n" + whole.translate(_APART)).decode()).split("\n")
    return frozenset([name for name in names if len(name) >= shortest])
