"""Global users made of accounts, and brought up to date from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.directory.entries import Entry
from provserver.directory.schema import Schema
from provserver.directory.tree import REPLACE, Change
from provserver.exploration.mapping import is_ordinary
from provserver.imps.parameters import CREATE_USERS_DEFAULT_ATTRIBUTES
from provserver.ldap.results import Refusal, ResultCode

USER_CLASS: Final = "eTGlobalUser"
_PREFIX: Final = "eT"
_CALLED: Final = {"enablepasswordsync": "eTPropagatePassword"}
"""How the parameter calls attributes whose name is another one (seed 000)."""
_FROM_ACCOUNT: Final = (
    ("eTFullName", ("etfullname", "etadsdisplayname")),
    ("eTFirstName", ("etfirstname",)),
    ("eTLastName", ("etlastname",)),
    ("eTEmailAddress", ("etemailaddress", "etadsmail")),
    ("eTTitle", ("etadstitle",)),
)
"""Attributes of users, and those of accounts of which the first that is there counts (ours)."""

Attributes = list[tuple[str, tuple[bytes, ...]]]


def taken_from(account: Entry) -> Attributes:
    """What an account says of its user."""
    found: Attributes = []
    for name, keys in _FROM_ACCOUNT:
        values = next((values for key in keys if (values := account.values(key))), ())
        if values:
            found.append((name, values[:1]))
    return found


def changes_of(user: Entry, account: Entry) -> list[Change]:
    """What the user takes over; what the account does not say stays as it is."""
    wanted = taken_from(account)
    return [(REPLACE, name, values) for name, values in wanted if user.values(name.lower()) != values]


class NewUsers:
    """How users are made: from their account, and else from Create Users Default Attributes."""

    def __init__(self, defaults: Sequence[str], schema: Schema) -> None:
        """`defaults`: `attribute=value`. Refusal UNWILLING_TO_PERFORM: a user cannot have one of them."""
        user = schema.object_class(USER_CLASS)
        allowed = {key for key in user.must | user.may if is_ordinary(key, schema)}
        found: dict[str, list[bytes]] = {}
        for text in defaults:
            name, _, value = text.partition("=")
            word = _CALLED.get(name.strip().lower(), name.strip())
            key = schema.known_key(word) or schema.known_key(_PREFIX + word)
            if key is None or key not in allowed:
                parameter = CREATE_USERS_DEFAULT_ATTRIBUTES
                raise Refusal(
                    ResultCode.UNWILLING_TO_PERFORM,
                    f"{parameter.folder}/{parameter.name}: '{name}' is no attribute that a global user may "
                    "be given",
                )
            found.setdefault(key, []).append(value.strip().encode())
        self._schema = schema
        self._defaults = [(key, tuple(values)) for key, values in found.items()]

    def attributes(self, account: Entry) -> Attributes:
        """Of a user who is made for this account, beside the name."""
        taken = taken_from(account)
        there = {self._schema.key(name) for name, _ in taken}
        given = [(key, values) for key, values in self._defaults if key not in there]
        return [("objectClass", (USER_CLASS.encode(),)), *taken, *given]
