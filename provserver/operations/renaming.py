"""An entry, and all that is below it, under another name: what one rename changes, as one commit.

Who refers to a renamed entry by name keeps doing so: DN values of indexed attributes follow, in whatever
entry they are (the names in inclusions, `eTRoleDN`, `provAgentScope`). Others are left as they are, because
only a walk over the whole tree would find them. Associations need none of this, they are by eTID; and nothing
is renamed at an endpoint. Source: RFC 4511 4.9; what follows, and how far, is ours (docs/decisions/0008).
"""

from __future__ import annotations

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN, RDN, InvalidName
from provserver.directory.nametext import DEPTH_LIMIT, LENGTH_LIMIT
from provserver.directory.renaming import renamed
from provserver.directory.schema import Schema
from provserver.directory.tree import MODIFIED_KEY, MODIFIER_KEY
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Rooms
from provserver.operations.placement import demand_place
from provserver.operations.subtrees import demand_few, subtree
from provserver.storage.contract import Commit, Move, Put, Store, Write


async def renaming(rooms: Rooms, by: str, dn: DN, rdn: RDN, superior: DN, *, delete_old: bool) -> Commit:
    """The commit that names an entry `rdn` below `superior`, with all that is below it, and brings along who
    refers to them.

    Refusals: NO_SUCH_OBJECT, ADMIN_LIMIT_EXCEEDED; those of `placement` and of `directory.renaming`. What
    the store refuses (a name in use, a place below itself) shows when it is committed.
    """
    store, schema = rooms.store, rooms.schema
    at = rooms.wall()
    entry, above = await _existing(store, dn), await _existing(store, superior)
    change = _Renaming(entry.dn, DN((rdn, *above.dn.rdns)), schema, rooms.stamp(at), by)
    demand_place(entry, change.new, rooms.views.domain)
    changed = renamed(entry, change.new, schema, rooms.stamp(at), by, delete_old=delete_old)
    carried, referring = 0, dict[EntryId, None]()
    async for one in subtree(store, entry.dn):
        carried += one.id != entry.id
        change.name_of(one)
        for key in change.followed:
            referring.update(dict.fromkeys(await store.find(key, one.dn.text.encode())))
        demand_few(1 + carried + len(referring))
    referring.pop(entry.id, None)
    writes: list[Write] = [Move(change.redirected(changed), entry.version, carried)]
    for entry_id in referring:
        other = await store.read_id(entry_id)
        if other is not None:
            writes.append(change.of_follower(other))
    return Commit(at=at, by=by, writes=tuple(writes))


def one_rdn(text: str) -> RDN:
    """The new name that a rename asks for. Refusal INVALID_DN_SYNTAX."""
    try:
        rdns = DN.parse(text).rdns
    except InvalidName as error:
        raise Refusal(ResultCode.INVALID_DN_SYNTAX, f"not a relative distinguished name: {error}") from None
    if len(rdns) != 1:
        raise Refusal(ResultCode.INVALID_DN_SYNTAX, "newrdn: expected a name of one level")
    return rdns[0]


async def _existing(store: Store, dn: DN) -> Entry:
    entry = await store.read(dn)
    if entry is None:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{dn}' does not exist")
    return entry


class _Renaming:
    """One name that becomes another, and what that means for entries below it and elsewhere."""

    def __init__(self, old: DN, new: DN, schema: Schema, stamp: str, by: str) -> None:
        self.old = old
        self.new = new
        self._marks = {
            MODIFIED_KEY: Attribute("modifyTimestamp", (stamp.encode(),)),
            MODIFIER_KEY: Attribute("modifiersName", (by.encode(),)),
        }
        self.followed = frozenset(
            key for key in schema.indexed if schema.is_name_valued(key) and not schema.is_operational(key)
        )
        """Keys of the attributes whose values follow."""

    def name_of(self, entry: Entry) -> DN:
        """The name that an entry has afterwards. Refusal NAMING_VIOLATION: it would be too long."""
        if not entry.dn.is_within(self.old):
            return entry.dn
        name = entry.dn.relocate(self.old, self.new)
        if name.depth > DEPTH_LIMIT or len(name.text) > LENGTH_LIMIT:
            raise Refusal(
                ResultCode.NAMING_VIOLATION,
                f"'{entry.dn}' would have too long a name: "
                f"expected at most {DEPTH_LIMIT} levels and {LENGTH_LIMIT} characters",
            )
        return name

    def of_follower(self, entry: Entry) -> Put:
        """The write of an entry that refers to a renamed one; it comes after the Move."""
        name = self.name_of(entry)
        moved = entry.dn.is_within(self.old)
        attributes = {**self.redirected(entry).attributes, **self._marks}
        expected = entry.version + moved
        return Put(Entry(entry.id, name, attributes, expected), expected)

    def redirected(self, entry: Entry) -> Entry:
        """The entry with its values following."""
        attributes = dict(entry.attributes)
        for key, (description, values) in entry.attributes.items():
            if key.partition(";")[0] in self.followed:
                attributes[key] = Attribute(description, self._redirected(values))
        return Entry(entry.id, entry.dn, attributes, entry.version)

    def _redirected(self, values: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Each name once: both the old and the new one may have been among them."""
        found: dict[str | bytes, bytes] = {}
        for value in values:
            try:
                name = DN.parse(value.decode())
            except (InvalidName, UnicodeDecodeError):
                found[value] = value
                continue
            if name.is_within(self.old):
                name = name.relocate(self.old, self.new)
                value = name.text.encode()
            found.setdefault(name.key, value)
        return tuple(found.values())
