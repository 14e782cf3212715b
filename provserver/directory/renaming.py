"""What a new name makes of an entry's attributes (RFC 4511 4.9); pure.

Said in changes, so that every rule of a modify holds: syntaxes, single values, classes.
"""

from __future__ import annotations

from provserver.directory.entries import Entry
from provserver.directory.names import DN, RDN
from provserver.directory.schema import Schema
from provserver.directory.tree import ADD, DELETE, Change, modified
from provserver.directory.values import holds, without
from provserver.ldap.results import Refusal, ResultCode


def renamed(entry: Entry, dn: DN, schema: Schema, now: str, by: str, *, delete_old: bool) -> Entry:
    """The entry under its new name, at its old version: the values of the name are added where they are
    missing, those of the old name taken away with `delete_old`.

    Refusals: NAMING_VIOLATION (a type that cannot name an entry, or is none), INVALID_ATTRIBUTE_SYNTAX,
    CONSTRAINT_VIOLATION (the old value of a single-valued type would stay beside the new one),
    OBJECT_CLASS_VIOLATION.
    """
    named = Entry(entry.id, dn, entry.attributes, entry.version)
    modified(named, (), schema, now, by)  # judges the types of the name, before their values are compared
    old = _values(entry.dn.rdns[0], schema) if delete_old else {}
    changes: list[Change] = [(DELETE, key, [value]) for key, value in old.items()]
    for key, value in _values(dn.rdns[0], schema).items():
        type = schema.type_of(key)
        kept = without(type, entry.values(key), [old[key]]) if key in old else entry.values(key)
        if holds(type, kept, value):
            continue
        if kept and type.single_value:
            raise Refusal(
                ResultCode.CONSTRAINT_VIOLATION,
                f"{type.name}: expected a single value: the old one must go with the old name",
            )
        changes.append((ADD, key, [value]))
    return modified(named, changes, schema, now, by)


def _values(rdn: RDN, schema: Schema) -> dict[str, bytes]:
    return {schema.key(type): value.encode() for type, value in rdn.pairs}
