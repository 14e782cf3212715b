"""How far passwords have come: of each account, and of all accounts of a global user.

Made when somebody reads the entry, from the outbox and from how the last delivery ended; nothing of it is in
the entry, so no delivery makes a new version of one. It is for whoever may read the entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from provserver.delivery.events import MEANINGS, Outcome
from provserver.directory.computed import (
    ACCOUNT_STATUS_KEY,
    ATTEMPTS_KEY,
    DELIVERY_STATE_KEY,
    DUE_KEY,
    LAST_DELIVERY_KEY,
    LAST_ERROR_KEY,
    LAST_EVENT_KEY,
    OF_ACCOUNT,
)
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.schema import Schema
from provserver.imps.endpoints import Endpoints, leaf_value
from provserver.imps.inclusions import Inclusions, account_class_of
from provserver.imps.users import is_global_user
from provserver.operations.edits import Rooms
from provserver.passwords.explaining import Json, utc
from provserver.passwords.stamps import stamp
from provserver.records import record
from provserver.storage.contract import DeliveryState, Store

NEVER: Final = "never"
"""The state of an account to which no password was ever sent."""
_SHOWN: Final[Mapping[DeliveryState, str]] = {
    DeliveryState.PENDING: "pending",
    DeliveryState.CLAIMED: "pending",
    DeliveryState.RETRYING: "retrying",
    DeliveryState.HELD: "held",
    DeliveryState.UPDATED: "updated",
    DeliveryState.UNVERIFIED: "unverified",
    DeliveryState.FAILED: "failed",
    DeliveryState.CANCELLED: "cancelled",
}
STATES: Final = tuple(dict.fromkeys([*_SHOWN.values(), NEVER]))
"""All that `provDeliveryState` may say."""
UNDELIVERED: Final = ("held", "failed", "cancelled")
"""States in which an account does not have the password and, unless somebody acts, will not get it."""


@record
class Status:
    """How the newest delivery to an account stands."""

    state: str
    """One of STATES."""
    at: float | None
    """When a delivery last ended; of a held one, since when it is held."""
    event: int
    """0: there is none yet."""
    text: str
    """What stands in the way; empty: nothing does."""
    due: float | None = None
    """When it is tried next, if it waits."""
    attempts: int | None = None
    """Of a delivery in the outbox: attempts that have ended."""


class Statuses:
    """Knows them. Asks the store each time."""

    def __init__(self, store: Store, inclusions: Inclusions, endpoints: Endpoints, schema: Schema) -> None:
        self._store = store
        self._inclusions = inclusions
        self._endpoints = endpoints
        self._schema = schema

    @classmethod
    def of(cls, rooms: Rooms) -> Statuses:
        return cls(rooms.store, rooms.inclusions, Endpoints(rooms.store, rooms.views.domain), rooms.schema)

    async def of_account(self, account: EntryId) -> Status:
        """Of the newest row in the outbox, else of the delivery that ended last."""
        rows = await self._store.deliveries(account=account)
        last = await self._store.status(account)
        if not rows:
            if last is None:
                return Status(NEVER, None, 0, "")
            return Status(
                _SHOWN[last.state], last.at, last.event, told(last.event, last.text, good=last.good)
            )
        row = rows[-1]
        held = row.state is DeliveryState.HELD
        return Status(
            _SHOWN[row.state],
            row.due if held else last.at if last is not None else None,
            row.event,
            told(row.event, row.text),
            None if held or row.state is DeliveryState.CLAIMED else row.due,
            row.attempts,
        )

    async def of_user(self, user: Entry) -> list[dict[str, Json]]:
        """Of each of a global user's accounts, in the order of their names: as JSON has it
        (docs/operate-it.md).
        """
        found: list[dict[str, Json]] = []
        for account in await self._inclusions.accounts(user):
            endpoint = await self._endpoints.of_account(account.dn)
            status = await self.of_account(account.id)
            found.append(
                {
                    "account": leaf_value(account.dn) if endpoint is None else endpoint.account_name(account),
                    "dn": str(account.dn),
                    "endpoint": None if endpoint is None else f"{endpoint.namespace}:{endpoint.name}",
                    "state": status.state,
                    "at": None if status.at is None else utc(status.at),
                    "event": status.event or None,
                    "text": status.text or None,
                    "due": None if status.due is None else utc(status.due),
                    "attempts": status.attempts,
                }
            )
        return found

    async def about(self, entry: Entry, keys: Sequence[str]) -> list[Attribute]:
        """Those of `computed.OF_DELIVERIES` that were asked for and that this entry has."""
        if not keys:
            return []
        if account_class_of(entry) is not None:
            if any(key in OF_ACCOUNT for key in keys):
                return self._shown(keys, _attributes(await self.of_account(entry.id)))
        elif ACCOUNT_STATUS_KEY in keys and is_global_user(entry):
            values = [json.dumps(one, ensure_ascii=False) for one in await self.of_user(entry)]
            return self._shown(keys, {ACCOUNT_STATUS_KEY: values})
        return []

    def _shown(self, keys: Iterable[str], made: Mapping[str, Sequence[str]]) -> list[Attribute]:
        return [
            Attribute(self._schema.shown(key), tuple([value.encode() for value in made[key]]))
            for key in keys
            if made.get(key)
        ]


def told(event: int, text: str, *, good: bool = False) -> str:
    """The sentence about an attempt: what was written down, else what its event means; empty when the
    password is there.
    """
    if good and event != Outcome.UNVERIFIED:
        return ""
    if text or not event:
        return text
    try:
        return MEANINGS[Outcome(event)].text
    except ValueError:
        return f"Event {event}."


def _attributes(status: Status) -> dict[str, list[str]]:
    made = {DELIVERY_STATE_KEY: [status.state]}
    if status.at is not None:
        made[LAST_DELIVERY_KEY] = [stamp(status.at)]
    if status.event:
        made[LAST_EVENT_KEY] = [str(status.event)]
    if status.text:
        made[LAST_ERROR_KEY] = [status.text]
    if status.due is not None:
        made[DUE_KEY] = [stamp(status.due)]
    if status.attempts is not None:
        made[ATTEMPTS_KEY] = [str(status.attempts)]
    return made
