"""`cn=outbox,cn=monitor`: an entry for each delivery that is under way. Its password is not in it, sealed or
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.filters import Filter
from provserver.operations.edits import Rooms
from provserver.operations.monitoring.branches import Page, asserted
from provserver.operations.statuses import told
from provserver.operations.subschema import made
from provserver.passwords.stamps import stamp
from provserver.storage.contract import Delivery, DeliveryId, DeliveryState

OUTBOX: Final = DN.parse("cn=outbox,cn=monitor")
DELIVERY: Final = "provDelivery"
_ID: Final = "outbox/"
_PAGE: Final = 256
_OPEN: Final = {
    state.value: state
    for state in (
        DeliveryState.PENDING,
        DeliveryState.CLAIMED,
        DeliveryState.RETRYING,
        DeliveryState.HELD,
    )
}
"""States of rows in the outbox, by name."""


class Deliveries:
    """The outbox as a branch of the monitor."""

    def __init__(self, rooms: Rooms) -> None:
        self.dn: Final = OUTBOX
        self._rooms = rooms
        self._store = rooms.store

    async def entry(self) -> Entry:
        size = await self._store.outbox_size()
        attributes = {
            "objectClass": ["top", "extensibleObject"],
            "cn": ["outbox"],
            "provOutboxSize": [str(size)],
            "hasSubordinates": ["TRUE" if size else "FALSE"],
        }
        return made(OUTBOX, attributes, _ID)

    async def child(self, name: str) -> Entry | None:
        row = await self._store.delivery(DeliveryId(name))
        return await self._entry(row) if row is not None else None

    async def again(self, id: str) -> Entry | None:
        return await self.child(id.removeprefix(_ID)) if id.startswith(_ID) else None

    async def page(self, after: int, wanted: Filter) -> Page:
        """An account, an endpoint or a state that the filter demands is what the store is asked for."""
        demanded = asserted(wanted, self._rooms.schema)
        if "provoutboxaccount" in demanded:
            account = await self._id_of(demanded["provoutboxaccount"])
            rows = await self._store.deliveries(account=account) if account is not None else ()
            return None, await self._entries(rows)
        state: DeliveryState | None = None
        endpoint: EntryId | None = None
        if "provoutboxstate" in demanded:
            state = _OPEN.get(demanded["provoutboxstate"].strip().lower())
            if state is None:
                return None, ()
        if "provoutboxendpoint" in demanded:
            endpoint = await self._id_of(demanded["provoutboxendpoint"])
            if endpoint is None:
                return None, ()
        numbered = await self._store.outbox(after, _PAGE, endpoint=endpoint, state=state)
        following = numbered[-1][0] if len(numbered) == _PAGE else None
        return following, await self._entries([row for _, row in numbered])

    async def _id_of(self, name: str) -> EntryId | None:
        try:
            entry = await self._store.read(DN.parse(name))
        except ValueError:
            return None
        return entry.id if entry is not None else None

    async def _entries(self, rows: Sequence[Delivery]) -> list[Entry]:
        return [await self._entry(row) for row in rows]

    async def _entry(self, row: Delivery) -> Entry:
        """Whoever is gone from the tree is left out."""
        names = await self._names(row)
        text = told(row.event, row.text)
        attributes: Mapping[str, Sequence[str]] = {
            "objectClass": ["top", "extensibleObject"],
            DELIVERY: [row.id],
            **{name: [str(dn)] for name, dn in names.items()},
            "provOutboxState": [row.state.value],
            "provOutboxAttempts": [str(row.attempts)],
            "provOutboxCreated": [stamp(row.created)],
            "provOutboxDue": [stamp(row.due)],
            "provOutboxEvent": [str(row.event)] if row.event else [],
            "provOutboxText": [text] if text else [],
            "provOutboxChange": [row.change],
            "hasSubordinates": ["FALSE"],
        }
        return made(OUTBOX.child(DELIVERY, row.id), attributes, _ID + row.id)

    async def _names(self, row: Delivery) -> dict[str, DN]:
        store = self._store
        account = await store.read_id(row.account)
        endpoint = await store.read_id(row.endpoint)
        user = await store.read_id(row.user)
        if account is not None and row.user == row.account:  # an account that was reset alone
            user = await self._rooms.inclusions.owner(account)
        found = {
            "provOutboxUser": user,
            "provOutboxAccount": account,
            "provOutboxEndpoint": endpoint,
        }
        return {name: entry.dn for name, entry in found.items() if entry is not None}
