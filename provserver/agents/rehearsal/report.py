"""What a rehearsal says at its end: a table for people, JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from provserver.agents.rehearsal.advice import Advice
from provserver.agents.rehearsal.picture import bars, shown
from provserver.agents.rehearsal.spread import Spread
from provserver.agents.rehearsal.tally import Seen, Step, Trouble

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_BUSY: Final = 0.8
"""Processors: Python uses one at a time, and some seconds of waiting for it are in every figure then."""
_LAGS: Final = 0.1
_BEHIND: Final = 0.1
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Own:
    """What the rehearsing process itself used: processors in the mean, and how much later than it meant to it
    woke up, in the 99th percentile.
    """

    processors: float
    lag: float

    @property
    def busy(self) -> bool:
        """Whether the figures may be its own, and not the server's."""
        return self.processors > _BUSY or self.lag > _LAGS


@dataclass(frozen=True, slots=True)
class Ended:
    """A rehearsal that is over. `seconds`: of play."""

    seen: Seen
    seconds: float
    own: Own
    advice: Advice | None
    """None: no password was changed."""
    interrupted: bool
    remarks: list[str]


def spreads(seen: Seen) -> dict[str, Spread]:
    """Everything that has times, by the name it is shown under."""
    all_of_it = {
        "connection": seen.connection,
        "test": seen.steps[Step.TEST],
        "sync": seen.steps[Step.SYNC],
        "whole change": seen.whole,
        "last account": seen.arrival,
    }
    return {name: spread for name, spread in all_of_it.items() if spread.count}


def for_programs(ended: Ended) -> dict[str, Any]:
    """All of it. Times are seconds."""
    seen = ended.seen
    return {
        "interrupted": ended.interrupted,
        "seconds": round(ended.seconds, 3),
        "changes": {
            "begun": seen.begun,
            "accepted": seen.accepted,
            "accepted_per_second": round(_rate(ended), 3),
            "refused_by_guard": seen.guarded,
            "refused": [
                {"step": step.value, "code": int(code), "count": count, "first": seen.reasons[step, code]}
                for (step, code), count in seen.refused.items()
            ],
            "time_outs": seen.troubles[Trouble.TIMED_OUT],
            "errors": seen.troubles[Trouble.ERROR],
            "texts": dict(seen.texts),
            "unanswered": seen.begun - seen.ended,
        },
        "times": {name: _figures(spread) for name, spread in spreads(seen).items()},
        "late": _figures(seen.late) if seen.late.count else None,
        "arrival": {
            "changes": seen.arrival.count,
            "accounts_reached": seen.reached,
            "not_reached": dict(seen.stuck),
            "examples": [
                {"account": stuck.account, "state": stuck.state, "text": stuck.text}
                for stuck in seen.examples
            ],
            "unknown": seen.unknown,
        },
        "threshold": None
        if ended.advice is None
        else {
            "seconds": ended.advice.threshold,
            "safe": ended.advice.safe,
            "reasons": ended.advice.reasons,
        },
        "own": {"processors": round(ended.own.processors, 3), "lag_p99": round(ended.own.lag, 4)},
        "remarks": [*ended.remarks, *remarks(ended)],
    }


def show(ended: Ended, console: Console) -> None:
    """For people."""
    seen = ended.seen
    if ended.interrupted:
        console.print("interrupted: this is what was seen until then")
    counts = Table(box=SIMPLE, show_header=False)
    counts.add_column(no_wrap=True)
    counts.add_column(justify="right")
    counts.add_column()
    for what, count, text in _counts(ended):
        counts.add_row(what, "" if count is None else f"{count:,}", escape(text))
    console.print(counts)
    times = Table("", *QUANTILES, "max", "of", box=SIMPLE)
    for column in times.columns[1:]:
        column.justify = "right"
    for name, spread in spreads(seen).items():
        cells = [*(spread.quantile(share) for share in QUANTILES.values()), spread.longest]
        times.add_row(name, *map(shown, cells), f"{spread.count:,}")
    if times.rows:
        console.print(times)
    for name in ("whole change", "last account"):
        if name in spreads(seen):
            console.print(f"  {name}: how many took at most")
            for line in bars(spreads(seen)[name]):
                console.print(f"  {line}", markup=False)
            console.print()
    for stuck in seen.examples[:5]:
        console.print(
            f"not reached: {stuck.account}: {stuck.state}: {stuck.text or '-'}", markup=False, soft_wrap=True
        )
    for remark in (*ended.remarks, *remarks(ended)):
        console.print(f"remark: {remark}", markup=False, soft_wrap=True)
    if ended.advice is not None:
        console.print(_advised(ended.advice), markup=False, soft_wrap=True)


def remarks(ended: Ended) -> Iterator[str]:
    """What a reader of the figures has to know."""
    own = ended.own
    if own.busy:
        yield (
            f"the rehearsing process was busy itself (it used {own.processors:.2f} processors, and woke up "
            f"{shown(own.lag)} late): the times may be its own; play with fewer agents, or from several "
            "machines"
        )
    late = ended.seen.late
    if late.count and (behind := late.quantile(0.99)) > _BEHIND:
        yield (
            f"changes began up to {shown(late.longest)} late (p99 {shown(behind)}), because all agents were "
            "busy: that is in the whole change; the server does not bear this rate, or it needs more agents"
        )


def _counts(ended: Ended) -> Iterator[tuple[str, int | None, str]]:
    seen = ended.seen
    yield "changes begun", seen.begun, f"in {ended.seconds:.1f} s"
    yield "accepted", seen.accepted, f"{_rate(ended):,.1f}/s"
    if seen.guarded:
        yield "refused by the echo guard", seen.guarded, "within the Agent Response Threshold"
    for (step, code), count in seen.refused.most_common():
        yield f"refused: {step.value}, {int(code)}", count, f"{code.name.lower()}: {seen.reasons[step, code]}"
    for trouble in Trouble:
        yield trouble.value, seen.troubles[trouble], ""
    for text, count in seen.texts.most_common():
        yield "", count, text
    if unanswered := seen.begun - seen.ended:
        yield "without an answer yet", unanswered, ""
    if seen.reached or seen.stuck:
        yield "accounts reached", seen.reached, ""
        for state, count in seen.stuck.most_common():
            yield "accounts not reached", count, state
    if seen.unknown:
        yield "changes not followed", seen.unknown, ""
    yield "processors used here", None, f"{ended.own.processors:.2f}"


def _advised(advice: Advice) -> str:
    head = (
        "Agent Response Threshold: no recommendation"
        if advice.threshold is None
        else f"Agent Response Threshold: {'' if advice.safe else 'at least '}{advice.threshold} s"
    )
    return "\n".join([head, *(f"  - {reason}" for reason in advice.reasons)])


def _figures(spread: Spread) -> Mapping[str, float]:
    figures = {name: round(spread.quantile(share), 6) for name, share in QUANTILES.items()}
    return {**figures, "max": round(spread.longest, 6), "count": spread.count}


def _rate(ended: Ended) -> float:
    return ended.seen.accepted / max(ended.seconds, math.ulp(1.0))
