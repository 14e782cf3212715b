"""Runs a command's coroutine on the reactor, and brings its outcome or its exception back."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.python.failure import Failure

from provserver.cli.polling import poll_plainly

T = TypeVar("T")


def at_once(work: Coroutine[Any, None, T]) -> T:
    """The result of a coroutine that waits for nothing, as everything of an embedded store does where no
    reactor runs.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a coroutine waits, and nothing runs that it could wait for")


def run_until_done(work: Callable[[IReactorCore], Coroutine[object, object, T]]) -> T:
    """The result of `work(reactor)`; the reactor is installed here, once a process, and stops afterwards."""
    from twisted.internet import reactor as installed

    # Timers by the monotonic clock: a wall clock that is set must not fire or delay them (design "Time").
    cast(Any, installed).seconds = time.monotonic
    poll_plainly(installed)
    reactor = cast(IReactorCore, installed)
    outcome: list[T | Failure] = []

    def finished(result: T | Failure) -> None:
        outcome.append(result)
        if reactor.running:
            reactor.stop()

    def start() -> None:
        deferred: Deferred[T] = Deferred.fromCoroutine(work(reactor))  # type: ignore[arg-type]
        deferred.addBoth(finished)

    reactor.callWhenRunning(start)
    reactor.run()
    if not outcome:
        raise KeyboardInterrupt
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result
