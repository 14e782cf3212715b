"""Requests carried out, one after the other, on lines that are bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, assert_never

from twisted.internet.defer import CancelledError

from provserver.etautil.checkpoints import Checkpoint
from provserver.etautil.copying import copy_entry
from provserver.etautil.masschange import MassChanger, Stop
from provserver.etautil.outcomes import Count, Ending, Failure, Outcome
from provserver.etautil.paging import Feed, pages_of
from provserver.etautil.requests import (
    AddEntry,
    CopyEntry,
    CountEntries,
    DeleteEntry,
    ExploreEndpoint,
    FindEntries,
    ModifyEntry,
    ModifyMatching,
    Request,
)
from provserver.etautil.telling import Teller, harmless_changes, subject_of
from provserver.etautil.vocabulary import Vocabulary
from provserver.etautil.writing import SentWrites, ShownWrites, Writes
from provserver.ldap.client import LdapClient, LineError
from provserver.ldap.filters import Scope, format_filter
from provserver.ldap.results import Refusal

_NO_ATTRIBUTES: Final = ("1.1",)
_READ: Final = (FindEntries, CountEntries)
_TOLD_APART: Final = 1_000
"""Different values of one attribute that a report counts."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How requests are carried out."""

    dry_run: bool = False
    continue_on_error: bool = False
    page_size: int = 500
    in_flight: int = 64
    resume: Path | None = None


