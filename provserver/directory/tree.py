"""Entries made and changed by the schema's rules; pure: each operation gives a new entry or a Refusal.

Source: RFC 4511 4.6 and 4.7, RFC 4512 2, RFC 4525 (increment). Changes are `(kind, description, values)`
with the numbers of RFC 4511 4.6 as kinds. A diagnostic names the attribute and what was expected, never a
value. Values of secret attributes are stored as they come and never compared, so that no answer says
whether a guess was right. Triggers are not stored: they belong to the password exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from provserver.directory.assembly import AttributeType
from provserver.directory.classes import OBJECT_CLASS_KEY, shape_of
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.syntaxes import INTEGER
from provserver.directory.values import check_distinct, check_single, check_values, holds, without
from provserver.ldap.results import Refusal, ResultCode

Change = tuple[int, str, Sequence[bytes]]
"""(kind: 0 add, 1 delete, 2 replace, 3 increment; description; values)."""

ADD: Final = 0
DELETE: Final = 1
REPLACE: Final = 2
INCREMENT: Final = 3

ID_KEY: Final = "etid"
CREATED_KEY: Final = "createtimestamp"
CREATOR_KEY: Final = "creatorsname"
MODIFIED_KEY: Final = "modifytimestamp"
MODIFIER_KEY: Final = "modifiersname"
STRUCTURAL_KEY: Final = "structuralobjectclass"


def new_entry(
    dn: DN,
    attributes: Sequence[tuple[str, Sequence[bytes]]],
    schema: Schema,
    id: EntryId,
    now: str,
    by: str,
) -> Entry:
    """An entry to add, at version 0. `now` is generalized time, `by` the author's DN.

    The values of its RDN are added where they are missing, and the superclasses of its classes. Refusals:
    RFC 4511 4.7.
    """
    if not dn.rdns:
        raise Refusal(ResultCode.NAMING_VIOLATION, "the root of the tree cannot be added")
    given: dict[str, list[bytes]] = {}
    for description, values in attributes:
        key = schema.key(description)
        type = _writable(key, schema)
        if not values:
            raise Refusal(ResultCode.PROTOCOL_ERROR, f"{type.name}: expected at least one value")
        given.setdefault(key, []).extend(values)
    for key, held in given.items():
        type = schema.type_of(key)
        check_values(type, held)
        check_distinct(type, held)
    if OBJECT_CLASS_KEY not in given:
        raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, "objectClass: expected at least one value")
    shape = shape_of(tuple(given[OBJECT_CLASS_KEY]), schema)
    given[OBJECT_CLASS_KEY] = list(shape.values)
    _add_name(dn, given, schema)
    for key, held in given.items():
        check_single(schema.type_of(key), held)
    shape.check(given, schema)
    shape.demand(given, schema)
    made = {key: Attribute(schema.shown(key), tuple(values)) for key, values in given.items()}
    author, at = by.encode(), now.encode()
    made[ID_KEY] = Attribute("eTID", (id.encode(),))
    made[STRUCTURAL_KEY] = Attribute("structuralObjectClass", (shape.structural.name.encode(),))
    made[CREATED_KEY] = Attribute("createTimestamp", (at,))
    made[CREATOR_KEY] = Attribute("creatorsName", (author,))
    made[MODIFIED_KEY] = Attribute("modifyTimestamp", (at,))
    made[MODIFIER_KEY] = Attribute("modifiersName", (author,))
    return Entry(id, dn, made)


def modified(entry: Entry, changes: Sequence[Change], schema: Schema, now: str, by: str) -> Entry:
    """The entry after all the changes, in their order, at its old version; or a Refusal, and nothing has
    changed.

    Rules about the whole (single values, classes, the name) are judged at the end: RFC 4511 4.6.
    """
    held = dict(entry.attributes)
    touched: dict[str, None] = {}
    for kind, description, values in changes:
        key = schema.key(description)
        type = _writable(key, schema)
        apply = _APPLIED.get(int(kind))
        if apply is None:
            raise Refusal(ResultCode.PROTOCOL_ERROR, f"{type.name}: expected a change of kind 0, 1, 2 or 3")
        old = held.get(key)
        new = apply(type, old.values if old is not None else (), tuple(values))
        touched[key] = None
        if new:
            held[key] = Attribute(schema.shown(key), new)
        else:
            held.pop(key, None)
    for key in touched:
        if key in held:
            check_single(schema.type_of(key), held[key].values)
    _check_name_kept(entry.dn, held, touched, schema)
    _check_classes(entry, held, touched, schema)
    held[MODIFIED_KEY] = Attribute("modifyTimestamp", (now.encode(),))
    held[MODIFIER_KEY] = Attribute("modifiersName", (by.encode(),))
    return Entry(entry.id, entry.dn, held, entry.version)


# ---------------------------------------------------------------- single changes


def _add(type: AttributeType, old: tuple[bytes, ...], values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    if not values:
        raise Refusal(ResultCode.PROTOCOL_ERROR, f"{type.name}: expected at least one value to add")
    check_values(type, values)
    check_distinct(type, values, old)
    return old + values


def _delete(type: AttributeType, old: tuple[bytes, ...], values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    if not old:
        raise Refusal(ResultCode.NO_SUCH_ATTRIBUTE, f"{type.name}: the entry has no such attribute")
    if not values:
        return ()
    if type.secret or type.comparable is None:
        raise Refusal(
            ResultCode.INAPPROPRIATE_MATCHING,
            f"{type.name}: its values cannot be compared; delete or replace the attribute as a whole",
        )
    check_distinct(type, values)
    return without(type, old, values)


def _replace(type: AttributeType, old: tuple[bytes, ...], values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    check_values(type, values)
    check_distinct(type, values)
    return values


def _increment(type: AttributeType, old: tuple[bytes, ...], values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """RFC 4525: every value of the attribute grows by the one given."""
    if type.syntax.oid != INTEGER or type.secret:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{type.name}: expected an attribute of integers")
    if len(values) != 1:
        raise Refusal(ResultCode.PROTOCOL_ERROR, f"{type.name}: expected exactly one increment")
    if not old:
        raise Refusal(ResultCode.NO_SUCH_ATTRIBUTE, f"{type.name}: the entry has no such attribute")
    check_values(type, (*values, *old))
    step = int(values[0])
    new = tuple([str(int(value) + step).encode() for value in old])
    check_values(type, new)
    return new


_APPLIED: Final[
    dict[int, Callable[[AttributeType, tuple[bytes, ...], tuple[bytes, ...]], tuple[bytes, ...]]]
] = {ADD: _add, DELETE: _delete, REPLACE: _replace, INCREMENT: _increment}


def _writable(key: str, schema: Schema) -> AttributeType:
    type = schema.type_of(key)
    if not type.modifiable:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{type.name}: only the server itself may set it")
    if type.trigger is not None:
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM, f"{type.name} starts an action and cannot be stored in an entry"
        )
    return type


# ---------------------------------------------------------------- checks of the whole


def _naming(dn: DN, schema: Schema) -> list[tuple[str, AttributeType, bytes]]:
    """Key, type and value of the attributes that name an entry."""
    rdn = dn.rdns[0]
    if rdn.opaque:
        raise Refusal(ResultCode.NAMING_VIOLATION, "expected names whose values are strings")
    found = []
    for name, value in rdn.pairs:
        try:
            key = schema.key(name)
        except Refusal as unknown:
            raise Refusal(ResultCode.NAMING_VIOLATION, unknown.result.diagnostic) from None
        type = schema.type_of(key)
        if type.secret or type.comparable is None or type.trigger is not None or type.operational:
            raise Refusal(ResultCode.NAMING_VIOLATION, f"{type.name} cannot name an entry")
        found.append((key, type, value.encode()))
    return found


def _add_name(dn: DN, given: dict[str, list[bytes]], schema: Schema) -> None:
    for key, type, value in _naming(dn, schema):
        check_values(type, (value,))
        held = given.get(key)
        if held is None:
            given[key] = [value]
        elif not holds(type, held, value):
            if type.single_value:
                raise Refusal(
                    ResultCode.NAMING_VIOLATION, f"{type.name}: expected the value that the entry's name has"
                )
            held.insert(0, value)


def _check_name_kept(dn: DN, held: dict[str, Attribute], touched: dict[str, None], schema: Schema) -> None:
    for key, type, value in _naming(dn, schema):
        if key not in touched:
            continue
        left = held[key].values if key in held else ()
        if not holds(type, left, value):
            raise Refusal(
                ResultCode.NOT_ALLOWED_ON_RDN, f"{type.name}: the value that names the entry must stay"
            )


def _check_classes(
    entry: Entry, held: dict[str, Attribute], touched: dict[str, None], schema: Schema
) -> None:
    classes = held.get(OBJECT_CLASS_KEY)
    if classes is None:
        raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, "objectClass: expected at least one value")
    shape = shape_of(classes.values, schema)
    present = [key for key in touched if key in held]
    if OBJECT_CLASS_KEY in touched:
        before = (
            entry.text(STRUCTURAL_KEY) or shape_of(entry.values(OBJECT_CLASS_KEY), schema).structural.name
        )
        if shape.structural is not schema.known_class(before):
            raise Refusal(
                ResultCode.OBJECT_CLASS_MODS_PROHIBITED,
                f"objectClass: the structural class {before} of the entry cannot be changed",
            )
        held[OBJECT_CLASS_KEY] = Attribute(classes.description, shape.values)
        # What a class that went away had allowed must go with it.
        present = [key for key in held if key.partition(";")[0] in schema.attribute_types]
    shape.check(present, schema)
    if len(present) < len(touched) or OBJECT_CLASS_KEY in touched:
        shape.demand(held, schema)
