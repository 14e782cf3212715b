"""What couriers carry: a parcel per delivery, the newest change per user, and the count of first attempts.

All of it is memory of this process; what must survive is in the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred

from provserver.connectors.contract import Account
from provserver.delivery.events import Outcome
from provserver.directory.entries import EntryId
from provserver.imps.endpoints import Endpoint
from provserver.storage.contract import ChangeId, Delivery, DeliveryState
from provserver.vault.secret import Secret


class Newest:
    """The newest change of one user that this process knows, kept while any parcel of that user is out."""

    __slots__ = ("change", "parcels")

    def __init__(self, change: ChangeId) -> None:
        self.change = change
        self.parcels = 0


@dataclass(slots=True)
class FirstAttempts:
    """How the deliveries of one change stand; the counts go on changing as attempts end.

    `pending` counts what is neither updated nor failed, `running` the first attempts that have not ended yet.
    """

    updated: int = 0
    failed: int = 0
    pending: int = 0
    running: int = 0
    failed_at: tuple[EntryId, ...] = ()
    """The endpoints of those that failed."""
    _ended: Deferred[None] | None = field(default=None, repr=False)

    def ended(self) -> Deferred[None]:
        """Fires when no first attempt is running any more. For one waiter."""
        done = self._ended = Deferred()
        if not self.running:
            self._ended = None
            done.callback(None)
        return done

    def stop_waiting(self) -> None:
        self._ended = None

    def count(self, state: DeliveryState, endpoint: EntryId) -> None:
        """A first attempt has ended in this state. What is retried, or gave way to a newer change, stays
        pending."""
        self.running -= 1
        if state is DeliveryState.UPDATED or state is DeliveryState.UNVERIFIED:
            self.updated += 1
            self.pending -= 1
        elif state is DeliveryState.FAILED or state is DeliveryState.HELD:
            self.failed += 1
            self.failed_at += (endpoint,)
            self.pending -= 1
        if not self.running and self._ended is not None:
            done, self._ended = self._ended, None
            done.callback(None)


InHand = tuple[Endpoint, Account, Secret]
"""Endpoint, account and password as the exchange has them at its commit. Let go of at once when a parcel
has to wait."""


class Parcel:
    """A delivery on its way."""

    __slots__ = ("delivery", "first", "known", "maybe_set", "newest")

    def __init__(
        self,
        delivery: Delivery,
        newest: Newest,
        first: FirstAttempts | None = None,
        known: InHand | None = None,
    ) -> None:
        self.delivery = delivery
        self.newest = newest
        self.first = first
        self.known = known
        """What the exchange has in hand; None: to be read, and unsealed, when its turn comes."""
        self.maybe_set = delivery.event in (Outcome.OUTCOME_UNKNOWN, Outcome.RESTORED)
        """An earlier attempt may have set this password."""

    @property
    def superseded(self) -> bool:
        """A newer change of the user was committed: this password must not be sent any more."""
        return self.newest.change != self.delivery.change
