"""`provserver endpoints list|pause|resume|test WHERE`: where passwords go, and whether they can."""

from __future__ import annotations

import argparse
import json
from functools import partial
from typing import Any, Final

from provserver.cli import tables, wherever
from provserver.cli.asking import all_endpoints, as_json, endpoint_named, leaf, text, when
from provserver.cli.failure import CommandFailed
from provserver.cli.places import Place
from provserver.cli.wherever import answer_of, at_place
from provserver.ldap.client import Found
from provserver.ldap.extended import CheckEndpoint
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute
from provserver.operations.pausing import PAUSED

HELP = "list the endpoints with what waits for them; pause one, have it go on, or test how it is set up"

_ILL: Final = ("down", "trying")
_LIST, _PAUSE, _RESUME, _TEST = "list", "pause", "resume", "test"
_COLUMNS: Final = (
    "endpoint",
    "connector",
    "state",
    "pending",
    "retrying",
    "held",
    "sending",
    "oldest",
    "lines",
    "why",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "act",
        choices=[_LIST, _PAUSE, _RESUME, _TEST],
        metavar="ACT",
        help="list; pause: what is for it waits; resume; test: is it set up right? Nothing is set",
    )
    wherever.arguments(parser)
    parser.add_argument("name", nargs="?", metavar="NAME", help="its name, Namespace:Name, or its DN")
    parser.add_argument(
        "--account",
        metavar="ACCOUNT",
        help="test: which account to look up there; any by default",
    )


def run(options: argparse.Namespace) -> int:
    if options.act != _LIST and options.name is None:
        raise CommandFailed(f"{options.act}: expected the NAME of an endpoint")
    if options.act == _LIST:
        return _list(options)
    if options.act == _TEST:
        return _test(options)
    name = at_place(options, partial(_pause, options))
    print(f"{name}: {'paused: what is for it waits' if options.act == _PAUSE else 'goes on'}")
    return 0


def _list(options: argparse.Namespace) -> int:
    found = at_place(options, partial(_found, options))
    if options.json:
        print(json.dumps([as_json(one) for one in found], indent=2, ensure_ascii=False))
    else:
        tables.show(_COLUMNS, [_line(one) for one in found])
        if not found:
            print("the domain has no endpoints")
    return 0


async def _found(options: argparse.Namespace, place: Place) -> list[Found]:
    if options.name is not None:
        return [await endpoint_named(place, options.name)]
    return await all_endpoints(place)


def _line(one: Found) -> tuple[str, ...]:
    return (
        leaf(one.dn),
        text(one, "provConnector"),
        text(one, "provEndpointState"),
        text(one, "provEndpointPending"),
        text(one, "provEndpointRetrying"),
        text(one, "provEndpointHeld"),
        text(one, "provEndpointClaimed"),
        when(one, "provEndpointOldest"),
        text(one, "provEndpointLines"),
        text(one, "provEndpointFailure") if text(one, "provEndpointState") in _ILL else "",
    )


async def _pause(options: argparse.Namespace, place: Place) -> str:
    endpoint = await endpoint_named(place, options.name)
    value = b"TRUE" if options.act == _PAUSE else b"FALSE"
    change = Change(ChangeKind.REPLACE, PartialAttribute(PAUSED, (value,)))
    await place.modify(text(endpoint, "provEndpointName"), change)
    return leaf(endpoint.dn)


def _test(options: argparse.Namespace) -> int:
    answer: Any = answer_of(options, CheckEndpoint(options.name, options.account))
    if options.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        print(answer["endpoint"])
        for step in answer["steps"]:
            good = "-" if step.get("skipped") else "WARN" if step.get("warning") else "ok"
            mark = good if step["good"] else "FAILED"
            print(f"  {mark.ljust(6)}  {step['step']}: {step['text']}")
            if not step["good"]:
                print(f"          what to do: {step['advice']}")
    return 0 if answer["good"] else 1
