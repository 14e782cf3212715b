"""Passwords arrive: of each accepted change, when its last account was reached, or which ones were not.

The server is asked (docs/operate-it.md "What has arrived?"), and the times are its own: from the commit of
the change to the end of the last delivery. So it does not matter when it is asked, nor what the clocks here
say. While agents play it is asked seldom, in order not to be a load of its own.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from provserver.agents.line import Line
from provserver.agents.rehearsal.reading import NotRead, one
from provserver.agents.rehearsal.tally import Stuck, Tally
from provserver.agents.wire import Deadline, NoAnswer

_CHANGED: Final = "provPasswordChanged"
_STATUS: Final = "provAccountStatus"
_DELIVERED: Final = "provLastDelivery"
WAITING: Final = frozenset({"pending", "retrying"})
REACHED: Final = frozenset({"updated", "unverified"})
NEVER: Final = "never"
"""States, as `operations.statuses` shows them; a test holds them against it."""
_FIRST_LOOK: Final = 0.5
_LONGEST_PAUSE: Final = 5.0
_BETWEEN: Final = 0.05
"""Seconds between two looks while agents play."""
_RETRY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """How a change stands with one account: `state` as the server says it, `at` when a delivery ended there,
    in seconds of the server's clock.
    """

    account: str
    state: str
    at: float | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a change stands."""

    reached: int
    last: float
    """Seconds from the change to its last account reached so far."""
    waiting: list[Stuck]
    ended: list[Stuck]
    """Accounts that will not be reached."""


def standing(changed: float, accounts: Sequence[Found]) -> Standing:
    """Of a change at that time. An account whose last delivery is older was not sent this one: on it the user
    made the change, or its endpoint is sent nothing. Times may have been cut to whole seconds.
    """
    reached, last = 0, 0.0
    earliest = math.floor(changed)
    waiting: list[Stuck] = []
    ended: list[Stuck] = []
    for found in accounts:
        stuck = Stuck(found.account, found.state, found.text)
        if found.state in WAITING:
            waiting.append(stuck)
        elif found.state == NEVER or (found.at is not None and found.at < earliest):
            continue
        elif found.state in REACHED and found.at is not None:
            reached += 1
            last = max(last, found.at - changed)
        else:
            ended.append(stuck)
    return Standing(reached, last, waiting, ended)


def seconds_of(stamp: str) -> float | None:
    """A generalized time; None: it is none."""
    try:
        return datetime.fromisoformat(f"{stamp[:8]}T{stamp[8:]}").timestamp()
    except ValueError:
        return None


class Watch:
    """One connection, in a thread of its own. Tell it of each user whose change was accepted."""

    def __init__(
        self,
        opened: Callable[[Deadline], Line],
        tally: Tally,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`opened` gives a line on which users may be read; `patience`: seconds for each answer."""
        self._opened = opened
        self._tally = tally
        self._patience = patience
        self._clock = clock
        self._waiting: dict[str, int] = {}
        """Users whose change has not arrived, each with the number of that change."""
        self._due: list[tuple[float, float, str, int]] = []
        """When each is looked at: time, pause after it, user, number of the change."""
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._enough = threading.Event()
        self._line: Line | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def accepted(self, user: str) -> None:
        """A change of this user's password has been accepted just now; "": nobody knows whose."""
        if not user:
            self._tally.unknown()
            return
        with self._lock:
            if user in self._waiting:  # it was not looked at in time
                self._tally.unknown()
            number = self._waiting[user] = next(self._numbers)
            heapq.heappush(self._due, (self._clock() + _FIRST_LOOK, _FIRST_LOOK, user, number))

    def hurry(self) -> None:
        """Nobody plays any more."""
        self._hurry.set()

    @property
    def waiting(self) -> int:
        """Changes that have not arrived, as far as it is known."""
        return len(self._waiting)

    def finish(self, seconds: float) -> None:
        """Look at each once more, and note what has not arrived; what there is no time for is not known."""
        self._enough.set()
        self._hurry.set()
        if self._thread.ident is not None:
            self._thread.join()
        end = self._clock() + seconds
        for user in list(self._waiting):
            if self._clock() < end:
                self._look(user, last=True)
            else:
                self._tally.unknown()
            del self._waiting[user]
        self._hang_up()

    # -- the thread

    def _run(self) -> None:
        while not self._enough.is_set():
            with self._lock:
                due = self._due[0] if self._due else None
                now = self._clock()
                if due is not None and due[0] <= now:
                    heapq.heappop(self._due)
            if due is None or due[0] > now:
                self._enough.wait(_BETWEEN)
                continue
            self._one(*due[1:])
            if not self._hurry.is_set():
                self._enough.wait(_BETWEEN)

    def _one(self, pause: float, user: str, number: int) -> None:
        if self._waiting.get(user) != number:
            return
        over = self._look(user)
        with self._lock:
            if self._waiting.get(user) != number:
                return
            if over:
                del self._waiting[user]
                return
            pause = min(pause * 2, _LONGEST_PAUSE)
            heapq.heappush(self._due, (self._clock() + pause, pause, user, number))

    def _look(self, user: str, *, last: bool = False) -> bool:
        """Whether there is nothing more to wait for; then it has been noted."""
        try:
            found = self._standing(user)
        except NotRead:
            self._tally.unknown()
            return True
        except NoAnswer:
            self._hang_up()
            self._enough.wait(_RETRY)
            if last:
                self._tally.unknown()
            return last
        if found.waiting and not last:
            return False
        if found.waiting or found.ended:
            self._tally.stuck(found.reached, [*found.waiting, *found.ended])
        elif found.reached:
            self._tally.arrived(found.last, found.reached)
        return True

    def _standing(self, user: str) -> Standing:
        if self._line is None:
            self._line = self._opened(Deadline(self._patience))
        entry = one(self._line, user, (_CHANGED, _STATUS), self._patience)
        changed = seconds_of(entry.first(_CHANGED))
        if changed is None:
            raise NotRead(f"{user} does not say when its password was changed")
        accounts = [json.loads(value) for value in entry.attributes.get(_STATUS.lower(), ())]
        waits = any(account["state"] in WAITING for account in accounts)
        # While something waits it is looked at again: only then does it matter exactly when the rest ended.
        return standing(changed, [self._found(self._line, account, exact=not waits) for account in accounts])

    def _found(self, line: Line, account: dict[str, Any], *, exact: bool) -> Found:
        at = None
        if account["at"]:
            at = datetime.fromisoformat(account["at"]).timestamp()
            if exact and account["state"] in REACHED:
                delivered = one(line, account["dn"], (_DELIVERED,), self._patience).first(_DELIVERED)
                at = seconds_of(delivered) or at
        return Found(account["account"], account["state"], at, account["text"] or "")

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
