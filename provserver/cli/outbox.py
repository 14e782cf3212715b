"""`provserver outbox list|show|retry|drop WHERE`: passwords that have not arrived yet."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from provserver.cli import tables, wherever
from provserver.cli.asking import (
    ALL,
    OUTBOX,
    account_named,
    as_json,
    endpoint_named,
    leaf,
    text,
    user_named,
    when,
)
from provserver.cli.failure import CommandFailed
from provserver.cli.places import ANYTHING, Answer, Place
from provserver.cli.wherever import at_place
from provserver.ldap.client import Found
from provserver.ldap.extended import DropDeliveries, RetryDeliveries
from provserver.ldap.filters import And, Equality, Filter, Or, Scope

HELP = "list the passwords that have not arrived, have them tried again, or give them up"

_LIST, _SHOW, _RETRY, _DROP = "list", "show", "retry", "drop"
_STATES: Final = ("pending", "claimed", "retrying", "held")
_COLUMNS: Final = ("id", "state", "user", "account", "endpoint", "tries", "since", "due", "event", "why")
_DEFAULT_LIMIT: Final = 500


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "act",
        choices=[_LIST, _SHOW, _RETRY, _DROP],
        metavar="ACT",
        help="list; show: all about the deliveries of these ids; retry: at once, what is held or retrying; "
        "drop: give up what is held, and destroy its password",
    )
    wherever.arguments(parser)
    parser.add_argument("ids", nargs="*", metavar="ID", help="deliveries, as list names them")
    parser.add_argument("--user", metavar="NAME", help="those of a global user, by name or DN")
    parser.add_argument(
        "--account", metavar="ACCOUNT", help="those to an account: a DN, or Namespace:Directory:name"
    )
    parser.add_argument(
        "--endpoint", metavar="NAME", help="those to an endpoint: its name, Namespace:Name, or a DN"
    )
    parser.add_argument(
        "--state", choices=_STATES, help="those in this state: pending, claimed, retrying, or held"
    )
    parser.add_argument("--all", action="store_true", help="retry and drop: no other condition is meant")
    parser.add_argument(
        "--limit",
        type=int,
        default=_DEFAULT_LIMIT,
        metavar="N",
        help=f"list: no more than so many, the oldest; {_DEFAULT_LIMIT} by default, 0 is all",
    )
    parser.add_argument("--yes", action="store_true", help="drop: do not ask")


def run(options: argparse.Namespace) -> int:
    if options.act in (_RETRY, _DROP):
        return _change(options)
    if options.act == _SHOW and not options.ids:
        raise CommandFailed("show: expected ids of deliveries, as list names them")
    rows, more = at_place(options, partial(_found, options))
    if options.json:
        print(json.dumps([as_json(row) for row in rows], indent=2, ensure_ascii=False))
    elif options.act == _SHOW:
        print("\n\n".join([_shown(row) for row in rows]))
    else:
        tables.show(_COLUMNS, [_line(row) for row in rows])
        if not rows:
            print("nothing is in the outbox" + (" that fits" if _conditions(options) else ""))
        if more:
            print(f"there are more than these {len(rows)}: give --limit", file=sys.stderr)
    return 0


# -- list and show


async def _found(options: argparse.Namespace, place: Place) -> tuple[list[Found], bool]:
    """The rows, and whether there are more of them."""
    limit = 0 if options.act == _SHOW else max(0, options.limit)
    wanted = await _filter(options, place)
    rows: list[Found] = []
    async for row in place.search(OUTBOX, Scope.ONE_LEVEL, wanted, ALL):
        if limit and len(rows) >= limit:
            return rows, True
        rows.append(row)
    missing = set(options.ids) - {text(row, "provDelivery") for row in rows}
    if missing:
        names = ", ".join(sorted(missing))
        raise CommandFailed(f"not in the outbox: {names}; it has ended, or never was there")
    return rows, False


async def _filter(options: argparse.Namespace, place: Place) -> Filter:
    parts: list[Filter] = [ANYTHING]
    if options.ids:
        parts.append(Or(tuple([Equality("provDelivery", id.encode()) for id in options.ids])))
    names = {
        "provOutboxUser": (await user_named(place, options.user)).dn if options.user else "",
        "provOutboxAccount": await account_named(place, options.account) if options.account else "",
        "provOutboxEndpoint": text(await endpoint_named(place, options.endpoint), "provEndpointName")
        if options.endpoint
        else "",
        "provOutboxState": options.state or "",
    }
    parts += [Equality(name, value.encode()) for name, value in names.items() if value]
    return And(tuple(parts))


def _line(row: Found) -> tuple[str, ...]:
    return (
        text(row, "provDelivery"),
        text(row, "provOutboxState"),
        leaf(text(row, "provOutboxUser")),
        leaf(text(row, "provOutboxAccount")),
        leaf(text(row, "provOutboxEndpoint")),
        text(row, "provOutboxAttempts"),
        when(row, "provOutboxCreated"),
        "" if text(row, "provOutboxState") == "held" else when(row, "provOutboxDue"),
        text(row, "provOutboxEvent"),
        text(row, "provOutboxText"),
    )


def _shown(row: Found) -> str:
    held = text(row, "provOutboxState") == "held"
    lines = {
        "delivery": text(row, "provDelivery"),
        "state": text(row, "provOutboxState"),
        "user": text(row, "provOutboxUser"),
        "account": text(row, "provOutboxAccount"),
        "endpoint": text(row, "provOutboxEndpoint"),
        "accepted": when(row, "provOutboxCreated"),
        "held since" if held else "due": when(row, "provOutboxDue"),
        "attempts": text(row, "provOutboxAttempts"),
        "event": text(row, "provOutboxEvent"),
        "why": text(row, "provOutboxText"),
        "change": text(row, "provOutboxChange"),
    }
    width = max(map(len, lines))
    return "\n".join([f"{name.ljust(width)}  {value or '-'}" for name, value in lines.items()])


# -- retry and drop


def _change(options: argparse.Namespace) -> int:
    if not options.ids and not _conditions(options) and not options.all:
        raise CommandFailed(
            f"{options.act}: expected ids, --user, --account, --endpoint or --state, or --all for whatever "
            "is held"
        )
    if options.act == _DROP and not options.yes:
        _ask(options)
    kind = RetryDeliveries if options.act == _RETRY else DropDeliveries
    request = kind(
        tuple(options.ids), options.user, options.account, options.endpoint, options.state, options.all
    )
    _tell(options, at_place(options, lambda place: place.ask(request)))
    return 0


def _ask(options: argparse.Namespace) -> None:
    """CommandFailed: there is nobody to ask, or the answer is no."""
    if not sys.stdin.isatty():
        raise CommandFailed("drop: give --yes, since there is no terminal to ask at")
    which = f"these {len(options.ids)} deliveries" if options.ids else "what fits"
    answer = input(f"Drop {which}? Their passwords are destroyed, and do not arrive. [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandFailed("nothing was dropped")


def _tell(options: argparse.Namespace, answer: Answer) -> None:
    if options.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    done: Any = answer
    verb = "retried" if options.act == _RETRY else "dropped"
    for one in done["deliveries"]:
        print(f"{verb}: {one['account']} (was {one['state']})")
    count, left = done[verb], done["leftAlone"]
    if count > len(done["deliveries"]):
        print(f"... {count} in all")
    if not count:
        print(f"nothing was {verb}: {_nothing(options)}")
    if left:
        print(f"left alone: {left}, which a courier has just now, or which have ended meanwhile")


def _nothing(options: argparse.Namespace) -> str:
    if options.ids:
        return "they are being sent"
    states = options.state or ("held or retrying" if options.act == _RETRY else "held")
    return f"nothing that fits is {states}"


def _conditions(options: argparse.Namespace) -> Sequence[str]:
    return [one for one in (options.user, options.account, options.endpoint, options.state) if one]
