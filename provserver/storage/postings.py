"""What is indexed of an entry: attributes with normalised values; for writing, finding and planning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from provserver.directory.computed import OF_CHILDREN, OF_ENTRY
from provserver.directory.entries import Attribute, Entry
from provserver.directory.schema import Schema
from provserver.ldap.results import Refusal

Term = tuple[int, bytes]
"""The number of an indexed attribute, and a value as it is indexed."""

_LONGEST: Final = 128
"""Bytes. Longer values are indexed by their beginning and a digest, so that an index page holds many."""
_KEPT: Final = 64
_DIGEST: Final = 32
_DIGESTED: Final = _KEPT + _DIGEST
"""The length of what stands for such a value, which a shorter one may happen to be."""
_REMEMBERED: Final = 65_536
_LONGEST_REMEMBERED: Final = 256
_OPTION: Final = ";"


def indexed(normalised: bytes) -> bytes:
    """A normalised value as it is indexed."""
    if len(normalised) <= _LONGEST:
        return normalised
    return normalised[:_KEPT] + blake2b(normalised, digest_size=_DIGEST).digest()


class Postings:
    """Turns values into terms by the schema's equality rules. Values that break their syntax have no term."""

    def __init__(self, schema: Schema, numbers: Mapping[str, int]) -> None:
        self._schema = schema
        self.numbers: Final = dict(numbers)
        """The number of each indexed attribute; `indexing` has seen to it that they are the schema's."""
        self._terms: dict[tuple[str, bytes], Term | None] = {}

    def term(self, key: str, value: bytes) -> Term | None:
        """The term of a value; None when it is none of its syntax. KeyError: the attribute is not indexed."""
        try:
            return self._terms[key, value]
        except KeyError:
            pass
        number = self.numbers[key]
        try:
            normalised = self._schema.normalise(key, value)
        except Refusal:
            term = None
        else:
            term = number, indexed(normalised)
        if len(value) <= _LONGEST_REMEMBERED:
            if len(self._terms) >= _REMEMBERED:
                self._terms.clear()
            self._terms[key, value] = term
        return term

    def says_all(self, key: str, term: Term) -> bool:
        """Whether those that are found by a term are exactly those that an assertion of its value is true of.
        Not if a digest may stand for the value, nor where what is asserted is judged by rules of its own.
        """
        if key in OF_ENTRY or key in OF_CHILDREN:
            return False
        type = self._schema.attribute_types[key]
        return len(term[1]) != _DIGESTED and type.asserted == type.comparable

    def of(self, entry: Entry) -> set[Term]:
        """Every term of an entry."""
        return self._terms_of(entry.attributes.items())

    def difference(self, old: Entry, new: Entry) -> tuple[set[Term], set[Term]]:
        """The terms that go and those that come when `old` becomes `new`."""
        before, after = old.attributes, new.attributes
        gone, come = [], []
        for key, attribute in after.items():
            known = before.get(key)
            if known is not attribute and known != attribute and self._base(key) in self.numbers:
                come.append((key, attribute))
                if known is not None:
                    gone.append((key, known))
        if len(after) - len(come) + len(gone) != len(before) or not before.keys() <= after.keys():
            gone.extend((key, known) for key, known in before.items() if key not in after)
        if not gone and not come:
            return set(), set()
        if any(_OPTION in key for key, _ in (*gone, *come)) or any(_OPTION in key for key in before):
            removed, added = self.of(old), self.of(new)  # two descriptions can share a term
        else:
            removed, added = self._terms_of(gone), self._terms_of(come)
        return removed - added, added - removed

    def _terms_of(self, attributes: Iterable[tuple[str, Attribute]]) -> set[Term]:
        terms = set()
        for key, attribute in attributes:
            base = self._base(key)
            if base in self.numbers:
                for value in attribute.values:
                    term = self.term(base, value)
                    if term is not None:
                        terms.add(term)
        return terms

    @staticmethod
    def _base(key: str) -> str:
        """A description with options is found under its type too (RFC 4512 2.5.2)."""
        return key if _OPTION not in key else key[: key.index(_OPTION)]
