"""Returning matched values only (RFC 3876): entries stay as they were found, values are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.filtering import Predicate, compile_filter
from provserver.directory.names import ROOT
from provserver.ldap.controls import MatchedValues
from provserver.ldap.filters import Extensible, Filter
from provserver.operations.edits import Rooms
from provserver.operations.inside import filter_inside

_NOBODY: Final = EntryId("")


class Matched:
    """The items of one request, made into tests once for all entries."""

    def __init__(self, control: MatchedValues, rooms: Rooms) -> None:
        self._rooms = rooms
        self._of_any = [
            item for item in control.items if isinstance(item, Extensible) and item.attribute is None
        ]
        self._tests = [self._test(item) for item in control.items if item not in self._of_any]
        self._tests_of_any: dict[str, list[Predicate]] = {}

    def of(self, attributes: Sequence[Attribute]) -> list[Attribute]:
        """The attributes with those values that an item is true of; an attribute may be left without any."""
        return [attribute._replace(values=self._chosen(attribute)) for attribute in attributes]

    def _chosen(self, attribute: Attribute) -> tuple[bytes, ...]:
        description = attribute.description
        schema, views = self._rooms.schema, self._rooms.views
        key = schema.key(description)
        names = schema.is_name_valued(description)
        tests = [*self._tests, *self._for_any(description)]
        chosen = []
        for value in attribute.values:
            # A filter asks about entries: this one has nothing but the value.
            held = Attribute(description, (views.inside_value(value) if names else value,))
            alone = Entry(_NOBODY, ROOT, {key: held})
            if any(test(alone) is True for test in tests):
                chosen.append(value)
        return tuple(chosen)

    def _for_any(self, description: str) -> list[Predicate]:
        """The items that name a rule and no attribute, as they are about this one."""
        tests = self._tests_of_any.get(description)
        if tests is None:
            about = [Extensible(item.rule, description, item.value) for item in self._of_any]
            tests = self._tests_of_any[description] = [self._test(item) for item in about]
        return tests

    def _test(self, item: Filter) -> Predicate:
        return compile_filter(filter_inside(item, self._rooms), self._rooms.schema)
