"""Group commit: what arrives while one COMMIT is under way, or in one turn of the reactor, shares the next.

Statements run on the reactor thread, a few for a whole batch. Then COMMIT, which is one fsync: on the reactor
thread too as long as the disk answers quickly, on the writer's own thread when it does not. (Measured: a
thread that wants the GIL while the reactor makes short system calls is woken at each of them in vain; that
costs 40 us a password cycle, more than the COMMIT itself, whatever the switch interval.)
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from provserver.ldap.results import Refusal
from provserver.storage.contract import Conflict, JournalEvent, StoreFailed
from provserver.storage.database import Database
from provserver.storage.followers import Followers
from provserver.storage.transactions import Transaction

T = TypeVar("T")

_log = Logger(__name__)

QUICK: Final = 0.002
"""Seconds. A COMMIT that takes longer than this on the reactor thread sends the following ones to the
writer's thread."""
_FIRST_TRIAL: Final = 64
_LAST_TRIAL: Final = 4_096
"""Batches on the writer's thread before the reactor thread is tried again; doubled each time the disk is
still slow."""
_LARGEST_BATCH: Final = 128
"""Works. What is more waits a turn, so that the reactor is not held for longer than a few milliseconds."""
_CHECKPOINT_AFTER: Final = 8_000
"""Rows written, which is about 4,000 pages, 16 MB of log: more and pages fall out of the caches, less and
they are copied more often than needed (measured: 1,000 pages +2 us a cycle, 16,000 pages +5 us)."""
_ENOUGH: Final = 48
"""Clients that wait: then the batch is not left to grow further."""
_MOST_LOOKS: Final = 4
"""Turns of the reactor that it may grow; each is a fraction of a millisecond."""
_PATIENCE: Final = 0.005
"""Seconds that a settlement waits for a commit to share its fsync with."""
_NOTE_DELAY: Final = 1.0
"""Seconds that a journal line without a commit may wait."""
_MOST_NOTES: Final = 65_536
_SAID_EVERY: Final = 60.0
"""Seconds between two lines about a store that cannot write."""


class StoreClosed(Exception):
    """The store was closed before this was asked of it."""


