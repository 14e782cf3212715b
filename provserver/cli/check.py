"""`provserver check WHERE [--repair]`: inclusions that join nothing any more."""

from __future__ import annotations

import argparse
import json
from functools import partial
from typing import Any, Final

from provserver.cli import wherever
from provserver.cli.places import Place
from provserver.cli.wherever import at_place
from provserver.ldap.extended import CheckTree

HELP = "find inclusions that join no global user and account any more; --repair puts them right"

_PATIENCE: Final = 3_600.0
"""Seconds: there may be millions."""


def arguments(parser: argparse.ArgumentParser) -> None:
    wherever.arguments(parser)
    parser.set_defaults(patience=_PATIENCE)
    parser.add_argument("--repair", action="store_true", help="do what is proposed, not only tell it")


def run(options: argparse.Namespace) -> int:
    answer: Any = at_place(options, partial(_checked, options))
    if options.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _show(answer, repair=options.repair)
    return 0 if answer["good"] else 1


async def _checked(options: argparse.Namespace, place: Place) -> Any:
    return await place.ask(CheckTree(options.repair))


def _show(answer: Any, *, repair: bool) -> None:
    print(
        f"{answer['inclusions']} inclusions, {answer['accounts']} accounts "
        f"({answer['uncorrelated']} of them without an inclusion)"
    )
    for line in answer["lines"]:
        print(f"{line['inclusion']}\n  {line['fault']}: {'' if repair else 'would '}{line['repair']}")
    faults, repaired = answer["faults"], answer["repaired"]
    if len(answer["lines"]) < faults:
        print(f"... and {faults - len(answer['lines'])} more")
    if not faults:
        print("nothing is wrong")
    elif repair:
        print(f"{repaired} of {faults} repaired")
    else:
        print(f"{faults} faults: --repair does what is said here")
