#!/usr/bin/env python3
"""Many connections change one user's password at once, each from an account of its own, without an echo
guard; the server may be killed meanwhile.

    python tools/faults/races.py [--changes N] [--connections N] [--kills N] [--seed N]

Then it is looked at whether nobody was starved, every acknowledged change has a place in one order, the last
one is what the global user and every account hold, and the history has no gap. Ends with 1 if anything is
not so. The suite runs it too, bounded (`tests/faults/test_races.py`).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from ledger import Ledger
from racetrack import REMEMBERED, BenchFailed, Track, accounts, race_ldif
from racing import Deadlock, Plan, Race
from twisted.internet.threads import deferToThread
from verdict import Seen, Verdict, judge
from witnesses import look, read

from provserver.cli.instance import Instance
from provserver.cli.offline import foundation_of
from provserver.cli.running import run_until_done

SHOWN: Final = 20
"""Violations of one race that are printed."""

Result = tuple[Race, Seen, Verdict]


async def run(reactor: Any, plan: Plan, folder: Path, tell: Callable[[str], None]) -> Result:
    """One race, in a folder of its own. Deadlock, BenchFailed."""
    riders = accounts(plan.connections)
    ledger = Ledger(reactor, Random(plan.seed + 2))  # noqa: S311  not for secrets: it must be repeatable
    track = await deferToThread(Track, folder, partial(race_ldif, riders, ledger.url))
    try:
        await deferToThread(track.start)
        race = Race(reactor, plan, track, riders, lambda: not ledger.lines, tell)
        await race.run()
        tell("waiting for the last deliveries")
        seen = await look(reactor, track, race.attempts, riders, ledger)
    finally:
        track.stop()
    instance = Instance.load(track.home.instance, list(track.home.settings))
    async with foundation_of(instance, reactor) as foundation:
        return race, seen, judge(seen, await read(foundation, riders), REMEMBERED)


def figures(plan: Plan, race: Race, seen: Seen, verdict: Verdict) -> Mapping[str, str]:
    """The table's rows."""
    waits = sorted(attempt.wait for attempt in seen.attempts if attempt.acknowledged) or [0.0]
    lost = [attempt for attempt in seen.attempts if not attempt.acknowledged]
    committed = len(verdict.order) - (len(seen.attempts) - len(lost))
    return {
        "changes acknowledged": f"{len(seen.attempts) - len(lost)} of {plan.changes}",
        "connections": str(plan.connections),
        "kills": f"{race.kills} of {plan.kills}",
        "not acknowledged": f"{len(lost)}, of them committed: {committed}",
        "time": f"{race.seconds:.1f} s, {plan.changes / race.seconds:.0f} changes/s",
        "wait": f"median {statistics.median(waits) * 1000:.0f} ms, "
        f"99% {waits[int(len(waits) * 0.99)] * 1000:.0f} ms, worst {waits[-1] * 1000:.0f} ms",
        "overtaken": f"by {verdict.overtaken} changes of others at most",
        "sent to the LDAP endpoint": f"{sum(map(len, seen.received.values()))} passwords",
        "order": f"{len(verdict.violations)} violations" if verdict.violations else "whole",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--changes", type=int, default=10_000, help="how many are to be acknowledged")
    parser.add_argument("--connections", type=int, default=64, help="each with an account of its own")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs, at random moments")
    parser.add_argument("--seed", type=int, default=0, help="which moments, which trouble at the endpoint")
    plan = Plan(**vars(parser.parse_args()))

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="races-") as folder:
        try:
            race, seen, verdict = run_until_done(lambda reactor: run(reactor, plan, Path(folder), tell))
        except (BenchFailed, Deadlock) as failed:
            print(f"{type(failed).__name__}: {failed}", file=sys.stderr)
            return 1
    for name, figure in figures(plan, race, seen, verdict).items():
        print(f"{name:<26}{figure}")
    for violation in verdict.violations[:SHOWN]:
        print(f"VIOLATION {violation}")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
