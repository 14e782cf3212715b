"""`provserver keys list|rotate|forget DIR`: the keys of an instance, renewed without stopping the server."""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from typing import Any, Final

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.offline import foundation_of, instance_at
from provserver.cli.running import run_until_done
from provserver.journal.events import Event
from provserver.passwords.key_needs import KeyNeeds
from provserver.passwords.renewing import Resealed, Resealing
from provserver.storage.database import StoreUnusable
from provserver.storage.lock import Holder, holder_of
from provserver.storage.outside import OutsideView
from provserver.vault.keyring import KeyId, KeyRing

HELP = "list the keys that seal passwords on their way, make a new one current, or forget an old one"

_LIST, _ROTATE, _FORGET = "list", "rotate", "forget"
_PATIENCE: Final = 30.0
"""Seconds for a server to say that it has read the keys."""
_PAUSE: Final = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "act",
        choices=[_LIST, _ROTATE, _FORGET],
        metavar="ACT",
        help="list: ids, and what still needs each; rotate: a new current key, which a server that runs "
        "takes at once; forget: an old one that nothing needs any more",
    )
    parser.add_argument("directory", metavar="DIR", help="the instance, served or not")
    parser.add_argument("id", nargs="?", metavar="ID", help="forget: the key, as list names it")
    parser.add_argument("--json", action="store_true", help="list: as JSON")


def run(options: argparse.Namespace) -> int:
    if (options.act == _FORGET) != (options.id is not None):
        raise CommandFailed("forget needs the ID of a key; list and rotate take none")
    instance = instance_at(options.directory, options.overrides)
    try:
        if options.act == _LIST:
            _list(instance, as_json=options.json)
        elif options.act == _ROTATE:
            _rotate(instance)
        else:
            _forget(instance, KeyId(options.id))
    except (StoreUnusable, FileNotFoundError) as error:
        raise CommandFailed(f"the store cannot be read: {error}") from None
    return 0


def _needs(instance: Instance) -> KeyNeeds:
    with OutsideView(instance.store) as view:
        return KeyNeeds.of(view.sealed(), view.marks(), view.entries())


def _list(instance: Instance, *, as_json: bool) -> None:
    needs, ring = _needs(instance), instance.keys
    missing = sorted(needs.ids - set(ring.ids))
    if as_json:
        keys = [
            {"id": key, "current": key == ring.current, "missing": key in missing, **needs.counts(key)}
            for key in (*ring.ids, *missing)
        ]
        print(json.dumps(keys, indent=2))
        return
    for key in (*ring.ids, *missing):
        what = "current" if key == ring.current else "missing" if key in missing else "older"
        print(f"{key}  {what}  {needs.sentence(key) or 'needed by nothing'}")


def _rotate(instance: Instance) -> None:
    ring = instance.keys.rotated()
    ring.write(instance.keys_file)
    print(f"new current key: {ring.current}")
    holder = holder_of(instance.store)
    if holder is None:
        renewed = Instance(instance.directory, instance.settings, ring)
        done = run_until_done(lambda reactor: _reseal(renewed, reactor))
        print(f"sealed anew: {done.deliveries} deliveries, secrets of {done.endpoints} endpoints")
        if done.broken:
            print(f"cannot be opened, and stay as they are: {done.broken}")
        return
    _have_read(instance, ring, holder)
    print(f"process {holder.process} uses it, and seals anew what waits")


async def _reseal(instance: Instance, reactor: Any) -> Resealed:
    async with foundation_of(instance, reactor) as f:
        return await Resealing(f.store, f.views.domain, f.seal, f.wall).run()


def _forget(instance: Instance, key: KeyId) -> None:
    without = instance.keys.without(key)
    holder = holder_of(instance.store)
    if holder is not None:
        # What it seals from now on is under the current key, whatever happened before.
        _have_read(instance, instance.keys, holder)
    needs = _needs(instance)
    if needs.sentence(key):
        advice = " ".join(needs.advice(key, served=holder is not None))
        raise CommandFailed(f"key {key} is still needed by {needs.sentence(key)}. {advice}")
    without.write(instance.keys_file)
    if holder is not None:
        _have_read(instance, without, holder)
    print(f"key {key} is forgotten")


def _have_read(instance: Instance, ring: KeyRing, holder: Holder) -> None:
    """Have the server read its key file, and wait until it says so. CommandFailed."""
    what_to_do = "send it SIGHUP, or start it anew; the key file is in order"
    who = f"process {holder.process} on {holder.host}"
    if not holder.is_here:
        raise CommandFailed(f"{who} has the store, and cannot be told from here: {what_to_do}")
    with OutsideView(instance.store) as view:
        before = view.last_line()
    try:
        os.kill(holder.process, signal.SIGHUP)
    except (ProcessLookupError, PermissionError) as error:
        raise CommandFailed(f"{who} cannot be told ({error.strerror}): {what_to_do}") from None
    deadline = time.monotonic() + _PATIENCE
    while not _has_said(instance, before, ring.current):
        if time.monotonic() > deadline:
            raise CommandFailed(f"{who} does not say that it has read the keys: see its log, {what_to_do}")
        time.sleep(_PAUSE)


def _has_said(instance: Instance, after: int, current: KeyId) -> bool:
    with OutsideView(instance.store) as view:
        return any(
            event == Event.KEYS_READ and json.loads(fields).get("key") == current
            for event, fields in view.journal(after)
        )
