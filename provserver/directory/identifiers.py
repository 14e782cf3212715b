"""Object identifiers compared by what they mean: a name and its OID are one (RFC 4517 4.2.25, 4.2.26)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provserver.directory.comparables import Comparable, first_component, object_identifier
from provserver.directory.matching import EqualityRule, Rule

_REMEMBERED: Final = 10_000
"""Values kept resolved. Clients choose them, so there must be an end."""
_LONGEST_REMEMBERED: Final = 64


class Identifiers:
    """The names and OIDs that a schema knows: of attribute types, object classes and matching rules."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys`: every name and OID in lower case, to the one that stands for them all."""
        self._keys = keys
        self._meanings: dict[bytes, bytes] = {}

    def compared(self, rule: Rule | None) -> tuple[Comparable | None, Comparable | None]:
        """How an equality rule sees values, and what is asserted of them, identifiers by what they mean.
        None: there is no such rule, or it is not evaluated.
        """
        if not isinstance(rule, EqualityRule):
            return None, None
        if rule.comparable is object_identifier:
            return self.meaning, self.asserted
        if rule.assertion is object_identifier:
            return self.of_definition, self.asserted
        return rule.comparable, rule.assertion or rule.comparable

    def meaning(self, value: bytes) -> bytes:
        """A stored identifier; what is not known means itself. ValueError: neither an OID nor a name."""
        meaning = self._meanings.get(value)
        if meaning is None:
            text = object_identifier(value).decode()
            meaning = self._keys.get(text, text).encode()
            if len(self._meanings) < _REMEMBERED and len(value) <= _LONGEST_REMEMBERED:
                self._meanings[value] = meaning
        return meaning

    def asserted(self, value: bytes) -> bytes:
        """An identifier that a client asserts. ValueError also for a name that is not known: the assertion
        is Undefined.
        """
        if not value[:1].isdigit() and value.lower().decode("latin-1") not in self._keys:
            raise ValueError("a name that the schema knows, or an OID")
        return self.meaning(value)

    def of_definition(self, value: bytes) -> bytes:
        """A definition, by the identifier it begins with."""
        return self.meaning(first_component(value))
