"""What is asked of an exploration."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Flag, auto
from typing import Final

from provserver.records import record


class Action(Flag):
    """Parts of an exploration, as the trigger attributes name them (KB 50746)."""

    NONE = 0
    EXPLORE = auto()
    """`eTExploreUpdateEtrust`: the accounts of the endpoint become the accounts here."""
    CORRELATE = auto()
    """`eTExploreCorrelateUsers`: accounts that are nobody's are joined to their global users."""
    CREATE = auto()
    """`eTExploreCreateUsers`: users are made for those that no user is found for; implies the other two."""
    UPDATE = auto()
    """`eTExploreUpdateUsers`: users take over what their accounts say of them."""


BY_TRIGGER: Final = {
    "explore": Action.EXPLORE,
    "correlate": Action.CORRELATE,
    "create-users": Action.CREATE,
    "update-users": Action.UPDATE,
}
"""By what the schema says that an attribute triggers (X-PROV-TRIGGER)."""


def actions_of(triggers: Iterable[str]) -> Action:
    """All of them together, with what they imply. ValueError: one is no part of an exploration."""
    actions = Action.NONE
    for trigger in triggers:
        if trigger not in BY_TRIGGER:
            raise ValueError(f"expected {', '.join(BY_TRIGGER)}, got {trigger!r}")
        actions |= BY_TRIGGER[trigger]
    if Action.CREATE in actions:
        actions |= Action.EXPLORE | Action.CORRELATE
    return actions


@record
class Wish:
    """`dry_run`: nothing is written, and what would be is told."""

    actions: Action
    dry_run: bool = False
