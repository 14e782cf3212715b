"""LDIF records as rows of the store: all that can be done for an entry without looking at the tree.

What needs the tree (is the parent there, is the name free, who is the owner) is left to `bulk`, which takes
the rows in their order. A record that is no plain add, or that this room would have to refuse, is handed on
as it is: the ordinary edits have the last word on it, and the words for what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from provserver.directory.classes import OBJECT_CLASS_KEY
from provserver.directory.entries import Entry, EntryId
from provserver.directory.ldif import LdifError, LdifRecord, read_block
from provserver.directory.ldifblocks import Block
from provserver.directory.names import DN, RDN
from provserver.directory.nametext import LONGEST_REMEMBERED, parse_rdns
from provserver.directory.schema import Schema
from provserver.directory.tree import STRUCTURAL_KEY, new_entry
from provserver.imps.inclusions import account_class_of, inclusion_of, inclusions_container
from provserver.imps.users import is_global_user
from provserver.imps.views import Views
from provserver.ldap.results import Refusal
from provserver.operations.arriving import arriving, one_text
from provserver.operations.moulds import Attributes, Mould, Names, number_of
from provserver.storage import bodies
from provserver.storage.arrivals import Arrivals, Found
from provserver.storage.postings import Postings, Term

_MOULDS: Final = 4_096
_PARENTS: Final = 4_096
_NOTHING_SHARED: Final = number_of(())
_LEAF: Final = re.compile(r'((?:[^\\",;]|\\.)+),')

Signature = tuple[tuple[str, ...], tuple[bytes, ...], str]
"""Descriptions, object classes, the type in the RDN: what makes a form."""


Known = tuple[EntryId, str, str]
"""An entry as inclusions need it: id, DN text, DN key."""


@dataclass(slots=True)
class Made:
    """An entry to be stored."""

    id: EntryId
    key: str
    name: str
    body: bytes
    found: Found
    number: int
    shared: tuple[Term, ...]
    """The terms that it has in common with others, and their number."""
    owner: str | None
    """The DN key of its global user."""
    account_class: str | None
    is_user: bool
    id_given: bool


@dataclass(slots=True)
class Run:
    """Plain adds that follow each other."""

    first: int
    last: int
    """The lines of its first and its last record."""
    count: int = 0
    """Records."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    """Their entries, and the inclusions of accounts whose owner is among them."""
    owned: list[tuple[int, str, int]] = field(default_factory=list)
    """The other accounts that have an owner: row, account class, and the owner's index in `owners`."""
    owners: list[str] = field(default_factory=list)
    """DN keys of the users that must be there already."""


Part = Run | LdifRecord | LdifError
"""What a block comes to, in its order. After an LdifError nothing can be read."""


