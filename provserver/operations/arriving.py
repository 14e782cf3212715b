"""What the attributes of an entry that arrives mean, before the tree is looked at.

`provGlobalUser` names the owner, `eTPassword` is a password to hash, an `eTID` is kept; all the rest goes
into the entry as it is, names ending in the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provserver.directory.entries import EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import ID_KEY
from provserver.imps.inclusions import SHORTHAND_KEY
from provserver.imps.views import Views
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret

PASSWORD_KEY: Final = "etpassword"

Given = Sequence[tuple[str, Sequence[bytes]]]
"""Descriptions with their values."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """Attributes to be kept, and what the others say."""

    kept: list[tuple[str, Sequence[bytes]]]
    owner: DN | None
    password: Secret | None
    id: EntryId | None


def arriving(attributes: Given, schema: Schema, views: Views) -> Arriving:
    """The attributes of an add, sorted out. Refusal: an unknown one, or a shorthand that says nothing."""
    kept: list[tuple[str, Sequence[bytes]]] = []
    owner: DN | None = None
    password: Secret | None = None
    given_id: EntryId | None = None
    for description, values in attributes:
        key = schema.key(description)
        if key == SHORTHAND_KEY:
            owner = views.resolve(one_text("provGlobalUser", values))[0]
        elif key == PASSWORD_KEY:
            password = one_password(description, values)
        elif key == ID_KEY and values:
            given_id = EntryId(one_text(description, values).lower())
        else:
            kept.append((description, inside(description, values, schema, views)))
    return Arriving(kept, owner, password, given_id)


def inside(description: str, values: Sequence[bytes], schema: Schema, views: Views) -> Sequence[bytes]:
    """Values as they are stored: names ending in the domain."""
    if not schema.is_name_valued(description):
        return values
    return [views.inside_value(value) for value in values]


def one_password(description: str, values: Sequence[bytes]) -> Secret:
    """The value of an attribute that is a password. Refusal."""
    if len(values) != 1 or not values[0]:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{description}: expected exactly one non-empty value")
    return Secret(values[0])


def one_text(description: str, values: Sequence[bytes]) -> str:
    """The value of an attribute that has one. Refusal."""
    if len(values) != 1:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{description}: expected exactly one value")
    try:
        return values[0].decode()
    except UnicodeDecodeError:
        raise Refusal(ResultCode.INVALID_ATTRIBUTE_SYNTAX, f"{description}: expected UTF-8 text") from None
