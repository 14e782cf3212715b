"""`provserver status WHERE [USER]`: what has arrived, and what has not."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

from provserver.cli import tables, wherever
from provserver.cli.asking import A_USER, ALL, OUTBOX, all_endpoints, as_json, leaf, text, user_named, when
from provserver.cli.failure import CommandFailed
from provserver.cli.places import Place
from provserver.cli.wherever import at_place
from provserver.directory.names import DN
from provserver.imps.users import global_users
from provserver.ldap.client import Found
from provserver.ldap.filters import Equality, Scope
from provserver.operations.statuses import UNDELIVERED

HELP = "say what has arrived of one user's passwords, or of everybody's"

_ABOUT_USERS: Final = ("provPasswordChanged", "provPasswordChangeId", "provAccountStatus")
_ACCOUNT_COLUMNS: Final = ("account", "state", "when", "event", "why")
_COUNTED: Final = {
    "pending": "provEndpointPending",
    "sending": "provEndpointClaimed",
    "retrying": "provEndpointRetrying",
    "held": "provEndpointHeld",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    wherever.arguments(parser)
    parser.add_argument(
        "user", nargs="?", metavar="USER", help="a global user's name or DN; without it, all of them"
    )
    parser.add_argument(
        "--never-synchronised",
        action="store_true",
        help="the users with accounts whose password was never changed through this server",
    )
    parser.add_argument(
        "--failed",
        action="store_true",
        help="every account that does not have its user's password, and will not get it unless somebody acts",
    )


def run(options: argparse.Namespace) -> int:
    chosen = [options.user is not None, options.never_synchronised, options.failed]
    if sum(chosen) > 1:
        raise CommandFailed("expected only one of USER, --never-synchronised and --failed")
    if options.user is not None:
        return _one(options)
    if options.never_synchronised:
        return _never(options)
    if options.failed:
        return _failed(options)
    return _all(options)


def _print(answer: object) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))


# -- one user


def _one(options: argparse.Namespace) -> int:
    user = at_place(options, lambda place: user_named(place, options.user, _ABOUT_USERS))
    accounts = _accounts(user)
    if options.json:
        _print({"user": user.dn, "lastChange": when(user, "provPasswordChanged"), "accounts": accounts})
        return 0
    print(f"{leaf(user.dn)}: password last changed {when(user, 'provPasswordChanged') or 'never'}")
    if accounts:
        tables.show(_ACCOUNT_COLUMNS, [_line(one) for one in accounts])
    else:
        print("no accounts: nothing is sent anywhere")
    return 0


def _accounts(user: Found) -> list[dict[str, Any]]:
    return [json.loads(value) for value in user.values("provAccountStatus")]


def _line(account: dict[str, Any]) -> tuple[str, ...]:
    due = f"due {account['due']}" if account["due"] else ""
    return (
        account["account"],
        account["state"],
        due or account["at"] or "",
        str(account["event"] or ""),
        account["text"] or "",
    )


# -- some of all users


async def _users(place: Place) -> AsyncIterator[Found]:
    base = str(global_users(DN.parse(await place.domain())))
    async for user in place.search(base, Scope.SUBTREE, A_USER, _ABOUT_USERS):
        yield user


def _never(options: argparse.Namespace) -> int:
    async def found(place: Place) -> list[Found]:
        # One that was loaded has an id without a text: a filter does not tell it from others.
        return [
            user
            async for user in _users(place)
            if user.values("provAccountStatus") and not text(user, "provPasswordChangeId")
        ]

    users = at_place(options, found)
    if options.json:
        _print([{"user": user.dn, "accounts": _accounts(user)} for user in users])
        return 0
    tables.show(("user", "accounts"), [(leaf(one.dn), str(len(_accounts(one)))) for one in users])
    print(f"{len(users)} users with accounts have not changed their password since they were loaded")
    return 0


def _failed(options: argparse.Namespace) -> int:
    async def found(place: Place) -> list[tuple[str, dict[str, Any]]]:
        return [
            (user.dn, account)
            async for user in _users(place)
            for account in _accounts(user)
            if account["state"] in UNDELIVERED
        ]

    accounts = at_place(options, found)
    if options.json:
        _print([{"user": user, **account} for user, account in accounts])
        return 0
    tables.show(("user", *_ACCOUNT_COLUMNS), [(leaf(user), *_line(account)) for user, account in accounts])
    if not accounts:
        print("every account has its user's password, or will get it")
    return 0


# -- totals


def _all(options: argparse.Namespace) -> int:
    endpoints, held = at_place(options, partial(_totals))
    totals = {state: sum(int(text(one, name) or 0) for one in endpoints) for state, name in _COUNTED.items()}
    if options.json:
        _print({"totals": totals, "endpoints": [as_json(one) for one in endpoints], "held": _refusals(held)})
        return 0
    print("on its way: " + ", ".join([f"{count} {state}" for state, count in totals.items()]))
    waiting = [one for one in endpoints if any(int(text(one, name) or 0) for name in _COUNTED.values())]
    tables.show(
        ("endpoint", "state", *_COUNTED, "oldest"),
        [
            (
                leaf(one.dn),
                text(one, "provEndpointState"),
                *[text(one, name) for name in _COUNTED.values()],
                when(one, "provEndpointOldest"),
            )
            for one in waiting
        ],
    )
    if held:
        print("held, until somebody acts (provserver outbox):")
        tables.show(
            ("endpoint", "event", "count", "since", "why"),
            [
                (one["endpoint"], str(one["event"]), str(one["count"]), one["since"], one["why"])
                for one in _refusals(held)
            ],
        )
    return 0


async def _totals(place: Place) -> tuple[list[Found], list[Found]]:
    held = Equality("provOutboxState", b"held")
    rows = [row async for row in place.search(OUTBOX, Scope.ONE_LEVEL, held, ALL)]
    return await all_endpoints(place), rows


def _refusals(held: list[Found]) -> list[dict[str, Any]]:
    """What is held, by endpoint and event: how many, since when, and what the first was told."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Found] = {}
    for row in held:
        kind = text(row, "provOutboxEndpoint"), text(row, "provOutboxEvent")
        counts[kind] += 1
        known = first.get(kind)
        if known is None or text(row, "provOutboxDue") < text(known, "provOutboxDue"):
            first[kind] = row
    return [
        {
            "endpoint": leaf(endpoint),
            "event": int(event or 0),
            "count": counts[endpoint, event],
            "since": when(row, "provOutboxDue"),
            "why": text(row, "provOutboxText"),
        }
        for (endpoint, event), row in sorted(first.items(), key=lambda one: one[0])
    ]
