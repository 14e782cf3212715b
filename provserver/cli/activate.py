"""`provserver activate WHERE`: what a restore has held, beside what is known of its accounts; released or
dropped.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from provserver.cli import tables
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.offline import foundation_of, instance_at
from provserver.cli.running import run_until_done
from provserver.foundation import Foundation, outbox_acts_of
from provserver.ldap.extended import DropDeliveries, RetryDeliveries
from provserver.ldap.results import Refusal
from provserver.passwords.explaining import Json
from provserver.passwords.reviewing import Review, Reviewing
from provserver.storage.lock import holder_of

HELP = "after a restore, offline: list what is held because of it, and release it or give it up"

_ALL: Final = "all"
_COLUMNS: Final = ("id", "account", "user", "endpoint", "made", "last delivery", "changed since")
_COMMAND: Final = "provserver activate"
_AT_ONCE: Final = 1000


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="WHERE", help="the instance's directory; nobody may be serving it")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--release",
        nargs="+",
        metavar="ID",
        help="deliver these when the instance is served, or all: where the account has no newer password",
    )
    chosen.add_argument(
        "--drop", nargs="+", metavar="ID", help="give these up, or all, and destroy their passwords"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.where, options.overrides)
    holder = holder_of(instance.store)
    if holder is not None:
        raise CommandFailed(
            f"{options.where} is being served (process {holder.process} on {holder.host}): what is held "
            f"there is listed by provserver outbox list {options.where} --state held, released by retry, "
            "given up by drop"
        )
    if options.release is None and options.drop is None:
        _show(options, run_until_done(lambda reactor: _reviews(instance, reactor)))
        return 0
    release = options.release is not None
    wanted = options.release if release else options.drop
    if not options.yes:
        _ask("Release" if release else "Drop", wanted)
    done = run_until_done(lambda reactor: _acted(instance, wanted, reactor, release=release))
    if options.json:
        print(json.dumps({"released" if release else "dropped": done}))
    else:
        print(f"{done} released: delivered when it is served" if release else f"{done} dropped")
    return 0


async def _reviews(instance: Instance, reactor: Any) -> list[Review]:
    async with foundation_of(instance, reactor) as foundation:
        return await _found(foundation)


async def _found(foundation: Foundation) -> list[Review]:
    return [one async for one in Reviewing(foundation.store, foundation.inclusions).restored()]


async def _acted(instance: Instance, wanted: Sequence[str], reactor: Any, *, release: bool) -> int:
    """How many there were. CommandFailed."""
    async with foundation_of(instance, reactor) as foundation:
        held = [one.delivery.id for one in await _found(foundation)]
        chosen = held if list(wanted) == [_ALL] else list(wanted)
        strange = sorted(set(chosen) - set(held))
        if strange:
            raise CommandFailed(f"not held because of a restore: {', '.join(strange)}; nothing was changed")
        acts = outbox_acts_of(foundation, _nobody_looks)
        who = {"by": _COMMAND, "system user": getpass.getuser()}
        done = 0
        for start in range(0, len(chosen), _AT_ONCE):
            ids = tuple(chosen[start : start + _AT_ONCE])
            try:
                if release:
                    done += _number((await acts.retry(RetryDeliveries(ids), who))["retried"])
                else:
                    done += _number((await acts.drop(DropDeliveries(ids), who))["dropped"])
            except Refusal as refusal:
                raise CommandFailed(refusal.result.diagnostic) from None
        return done


def _number(value: Json) -> int:
    assert isinstance(value, int)  # noqa: S101 -- a count
    return value


def _nobody_looks(endpoint: object) -> None:
    """No courier is there; the server looks when it starts."""


def _ask(verb: str, wanted: Sequence[str]) -> None:
    """CommandFailed: there is nobody to ask, or the answer is no."""
    if not sys.stdin.isatty():
        raise CommandFailed("give --yes, since there is no terminal to ask at")
    which = "all that is held because of the restore" if list(wanted) == [_ALL] else f"{len(wanted)} of them"
    effect = "Accounts that have a newer password get this older one" if verb == "Release" else "Not undone"
    if input(f"{verb} {which}? {effect}. [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandFailed("nothing was changed")


def _show(options: argparse.Namespace, reviews: Sequence[Review]) -> None:
    if options.json:
        print(json.dumps([_as_json(one) for one in reviews], indent=2, ensure_ascii=False))
    elif not reviews:
        print("nothing is held because of a restore")
    else:
        tables.show(_COLUMNS, [_line(one) for one in reviews])
        print(f"{_COMMAND} {options.where} --release ID... or all; --drop ID... or all", file=sys.stderr)


def _line(one: Review) -> tuple[str, ...]:
    last = f"{one.last.state.value} {_when(one.last.at)}" if one.last is not None else "none known"
    changed = _when(one.changed) if one.changed is not None else "no"
    made = _when(one.delivery.created)
    return one.delivery.id, one.account, one.user, one.endpoint, made, last, changed


def _as_json(one: Review) -> dict[str, Json]:
    last: Json = None
    if one.last is not None:
        at = _when(one.last.at)
        last = {"state": one.last.state.value, "at": at, "event": one.last.event, "text": one.last.text}
    return {
        "id": one.delivery.id,
        "account": one.account,
        "user": one.user or None,
        "endpoint": one.endpoint,
        "change": one.delivery.change,
        "made": _when(one.delivery.created),
        "heldSince": _when(one.delivery.due),
        "lastDelivery": last,
        "changedSince": _when(one.changed) if one.changed is not None else None,
    }


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
