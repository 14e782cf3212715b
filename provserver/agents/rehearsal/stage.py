"""One rehearsal from its first change to its last account: the play, the watch, the bar, and what it cost."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Final

from provserver.agents.rehearsal.playing import Play
from provserver.agents.rehearsal.progress import Bar
from provserver.agents.rehearsal.report import Own
from provserver.agents.rehearsal.spread import Spread
from provserver.agents.rehearsal.tally import Tally
from provserver.agents.rehearsal.watching import Watch

_LOOK: Final = 0.1
_LAST_ANSWERS: Final = 2.0
"""Seconds that an interrupted rehearsal waits for what is under way, and then for the last looks."""
_LAST_LOOKS: Final = 60.0


class Stage:
    """`run` blocks; Ctrl-C ends it in good order, with what was seen so far."""

    def __init__(self, play: Play, watch: Watch | None, tally: Tally, bar: Bar, settle: float) -> None:
        self._play = play
        self._watch = watch
        self._tally = tally
        self._bar = bar
        self._settle = settle
        self._lag = Spread()
        self.interrupted = False
        self.seconds = 0.0
        """Of play."""
        self.own = Own(0.0, 0.0)
        self.agents = 0
        """That played."""

    def run(self) -> None:
        with self._bar:
            self._until_interrupted(self._played)
            if self._watch is not None:
                self._watch.hurry()
                if not self.interrupted:
                    self._until_interrupted(self._settled)
                self._watch.finish(_LAST_ANSWERS if self.interrupted else _LAST_LOOKS)

    def _until_interrupted(self, act: Callable[[], None]) -> None:
        try:
            act()
        except KeyboardInterrupt:
            self.interrupted = True

    def _played(self) -> None:
        self._began = time.monotonic()
        spent = _processor_seconds()
        try:
            if self._watch is not None:
                self._watch.start()
            self.agents = self._play.start()
            while self._play.going_on:
                self._look()
        except KeyboardInterrupt:
            self._play.stop()
            patience = time.monotonic() + _LAST_ANSWERS
            while self._play.going_on and time.monotonic() < patience:
                self._look()
            raise
        finally:
            self.seconds = time.monotonic() - self._began
            lag = self._lag.quantile(0.99) if self._lag.count else 0.0
            self.own = Own((_processor_seconds() - spent) / max(self.seconds, 1e-9), lag)

    def _settled(self) -> None:
        assert self._watch is not None  # noqa: S101  whoever calls has looked
        patience = time.monotonic() + self._settle
        while self._watch.waiting and time.monotonic() < patience:
            self._look()

    def _look(self) -> None:
        before = time.monotonic()
        time.sleep(_LOOK)
        self._lag.add(max(0.0, time.monotonic() - before - _LOOK))
        if self._bar.wanted:
            waiting = self._watch.waiting if self._watch is not None else 0
            self._bar.show(self._tally.seen(), waiting, time.monotonic() - self._began)


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
