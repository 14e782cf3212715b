"""What must be true after the server was killed again and again, judged from what agents were answered and
what endpoints were sent. Nothing here asks the server, or knows how it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from moody import Taken

IN_FLIGHT: Final = 1.0
"""Seconds that a password may take from the server to an endpoint: it was sent before a newer one was
acknowledged, and is seen after that."""


@dataclass(slots=True)
class Report:
    """A change that an agent reported. Times by the wall clock."""

    user: str
    password: str = field(repr=False)
    ended: float = float("inf")
    """When it was answered, or the line was lost."""
    acknowledged: bool = False
    refusal: str = ""
    """What it was answered with instead; empty, too, when it was not answered."""


def violations(
    reports: Mapping[str, Sequence[Report]],
    accounts: Mapping[str, Sequence[Sequence[Taken]]],
    logs_in: Mapping[str, bool],
) -> list[str]:
    """By user: its reports in their order, the last of which was acknowledged; what each of its accounts had,
    one after the other; and whether it can log in with the last one.
    """
    found: list[str] = []
    for user, mine in reports.items():
        last = mine[-1]
        if not last.acknowledged:
            found.append(f"{user}: its last change was not acknowledged: {last.refusal or 'no answer'}")
            continue
        if not logs_in[user]:
            found.append(f"{user}: cannot log in with its newest password")
        for number, taken in enumerate(accounts[user]):
            found += [f"{user}, account {number}: {fault}" for fault in _of_account(mine, taken)]
    return found


def _of_account(reports: Sequence[Report], taken: Sequence[Taken]) -> list[str]:
    """What is wrong with one account."""
    found = []
    places = {report.password: place for place, report in enumerate(reports)}
    newest = -1
    acknowledged = [(place, report.ended) for place, report in enumerate(reports) if report.acknowledged]
    for one in taken:
        place = places.get(one.password)
        if place is None:
            found.append("was sent a password that nobody reported")
            continue
        report = reports[place]
        if one.sent and report.refusal:
            found.append(f"was sent change {place}, which was refused: {report.refusal}")
        if one.sent and place < newest:
            found.append(f"was sent change {place} after change {newest}")
        if one.sent:  # what it set itself may not be committed yet
            newest = max(newest, place)
        over = [later for later, at in acknowledged if later > place and at + IN_FLIGHT < one.at]
        if one.sent and over:
            found.append(f"was sent change {place} long after change {over[0]} was acknowledged")
    if not taken or taken[-1].password != reports[-1].password:
        has = places.get(taken[-1].password, "?") if taken else "nothing"
        found.append(f"has change {has}, not the last one, {len(reports) - 1}")
    return found
