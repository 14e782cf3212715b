"""Coroutines driven by our own hand: one that ends at once costs nothing, one that waits can be cancelled.

`Deferred.fromCoroutine` makes a Deferred, a context and several frames for every request; most requests end
in their first step. Here the first step is one `send`. Only a coroutine that awaits an unfired Deferred
becomes a Task, which takes part in nothing but that Deferred's callbacks. Context variables are not copied:
we use none.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from provserver.isolated import isolated

_log = Logger(__name__)

K = TypeVar("K")
T = TypeVar("T")

Done = Callable[[K, "T | None", "Exception | None"], None]
"""Called once with the key, and either what the coroutine returned or what it raised."""


def run(coroutine: Coroutine[object, object, T], done: Done[K, T], key: K) -> Task[K, T] | None:
    """Run the coroutine until it waits (its Task is returned), or to its end (`done` was called before)."""
    coroutine = isolated(coroutine)
    try:
        waiting_for = coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
    except Exception as error:
        done(key, None, error)
        return None
    else:
        task = Task(coroutine, done, key, waiting_for)
        return None if task.finished else task
    done(key, value, None)
    return None


class Recalled(CancelledError):
    """Raised, where it waits, in an operation that its client has called off, and for which it wants an
    answer.
    """


class Task(Generic[K, T]):
    """A coroutine that waits. Made by `run` only."""

    __slots__ = ("_coroutine", "_done", "_told", "_waiting_for", "cancelled", "finished", "key", "recalled")

    def __init__(
        self, coroutine: Coroutine[object, object, T], done: Done[K, T], key: K, waiting_for: object
    ) -> None:
        self._coroutine = coroutine
        self._done = done
        self.key = key
        self._waiting_for: Deferred[object] | None = None
        self._told = False
        self.cancelled = False
        """Whether `cancel` or `recall` was called; the coroutine may have more to do all the same."""
        self.recalled = False
        """Whether it was `recall`, and nobody has called `cancel` since."""
        self.finished = False
        self._wait(waiting_for)

    def cancel(self) -> None:
        """Have CancelledError raised where the coroutine waits; cancel what it waits for unless `shielded`.

        A coroutine that catches it may still await, to tidy up; further calls do nothing. `done` is called
        when the coroutine has really ended, which may be before this returns. A coroutine that runs just now
        (it caused its own end) gets the error where it waits next.
        """
        self.recalled = False
        if self.cancelled or self.finished:
            return
        self.cancelled = True
        self._cancel_waiting()

    def recall(self) -> None:
        """`cancel`, but what is raised is Recalled."""
        if self.cancelled or self.finished:
            return
        self.cancelled = self.recalled = True
        self._cancel_waiting()

    def _cancel_waiting(self) -> None:
        if self._waiting_for is None:
            return
        try:
            self._waiting_for.cancel()
        except Exception:
            # Whoever cancels, cancels many: a broken canceller must not keep the others alive.
            _log.failure("a canceller failed")

    def _wait(self, yielded: object) -> None:
        if not isinstance(yielded, Deferred):
            self._step(TypeError(f"a coroutine awaited {type(yielded).__name__}, not a Deferred"))
            return
        self._waiting_for = yielded
        yielded.addBoth(self._resume)
        if self.cancelled and not self._told:
            self._cancel_waiting()

    def _resume(self, result: object) -> None:
        """The Deferred's callback. A value is fetched by its own `__await__`, which is still open."""
        self._waiting_for = None
        if self.cancelled and not self._told:
            # Whatever came instead (a canceller may call back, or fail in its own way): this is the end.
            self._told = True
            self._step(Recalled() if self.recalled else CancelledError())
        else:
            self._step(result.value if isinstance(result, Failure) else None)

    def _step(self, error: BaseException | None) -> None:
        try:
            yielded = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration as end:
            value: T = end.value
        except Exception as raised:
            error = None  # its traceback has this frame: what the coroutine held would stay for the collector
            self.finished = True
            self._done(self.key, None, raised)
            return
        else:
            self._wait(yielded)
            return
        self.finished = True
        self._done(self.key, value, None)


def shielded(deferred: Deferred[T]) -> Deferred[T]:
    """A Deferred to await in `deferred`'s place: cancelling it stops the waiting, never what is waited for.

    A failure that nobody is left to see is logged.
    """
    outer: Deferred[T] = Deferred()

    def fired(result: T | Failure) -> None:
        if not outer.called:
            outer.callback(result)  # a Failure turns it into an errback
        elif isinstance(result, Failure):
            _log.failure("what a cancelled operation had started, failed", result)

    deferred.addBoth(fired)
    return outer