class _WriterThread(threading.Thread):
    """A process that forgot to close its store can end without it: to the store that is a crash like any."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, daemon=True)


class _WriterPool(ThreadPool):
    threadFactory = _WriterThread  # noqa: N815 -- Twisted's name


class _Work:
    """Something to be done in a transaction, and who waits for it."""

    __slots__ = ("apply", "argument", "error", "result", "waiting")

    def __init__(self, apply: Callable[[Any], Any], argument: Any) -> None:
        self.apply = apply
        self.argument = argument
        self.result: Any = None
        self.error: Exception | None = None
        self.waiting: Deferred[Any] = Deferred()


class Writer:
    """The one place where transactions begin and end. Without a reactor (a store in memory) each work is a
    batch."""

    def __init__(
        self,
        database: Database,
        transaction: Transaction,
        reactor: Any,
        followers: Followers,
        *,
        quick: float = QUICK,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._database = database
        self._transaction = transaction
        self._reactor = reactor
        self._followers = followers
        self._quick = quick
        self._stopwatch = stopwatch
        self._gathered: list[_Work] = []
        self._notes: list[JournalEvent] = []
        self._notes_lost = 0
        self._said = -_SAID_EVERY
        self._turn: Any = None
        self._note_turn: Any = None
        self._patient_turn: Any = None
        self._eager = 0
        """Works among those gathered that a client waits for."""
        self._looks = 0
        """How often the batch was left to grow."""
        self._busy = False
        self._delivering = False
        """Results are being handed out; what waited for them may ask for anything meanwhile, closing
        included."""
        self._closed = False
        self._idle: list[Deferred[None]] = []
        self._pool: ThreadPool | None = None
        self._on_thread = 0 if quick > 0 else _LAST_TRIAL
        """How many batches still go to the writer's thread."""
        self._trial = _FIRST_TRIAL
        self._checkpointing = False
        self._hold = False
        """The next batch waits until the rest of the log is copied."""
        self._checkpoint_after = _CHECKPOINT_AFTER
        self._checkpoint_at = database.writing.total_changes + _CHECKPOINT_AFTER
        self._note_delay = _NOTE_DELAY

    def submit(self, apply: Callable[[Any], T], argument: Any, *, patient: bool = False) -> Deferred[T]:
        """`apply(argument)` in the next transaction; the result when it is on disk.

        `patient`: no client waits for it, so it makes no transaction of its own for a few milliseconds.
        """
        if self._closed:
            raise StoreClosed("the store is closed")
        work = _Work(apply, argument)
        self._gathered.append(work)
        if self._reactor is None:
            self._flush()
        elif patient:
            if self._patient_turn is None:
                self._patient_turn = self._reactor.callLater(_PATIENCE, self._flush_patient)
        elif not self._busy and self._turn is None:
            self._turn = self._reactor.callLater(0, self._look)
        if not patient:
            self._eager += 1
        return work.waiting

    def note(self, event: JournalEvent) -> None:
        """Written with the next batch, or within a second."""
        if self._closed:
            return
        if len(self._notes) >= _MOST_NOTES:
            self._notes_lost += 1
            return
        self._notes.append(event)
        if self._reactor is None:
            self._flush()
        elif self._note_turn is None:
            self._note_turn = self._reactor.callLater(self._note_delay, self._flush_notes)

    async def close(self) -> None:
        """Finish what was begun. Nothing is accepted from now on."""
        self._closed = True
        if self._note_turn is not None:
            self._note_turn.cancel()
            self._note_turn = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._patient_turn is not None:
            self._patient_turn.cancel()
            self._patient_turn = None
        if not (self._busy or self._delivering):
            self._flush()
        while self._busy or self._delivering or self._checkpointing or self._gathered or self._notes:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        if self._pool is not None:
            self._pool.stop()
            self._pool = None

    # One batch

    def _flush_patient(self) -> None:
        self._patient_turn = None
        if self._gathered:
            self._eager += 1
            if not self._busy and self._turn is None:
                self._flush()

    def _flush_notes(self) -> None:
        self._note_turn = None
        if not self._busy:
            self._flush()

    def _look(self) -> None:
        """Commit, after a few turns of the reactor when more than one client waits.

        Each turn brings what other clients sent meanwhile, and a commit costs nearly the same for one as
        for many. A client that is alone never waits.
        """
        self._turn = None
        if 1 < self._eager < _ENOUGH and self._looks < _MOST_LOOKS:
            self._looks += 1
            self._turn = self._reactor.callLater(0, self._look)
        else:
            self._flush()

    def _flush(self) -> None:
        self._turn = None
        self._looks = 0
        if self._busy or self._delivering:
            return
        works = self._gathered
        self._eager = max(0, len(works) - _LARGEST_BATCH)
        if len(works) > _LARGEST_BATCH:
            works, self._gathered = works[:_LARGEST_BATCH], works[_LARGEST_BATCH:]
        else:
            self._gathered = []
        if self._notes:
            notes = self._take_notes()
            works.append(_Work(self._transaction.note, notes))
            works[-1].waiting.addErrback(self._not_noted, notes)
        if not works:
            return
        self._busy = True
        self._run(works)

    def _take_notes(self) -> list[JournalEvent]:
        notes, self._notes = self._notes, []
        if self._notes_lost:
            _log.error("{lost} journal lines were dropped: the store did not keep up", lost=self._notes_lost)
            self._notes_lost = 0
        return notes

    def _not_noted(self, failure: Failure, notes: list[JournalEvent]) -> None:
        """They are written when the store can write again, as many as there is room for."""
        if self._closed:
            return
        kept = notes[: max(0, _MOST_NOTES - len(self._notes))]
        self._notes_lost += len(notes) - len(kept)
        self._notes[:0] = kept
        if self._reactor is not None and self._note_turn is None:
            self._note_turn = self._reactor.callLater(self._note_delay, self._flush_notes)

    def _as_told(self, error: Exception) -> Exception:
        """What the caller is told of an error that it can do nothing about."""
        if not isinstance(error, sqlite3.Error):
            return error
        if self._stopwatch() - self._said >= _SAID_EVERY:
            self._said = self._stopwatch()
            _log.error("the store cannot write, and what is asked of it is refused: {why}", why=str(error))
        return StoreFailed(str(error))

    def _run(self, works: list[_Work]) -> None:
        try:
            self._apply(works)
        except Exception as error:  # whatever SQLite or a value we cannot store brings: found out one by one
            self._transaction.roll_back()
            self._recover(works, error)
            return
        if self._on_thread > 0 and self._reactor is not None:
            self._on_thread -= 1
            self._database.committing = True
            self._in_thread(self._commit).addCallbacks(
                lambda _: self._committed(works), lambda failure: self._not_committed(works, failure)
            )
            return
        begun = self._stopwatch()
        try:
            self._commit()
        except Exception as error:
            self._transaction.roll_back()
            self._recover(works, error)
            return
        self._weigh(self._stopwatch() - begun)
        self._finished(works)

    def _apply(self, works: Sequence[_Work]) -> None:
        self._transaction.begin()
        for work in works:
            try:
                work.result = work.apply(work.argument)
                work.error = None
            except (Conflict, Refusal) as error:
                work.error = error
        self._transaction.flush()

    def _commit(self) -> None:
        self._database.commit()

    def _weigh(self, seconds: float) -> None:
        """Decide where the next COMMITs run."""
        if seconds <= self._quick:
            self._trial = _FIRST_TRIAL
        else:
            self._on_thread = self._trial
            self._trial = min(2 * self._trial, _LAST_TRIAL)

    def _committed(self, works: list[_Work]) -> None:
        self._database.committing = False
        self._finished(works)

    def _not_committed(self, works: list[_Work], failure: Failure) -> None:
        self._database.committing = False
        self._transaction.roll_back()
        error = failure.value
        self._recover(
            works, error if isinstance(error, Exception) else RuntimeError("the COMMIT was interrupted")
        )

    def _recover(self, works: list[_Work], error: Exception) -> None:
        """Each work alone, so that only the guilty one learns of the error."""
        if len(works) == 1:
            works[0].error = self._as_told(error)
            works[0].result = None
            self._deliver(works)
            return
        for work in works:
            try:
                self._apply([work])
                self._commit()
            except Exception as own:
                self._transaction.roll_back()
                work.error = self._as_told(own)
            else:
                self._transaction.done()
        self._deliver(works)

    def _finished(self, works: list[_Work]) -> None:
        self._transaction.done()
        self._deliver(works)

    def _deliver(self, works: list[_Work]) -> None:
        self._busy = False
        if self._database.writing.total_changes >= self._checkpoint_at:
            self._checkpoint()
        self._delivering = True
        for work in works:
            if work.error is None:
                work.waiting.callback(work.result)
            else:
                work.waiting.errback(work.error)
        self._delivering = False
        if self._followers.all:
            self._followers.tell(self._transaction.last_change)
        self._next()

    def _next(self) -> None:
        if self._busy or self._delivering:
            return
        if self._hold:
            self._finish_checkpoint()
            return
        if (self._gathered and (self._eager or self._closed)) or (self._closed and self._notes):
            if self._closed or self._reactor is None:
                self._flush()
            elif self._turn is None:
                self._turn = self._reactor.callLater(0, self._look)
        if not (self._busy or self._checkpointing or self._gathered):
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)

    # Checkpoints

    def _checkpoint(self) -> None:
        """Copy the log into the file: first beside the batches, then the rest while they wait: the log
        starts anew."""
        self._checkpoint_at = self._database.writing.total_changes + self._checkpoint_after
        if self._checkpointing or self._reactor is None or self._database.path is None:
            return
        self._checkpointing = True
        self._in_thread(self._database.checkpoint).addBoth(self._checkpointed, False)

    def _checkpointed(self, result: object, last: bool) -> None:
        if isinstance(result, Failure):
            _log.failure(
                "the store's log could not be copied into its file; it will be tried again", failure=result
            )
        if last:
            self._busy = self._checkpointing = False
        elif not isinstance(result, Failure):
            self._hold = True
        else:
            self._checkpointing = False
        self._next()

    def _finish_checkpoint(self) -> None:
        self._hold = False
        self._busy = True
        self._in_thread(self._database.checkpoint).addBoth(self._checkpointed, True)

    def _in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        if self._pool is None:
            self._pool = _WriterPool(minthreads=0, maxthreads=1, name="store-writer")
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, work)
