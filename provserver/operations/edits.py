"""Changes to the tree, gathered over the store until they are committed together.

One `Edits` is one commit: an LDAP add, modify or delete has a single edit in it, an LDIF load has many, and
later ones see earlier ones. What makes the tree an IMPS happens here, so that it is the same however an
entry comes: `provGlobalUser` becomes the inclusion entry, `eTPassword` becomes a hash, `provSecret` is
sealed, DN values are stored ending in the domain.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import modified, new_entry
from provserver.imps.inclusions import (
    SHORTHAND_KEY,
    SUBORDINATE_KEY,
    SUPERIOR_KEY,
    Inclusions,
    account_class_of,
)
from provserver.imps.users import is_global_user
from provserver.imps.views import Views
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.arriving import PASSWORD_KEY, arriving, inside, one_password
from provserver.operations.meanings import Meanings, demand_sense
from provserver.operations.pausing import is_paused, pausing
from provserver.operations.subtrees import demand_few, subtree
from provserver.passwords.credentials import Credentials, NewPassword, with_credentials
from provserver.passwords.encoded import NotTaken
from provserver.storage.contract import Commit, JournalEvent, Put, Remove, Store
from provserver.vault.keyring import KeyRing
from provserver.vault.sealing import Seal
from provserver.vault.secret import Secret

ENDPOINT_SECRET_KEY: Final = "provsecret"

Change = tuple[int, str, Sequence[bytes]]
"""(kind as in RFC 4511 4.6, description, values)."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What edits need from the rest of the house."""

    store: Store
    schema: Schema
    views: Views
    inclusions: Inclusions
    seal: Seal
    keys: KeyRing
    new_password: NewPassword
    new_id: Callable[[], EntryId]
    wall: Callable[[], float]
    stamp: Callable[[float], str]
    """Wall-clock seconds to generalized time."""
    meanings: Meanings


