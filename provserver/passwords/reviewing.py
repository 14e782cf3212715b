"""What is held because the store came from a backup, beside what is known of its accounts now: for a person
who decides which of these passwords are still to be sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from provserver.delivery.events import Outcome
from provserver.directory.entries import EntryId
from provserver.imps.endpoints import leaf_value
from provserver.imps.inclusions import Inclusions
from provserver.passwords.credentials import CHANGE, CHANGED
from provserver.passwords.stamps import seconds_of
from provserver.records import record
from provserver.storage.contract import AccountStatus, Delivery, DeliveryState, Store

_PAGE: Final = 200
_CHANGE_KEY: Final = CHANGE.lower()
_CHANGED_KEY: Final = CHANGED.lower()


@record
class Review:
    """One held delivery. Names are DNs, or ids where an entry is gone; times are wall-clock seconds."""

    delivery: Delivery
    account: str
    user: str
    """Empty: the account is correlated to nobody."""
    endpoint: str
    """Its name."""
    last: AccountStatus | None
    """How the last delivery to this account ended."""
    changed: float | None
    """When the global user's password was last changed, if by another change than this one, and later."""


class Reviewing:
    """Joins rows of the outbox and entries of the tree."""

    def __init__(self, store: Store, inclusions: Inclusions) -> None:
        self._store = store
        self._inclusions = inclusions

    def restored(self) -> AsyncIterator[Review]:
        """What a restore has held, oldest first."""
        return _Reviews(self._store, self)

    async def review(self, delivery: Delivery) -> Review:
        """One delivery and what is known now."""
        store = self._store
        account = await store.read_id(delivery.account)
        endpoint = await store.read_id(delivery.endpoint)
        user = await store.read_id(delivery.user)
        if user is not None and user.id == delivery.account:  # a reset of this account alone
            user = await self._inclusions.owner(user)
        changed = None
        if user is not None and user.text(_CHANGE_KEY) != delivery.change:
            at = seconds_of(user.text(_CHANGED_KEY)) if user.values(_CHANGED_KEY) else None
            if at is not None and at > delivery.created:
                changed = at
        return Review(
            delivery,
            str(account.dn) if account is not None else delivery.account,
            str(user.dn) if user is not None else _unless_account(delivery),
            leaf_value(endpoint.dn) if endpoint is not None else delivery.endpoint,
            await store.status(delivery.account),
            changed,
        )


class _Reviews:
    """An asynchronous iterator by hand: the compiled form has no asynchronous generators."""

    def __init__(self, store: Store, reviewing: Reviewing) -> None:
        self._store = store
        self._reviewing = reviewing
        self._after = 0
        self._page: list[Delivery] = []

    def __aiter__(self) -> _Reviews:
        return self

    async def __anext__(self) -> Review:
        while not self._page:
            rows = await self._store.outbox(self._after, _PAGE, state=DeliveryState.HELD)
            if not rows:
                raise StopAsyncIteration
            self._after = rows[-1][0]
            self._page = [row for _, row in reversed(rows) if row.event == Outcome.RESTORED]
        return await self._reviewing.review(self._page.pop())


def _unless_account(delivery: Delivery) -> EntryId | str:
    return delivery.user if delivery.user != delivery.account else ""
