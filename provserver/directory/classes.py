"""What object classes demand and allow of an entry (RFC 4512 2.4, RFC 4511 appendix A: 65)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from provserver.directory.assembly import ClassKind, ObjectClass
from provserver.directory.schema import Schema
from provserver.ldap.results import Refusal, ResultCode

OBJECT_CLASS_KEY: Final = "objectclass"
EXTENSIBLE_OBJECT: Final = "1.3.6.1.4.1.1466.101.120.111"
"""RFC 4512 4.3: allows every user attribute."""
_REMEMBERED: Final = 1_024


@dataclass(frozen=True, slots=True)
class Shape:
    """The classes of an entry taken together."""

    values: tuple[bytes, ...]
    """The classes given, by their first NAME, then the superclasses that are implied."""
    structural: ObjectClass
    must: frozenset[str]
    allowed: frozenset[str]
    anything: bool = False

    def check(self, keys: Iterable[str], schema: Schema) -> None:
        """Refusal OBJECT_CLASS_VIOLATION for an attribute that no class allows. Operational ones are free."""
        if self.anything:
            return
        for key in keys:
            base = key.partition(";")[0]
            if base not in self.allowed and not schema.is_operational(base):
                raise Refusal(
                    ResultCode.OBJECT_CLASS_VIOLATION,
                    f"{schema.shown(key)} is not allowed by the object classes of the entry",
                )

    def demand(self, keys: Iterable[str], schema: Schema) -> None:
        """Refusal OBJECT_CLASS_VIOLATION when an attribute that a class requires is not among these."""
        missing = self.must.difference([key.partition(";")[0] for key in keys])
        if missing:
            key = min(missing)
            classes = [schema.object_class(value.decode()) for value in self.values]
            # The most general class that says so: its name is the reason.
            name = min((one for one in classes if key in one.must), key=lambda one: len(one.chain)).name
            raise Refusal(
                ResultCode.OBJECT_CLASS_VIOLATION, f"object class {name} requires {schema.shown(key)}"
            )


@lru_cache(_REMEMBERED)
def shape_of(values: tuple[bytes, ...], schema: Schema) -> Shape:
    """The shape that objectClass values give an entry. Refusal OBJECT_CLASS_VIOLATION when they give none."""
    classes: dict[str, ObjectClass] = {}
    for value in values:
        try:
            one = schema.object_class(value.decode())
        except UnicodeDecodeError:
            raise Refusal(
                ResultCode.OBJECT_CLASS_VIOLATION, "objectClass: expected names of classes"
            ) from None
        classes[one.key] = one
    implied = [key for one in classes.values() for key in one.chain if key not in classes]
    every = {**classes, **{key: schema.object_classes[key] for key in implied}}
    must: set[str] = set()
    may: set[str] = set()
    for one in every.values():
        must |= one.must
        may |= one.may
    return Shape(
        values=tuple([one.name.encode() for one in every.values()]),
        structural=_structural(every),
        must=frozenset(must),
        allowed=frozenset(must | may),
        anything=any(one.oid == EXTENSIBLE_OBJECT for one in every.values()),
    )


def _structural(classes: dict[str, ObjectClass]) -> ObjectClass:
    """The most subordinate structural class: all others are above it (RFC 4512 2.4.2)."""
    found = [one for one in classes.values() if one.kind is ClassKind.STRUCTURAL]
    if not found:
        raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, "objectClass: expected a structural object class")
    lowest = max(found, key=lambda one: len(one.chain))
    for one in found:
        if one.key not in lowest.chain:
            raise Refusal(
                ResultCode.OBJECT_CLASS_VIOLATION,
                f"objectClass: expected one structural object class, not both {lowest.name} and {one.name}",
            )
    return lowest
