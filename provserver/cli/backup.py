"""`provserver backup WHERE TARGET`: a consistent copy of an instance, made while it is served or not."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from provserver.cli.copying import (
    STORE,
    copy_file,
    files_of,
    flush_folders,
    inside,
    make_folders,
    with_own_store,
)
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import KEYS_FILE, SETTINGS_FILE, Instance
from provserver.cli.offline import instance_at
from provserver.cli.progress import bar
from provserver.settings import Settings
from provserver.storage.database import StoreUnusable
from provserver.storage.outside import OutsideView
from provserver.vault.keyring import KeyRing

HELP = "copy an instance, consistent, whether or not it is served"

_STAGE: Final = ".provserver-backup-"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("where", metavar="WHERE", help="the instance")
    parser.add_argument("target", metavar="TARGET", help="a directory that does not exist: the copy")
    parser.add_argument(
        "--with-keys",
        action="store_true",
        help="copy the key file too: whoever has both it and the store can open what is sealed (passwords on "
        "their way, secrets of endpoints), so keep them apart if you can",
    )


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.where, options.overrides)
    target = Path(options.target)
    if target.exists() or target.is_symlink():
        raise CommandFailed(f"{target} exists already; expected the name of a new directory")
    if not target.parent.is_dir():
        raise CommandFailed(f"{target.parent} is no directory")
    left_out = _make(instance, target, with_keys=options.with_keys)
    print(f"{target}: a backup of {options.where}")
    for name in left_out:
        print(f"not copied: {name}")
    if not options.with_keys:
        print(f"not copied: {KEYS_FILE}, which is needed to serve it: keep a copy of it somewhere else")
    return 0


def _make(instance: Instance, target: Path, *, with_keys: bool) -> list[str]:
    """The copy, complete and on disk from the moment it has its name. What is not in it, for the person."""
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=target.parent))  # mode 0700
    try:
        left_out = _fill(instance, stage, with_keys=with_keys)
        flush_folders(stage)
        stage.rename(target)  # onto a directory that came meanwhile, if it is empty; never over anything
    except (StoreUnusable, FileNotFoundError) as error:
        raise CommandFailed(f"{error}; no backup was made") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return left_out


def _fill(instance: Instance, stage: Path, *, with_keys: bool) -> list[str]:
    left_out = []
    written = Settings.load(instance.settings_file).storage.path  # what --set says is of this run only
    store = inside(instance, instance.directory / written)
    _copy_store(instance, stage / (store or STORE))
    for path in files_of(instance):
        place = inside(instance, path)
        if place is None:
            left_out.append(f"{path}, which is outside of the instance")
        else:
            copy_file(path, stage / place)
    if instance.settings.passwords.breached:
        left_out.append(f"{instance.settings.passwords.breached} (passwords.breached)")
    if with_keys:
        # After the store: what is sealed in the copy opens with the keys of then or later.
        KeyRing.load(instance.keys_file).write(stage / KEYS_FILE)
    if store is not None:
        copy_file(instance.settings_file, stage / SETTINGS_FILE)
    else:
        text = with_own_store(instance.settings_file.read_text("utf-8"), str(instance.settings_file))
        beside = stage / SETTINGS_FILE
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o600)
    return left_out


def _copy_store(instance: Instance, target: Path) -> None:
    make_folders(target.parent)
    with OutsideView(instance.store) as view, bar() as progress:
        task = progress.add_task("store", total=None)

        def report(done: int, all_: int) -> None:
            progress.update(task, completed=done, total=all_)

        view.copy(target, time.time(), report)
