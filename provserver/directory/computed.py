"""Operational attributes that are not stored: they follow from an entry, from what is below it, or from the
outbox.

What an entry stores under such a name (the root DSE its subschemaSubentry) stands before what would be
computed. Source: RFC 5020 (entryDN), RFC 4530 (entryUUID), RFC 4512 4.2 (subschemaSubentry), X.501
(hasSubordinates), draft-boreham-numsubordinates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from provserver.directory.entries import Entry
from provserver.directory.schema import Schema
from provserver.ldap.filters import Equality

SUBSCHEMA_NAME: Final = "cn=Subschema"
HAS_SUBORDINATES_KEY: Final = "hassubordinates"
NUM_SUBORDINATES_KEY: Final = "numsubordinates"
OF_CHILDREN: Final = (HAS_SUBORDINATES_KEY, NUM_SUBORDINATES_KEY)
"""What only the store knows: answers have them, filters about them are Undefined."""

DELIVERY_STATE_KEY: Final = "provdeliverystate"
LAST_DELIVERY_KEY: Final = "provlastdelivery"
LAST_EVENT_KEY: Final = "provlastdeliveryevent"
LAST_ERROR_KEY: Final = "provlastdeliveryerror"
DUE_KEY: Final = "provdeliverydue"
ATTEMPTS_KEY: Final = "provdeliveryattempts"
ACCOUNT_STATUS_KEY: Final = "provaccountstatus"
OF_ACCOUNT: Final = (
    DELIVERY_STATE_KEY,
    LAST_DELIVERY_KEY,
    LAST_EVENT_KEY,
    LAST_ERROR_KEY,
    DUE_KEY,
    ATTEMPTS_KEY,
)
OF_DELIVERIES: Final = (*OF_ACCOUNT, ACCOUNT_STATUS_KEY)
"""What the outbox knows of an account, and of all accounts of a global user; ours. Answers have them too."""
UNDEFINED: Final = frozenset((*OF_CHILDREN, *OF_DELIVERIES))

_UUID_KEY: Final = "entryuuid"
_UUID_LENGTH: Final = 36
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")

Made = Callable[[Entry, str], bytes | None]
"""The value for an entry whose name ends in that tail on the wire (`,dc=eta`); None: the entry has none."""


def _name(entry: Entry, tail: str) -> bytes:
    return (entry.dn.text + tail).encode()


def _uuid(entry: Entry, tail: str) -> bytes | None:
    """The eTID, which is a UUID unless somebody loaded another kind of name for the entry."""
    return entry.id.encode() if _UUID.fullmatch(entry.id) else None


def _subschema(entry: Entry, tail: str) -> bytes:
    return SUBSCHEMA_NAME.encode()


OF_ENTRY: Final[Mapping[str, Made]] = {"entrydn": _name, _UUID_KEY: _uuid, "subschemasubentry": _subschema}
"""What an entry itself tells, by schema key; each has one value."""


def values_of(key: str, entry: Entry, tail: str = "") -> tuple[bytes, ...]:
    """The values of one of `OF_ENTRY`: stored, or computed."""
    stored = entry.values(key)
    if stored:
        return stored
    made = OF_ENTRY[key](entry, tail)
    return () if made is None else (made,)


def as_stored(asked: Equality, schema: Schema) -> Equality:
    """`(entryUUID=…)` as the same question about the eTID, which is indexed; anything else as it is."""
    if len(asked.value) != _UUID_LENGTH or schema.known_key(asked.attribute) != _UUID_KEY:
        return asked
    text = asked.value.decode("latin-1")
    return Equality("eTID", asked.value) if _UUID.fullmatch(text) else asked
