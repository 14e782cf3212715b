"""Where a search looks: a filter and a scope become a walk over as few entries as can be known beforehand.

A plan only narrows: every candidate is judged by the filter afterwards, less what the look-up has said of it
already (`Walk.rest`). The order of a walk has parents before children, and each step of it is one short read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN, subtree_range
from provserver.directory.nametext import RDN_END
from provserver.directory.schema import Schema
from provserver.ldap.filters import And, Equality, Filter, Or, Scope
from provserver.storage import statements as sql
from provserver.storage.cache import Record
from provserver.storage.postings import Postings, Term
from provserver.storage.tree import Tree

_OBJECT_CLASS: Final = "objectclass"
_MOST_ALTERNATIVES: Final = 64
_COUNTED: Final = (512, 4_096, 20_000)
"""Rows that are counted to compare two walks, if it takes that many: at most for a millisecond or two."""
_WITNESSES: Final = 4
"""Entries that an answer may rest on, to be looked at again instead of searched for."""
_CLEARLY_SMALL: Final = 64
"""Postings that are not worth comparing with anything."""
_REMEMBERED: Final = 16
"""Entries of a step that are kept in memory; the rest of a long walk would push out what is in use."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Entries with any of these terms. `coarse`: object classes only, which most of a tree may share.
    `rest`: what is still to be asked of an entry that has such a term; None: nothing, it matches.
    """

    terms: tuple[Term, ...]
    coarse: bool
    rest: Filter | None


def lookup_for(wanted: Filter, schema: Schema, postings: Postings) -> Lookup | None:
    """The narrowest look-up that no match of the filter escapes; None: all in scope has to be looked at."""
    if isinstance(wanted, Equality):
        return _equality(wanted, schema, postings)
    if isinstance(wanted, And):
        return _narrowest(wanted, schema, postings)
    if isinstance(wanted, Or):
        terms: dict[Term, None] = {}
        coarse = False
        for part in wanted.parts:
            lookup = lookup_for(part, schema, postings)
            if lookup is None:
                return None
            terms.update(dict.fromkeys(lookup.terms))
            coarse = coarse or lookup.coarse
        return Lookup(tuple(terms), coarse, wanted) if len(terms) <= _MOST_ALTERNATIVES else None
    return None


def _narrowest(wanted: And, schema: Schema, postings: Postings) -> Lookup | None:
    best: Lookup | None = None
    by = 0
    for number, part in enumerate(wanted.parts):
        lookup = lookup_for(part, schema, postings)
        if lookup is not None and (best is None or _breadth(lookup) < _breadth(best)):
            best, by = lookup, number
    if best is None:
        return None
    rest: Filter | None = wanted
    if best.rest is None:
        others = wanted.parts[:by] + wanted.parts[by + 1 :]
        rest = And(others) if len(others) > 1 else others[0] if others else None
    return Lookup(best.terms, best.coarse, rest)


def _equality(wanted: Equality, schema: Schema, postings: Postings) -> Lookup | None:
    key = schema.known_key(wanted.attribute)
    if key is None:
        return None
    base = key.partition(";")[0]
    below = schema.subtypes(base)  # RFC 4512 2.5.1: an assertion on a type is one on its subtypes too
    terms = []
    for one in below:
        if one not in postings.numbers:
            return None
        term = postings.term(one, wanted.value)
        if term is not None:
            terms.append(term)
    if len(terms) > _MOST_ALTERNATIVES:
        return None
    # With options asked for, or a subtype by a rule of its own, the index tells less than the filter asks.
    said_all = key == base and len(below) == 1 and len(terms) == 1 and postings.says_all(base, terms[0])
    return Lookup(tuple(terms), base == _OBJECT_CLASS, None if said_all else wanted)


def _breadth(lookup: Lookup) -> tuple[bool, int]:
    return lookup.coarse, len(lookup.terms)


class Walk(Protocol):
    """Candidates, a step at a time; each call is one short read. The empty list is the end."""

    rest: Filter | None
    """What is still to be asked of those of the last step; None: nothing."""

    def step(self, size: int) -> Sequence[Entry]: ...


def plan(base: DN, scope: Scope, wanted: Filter, schema: Schema, tree: Tree) -> Walk | None:
    """The walk for a search below an existing base (ONE_LEVEL or SUBTREE); None: nothing can match."""
    top = tree.seq_at(base.key)
    if top is None:
        return None
    lookup = lookup_for(wanted, schema, tree.postings)
    if lookup is not None and not lookup.terms:
        return None
    if lookup is not None and not lookup.coarse and len(lookup.terms) == 1:
        few = tree.few(lookup.terms[0])
        if few is not None:
            return Few(lookup, *few, wanted, tree)
    if lookup is not None and _narrower(lookup, base, scope, top, tree):
        return _Postings(lookup, tree)
    if scope is Scope.ONE_LEVEL:
        return _Children(top, wanted, tree)
    return _Range(base, wanted, tree)


def _narrower(lookup: Lookup, base: DN, scope: Scope, top: int, tree: Tree) -> bool:
    """Whether the look-up meets fewer entries than the scope has. Both are counted no further than it takes
    to see the end of one.
    """
    for most in _COUNTED:
        postings = sum([tree.rows(sql.COUNT_POSTINGS, (*term, most))[0][0] for term in lookup.terms])
        if postings <= _CLEARLY_SMALL:
            return True
        if scope is Scope.ONE_LEVEL:
            inside = tree.rows(sql.COUNT_CHILDREN, (top, most))[0][0]
        else:
            inside = tree.rows(sql.COUNT_IN_RANGE, (*subtree_range(base), most))[0][0]
        if postings < most or inside < most:
            return bool(postings < inside)
    return False


class _Range:
    """Everything at and below the base, in the order of names; less what gets another name meanwhile, which
    may have been met under the old one.
    """

    def __init__(self, base: DN, wanted: Filter, tree: Tree) -> None:
        low, self._high = subtree_range(base)
        self._after = low[:-1]  # the base itself is in: its key is larger than any beginning of it
        self._tree = tree
        self._moved: set[str] = set()
        self.rest: Filter | None = wanted
        tree.wanderers.add(self)

    def moved(self, dn: DN) -> None:
        self._moved.add(dn.key)

    def step(self, size: int) -> Sequence[Entry]:
        while rows := self._tree.rows(sql.ENTRIES_IN_RANGE, (self._after, self._high, size)):
            self._after = rows[-1][5]
            remember = len(rows) <= _REMEMBERED
            if self._moved:
                rows = [row for row in rows if not self._has_moved(row[5])]
            if rows:
                return self._tree.entries(rows, remember=remember)
        return ()

    def _has_moved(self, key: str) -> bool:
        ends = [end for end, sign in enumerate(key, 1) if sign == RDN_END]
        return any(key[:end] in self._moved for end in ends)


class _Children:
    """The entries just below the base."""

    def __init__(self, top: int, wanted: Filter, tree: Tree) -> None:
        self._top = top
        self._after = 0
        self._last = tree.last()
        self._tree = tree
        self.rest: Filter | None = wanted

    def step(self, size: int) -> Sequence[Entry]:
        rows = self._tree.rows(sql.CHILDREN, (self._top, self._after, self._last, size))
        if rows:
            self._after = rows[-1][0]
        return self._tree.entries(rows, remember=len(rows) <= _REMEMBERED)


class _Postings:
    """Entries with any of some terms, in the order of row numbers: parents have smaller ones than children,
    and what comes later, or has to be renumbered when it moves, has larger ones than all there were.

    Candidates out of scope are passed over later; they have been read, so they count as looked at.
    """

    def __init__(self, lookup: Lookup, tree: Tree) -> None:
        self._terms = lookup.terms
        self._after = 0
        self._last = tree.last()
        self._tree = tree
        self.rest: Filter | None = lookup.rest

    def step(self, size: int) -> Sequence[Entry]:
        if len(self._terms) == 1:
            rows = self._tree.with_term(self._terms[0], self._after, self._last, size)
        else:
            rows = [row for seq in self._next(size) for row in self._tree.rows(sql.ENTRY_BY_SEQ, (seq,))]
        if rows:
            self._after = rows[-1][0]
        return self._tree.entries(rows, remember=len(rows) <= _REMEMBERED)

    def _next(self, size: int) -> Sequence[int]:
        found: set[int] = set()
        for term in self._terms:
            rows = self._tree.rows(sql.SEQS_BY_POSTING, (*term, self._after, self._last, size))
            found.update([row[0] for row in rows])
        return sorted(found)[:size]


class Few:
    """Entries whose ids are known: what nearly every search of an agent is."""

    def __init__(
        self,
        lookup: Lookup,
        ids: tuple[EntryId, ...],
        entries: Sequence[Entry] | None,
        wanted: Filter,
        tree: Tree,
    ) -> None:
        """`entries`: those with these ids, if they were read together with them."""
        self._term = lookup.terms[0]
        self._all = ids
        self._ids = ids
        self._entries = entries
        self._wanted = wanted
        self._exactly = lookup.rest
        self._tree = tree
        self.rest: Filter | None = wanted

    def step(self, size: int) -> Sequence[Entry]:
        entries, self._entries = self._entries, None
        if entries is not None and len(entries) <= size:
            self.rest = self._exactly
            self._ids = ()
            return entries
        return self._step_by_ids(size)

    def _step_by_ids(self, size: int) -> Sequence[Entry]:
        """What the ids of one moment and the entries of another have in common is for the filter to say."""
        tree = self._tree
        ids, self._ids = self._ids[:size], self._ids[size:]
        at_once = len(ids) == len(self._all) and tree.settled()
        entries = []
        for one in ids:
            record = tree.known.with_id(one)
            if record is None:
                at_once = False
                record = tree.with_id(one)
            if record is not None:
                entries.append(record.entry)
        self.rest = self._exactly if at_once else self._wanted
        return entries

    def witness(self, base: DN) -> Witness | None:
        """What the answer rests on; None: too much to look at each time."""
        known = self._tree.known
        top = known.at(base.key)
        records = [known.with_id(one) for one in self._all[:_WITNESSES]]
        if top is None or len(self._all) > _WITNESSES or None in records:
            return None
        return Witness(self._term, self._all, (top, *records))  # type: ignore[arg-type]  # None was ruled out


class Witness:
    """The ids that an indexed value had, and the records of these and of the base, as they were."""

    __slots__ = ("_ids", "_records", "_term")

    def __init__(self, term: Term, ids: tuple[EntryId, ...], records: tuple[Record, ...]) -> None:
        self._term = term
        self._ids = ids
        self._records = records

    def still_true(self, tree: Tree) -> bool:
        """Whether memory holds these very objects. What was dropped from memory counts as changed."""
        if tree.found.get(self._term) is not self._ids:
            return False
        with_id = tree.known.with_id
        for record in self._records:  # noqa: SIM110 -- a generator costs more than the loop
            if with_id(record.entry.id) is not record:
                return False
        return True
