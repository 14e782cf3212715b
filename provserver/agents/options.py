"""The command line of psync-agent. Never a password on it: that is read from standard input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from provserver import __version__
from provserver.agents.reading import PSYNC, Form
from provserver.agents.rehearsal.options import rehearse_arguments

USAGE: Final = 2
_MOST_DIGITS: Final = 6
"""Of a file descriptor's number."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """Under which name the agent is called, and how its conf file is written. `variable` may name that file;
    `account`: the variable that names the account where there is no ACCOUNT. "": there is none. `own`: its
    own commands, or its own way of one, without ACCOUNT, and what they do; `without`: those that it lacks.
    """

    name: str
    form: Form
    conf: str
    variable: str = ""
    account: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset({"sample", "rehearse"})


PSYNC_AGENT: Final = Flavour(
    "psync-agent",
    PSYNC,
    "/etc/psync-agent/eta_pwdsync.conf",
    variable="PSYNC_AGENT_CONF",
    without=frozenset(),
)
ENVIRONMENT: Final = {
    PSYNC_AGENT.variable: f"the conf file, where there is no --conf; else {PSYNC_AGENT.conf}",
}
"""Variables that psync-agent reads, and what they are."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


COMMANDS: Final = {
    "test": "before a change: may ACCOUNT have the password on standard input?",
    "sync": "after a change: ACCOUNT has the password on standard input now; tell the others",
    "change": "both, for who can still veto: test it, and when it is accepted, tell the others",
    "check": "explain what the conf file says, and try each server; nothing is changed",
    "spool": "the changes that wait: list them, or flush them now",
    "run": "deliver what waits, whenever a server is there, until it is stopped",
    "sample": "print a commented conf file",
    "rehearse": "play many agents at once: what the server bears, and what Agent Response Threshold is safe",
}


def _descriptor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        # Not shown: it may be the password.
        raise argparse.ArgumentTypeError("expected the number of a file descriptor")
    return int(text)


def parser(flavour: Flavour, environment: Mapping[str, str] = os.environ) -> argparse.ArgumentParser:
    """All commands and options."""
    top = _Parser(
        prog=flavour.name,
        description="Reports the password changes of an endpoint to a provisioning server.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"{flavour.name} of provserver {__version__}")
    otherwise = " ".join(f"else {place}," for place in (flavour.variable, flavour.conf) if place)
    top.add_argument(
        "--conf",
        metavar="FILE",
        type=Path,
        default=Path(environment.get(flavour.variable) or flavour.conf),
        help=f"the conf file; {otherwise.rstrip(',')}",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in {**COMMANDS, **flavour.own}.items():
        if name in flavour.without:
            continue
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name in ("test", "sync", "change") and name not in flavour.own:
            known = environment.get(flavour.account)
            sub.add_argument(
                "account",
                metavar="ACCOUNT",
                nargs="?" if known else None,
                default=known,
                help="the name its owner logs on with",
            )
            sub.add_argument(
                "--password-fd",
                metavar="N",
                type=_descriptor,
                help="the file descriptor to read the password from, in the place of standard input",
            )
        elif name == "spool":
            sub.add_argument(
                "act",
                metavar="list|flush",
                choices=("list", "flush"),
                help="show what waits, or deliver it now",
            )
        elif name == "rehearse":
            rehearse_arguments(sub)
    return top
