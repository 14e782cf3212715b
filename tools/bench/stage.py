"""What the measurements of the front share: options, compiled generators, both servers on the same data."""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import generator
import machine
from checks import check_front
from generator import Load
from population import Dialect, Size
from prepared import Step, first_step, write_cycles
from questions import one_account
from report import OURS, SLAPD, Table
from runs import Run, counted
from sites import Front, OurSite, Site, SlapdSite

from provserver.ldap.messages import Request, SearchRequest
from provserver.testing.certificates import Certificates

MOST_PREPARED: Final = 200_000
"""Requests in a file that is asked over and over: more than a server could remember answers to."""
EACH_PREPARED: Final = 20
"""And no more than so many for each number that can be drawn."""
WARMING_CONNECTIONS: Final = 16
MOST_WARMING_SECONDS: Final = 3.0
ONE_ENTRY: Final = Step(SearchRequest, entries=1)

Asking = Callable[[Dialect, int], Request]


class Stage:
    """Lives as long as the benchmark; `close` ends what runs."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self._shared = contextlib.ExitStack()
        self._programs: dict[str, Path] = {}
        self.bulk: Sequence[Table] | None = None
        """The tables of load and dump, once they were measured."""

    # -- shared means

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def randomness(self, purpose: str) -> random.Random:
        """The same for both sides: they are asked the same."""
        return random.Random(self.options.seed * 1_000_003 + zlib.crc32(purpose.encode()))  # noqa: S311

    def program(self, name: str) -> Path:
        """A generator, compiled when it is first needed. BenchFailed."""
        if name not in self._programs:
            self._programs[name] = generator.compiled(self.directory, name)
        return self._programs[name]

    # -- servers

    @property
    def size(self) -> Size:
        return Size(self.options.entries, self.options.users)

    @cached_property
    def fronts(self) -> Sequence[Front]:
        """The servers that most measurements ask in turn: filled, checked, warmed."""
        return [self._shared.enter_context(self.front(side, self.size)) for side in self.sides]

    @property
    def sides(self) -> Sequence[str]:
        """Slapd first: it is what ours is compared with."""
        return [side for side in (SLAPD, OURS) if self.options.side in (None, side)]

    @contextlib.contextmanager
    def site(
        self, side: str, certificates: Certificates | None = None, *, quick: bool = True
    ) -> Iterator[Site]:
        """A new and empty site, removed at the end."""
        site: Site
        if side == SLAPD:
            site = SlapdSite(self.directory, self.options.slapd_threads, certificates, quick=quick)
        else:
            site = OurSite(self.directory, certificates)
        try:
            yield site
        finally:
            site.remove()

    @contextlib.contextmanager
    def front(self, side: str, size: Size, certificates: Certificates | None = None) -> Iterator[Front]:
        """A server with this population, checked and warmed."""
        with self.site(side, certificates) as site:
            self.say(f"{side}: loading {size.accounts:,} accounts and {size.users:,} users")
            site.fill(size)
            with self.served(site, size) as front:
                yield front

    @contextlib.contextmanager
    def served(self, site: Site, size: Size) -> Iterator[Front]:
        """A site's server, checked and warmed."""
        front = site.serve()
        try:
            check_front(front, size, self.randomness("checks"))
            self.warm(front, size)
            yield front
        finally:
            front.stop()

    def close(self) -> None:
        """End the shared servers."""
        self._shared.close()
        self.__dict__.pop("fronts", None)

    # -- loads

    def warm(self, front: Front, size: Size) -> None:
        """Searches that nobody counts: measured is a server that has run for a while."""
        path = self.prepared(front, "warming", ONE_ENTRY, one_account, size.accounts)
        seconds = min(MOST_WARMING_SECONDS, self.options.seconds)
        generator.run_looping(self.program("cycle"), path, front.port, WARMING_CONNECTIONS, seconds)
        machine.wait_until_idle(front.pids(), quiet_seconds=0.1)

    def prepared(self, front: Front, name: str, step: Step, asking: Asking, below: int) -> Path:
        """A file of one-step cycles with numbers drawn below `below`; made once."""
        path = self.directory / f"{name}-{zlib.crc32(front.reader):08x}-{below}.cycles"
        if not path.exists():
            randomness = self.randomness(name)
            count = min(MOST_PREPARED, EACH_PREPARED * below)
            numbers = (randomness.randrange(below) for _ in range(count))
            cycles = ([first_step(asking(front.dialect, number))] for number in numbers)
            write_cycles(path, front.reader, [step], cycles)
        return path

    def looping(self, front: Front, path: Path, connections: int, what: str) -> Run:
        """A counted run of a file that is asked over and over, from a place of its own: a run that asked what
        the one before has asked would measure what the server remembers of it.
        """
        first = self.randomness(f"{what} {connections}").randrange(MOST_PREPARED)
        return self.counted(
            front,
            connections,
            what,
            lambda: generator.run_looping(
                self.program("cycle"), path, front.port, connections, self.options.seconds, first
            ),
        )

    def counted(self, front: Front, connections: int, what: str, generate: Callable[[], Load]) -> Run:
        """A counted run, and a line that says so."""
        run = counted(front.dialect.side, front.pids(), connections, generate)
        self.say(f"{what}, {connections} connections, {run.side}: {run.load.rate:,.0f}/s")
        for text in run.load.refusals:
            self.say(f"  failed: {text}")
        return run

    def searched(self, front: Front, size: Size, connections: int, state: str) -> Run:
        """A counted run of the plain search, which other measurements watch in one state or another."""
        path = self.prepared(front, "search", ONE_ENTRY, one_account, size.accounts)
        return self.looping(front, path, connections, f"search ({state})")
