"""Server-side sorting (RFC 2891): entries in the order of the client's keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from provserver.directory.assembly import AttributeType
from provserver.directory.assertions import suits
from provserver.directory.comparables import Comparable
from provserver.directory.computed import OF_ENTRY, values_of
from provserver.directory.entries import Entry, EntryId
from provserver.directory.matching import EqualityRule, OrderingRule
from provserver.directory.schema import Schema
from provserver.ldap.controls import SortKey
from provserver.ldap.results import ResultCode
from provserver.operations.sending import Deadline

_MOST_KEYS: Final = 16
"""Keys of one request (RFC 2891 2 allows to restrict them): each is a round of sorting."""

Rank = tuple[bool, bytes]
"""What an entry is sorted by: whether it has no value (which is larger than every value, RFC 2891 2.2), and
its least value as the ordering rule sees it."""

Sorted = tuple[tuple[Rank, ...], EntryId]
"""An entry with its ranks, one for each key."""


class Unsortable(Exception):
    """Why entries cannot be sorted as asked: a code of RFC 2891 1.2, and the attribute at fault if it is
    one.
    """

    def __init__(self, code: ResultCode, text: str, attribute: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.attribute = attribute


@dataclass(frozen=True, slots=True)
class _Key:
    values: Callable[[Entry], Sequence[bytes]]
    comparable: Comparable
    reverse: bool

    def rank(self, entry: Entry) -> Rank:
        ranks = []
        for value in self.values(entry):
            try:
                ranks.append(self.comparable(value))
            except ValueError:
                continue  # loaded under another schema; as good as absent
        return (False, min(ranks)) if ranks else (True, b"")


class Order:
    """The keys of one request, resolved against the schema. Unsortable."""

    def __init__(self, keys: Sequence[SortKey], schema: Schema) -> None:
        if len(keys) > _MOST_KEYS:
            raise Unsortable(ResultCode.UNWILLING_TO_PERFORM, f"expected at most {_MOST_KEYS} sort keys")
        self._keys = [_resolved(key, schema) for key in keys]
        known = [schema.known_key(key.attribute) for key in keys]
        for number, key in enumerate(keys):
            if known[number] in known[:number]:
                raise Unsortable(
                    ResultCode.UNWILLING_TO_PERFORM, f"{key.attribute} is a sort key twice", key.attribute
                )

    def ranked(self, entry: Entry) -> Sorted:
        return tuple([key.rank(entry) for key in self._keys]), entry.id

    async def sort(
        self, batches: AsyncIterator[Sequence[Entry]], most: int, deadline: Deadline | None
    ) -> list[Sorted]:
        """All entries, ranked and in order; equal ones stay as they came. Refusal TIME_LIMIT_EXCEEDED.
        Unsortable ADMIN_LIMIT_EXCEEDED: there are more than `most` (0: no limit).
        """
        found: list[Sorted] = []
        async for batch in batches:
            found += [self.ranked(entry) for entry in batch]
            if most and len(found) > most:
                raise Unsortable(ResultCode.ADMIN_LIMIT_EXCEEDED, f"expected at most {most} entries to sort")
            if deadline is not None:
                deadline.look()
        directions = [key.reverse for key in self._keys]
        if len(set(directions)) == 1:
            found.sort(key=_ranks, reverse=directions[0])
            return found
        # The weightiest key last: a sort keeps the order of equals, in reverse too.
        for number, reverse in reversed([*enumerate(directions)]):
            found.sort(key=lambda one, number=number: one[0][number], reverse=reverse)  # type: ignore[misc]
        return found

    def place_of(self, found: Sequence[Sorted], value: bytes) -> int:
        """How many stand before the first entry whose primary key is not below `value` (not above it, when
        the order is reversed). Unsortable INAPPROPRIATE_MATCHING: it is no value of the key.
        """
        first = self._keys[0]
        try:
            sought = False, first.comparable(value)
        except ValueError as error:
            text = f"the value to look for: expected {error}"
            raise Unsortable(ResultCode.INAPPROPRIATE_MATCHING, text) from None
        for number, (ranks, _) in enumerate(found):
            if ranks[0] <= sought if first.reverse else ranks[0] >= sought:
                return number
        return len(found)


def _ranks(one: Sorted) -> tuple[Rank, ...]:
    return one[0]


def _resolved(asked: SortKey, schema: Schema) -> _Key:
    key = schema.known_key(asked.attribute)
    if key is None or schema.is_secret(key):
        raise Unsortable(
            ResultCode.NO_SUCH_ATTRIBUTE, f"{asked.attribute}: no such attribute type", asked.attribute
        )
    comparable = _comparable(asked, schema.type_of(key), schema)
    if comparable is None:
        raise Unsortable(
            ResultCode.INAPPROPRIATE_MATCHING,
            f"{asked.attribute}: expected an ordering rule that suits it",
            asked.attribute,
        )
    return _Key(_values(key, schema), comparable, asked.reverse)


def _comparable(asked: SortKey, type: AttributeType, schema: Schema) -> Comparable | None:
    """How the named rule sees values, or the type's ordering rule. Types of IMPS name equality rules only:
    then the ordering rule that belongs to it, or the order of what it compares (ours).
    """
    if asked.rule is not None:
        rule = schema.rule(asked.rule)
        return rule.comparable if isinstance(rule, OrderingRule) and suits(rule, type) else None
    if isinstance(type.ordering, OrderingRule):
        return type.ordering.comparable
    if not isinstance(type.equality, EqualityRule):
        return None
    twin = schema.rule(type.equality.name.removesuffix("Match") + "OrderingMatch")
    return twin.comparable if isinstance(twin, OrderingRule) else type.comparable


def _values(key: str, schema: Schema) -> Callable[[Entry], Sequence[bytes]]:
    """The values of an attribute, its subtypes, and both with any further options (RFC 4512 2.5)."""
    if key in OF_ENTRY:
        return lambda entry: values_of(key, entry)
    base, _, options = key.partition(";")
    wanted = frozenset(options.split(";")) if options else frozenset()
    bases = frozenset(below for below in schema.subtypes(base) if not schema.is_secret(below))

    def values(entry: Entry) -> Sequence[bytes]:
        found: list[bytes] = []
        for description, attribute in entry.attributes.items():
            type, _, held = description.partition(";")
            if type in bases and wanted.issubset(held.split(";")):
                found += attribute.values
        return found

    return values
