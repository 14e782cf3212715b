"""`provserver explain WHERE ACCOUNT`: why an account's password is taken or refused, and where it goes."""

from __future__ import annotations

import argparse
import json

from provserver.cli import wherever
from provserver.cli.explained import text_of
from provserver.cli.wherever import account_argument, answer_of
from provserver.ldap.extended import Explain

HELP = "say why an account's password is taken or refused, what a sync would do, and where passwords stand"


def arguments(parser: argparse.ArgumentParser) -> None:
    wherever.arguments(parser)
    account_argument(parser)


def run(options: argparse.Namespace) -> int:
    explanation = answer_of(options, Explain(options.account))
    print(json.dumps(explanation, indent=2) if options.json else text_of(explanation))
    return 0
