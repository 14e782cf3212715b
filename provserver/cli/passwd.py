"""`provserver passwd DIR NAME`: a lost password set again, on the machine, with the key file."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from provserver.cli.failure import CommandFailed
from provserver.cli.offline import foundation_of, instance_at
from provserver.cli.passwords import ask_password, read_password
from provserver.cli.running import run_until_done
from provserver.imps.users import global_user_dn
from provserver.ldap.messages import ChangeKind
from provserver.ldap.results import Refusal
from provserver.operations.edits import Edits

HELP = "set a global user's password again, offline (a lost administrator's)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument("name", metavar="NAME", help="the global user, as etaadmin")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="first line: the new password; - is standard input; else you are asked",
    )


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.directory, options.overrides)
    if options.password_file is None and not sys.stdin.isatty():
        raise CommandFailed(
            "standard input is no terminal: give --password-file FILE, or - for standard input"
        )
    secret = (
        ask_password(options.name) if options.password_file is None else read_password(options.password_file)
    )

    async def work(reactor: Any) -> None:
        async with foundation_of(instance, reactor) as foundation:
            dn = global_user_dn(options.name, foundation.views.domain)
            if await foundation.store.read(dn) is None:
                raise CommandFailed(f"there is no global user '{options.name}'; nothing was changed")
            edits = Edits(foundation.rooms, "provserver passwd")
            try:
                await edits.modify(dn, [(ChangeKind.REPLACE, "eTPassword", [secret.reveal()])])
                await foundation.store.commit(edits.commit())
            except Refusal as refusal:
                raise CommandFailed(refusal.result.diagnostic) from None

    run_until_done(work)
    print(f"{options.name}: password set; no account was told")
    return 0
