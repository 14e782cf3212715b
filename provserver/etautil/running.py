"""Runs the command's coroutine on the reactor, and tells it of SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Interrupted(Exception):
    """It was interrupted where nothing had been begun."""


def run(work: Callable[[Any], Coroutine[Any, Any, T]], interrupted: Callable[[], bool]) -> T:
    """The result of `work(reactor)`, or what it raises. `interrupted` is called, in the reactor's thread, at
    each signal; when it returns False the work is given up. Interrupted.
    """
    from twisted.internet import reactor as installed

    reactor = cast(Any, installed)
    # Timers by the monotonic clock: a wall clock that is set must not fire or delay them (design "Time").
    reactor.seconds = time.monotonic
    outcome: list[T | Failure] = []
    running: list[Deferred[T]] = []

    def finished(result: T | Failure) -> None:
        outcome.append(result)
        reactor.stop()

    def start() -> None:
        begun = Deferred.fromCoroutine(work(reactor))
        running.append(begun)
        begun.addBoth(finished)

    def signalled() -> None:
        if not interrupted() and not outcome:
            running[0].cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: reactor.callFromThread(signalled))
    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    result = outcome[0]
    if isinstance(result, Failure):
        if isinstance(result.value, CancelledError):
            raise Interrupted
        result.raiseException()
    return result
