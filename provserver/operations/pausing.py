"""An endpoint that an administrator pauses, or has go on: an ordinary change of its entry, that the journal
tells of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provserver.directory.entries import Entry
from provserver.imps.endpoints import leaf_value
from provserver.journal.events import Event, event
from provserver.storage.contract import JournalEvent

PAUSED: Final = "provPaused"
PAUSED_KEY: Final = PAUSED.lower()


def is_paused(endpoint: Entry | None) -> bool:
    """Whether an entry says that the endpoint is paused; None: there is no entry."""
    return endpoint is not None and endpoint.text(PAUSED_KEY).upper() == "TRUE"


def pausing(endpoint: Entry, at: float, who: Mapping[str, str]) -> JournalEvent:
    """What its entry says now: paused, or resumed. `who`: `by`, and what else is known."""
    paused = is_paused(endpoint)
    kind, verb = (Event.ENDPOINT_PAUSED, "paused") if paused else (Event.ENDPOINT_RESUMED, "resumed")
    text = f"Endpoint '{leaf_value(endpoint.dn)}' {verb} by {who['by']}"
    return event(at, kind, text, {**who, "endpoint": str(endpoint.dn)})
