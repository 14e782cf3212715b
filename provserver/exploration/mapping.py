"""What an endpoint says of an account, as attributes of the account here.

Which attribute comes from which is a table (ours: the product's parser tables are not public), after which
come the endpoint's own `provExploreMap` values. An attribute of an endpoint that has the name of one which
accounts of this kind may have, is that one. What is not in the schema is left out, and a password is in no
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from provserver.connectors.contract import Account
from provserver.directory.entries import Entry
from provserver.directory.schema import Schema
from provserver.directory.tree import REPLACE, Change
from provserver.directory.values import check_distinct, check_values
from provserver.imps.namespaces import Namespace, namespace
from provserver.ldap.results import Refusal

Values = dict[str, tuple[bytes, ...]]
"""By schema key."""
_Source = tuple[str, tuple[str, ...]]
"""An attribute of accounts, and the endpoints' (lower case) of which the first that is there counts."""

EXPLORE_MAP: Final = "provExploreMap"
ENTRY_DN: Final = "entrydn"
"""What an account of a directory is called there (RFC 5020)."""

_EVERYWHERE: Final[tuple[_Source, ...]] = (
    ("eTFullName", ("displayname", "cn", "fullname", "full_name", "gecos")),
    ("eTFirstName", ("givenname", "firstname", "first_name")),
    ("eTLastName", ("sn", "surname", "lastname", "last_name")),
    ("eTEmailAddress", ("mail", "email")),
    ("eTDescription", ("description",)),
    ("eTSuspended", ("useraccountcontrol", "nsaccountlock")),
)
_OF_NAMESPACE: Final[Mapping[str, tuple[_Source, ...]]] = {
    "activedirectory": (
        ("eTADSuserPrincipalName", ("userprincipalname",)),
        ("eTADSdisplayName", ("displayname",)),
        ("eTADSmail", ("mail",)),
        ("eTADSTitle", ("title",)),
        ("eTADSdistinguishedName", (ENTRY_DN,)),
    ),
}
LOGON_NAMES: Final = ("samaccountname",)
"""Attributes of endpoints that are the logon name, where an account has another name too."""
_KEPT_WHEN_ABSENT: Final = frozenset({"etsuspended"})
"""An endpoint that does not tell has not said no."""


def _control_bits(value: str) -> str:
    """ACCOUNTDISABLE of userAccountControl ([MS-ADTS] 2.2.16)."""
    return "1" if value.lstrip("-").isdigit() and int(value) & 2 else "0"


_READ: Final[Mapping[str, Callable[[str], str]]] = {
    "gecos": lambda value: value.partition(",")[0],
    "useraccountcontrol": _control_bits,
    "nsaccountlock": lambda value: "1" if value.upper() == "TRUE" else "0",
}


class AccountMapping:
    """Of one endpoint: made when it is explored."""

    def __init__(self, row: Namespace, given: Iterable[str], schema: Schema) -> None:
        """`given`: the endpoint's `provExploreMap` values. ValueError says which one makes no sense."""
        self._schema = schema
        account = schema.object_class(row.account.object_class)
        self._naming = schema.key(row.account.rdn_type)
        self._logon = schema.key(row.logon)
        allowed = account.must | account.may
        self._allowed = frozenset(key for key in allowed if is_ordinary(key, schema)) - {self._naming}
        sources: dict[str, tuple[str, ...]] = {}
        for name, attributes in (*_EVERYWHERE, *_OF_NAMESPACE.get(row.name.lower(), ())):
            key = schema.known_key(name)
            if key in self._allowed and key is not None:
                sources[key] = attributes
        for value in given:
            name, separator, attribute = (part.strip() for part in value.partition("="))
            key = schema.known_key(name)
            if not separator or not attribute or key is None or key not in self._allowed:
                raise ValueError(
                    f"{EXPLORE_MAP}: expected ACCOUNT-ATTRIBUTE=ENDPOINT-ATTRIBUTE with an attribute that "
                    f"{row.account.object_class} may have, got {value!r}"
                )
            sources[key] = (attribute.lower(),)
        if self._logon != self._naming:
            sources[self._logon] = LOGON_NAMES
        self._sources = sources
        self._single = {key: schema.type_of(key).single_value for key in self._allowed}
        self._named: dict[str, str | None] = {}

    def of(self, account: Account) -> Values:
        """What the account's entry shall hold, beside its name and classes; an attribute without values: it
        shall not be there.
        """
        told = {name.lower(): values for name, values in account.attributes.items()}
        found: Values = {}
        for name, values in told.items():
            key = self._own_name(name)
            if key is not None:
                found[key] = self._values(key, name, values)
        for key, attributes in self._sources.items():
            if found.get(key):
                continue
            source = next((one for one in attributes if told.get(one)), None)
            if source is not None:
                found[key] = self._values(key, source, told[source])
            elif key not in _KEPT_WHEN_ABSENT:
                found[key] = ()
        if self._logon != self._naming and not found[self._logon]:
            found[self._logon] = (account.name.encode(),)
        return found

    def changes(self, entry: Entry, wanted: Values) -> tuple[list[Change], list[str]]:
        """What makes the entry hold this, and which attributes the schema refuses, with its reason."""
        changes: list[Change] = []
        refused: list[str] = []
        for key, values in wanted.items():
            old = entry.values(key)
            if old == values or (len(values) == len(old) > 1 and sorted(old) == sorted(values)):
                continue
            problem = self._problem(key, values)
            if problem:
                refused.append(problem)
            else:
                changes.append((REPLACE, key, values))
        return changes, refused

    def sound(self, wanted: Values) -> tuple[list[tuple[str, tuple[bytes, ...]]], list[str]]:
        """The attributes of a new entry, and which the schema refuses."""
        attributes: list[tuple[str, tuple[bytes, ...]]] = []
        refused: list[str] = []
        for key, values in wanted.items():
            problem = self._problem(key, values)
            if problem:
                refused.append(problem)
            elif values:
                attributes.append((key, values))
        return attributes, refused

    def _own_name(self, name: str) -> str | None:
        """The key of an account's attribute that is called as the endpoint's."""
        if name not in self._named:
            key = self._schema.known_key(name)
            self._named[name] = key if key in self._allowed else None
        return self._named[name]

    def _values(self, key: str, name: str, values: tuple[str, ...]) -> tuple[bytes, ...]:
        read = _READ.get(name)
        texts = [text for value in values if (text := (read(value) if read else value).strip())]
        if self._single[key]:
            texts = texts[:1]
        return tuple([text.encode(errors="replace") for text in dict.fromkeys(texts)])

    def _problem(self, key: str, values: tuple[bytes, ...]) -> str:
        type = self._schema.type_of(key)
        try:
            check_values(type, values)
            check_distinct(type, values)
        except Refusal as refusal:
            return refusal.result.diagnostic
        return ""


def is_ordinary(key: str, schema: Schema) -> bool:
    """Whether an attribute is stored, readable, and may be set by anybody but the server."""
    type = schema.type_of(key)
    return not (type.trigger is not None or type.secret or type.operational) and type.modifiable


def sense_of_map(schema: Schema) -> Callable[[Entry], str | None]:
    """Says what is wrong with the map of an endpoint's entry that is about to be written; None: nothing."""

    def problem_of(entry: Entry) -> str | None:
        given = entry.texts(EXPLORE_MAP.lower())
        if not given:
            return None
        try:
            AccountMapping(namespace(entry.dn.rdns[1].pairs[0][1]), given, schema)
        except ValueError as error:
            return str(error)
        return None

    return problem_of
