"""`provserver explore WHERE ENDPOINT`: the accounts of an endpoint into the tree, and to their users."""

from __future__ import annotations

import argparse
import json
from functools import partial
from typing import Any, Final

from rich.progress import Progress

from provserver.cli import progress, tables, wherever
from provserver.cli.places import Place
from provserver.cli.wherever import at_place
from provserver.ldap.extended import ExploreEndpoint

HELP = "bring the accounts of an endpoint into the tree; with options correlate them, and create users"

_ACTIONS: Final = (("correlate", "correlate"), ("create", "create-users"), ("update", "update-users"))
_MEANINGS: Final = (
    ("added", "accounts added"),
    ("changed", "accounts changed"),
    ("moved", "accounts moved"),
    ("removed", "accounts removed, which the endpoint no longer has"),
    ("unchanged", "accounts unchanged"),
    ("skipped", "accounts skipped"),
    ("containers", "containers made"),
    ("correlated", "accounts correlated to their global users"),
    ("defaulted", "accounts given to [default user]"),
    ("left", "accounts left uncorrelated: their user holds an admin profile, or there is no [default user]"),
    ("created", "global users created"),
    ("updated", "global users updated"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    wherever.arguments(parser)
    parser.add_argument("endpoint", metavar="ENDPOINT", help="its name, Namespace:Name, or its DN")
    parser.add_argument(
        "--correlate", action="store_true", help="also join accounts that are nobody's to their global users"
    )
    parser.add_argument(
        "--create", action="store_true", help="also create the global users that are missing; correlates too"
    )
    parser.add_argument(
        "--update", action="store_true", help="also bring global users up to date from their accounts"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="change nothing, and show what would be different"
    )


def run(options: argparse.Namespace) -> int:
    answer: Any = at_place(options, partial(_explored, options))
    if options.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _show(answer)
    return 1 if "failure" in answer or answer["skipped"] else 0


async def _explored(options: argparse.Namespace, place: Place) -> Any:
    actions = ("explore", *[action for option, action in _ACTIONS if getattr(options, option)])
    request = ExploreEndpoint(options.endpoint, actions, options.dry_run)
    with progress.bar(beside_output=True) as shown:
        task = shown.add_task("exploring", total=None)
        answer: Any = await place.ask(request)
        while answer["running"]:
            _tell(shown, task, answer)
            answer = await place.ask(ExploreEndpoint(options.endpoint, follow=answer["exploration"]))
    return answer


def _tell(shown: Progress, task: Any, answer: Any) -> None:
    different = sum(answer[name] for name in ("added", "changed", "moved", "removed"))
    shown.update(task, description=f"{answer['accounts']:,} accounts, {different:,} different")


def _show(answer: Any) -> None:
    would = " (a dry run: nothing was changed)" if answer["dryRun"] else ""
    print(f"{answer['endpoint']}: {answer['accounts']} accounts{would}")
    tables.show(("count", "of"), [(str(answer[name]), text) for name, text in _MEANINGS if answer[name]])
    for title, name in (("different", "differences"), ("problems", "problems")):
        for number, line in enumerate(answer.get(name, ())):
            if number == 0:
                print(f"\n{title}, the first of them:")
            print(f"  {line}")
    if "failure" in answer:
        print(f"\nnot to its end: {answer['failure']}")
