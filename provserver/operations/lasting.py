"""Work that goes on although nobody waits for its answer any more.

Abandon, unbind or a lost connection drops the answer of an exchange, never the exchange: an agent with
`password_update_timeout = 0` hangs up at once.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from provserver.ldap.results import Refusal
from provserver.ldap.running import Task, run

_log = Logger(__name__)

T = TypeVar("T")


class Lasting:
    """Starts such work, and knows what is still under way when the server stops."""

    def __init__(self) -> None:
        self._under_way: set[Task[_Outcome[object], object]] = set()
        self._idle: list[Deferred[None]] = []

    async def finish(self, work: Coroutine[object, object, T]) -> T:
        """The result of `work`; cancelling the caller stops its waiting only."""
        outcome: _Outcome[T] = _Outcome()
        task = run(work, _ended, outcome)
        if task is not None:
            self._under_way.add(task)  # type: ignore[arg-type]  # kept for its existence, not its type
            waiting: Deferred[None] = Deferred()
            outcome.waiting = waiting
            outcome.also = lambda: self._gone(task)
            await waiting
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[return-value]  # set by _ended when there is no error

    def ended(self) -> Deferred[None]:
        """Fires when nothing is under way."""
        done: Deferred[None] = Deferred()
        if self._under_way:
            self._idle.append(done)
        else:
            done.callback(None)
        return done

    def _gone(self, task: object) -> None:
        self._under_way.discard(task)
        if not self._under_way:
            idle, self._idle = self._idle, []
            for done in idle:
                done.callback(None)


class _Outcome(Generic[T]):
    __slots__ = ("also", "error", "value", "waiting")

    def __init__(self) -> None:
        self.value: T | None = None
        self.error: Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.also = _nothing


def _nothing() -> None:
    """For work that ended before anybody had to wait."""


def _ended(outcome: _Outcome[T], value: T | None, error: Exception | None) -> None:
    outcome.value, outcome.error = value, error
    outcome.also()
    waiting = outcome.waiting
    if waiting is not None and not waiting.called:
        waiting.callback(None)
    elif waiting is not None and error is not None and not isinstance(error, Refusal):
        # Nobody is left to whom the fault could be told.
        fault = Failure(error, type(error), error.__traceback__)  # type: ignore[no-untyped-call]
        _log.failure("what a cancelled operation had begun, failed", fault)
