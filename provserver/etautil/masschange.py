"""One change to all entries that match: found page by page, changed many at a time, never more than a bounded
number in flight.

An entry that fails is told and does not stop the others; a broken line, or who asks to stop, does: what is in
flight ends, and the checkpoint knows the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred, gatherResults

from provserver.etautil.checkpoints import Checkpoint
from provserver.etautil.outcomes import Ending, Failure, Outcome
from provserver.etautil.paging import Feed
from provserver.etautil.writing import Writes
from provserver.ldap.client import LineError
from provserver.ldap.messages import Change
from provserver.ldap.results import Refusal


@dataclass(slots=True)
class Stop:
    """Whether somebody wants the command to end soon."""

    asked: bool = False


class MassChanger:
    """One masschange under way."""

    def __init__(
        self,
        feed: Feed,
        changes: Sequence[Change],
        checkpoint: Checkpoint,
        stop: Stop,
        *,
        failed: Callable[[Failure], None],
        handled: Callable[[int], None],
        flush_after: int,
    ) -> None:
        """`handled` is told each time how many entries are through, changed or not. What is done is on the
        disk after so many of them.
        """
        self._feed = feed
        self._changes = changes
        self._checkpoint = checkpoint
        self._stop = stop
        self._failed = failed
        self._handled = handled
        self._flush_after = flush_after
        self._changed = 0
        self._failures = 0
        self._skipped = 0
        self._broken: LineError | Refusal | None = None

    async def run(self, lines: Sequence[Writes], in_flight: int) -> Outcome:
        """Change everything, with so many requests in flight on all lines together. Who cancels it, after
        asking to stop, does not wait for what is in flight. OSError: the checkpoint's.
        """
        workers = [Deferred.fromCoroutine(self._work(lines[each % len(lines)])) for each in range(in_flight)]
        await gatherResults(workers, consumeErrors=True)
        return self._outcome()

    async def _work(self, line: Writes) -> None:
        while not self._stop.asked and self._broken is None:
            try:
                dn = await self._feed.take()
            except (LineError, Refusal) as error:
                self._broken = self._broken or error
                return
            except CancelledError:
                return
            if dn is None:
                return
            await self._change(line, dn)

    async def _change(self, line: Writes, dn: str) -> None:
        if self._checkpoint.has(dn):
            self._skipped += 1
        else:
            try:
                await line.modify(dn, self._changes)
            except Refusal as refusal:
                self._fail(Failure.of(dn, refusal))
            except LineError as error:
                self._broken = self._broken or error
                self._fail(Failure.of(dn, error))
            except CancelledError:
                self._fail(Failure.given_up(dn))
            else:
                self._changed += 1
                self._checkpoint.add(dn)
                if self._changed % self._flush_after == 0:
                    self._checkpoint.flush()
        self._handled(self._changed + self._skipped + self._failures)

    def _fail(self, failure: Failure) -> None:
        self._failures += 1
        self._failed(failure)

    def _outcome(self) -> Outcome:
        if self._broken is not None:
            return self._left(Ending.FAILED, f"{self._broken}; ")
        if self._stop.asked:
            return self._left(Ending.INTERRUPTED, "")
        if self._failures:
            return self._left(Ending.FAILED, "")
        self._checkpoint.complete()
        return Outcome(Ending.DONE, self._changed, skipped=self._skipped)

    def _left(self, ending: Ending, why: str) -> Outcome:
        kept = self._checkpoint.keep()
        message = f"{why}to go on where it stopped: the same command with --resume {kept}"
        return Outcome(ending, self._changed, self._failures, self._skipped, message)
