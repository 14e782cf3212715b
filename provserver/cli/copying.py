"""What a backup consists of beside the store: files of the instance, found by what the settings name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import TLS_DIRECTORY, Instance
from provserver.settings import Settings

STORE: Final = "store.db"
"""The copy's store, where the instance has its own elsewhere."""
_CHUNK: Final = 1 << 20
_SECTION: Final = re.compile(r"(?ms)^\s*\[\s*storage\s*\][^\n]*\n(?P<body>.*?)(?=^\s*\[|\Z)")
_PATH: Final = re.compile(r"(?m)^\s*path\s*=[^\n]*$")


def inside(instance: Instance, path: Path) -> Path | None:
    """The way from the instance's directory; None: it is elsewhere."""
    base = instance.directory.resolve()
    found = path.parent.resolve() / path.name
    return found.relative_to(base) if found.is_relative_to(base) else None


def files_of(instance: Instance) -> Iterator[Path]:
    """Files that belong to an instance, beside settings, keys and store, whether or not they are inside it.
    Each once; those of `passwords.breached` are not: they can be had again, and fill disks.
    """
    settings = instance.settings
    tls = instance.directory / TLS_DIRECTORY
    named = [settings.external_policy.secret_file, settings.external_policy.authority]
    named += [settings.passwords.dictionary]
    listed = [
        *(sorted(path for path in tls.rglob("*") if path.is_file()) if tls.is_dir() else ()),
        instance.certificate,
        instance.certificate_key,
        *([instance.client_authority] if instance.client_authority is not None else []),
        *instance.schema_files,
        *[instance.directory / name for name in named if name],
    ]
    yield from dict.fromkeys(listed)


def copy_file(source: Path, target: Path) -> None:
    """A private copy that is on disk when this returns. OSError."""
    make_folders(target.parent)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as original, os.fdopen(descriptor, "wb") as copy:
        while piece := original.read(_CHUNK):
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())


def make_folders(folder: Path) -> None:
    """This folder and those above it, for their owner alone."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(mode=0o700)


def flush_folders(top: Path) -> None:
    """Make all names in a tree durable."""
    for folder, _, _ in os.walk(top):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def with_own_store(text: str, origin: str) -> str:
    """The settings file with the store in the instance's directory, and else the same. CommandFailed."""
    wanted = Settings.parse(text, origin)
    wanted = replace(wanted, storage=replace(wanted.storage, path=STORE))
    section = _SECTION.search(text)
    if section is not None:
        body = _PATH.sub(f'path = "{STORE}"', section["body"], count=1)
        changed = text[: section.start("body")] + body + text[section.end("body") :]
        if Settings.parse(changed, origin) == wanted:
            return changed
    raise CommandFailed(
        f"{origin}: storage.path names a store elsewhere in a way that cannot be replaced in the copy; write "
        'it as a line of its own in [storage]: path = "..."'
    )
