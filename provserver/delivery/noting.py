"""Journal lines about deliveries that end, or are held, without an attempt."""

from __future__ import annotations

from provserver.delivery.events import Outcome, sentence
from provserver.storage.contract import Delivery, DeliveryState, JournalEvent


def line_of(delivery: Delivery, outcome: Outcome, state: DeliveryState, at: float) -> JournalEvent:
    """What happened to it, and where it stands now."""
    fields = {
        "user": delivery.user,
        "account": delivery.account,
        "endpoint": delivery.endpoint,
        "change": delivery.change,
        "delivery": delivery.id,
        "state": state.value,
    }
    return JournalEvent(at, int(outcome), sentence(outcome), fields)