class Edits:
    """Edits of one commit, by one author."""

    def __init__(self, rooms: Rooms, by: str) -> None:
        self._rooms = rooms
        self._by = by
        self._at = rooms.wall()
        self._stamp = rooms.stamp(self._at)
        self._writes: dict[str, Put | Remove] = {}
        self._ids: dict[EntryId, str] = {}
        self._journal: list[JournalEvent] = []

    def __len__(self) -> int:
        return len(self._writes)

    async def read(self, dn: DN) -> Entry | None:
        """The entry as it will be after the edits so far."""
        edit = self._writes.get(dn.key)
        if edit is None:
            return await self._rooms.store.read(dn)
        return edit.entry if isinstance(edit, Put) else None

    async def add(self, dn: DN, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> Entry:
        """Add an entry; Refusal as RFC 4511 4.7."""
        if await self.read(dn) is not None:
            raise Refusal(ResultCode.ENTRY_ALREADY_EXISTS, f"'{dn}' exists already")
        parent = dn.parent
        if dn != self._rooms.views.domain and (parent is None or await self.read(parent) is None):
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{dn}' cannot be added: its parent does not exist")
        schema = self._rooms.schema
        new = arriving(attributes, schema, self._rooms.views)
        entry_id = new.id or self._rooms.new_id()
        kept = [(d, await self._sealed(entry_id, d, v)) for d, v in new.kept]
        entry = new_entry(dn, kept, schema, entry_id, self._stamp, self._by)
        if new.password is not None:
            given = [schema.key(description) for description, _ in kept]
            entry = await self._with_password(entry, new.password, given)
        demand_sense(entry, self._rooms.meanings)
        inclusion = await self._inclusion(new.owner, entry) if new.owner is not None else None
        self._put(entry, 0)
        if inclusion is not None:
            self._put(inclusion, 0)
        return entry

    async def modify(self, dn: DN, changes: Sequence[Change]) -> Entry:
        """Change an entry; Refusal as RFC 4511 4.6."""
        entry = await self._existing(dn)
        schema = self._rooms.schema
        prepared: list[Change] = []
        password: Secret | None = None
        for kind, description, values in changes:
            key = schema.key(description)
            if key == PASSWORD_KEY:
                password = one_password(description, values)
                continue
            if key == SHORTHAND_KEY:
                raise Refusal(
                    ResultCode.UNWILLING_TO_PERFORM,
                    f"{description} is shorthand for an inclusion and is taken only when an account is added",
                )
            ours = inside(description, values, schema, self._rooms.views)
            prepared.append((kind, description, await self._sealed(entry.id, description, ours)))
        changed = modified(entry, prepared, schema, self._stamp, self._by) if prepared else entry
        if password is not None:
            given = [schema.key(description) for _, description, _ in prepared]
            changed = await self._with_password(changed, password, given)
        demand_sense(changed, self._rooms.meanings, entry)
        self._put(changed, entry.version)
        return changed

    def pausing(self, before: Entry | None, after: Entry, who: Callable[[], Mapping[str, str]]) -> None:
        """Have the journal told by `who` an endpoint was paused or resumed, if it was."""
        if is_paused(before) is not is_paused(after):
            self._journal.append(pausing(after, self._at, who()))

    async def delete_tree(self, dn: DN) -> None:
        """Delete an entry and all below it, with the inclusions of each. Refusal ADMIN_LIMIT_EXCEEDED."""
        await self._existing(dn)
        added = [edit.entry.dn for edit in self._writes.values() if isinstance(edit, Put)]
        doomed = {name.key: name for name in added if name.is_within(dn)}
        async for entry in subtree(self._rooms.store, dn):
            doomed[entry.dn.key] = entry.dn
            demand_few(len(doomed))
        for key in sorted(doomed, reverse=True):  # children first
            if await self.read(doomed[key]) is not None:
                await self.delete(doomed[key])
                demand_few(len(self._writes))

    async def delete(self, dn: DN) -> None:
        """Delete a leaf entry, and with a global user or an account its inclusions."""
        entry = await self._existing(dn)
        for key in (SUPERIOR_KEY, SUBORDINATE_KEY):
            for inclusion_id in await self._rooms.store.find(key, entry.id.encode()):
                inclusion = await self._rooms.store.read_id(inclusion_id)
                if inclusion is not None and inclusion.dn.key not in self._writes:
                    self._writes[inclusion.dn.key] = Remove(inclusion.id, inclusion.dn, inclusion.version)
        known = self._writes.pop(dn.key, None)  # it goes after what was below it
        if not (isinstance(known, Put) and known.expected == 0):
            self._writes[dn.key] = Remove(entry.id, entry.dn, entry.version)

    def commit(self, journal: Sequence[JournalEvent] = ()) -> Commit:
        """The edits as one commit."""
        told = (*self._journal, *journal)
        return Commit(at=self._at, by=self._by, writes=tuple(self._writes.values()), journal=told)

    async def _existing(self, dn: DN) -> Entry:
        entry = await self.read(dn)
        if entry is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{dn}' does not exist")
        return entry

    def _put(self, entry: Entry, expected: int) -> None:
        known = self._writes.get(entry.dn.key)
        if isinstance(known, Put):
            expected = known.expected
        self._writes[entry.dn.key] = Put(entry, expected)

    async def _sealed(self, entry_id: EntryId, description: str, values: Sequence[bytes]) -> Sequence[bytes]:
        """`provSecret: key=value` with the value sealed for this entry; other attributes as they are."""
        key = self._rooms.schema.key(description)
        if key != ENDPOINT_SECRET_KEY:
            if self._rooms.schema.is_secret(key) and values:
                raise Refusal(ResultCode.UNWILLING_TO_PERFORM, f"{description} cannot be written")
            return values
        sealed = []
        for value in values:
            name, separator, secret = value.partition(b"=")
            if not separator or not name.strip():
                raise Refusal(ResultCode.INVALID_ATTRIBUTE_SYNTAX, f"{description}: expected key=value")
            box = self._rooms.seal.seal(Secret(secret), entry_id.encode())
            sealed.append(name.strip() + b"=" + base64.b64encode(box))
        return sealed

    async def _with_password(self, entry: Entry, password: Secret, given: Container[str]) -> Entry:
        """A password that an administrator loads: hashed, and not judged by the profile (as in a repository
        load). What is given beside it stays as it is: the day on which it expires.
        """
        if not is_global_user(entry):
            raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, "eTPassword can be stored on global users only")
        credentials = Credentials.of(entry, self._rooms.keys)
        try:
            new = await self._rooms.new_password(credentials, password, self._at)
        except NotTaken as refused:
            raise Refusal(refused.code, f"eTPassword: {refused}") from None
        kept = {key: attribute for key, attribute in new.items() if key not in given}
        return Entry(entry.id, entry.dn, with_credentials(entry, kept), entry.version)

    async def _inclusion(self, owner: DN, account: Entry) -> Entry:
        if account_class_of(account) is None:
            raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, "provGlobalUser can be set on accounts only")
        user = await self.read(owner)
        if user is None or not is_global_user(user):
            raise Refusal(
                ResultCode.CONSTRAINT_VIOLATION, f"provGlobalUser: there is no global user '{owner}'"
            )
        dn, attributes = self._rooms.inclusions.attributes(user, account)
        return new_entry(dn, attributes, self._rooms.schema, self._rooms.new_id(), self._stamp, self._by)