class Caster:
    """Makes rows of records. `new_id` gives ids that nobody has; `meant` are the structural classes of which
    `meanings` wants to see every entry.
    """

    def __init__(
        self,
        schema: Schema,
        views: Views,
        numbers: Mapping[str, int],
        stamp: str,
        by: str,
        new_id: Callable[[], EntryId],
        meant: Collection[str],
    ) -> None:
        self._schema = schema
        self._views = views
        self._postings = Postings(schema, numbers)
        self._stamp = stamp
        self._by = by
        self._new_id = new_id
        self._meant = meant
        self._moulds: dict[Signature, Mould | None] = {}
        """None: there is none for that form."""
        self._classes_at: dict[tuple[str, ...], int] = {}
        self._parents: dict[str, DN] = {}
        self._containers: dict[str, DN] = {}
        """Of inclusions, by account class."""
        self._names: Final = Names(views)

    def parts(self, block: Block) -> list[Part]:
        """All records of a block."""
        parts: list[Part] = []
        gathering: _Gathering | None = None
        try:
            for record in read_block(block):
                made = self._of_record(record)
                if made is not None:
                    entry, parent = made
                    if gathering is None:
                        gathering = _Gathering(record.line, self)
                    if gathering.take(entry, parent, record.line):
                        continue
                if gathering is not None and gathering.run.count:
                    parts.append(gathering.run)
                gathering = None
                parts.append(record)
        except LdifError as error:
            if gathering is not None:
                parts.append(gathering.run)
            parts.append(error)
            return parts
        if gathering is not None:
            parts.append(gathering.run)
        return parts

    def make(self, leaf: RDN, parent: DN, attributes: Attributes) -> Made | None:
        """The entry `leaf` below `parent`; None: the ordinary edits have to look at it."""
        if len(leaf.pairs) != 1:
            return self._made_the_long_way(leaf, parent, attributes)
        type, value = leaf.pairs[0]
        signature = self._signature(attributes, type)
        if signature is None:
            return None
        mould = self._moulds.get(signature)
        if mould is None:
            learn = signature if signature not in self._moulds else None
            return self._made_the_long_way(leaf, parent, attributes, learn)
        given: EntryId | None = None
        owner: str | None = None
        try:
            if mould.id_index >= 0:
                given = _given_id(attributes[mould.id_index][1])
            if mould.owner_index >= 0:
                user, users = self._place(one_text("provGlobalUser", attributes[mould.owner_index][1]))
                owner = users.key + user.key
        except (ValueError, Refusal):
            return None
        entry_id = given or self._new_id()
        filled = mould.fill(value.encode(), attributes, entry_id)
        if filled is None:
            return self._made_the_long_way(leaf, parent, attributes)
        body, found = filled
        return Made(
            entry_id,
            parent.key + leaf.key,
            f"{leaf.text},{parent.text}",
            body,
            found,
            mould.number,
            mould.shared,
            owner,
            mould.account_class,
            mould.is_user,
            given is not None,
        )

    def inclusion(self, user: Known, account: Known, account_class: str) -> tuple[Made, str] | None:
        """The entry that joins the two, and the key of its parent; None as for `make`."""
        container = self._containers.get(account_class)
        if container is None:
            container = inclusions_container(self._views.domain, account_class)
            self._containers[account_class] = container
        for _, name, key in (user, account):
            value = name.encode()
            self._names.know(value, (value, key.encode()))
        rdn, attributes = inclusion_of(user[:2], account[:2])
        made = self.make(rdn, container, attributes)
        return (made, container.key) if made is not None else None

    def _of_record(self, record: LdifRecord) -> tuple[Made, str] | None:
        """The entry and the key of its parent."""
        if record.kind != "add":
            return None
        try:
            leaf, parent = self._place(record.dn)
        except (ValueError, Refusal):
            return None
        made = self.make(leaf, parent, record.attributes)
        return (made, parent.key) if made is not None else None

    def _place(self, text: str) -> tuple[RDN, DN]:
        """What an entry is called, and the name above it. ValueError, Refusal."""
        if len(text) <= LONGEST_REMEMBERED:
            if "\\" in text or '"' in text:
                match = _LEAF.match(text)
                first, above = (match[1], text[match.end() :]) if match else ("", "")
            else:
                first, _, above = text.partition(",")
            parent = self._parents.get(above)
            if parent is None and above:
                parent = self._parent(above)
            if parent is not None:
                rdns = parse_rdns(first)
                if len(rdns) == 1:
                    return rdns[0], parent
        dn = self._views.resolve(text)[0]
        above_it = dn.parent
        if above_it is None:
            raise ValueError("the root")
        return dn.rdns[0], above_it

    def _parent(self, text: str) -> DN | None:
        try:
            parent = self._views.resolve(text)[0]
        except Refusal:
            return None
        if len(self._parents) >= _PARENTS:
            self._parents.clear()
        self._parents[text] = parent
        return parent

    def _made_the_long_way(
        self, leaf: RDN, parent: DN, attributes: Attributes, learn: Signature | None = None
    ) -> Made | None:
        """As `Edits.add` makes it; of the first one of a form a mould is taken."""
        schema = self._schema
        dn = DN((leaf, *parent.rdns))
        try:
            new = arriving(attributes, schema, self._views)
            if new.password is not None or any(schema.is_secret(schema.key(name)) for name, _ in new.kept):
                return None
            entry_id = new.id or self._new_id()
            entry = new_entry(dn, new.kept, schema, entry_id, self._stamp, self._by)
        except Refusal:
            return None
        if entry.text(STRUCTURAL_KEY) in self._meant:
            return None
        if learn is not None:
            self._learn(learn, entry, attributes)
        terms = sorted(self._postings.of(entry))
        return Made(
            entry_id,
            dn.key,
            dn.text,
            bodies.encode(entry.attributes),
            (_NOTHING_SHARED, *[part for term in terms for part in term]),
            _NOTHING_SHARED,
            (),
            new.owner.key if new.owner is not None else None,
            account_class_of(entry),
            is_global_user(entry),
            new.id is not None,
        )

    def _learn(self, signature: Signature, entry: Entry, attributes: Attributes) -> None:
        if len(self._moulds) >= _MOULDS:
            self._moulds.clear()
        try:
            mould = Mould(entry, attributes, signature[2], self._schema, self._postings, self._names)
        except ValueError:
            self._moulds[signature] = None
        else:
            self._moulds[signature] = mould

    def _signature(self, attributes: Attributes, naming: str) -> Signature | None:
        """The form of an entry; None: it has no object class."""
        names = tuple([description for description, _ in attributes])
        at = self._classes_at.get(names)
        if at is None:
            keys = [self._schema.known_key(description) for description in names]
            if OBJECT_CLASS_KEY not in keys:
                return None
            if len(self._classes_at) >= _MOULDS:
                self._classes_at.clear()
            at = self._classes_at[names] = keys.index(OBJECT_CLASS_KEY)
        return names, tuple(attributes[at][1]), naming


