"""A thread for one line's blocking calls: neither the reactor nor other lines wait for it.

One thread a line and no more, so that threads are bounded by the couriers. A call that takes too long is left
to itself: its thread ends when it returns, and the next call gets another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from provserver.connectors.contract import ConnectorFailure

T = TypeVar("T")


class _Reactor(Protocol):
    def callLater(self, delay: float, function: Callable[..., object]) -> IDelayedCall: ...  # noqa: N802

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None: ...  # noqa: N802


class TooSlow(Exception):
    """A call did not return in time. It may still be doing what it was asked."""


class OwnThread:
    """Starts when it is first needed. Calls are made one after the other, in order."""

    def __init__(self, reactor: object, name: str) -> None:
        self._reactor = cast(_Reactor, reactor)
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] | None = None

    def call(self, work: Callable[[], T], patience: float) -> Deferred[T]:
        """What `work()` returns or raises. TooSlow after `patience` seconds, and when it is cancelled the
        thread is left to itself as well.

        A ConnectorFailure comes without the frames it was raised in: their locals are passwords.
        """
        answer: Deferred[T] = Deferred(lambda _: settle(None))
        waiting = True

        def settle(fire: Callable[[], None] | None) -> None:
            nonlocal waiting
            if not waiting:
                return
            waiting = False
            if alarm.active():
                alarm.cancel()
            if fire is None:
                self.leave()
            else:
                fire()

        def too_slow() -> None:
            self.leave()
            settle(lambda: answer.errback(TooSlow(f"no answer within {patience:g} s")))

        def in_thread() -> None:
            try:
                result = work()
            except BaseException as raised:
                error = _without_frames(raised)
                self._reactor.callFromThread(settle, lambda: answer.errback(error))
            else:
                self._reactor.callFromThread(settle, lambda: answer.callback(result))

        alarm = self._reactor.callLater(patience, too_slow)
        self._started().put(in_thread)
        return answer

    def leave(self, last: Callable[[], None] | None = None) -> None:
        """Let the thread end after what it does now, and after `last`; returns at once."""
        work, self._work = self._work, None
        if work is not None:
            if last is not None:
                work.put(last)
            work.put(None)

    def _started(self) -> SimpleQueue[Callable[[], None] | None]:
        if self._work is None:
            self._work = SimpleQueue()
            # A daemon: a line to a server that hangs must not keep the process from ending.
            threading.Thread(target=_run, args=(self._work,), name=self._name, daemon=True).start()
        return self._work


def _run(work: SimpleQueue[Callable[[], None] | None]) -> None:
    while (task := work.get()) is not None:
        task()
        del task


def _without_frames(error: BaseException) -> BaseException:
    if isinstance(error, ConnectorFailure):
        error.__cause__ = error.__context__ = None
        error.with_traceback(None)
    return error
