"""The content that a consumer keeps a copy of (RFC 4533 3.2): what belongs to it, and how that is told.

Entries are told as a search would return them, with a Sync State Control. What follows from other entries
(hasSubordinates) is not synchronised (RFC 4533 4.2). Referrals and aliases are entries like others (ours).
"""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.scopes import in_scope
from provserver.imps.views import View, Views
from provserver.ldap.codec import encode_message, encode_search_entry
from provserver.ldap.controls import (
    EntryState,
    NewCookie,
    RefreshDelete,
    RefreshPresent,
    Subentries,
    SyncIdSet,
    SyncInfo,
    SyncState,
    encode_response,
)
from provserver.ldap.filter_encoding import encode_filter
from provserver.ldap.messages import IntermediateResponse, Message, SearchRequest
from provserver.operations.aliases import Region
from provserver.operations.asked import Asked
from provserver.operations.context import House
from provserver.operations.selection import Selection
from provserver.operations.signposts import Seen
from provserver.operations.walking import TreeWalk

_STAMP: Final = "entryCSN"
_STAMPED: Final = frozenset({"+", _STAMP.lower()})
_NAMESPACE: Final = UUID(int=237390618890613785184987807740677441781)
"""The UUID that our OIDs hang from too."""


def uuid_of(entry: EntryId) -> UUID:
    """An entry's id as a syncUUID; an id that is no UUID becomes one, always the same."""
    try:
        found = UUID(entry)
    except ValueError:
        return uuid5(_NAMESPACE, entry)
    return found if str(found) == entry.lower() else uuid5(_NAMESPACE, entry)


class Content:
    """The content of one request, for one identity; makes the messages in which it is told."""

    def __init__(
        self,
        message_id: int,
        request: SearchRequest,
        base: Entry,
        view: View,
        selection: Selection,
        identity: Identity,
        asked: Asked,
        house: House,
    ) -> None:
        subentries = asked.get(Subentries)
        region = Region(base.dn, request.scope)
        # Whether there are any subentries now does not matter: there may be some later.
        seen = Seen(subentries=True)
        self.walk: Final = TreeWalk(request, identity, base, view, (region,), (), subentries, seen, house)
        """Over all of it."""
        self.base: Final = base
        self.identity: Final = identity
        self._message_id = message_id
        self._scope = request.scope
        self._view = view
        self._schema = house.rooms.schema
        self._selection = selection
        self._types_only = request.types_only
        self._stamped = not _STAMPED.isdisjoint([name.lower() for name in request.attributes])
        sought = request.scope, encode_filter(request.filter), request.attributes, request.types_only
        who = identity.role, identity.id, identity.dn, identity.scope
        self.key: Final = repr((base.dn.key, view, subentries, sought, who)).encode()
        """The same for the same content, and for no other."""

    def shows(self, dn: DN) -> bool:
        """Whether an entry of this name may belong to it."""
        return in_scope(dn, self.base.dn, self._scope) and may_read(self.identity, dn)

    def holds(self, entry: Entry) -> bool:
        """Whether this entry belongs to it."""
        return self.walk.finds(entry)

    def present(self, entry: Entry, state: EntryState, stamp: bytes) -> bytes:
        """That an entry belongs to it, as it is. `stamp` is its entryCSN, sent if that was asked for."""
        attributes = [one for one in self._selection.of(entry, self._view) if self._is_sound(one)]
        if self._stamped:
            attributes.append(Attribute(_STAMP, (stamp,)))
        if self._types_only:
            attributes = [attribute._replace(values=()) for attribute in attributes]
        control = encode_response(SyncState(state, uuid_of(entry.id)))
        return encode_search_entry(
            self._message_id, Views.render(entry.dn, self._view), attributes, (control,)
        )

    def deleted(self, entry: EntryId, dn: DN) -> bytes:
        """That an entry is deleted, and has nothing below it."""
        control = encode_response(SyncState(EntryState.DELETE, uuid_of(entry)))
        return encode_search_entry(self._message_id, Views.render(dn, self._view), (), (control,))

    def absent(self, entry: EntryId, cookie: bytes) -> bytes:
        """That an entry does not belong to it, or no longer; there may be entries below it that do.

        OpenLDAP's consumers can put something in its place only if it is told in this way, and heed it only
        with a cookie that covers the entry's stamp: that of everything before.
        """
        return self.info(SyncIdSet((uuid_of(entry),), cookie, deletes=True))

    def info(self, choice: NewCookie | RefreshDelete | RefreshPresent | SyncIdSet) -> bytes:
        """A Sync Info Message."""
        said = SyncInfo(choice)
        return encode_message(Message(self._message_id, IntermediateResponse(said.oid, said.encode())))

    def _is_sound(self, attribute: Attribute) -> bool:
        """Whether the values are of their type's syntax, which consumers insist on: what the server itself
        notes may be something else (an author that is a command, and so has no DN).
        """
        type = self._schema.attribute(attribute.description)
        if type.operational:
            try:
                for value in attribute.values:
                    type.syntax.check(value)
            except ValueError:
                return False
        return True