class _Gathering:
    """A run that grows."""

    def __init__(self, line: int, caster: Caster) -> None:
        self.run = Run(line, line)
        self._caster = caster
        self._rows: dict[str, int] = {}
        """Row by DN key."""
        self._users: dict[str, Known] = {}
        self._above: dict[str, int] = {}
        self._owners: dict[str, int] = {}

    def take(self, made: Made, parent: str, line: int) -> bool:
        """Add an entry below `parent`; False: it does not go with those that are here."""
        if made.key in self._rows:
            return False
        inclusion: tuple[Made, str] | None = None
        if made.owner is not None:
            if made.account_class is None:
                return False
            user = self._users.get(made.owner)
            if user is not None:
                account = (made.id, made.name, made.key)
                inclusion = self._caster.inclusion(user, account, made.account_class)
                if inclusion is None:
                    return False
            elif made.owner in self._rows:
                return False
            else:
                owner = index_in(self.run.owners, self._owners, made.owner)
                self.run.owned.append((len(self.run.arrivals.rows), made.account_class, owner))
        self._append(made, parent)
        if made.is_user:
            self._users[made.key] = (made.id, made.name, made.key)
        if inclusion is not None:
            self._append(*inclusion)
        self.run.count += 1
        self.run.last = line
        return True

    def _append(self, made: Made, parent: str) -> None:
        arrivals = self.run.arrivals
        row = self._rows.get(parent)
        self._rows[made.key] = len(arrivals.rows)
        append(arrivals, made, row if row is not None else ~index_in(arrivals.above, self._above, parent))


def append(arrivals: Arrivals, made: Made, parent: int) -> None:
    """One more new row; `parent` as in a NewRow."""
    arrivals.rows.append((made.id, made.key, parent, made.name, made.body))
    arrivals.found.append(made.found)
    arrivals.shared[made.number] = made.shared
    arrivals.given_ids = arrivals.given_ids or made.id_given


def index_in(keys: list[str], places: dict[str, int], key: str) -> int:
    """Where a key stands in a list, at the end of which it is put when it is new; `places` remembers."""
    place = places.get(key)
    if place is None:
        place = places[key] = len(keys)
        keys.append(key)
    return place


def _given_id(values: Sequence[bytes]) -> EntryId | None:
    return EntryId(one_text("eTID", values).lower()) or None