class Performance:
    """All requests of one command. `lines`: connections to one server, each bound; a masschange uses all."""

    def __init__(
        self,
        lines: Sequence[LdapClient],
        url: str,
        vocabulary: Vocabulary,
        teller: Teller,
        manner: Manner,
        stop: Stop,
        progress: Callable[[int, int], None] = lambda handled, estimate: None,
    ) -> None:
        """`progress` is told how many entries of a masschange are through, and of how many."""
        self._lines = lines
        self._url = url
        self._vocabulary = vocabulary
        self._teller = teller
        self._manner = manner
        self._stop = stop
        self._progress = progress

    async def run(self, requests: Sequence[Request]) -> Ending:
        """Carry out all, up to the first that fails unless told otherwise; how the whole ended. What was not
        begun is told too. ResumeError, OSError.
        """
        whole = Ending.DONE
        for number, request in enumerate(requests, 1):
            goes_on = whole is Ending.DONE or (whole is Ending.FAILED and self._manner.continue_on_error)
            if self._stop.asked and whole is not Ending.FAILED:
                whole = Ending.INTERRUPTED
            if not goes_on or self._stop.asked:
                self._teller.ended(number, request, Outcome(Ending.NOT_DONE))
                continue
            outcome = await self._one(number, request)
            self._teller.ended(number, request, outcome)
            if outcome.ending not in (Ending.DONE, Ending.SHOWN):
                whole = outcome.ending
        return whole

    async def _one(self, number: int, request: Request) -> Outcome:
        try:
            outcome = await self._perform(number, request)
            if self._manner.dry_run and outcome.ending is Ending.DONE and not isinstance(request, _READ):
                return replace(outcome, ending=Ending.SHOWN)
            return outcome
        except (Refusal, LineError) as error:
            self._teller.failed(number, Failure.of(subject_of(request), error))
            return Outcome(Ending.FAILED, failures=1)
        except CancelledError:
            self._teller.failed(number, Failure.given_up(subject_of(request)))
            return Outcome(Ending.INTERRUPTED, failures=1)

    def _writes(self, number: int) -> list[Writes]:
        if self._manner.dry_run:
            return [ShownWrites(self._teller, number)]
        return [SentWrites(line) for line in self._lines]

    async def _perform(self, number: int, request: Request) -> Outcome:
        match request:
            case AddEntry(dn, attributes):
                await self._writes(number)[0].add(dn, attributes)
                return Outcome(Ending.DONE, 1)
            case ModifyEntry(dn, changes):
                said = await self._writes(number)[0].modify(dn, changes)
                return Outcome(Ending.DONE, 1, message=said)
            case DeleteEntry(dn):
                await self._writes(number)[0].delete(dn)
                return Outcome(Ending.DONE, 1)
            case CopyEntry():
                writes, dry_run = self._writes(number)[0], self._manner.dry_run
                failures = await copy_entry(
                    request, self._lines[0], writes, self._vocabulary, dry_run=dry_run
                )
                for failure in failures:
                    self._teller.failed(number, failure)
                return Outcome(Ending.FAILED if failures else Ending.DONE, 1, len(failures))
            case FindEntries():
                return await self._find(number, request)
            case CountEntries():
                return await self._count(number, request)
            case ModifyMatching():
                return await self._change(number, request)
            case ExploreEndpoint():
                return await self._explore(number, request)
            case _:
                assert_never(request)

    async def _find(self, number: int, request: FindEntries) -> Outcome:
        entries = 0
        async for page in pages_of(
            self._lines[0], request.base, request.filter, request.attributes, self._manner.page_size
        ):
            for found in page.entries:
                self._teller.entry(number, found.dn, found.attributes)
            entries += len(page.entries)
            if self._stop.asked:
                return Outcome(Ending.INTERRUPTED, entries)
        return Outcome(Ending.DONE, entries)

    async def _count(self, number: int, request: CountEntries) -> Outcome:
        count = Count(values={name: Counter() for name in request.attributes})
        attributes = request.attributes or _NO_ATTRIBUTES
        async for page in pages_of(
            self._lines[0], request.base, request.filter, attributes, self._manner.page_size
        ):
            count.entries += len(page.entries)
            for found in page.entries:
                for name, values in count.values.items():
                    held = found.values(name)
                    if not held:
                        count.without[name] += 1
                    for value in held:
                        if value in values or len(values) < _TOLD_APART:
                            values[value] += 1
                        else:
                            count.others[name] += 1
            if self._stop.asked:
                return Outcome(Ending.INTERRUPTED, count.entries)
        self._teller.count(number, count)
        return Outcome(Ending.DONE, count.entries)

    async def _change(self, number: int, request: ModifyMatching) -> Outcome:
        manner = self._manner
        estimate = 0

        def expected(entries: int) -> None:
            nonlocal estimate
            estimate = max(estimate, entries)

        # Its own line finds the entries: a page that is being read would hold up answers behind it.
        pages = pages_of(self._lines[-1], request.base, request.filter, _NO_ATTRIBUTES, manner.page_size)
        feed = Feed(pages, manner.page_size // 2, expected)
        resume = None if manner.dry_run else manner.resume
        with Checkpoint(resume, self._description(request)) as checkpoint:
            changer = MassChanger(
                feed,
                request.changes,
                checkpoint,
                self._stop,
                failed=lambda failure: self._teller.failed(number, failure),
                handled=lambda entries: self._progress(entries, estimate),
                flush_after=manner.page_size,
            )
            outcome = await changer.run(self._writes(number), manner.in_flight)
        return replace(outcome, message="") if manner.dry_run else outcome

    def _description(self, request: ModifyMatching) -> str:
        """Which masschange it is, for the file that knows how far it got."""
        changes = [
            f"{kind} {name} {[value.decode(errors='backslashreplace') for value in values]}"
            for kind, name, values in harmless_changes(request.changes, self._vocabulary)
        ]
        return f"{self._url} {request.base} {format_filter(request.filter)} {'; '.join(changes)}"

    async def _explore(self, number: int, request: ExploreEndpoint) -> Outcome:
        if self._manner.dry_run:
            self._teller.would_explore(number, request.dn, request.actions)
            return Outcome(Ending.DONE)
        found = await self._lines[0].search(request.dn, Scope.BASE, request.filter, request.actions)
        for entry in found:
            self._teller.entry(number, entry.dn, entry.attributes)
        if not found:
            return Outcome(Ending.FAILED, failures=1, message="there is no such endpoint of this class")
        return Outcome(Ending.DONE, len(found))
