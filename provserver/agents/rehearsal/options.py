"""The options of `psync-agent rehearse`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from provserver.agents.rehearsal.passwords import DEFAULT, MEANINGS


def rehearse_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    what = parser.add_argument_group("what is done").add_mutually_exclusive_group()
    what.add_argument(
        "--test-only",
        action="store_true",
        help="the test step alone: searches and eTTestPassword; changes nothing",
    )
    what.add_argument(
        "--yes-change-passwords-of",
        metavar="ENDPOINT",
        help="the endpoint's name, typed by whoever means it: its accounts get new passwords that nobody "
        "knows, and so do all other accounts of their users",
    )
    who = parser.add_argument_group("whose passwords; by default of every account of the endpoint")
    who.add_argument("--accounts", metavar="FILE", type=Path, help="the names of the accounts, one a line")
    who.add_argument("--base", metavar="DN", help="the accounts below this entry")
    who.add_argument("--filter", metavar="FILTER", help="the accounts that match")
    how = parser.add_argument_group("how many, and when")
    how.add_argument("--agents", type=_whole, default=10, metavar="N", help="at once; %(default)s by default")
    how.add_argument(
        "--rate",
        type=_positive,
        metavar="N",
        help="changes a second, at random times (a Poisson process); without it each agent begins its next "
        "change when the last one is answered",
    )
    how.add_argument("--changes", type=_whole, metavar="N", help="so many; by default each account once")
    how.add_argument("--duration", type=_positive, metavar="SECONDS", help="for so long")
    how.add_argument(
        "--again",
        type=_seconds,
        default=600.0,
        metavar="SECONDS",
        help="an account changes again after this time at the earliest: the server's Agent Response "
        "Threshold; %(default)g by default",
    )
    how.add_argument(
        "--new-connection",
        action="store_true",
        help="a new connection and login for each change, as CA's agents",
    )
    how.add_argument(
        "--timeout",
        type=_positive,
        default=30.0,
        metavar="SECONDS",
        help="for a connection, and for each step; %(default)g by default",
    )
    how.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="of the order of accounts and the times of arrival; never of passwords",
    )
    how.add_argument(
        "--pattern",
        default=DEFAULT,
        help=f"of the passwords: {MEANINGS}; %(default)s by default",
    )
    seen = parser.add_argument_group("when the passwords have arrived")
    seen.add_argument(
        "--watch-as",
        metavar="NAME",
        help="a global user who may read the users' delivery status: its name, or its DN; without it the "
        "agent itself, who mostly may not",
    )
    seen.add_argument(
        "--watch-password-file",
        metavar="FILE",
        type=Path,
        help="its password: the first line of a file, mode 0600",
    )
    seen.add_argument(
        "--settle",
        type=_seconds,
        default=600.0,
        metavar="SECONDS",
        help="how long to wait, after the last change, for what has not arrived; %(default)g by default",
    )
    result = parser.add_argument_group("the result")
    result.add_argument("--json", action="store_true", help="for programs, on standard output")
    result.add_argument(
        "--picture", metavar="FILE.png", type=Path, help="the times as a picture (needs matplotlib)"
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError
    return value


def _positive(text: str) -> float:
    value = _seconds(text)
    if not value:
        raise ValueError
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


_seconds.__name__ = "number that is not negative"
_positive.__name__ = "positive number"
_whole.__name__ = "positive whole number"  # what argparse says was expected: "invalid ... value"
