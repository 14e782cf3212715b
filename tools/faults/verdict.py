"""What must be true after a race, judged from what the connections saw, what the store holds, and what the
ledger was sent. Nothing here asks anybody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from racing import Attempt

from provserver.storage.contract import DeliveryState

ARRIVED = (DeliveryState.UPDATED, DeliveryState.UNVERIFIED)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change as the journal has it (event 8010)."""

    at: float
    account: str
    change: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store held when the server had stopped."""

    accepted: Sequence[Accepted]
    """In the journal's order."""
    lines: Sequence[int]
    """Numbers of the change log's lines."""
    versions: Sequence[int]
    """Of the user, one for each of its changes since the start."""
    change: str
    """The one that gave the user the password that it has."""
    remembered: int
    """How many passwords are in the user's history."""
    remembers: Callable[[str], bool]
    statuses: Mapping[str, tuple[str, DeliveryState] | None]
    """The last delivery to each account: change and state."""
    waiting: int
    """Rows of the outbox."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen from outside, after the last answer and before the server stopped."""

    attempts: Sequence[Attempt]
    received: Mapping[str, Sequence[str]]
    """What the ledger was sent, by account."""
    bind: Sequence[str]
    """Of the last password of each account, those that the user can log in with."""
    unheld: Sequence[str]
    """Accounts of the server's own endpoints that do not have that password."""


@dataclass(slots=True)
class Verdict:
    """`violations` is empty when all is as it should be. `order`: the attempts that became changes, as they
    were committed.
    """

    order: list[Attempt] = field(default_factory=list)
    overtaken: int = 0
    """How many changes of others, at most, were committed between one's request and its commit."""
    violations: list[str] = field(default_factory=list)


def judge(seen: Seen, stored: Stored, remembered: int) -> Verdict:
    """`remembered`: how many passwords the profile has the user's history hold."""
    verdict = Verdict()
    verdict.violations += [f"refused: {one.refusal}" for one in seen.attempts if one.refusal]
    _place(verdict, seen, stored)
    _starvation(verdict, stored, len({attempt.account for attempt in seen.attempts}))
    if verdict.order and not verdict.violations:
        _last_wins(verdict, seen, stored)
        _history(verdict, stored, remembered)
        _sent_in_order(verdict, seen)
    return verdict


def _place(verdict: Verdict, seen: Seen, stored: Stored) -> None:
    """Every acknowledged change has one place in the order; what is not acknowledged, one or none."""
    say = verdict.violations.append
    attempts: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in seen.attempts:
        attempts[attempt.account].append(attempt)
    placed: dict[int, int] = {}
    following = dict.fromkeys(attempts, 0)
    for place, accepted in enumerate(stored.accepted):
        mine = attempts[accepted.account]
        number = following.get(accepted.account, 0)
        while number < len(mine) and mine[number].ended < accepted.at:
            number += 1
        following[accepted.account] = number + 1
        if number == len(mine) or mine[number].sent > accepted.at:
            say(f"place {place} is a change of {accepted.account} that nobody asked for then")
            continue
        placed[id(mine[number])] = place
        verdict.order.append(mine[number])
    lost = [attempt for attempt in seen.attempts if attempt.acknowledged and id(attempt) not in placed]
    if lost:
        say(f"{len(lost)} acknowledged changes are in no place: {[one.account for one in lost[:5]]}")
    if len({accepted.change for accepted in stored.accepted}) != len(stored.accepted):
        say("two changes have one id")
    if list(stored.lines) != list(range(1, len(stored.lines) + 1)):
        say("the change log has a gap")
    if stored.versions and list(stored.versions) != list(
        range(stored.versions[0], stored.versions[0] + len(stored.accepted))
    ):
        say(f"{len(stored.accepted)} changes gave the user the versions {_ends(stored.versions)}")


def _starvation(verdict: Verdict, stored: Stored, connections: int) -> None:
    """Each waits for those that came before it, and for nobody else; as many again may be on the wire."""
    times = [accepted.at for accepted in stored.accepted]
    if times != sorted(times):
        verdict.violations.append("the journal goes back in time")
        return
    for place, attempt in enumerate(verdict.order):
        verdict.overtaken = max(verdict.overtaken, place - bisect_right(times, attempt.sent, hi=place))
    if verdict.overtaken > 2 * connections:
        verdict.violations.append(f"{verdict.overtaken} changes of others overtook one: it was starved")


def _last_wins(verdict: Verdict, seen: Seen, stored: Stored) -> None:
    """The last one is what global user and every account hold, but for the account that it came from."""
    say = verdict.violations.append
    last, change = verdict.order[-1], stored.accepted[-1].change
    if stored.change != change:
        say("the user's entry names another change than the journal's last")
    if list(seen.bind) != [last.password]:
        say(f"the user can log in with {seen.bind}, and the last password was {last.password}")
    if stored.waiting:
        say(f"{stored.waiting} deliveries are left in the outbox")
    for account, status in stored.statuses.items():
        if account == last.account:
            continue  # sent nothing, or its own behind an older one that was on its way (docs/decisions/0021)
        if status is None or status[0] != change or status[1] not in ARRIVED:
            say(f"{account} has not the last password: {status and status[1].value}")
    for account in seen.unheld:
        if account != last.account:
            say(f"{account} does not hold the last password, and was sent it")


def _history(verdict: Verdict, stored: Stored, remembered: int) -> None:
    """The history holds the last passwords, each of them, and none before."""
    latest = [attempt.password for attempt in verdict.order[-remembered:]]
    if missing := [password for password in latest if not stored.remembers(password)]:
        verdict.violations.append(f"the history has gaps: {missing} of {_ends(latest)}")
    if len(latest) == remembered and stored.remembered != remembered:
        verdict.violations.append(f"{stored.remembered} passwords are remembered instead of {remembered}")


def _sent_in_order(verdict: Verdict, seen: Seen) -> None:
    """The ledger was never sent an older password after a newer one, nor one that was not committed; its last
    is the last of all.
    """
    say = verdict.violations.append
    places = {attempt.password: place for place, attempt in enumerate(verdict.order)}
    last = verdict.order[-1]
    for name, passwords in seen.received.items():
        before = -1
        for password in passwords:
            place = places.get(password)
            if place is None:
                say(f"{name} was sent {password}, which was never accepted")
                continue
            if place < before:
                say(f"{name} was sent {password} after a newer one")
            before = place
        if passwords[-1] != last.password and not _names(last.account, name):
            say(f"{name} has {passwords[-1]} in the end, and the last password was {last.password}")


def _names(account: str, name: str) -> bool:
    return account.partition(",")[0].endswith(f"={name}")


def _ends(values: Sequence[object]) -> str:
    return f"{values[0]}...{values[-1]}" if values else "none"
