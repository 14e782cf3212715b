"""`provserver guard clear WHERE ACCOUNT`: another password is taken there now, not in ten minutes."""

from __future__ import annotations

import argparse
import json

from provserver.cli import wherever
from provserver.cli.explained import name_of
from provserver.cli.wherever import account_argument, answer_of
from provserver.ldap.extended import ClearGuard

HELP = "clear the echo guard of an account, for somebody who has to change the password there now"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=["clear"], metavar="clear", help="what to do with it")
    wherever.arguments(parser)
    account_argument(parser)


def run(options: argparse.Namespace) -> int:
    explanation = answer_of(options, ClearGuard(options.account))
    if options.json:
        print(json.dumps(explanation, indent=2))
    elif explanation["cleared"]:
        print(f"{name_of(explanation)}: another password is taken now; echoes are still recognised")
    else:
        print(
            f"{name_of(explanation)}: nothing to clear: no password is refused because of one that was sent"
        )
    return 0
