"""What the journal records: the closed list of events about exchanges, with their ids.

Deliveries have events of their own (`delivery.events`). Ids 6903-6928 are those of seed 003 where the
meaning is the same; ours begin at 8000.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from provserver.storage.contract import JournalEvent


class Event(IntEnum):
    TEST_PASSED = 8001
    TEST_REFUSED = 8002
    SYNC_ACCEPTED = 8010
    SYNC_REFUSED = 8011
    ECHO = 8012
    GUARD_CLEARED = 8013
    USER_CHANGED = 8020
    USER_CHANGE_REFUSED = 8021
    ACCOUNT_RESET = 8022
    ACCOUNT_RESET_REFUSED = 8023
    USER_RESET = 8024
    USER_RESET_REFUSED = 8025
    HASHED_ANEW = 8026
    DELIVERIES_CANCELLED = 8030
    TREE_CHANGED = 8040
    EXTERNAL_POLICY_SILENT = 8050


def event(at: float, kind: Event, text: str, fields: Mapping[str, str]) -> JournalEvent:
    """A journal line: a sentence for people, fields for machines."""
    return JournalEvent(at, int(kind), text, fields)
