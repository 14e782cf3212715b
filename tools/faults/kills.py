#!/usr/bin/env python3
"""The server is killed again and again while agents report changes and endpoints fail and recover; then every
account must have its user's newest acknowledged password, and none may ever have been sent an older one late.

    python tools/faults/kills.py [--kills N] [--agents N] [--seed N]

Ends with 1 if anything is not so. The suite runs it too, bounded (`tests/faults/test_kills.py`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from aftermath import violations
from attrition import ENDPOINTS, SETTINGS, Attrition, Plan, domain_ldif
from moody import Moody
from racetrack import BenchFailed, Track
from twisted.internet.threads import deferToThread

from provserver.cli.running import run_until_done

SHOWN: Final = 20
"""Violations that are printed."""


async def run(
    reactor: Any, plan: Plan, folder: Path, tell: Callable[[str], None]
) -> tuple[Attrition, Sequence[str]]:
    """In a folder of its own: what happened, and what is wrong. BenchFailed."""
    endpoints = [
        Moody(reactor, Random(plan.seed + number), f"moody{number}")  # noqa: S311  it must be repeatable
        for number in range(ENDPOINTS)
    ]
    track = await deferToThread(Track, folder, partial(domain_ldif, plan, endpoints), SETTINGS)
    try:
        await deferToThread(track.start)
        attrition = Attrition(reactor, plan, track, endpoints, tell)
        logs_in = await attrition.run()
    finally:
        await deferToThread(track.stop)
    return attrition, violations(attrition.reports, attrition.accounts, logs_in)


def figures(plan: Plan, attrition: Attrition, wrong: Sequence[str]) -> Mapping[str, str]:
    """The table's rows."""
    reports = [report for mine in attrition.reports.values() for report in mine]
    acknowledged = sum(report.acknowledged for report in reports)
    refused = Counter(report.refusal.partition(":")[0] for report in reports if report.refusal)
    sent = sum(one.sent for mine in attrition.accounts.values() for taken in mine for one in taken)
    return {
        "kills": f"{attrition.kills} of {plan.kills}",
        "changes reported": f"{len(reports)}, of {len(attrition.reports)} users by {plan.agents} agents",
        "acknowledged": str(acknowledged),
        "refused": ", ".join(f"{count} {code}" for code, count in refused.items()) or "none",
        "not answered": str(len(reports) - acknowledged - sum(refused.values())),
        "moods of endpoints": str(attrition.moods),
        "passwords sent": str(sent),
        "time": f"{attrition.seconds:.1f} s, and {attrition.settled_after:.1f} s until all was delivered",
        "newest everywhere": f"{len(wrong)} violations" if wrong else "yes",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--agents", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0, help="which moments, which trouble")
    plan = Plan(**vars(parser.parse_args()))

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        try:
            attrition, wrong = run_until_done(lambda reactor: run(reactor, plan, Path(folder), tell))
        except BenchFailed as failed:
            print(f"{type(failed).__name__}: {failed}", file=sys.stderr)
            return 1
    for name, figure in figures(plan, attrition, wrong).items():
        print(f"{name:<22}{figure}")
    for violation in wrong[:SHOWN]:
        print(f"VIOLATION {violation}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
