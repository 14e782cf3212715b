"""`provserver dump DIR`: the tree as LDIF on standard output, without secrets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from itertools import islice

from provserver.cli.failure import CommandFailed
from provserver.cli.offline import instance_at, schema_of, telling
from provserver.cli.progress import bar
from provserver.directory.entries import Attribute
from provserver.directory.ldif import write_entry
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import ID_KEY
from provserver.imps.views import Views
from provserver.ldap.results import Refusal
from provserver.storage.database import StoreUnusable
from provserver.storage.dumping import DumpedStore

HELP = "write the tree as LDIF to standard output, without secrets"
_STEP = 256
"""Entries that are written at once."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument("--base", metavar="DN", help="only this entry and what is below it")


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.directory, options.overrides)
    schema = schema_of(instance)
    views = Views(instance.settings.server.domain)
    base = views.domain
    if options.base:
        try:
            base, _ = views.resolve(options.base)
        except Refusal as refusal:
            raise CommandFailed(f"--base: {refusal.result.diagnostic}") from None
    with telling():
        store = DumpedStore(instance.store)
    with store, bar(beside_output=True) as progress:
        count = store.count(base)
        if options.base and not count:
            raise CommandFailed(f"--base: '{base}' does not exist")
        task = progress.add_task("dump", total=count)
        try:
            for written in _write(store, base, schema):
                progress.advance(task, written)
        except StoreUnusable as error:
            raise CommandFailed(f"{error}; what was written is not complete") from None
    return 0


def _write(store: DumpedStore, base: DN, schema: Schema) -> Iterator[int]:
    """Write all to standard output; gives how many entries at a time."""
    out = sys.stdout.buffer
    out.write(b"version: 1\n")
    records = _records(store.entries(base), schema)
    while step := list(islice(records, _STEP)):
        out.write(b"".join(step))
        yield len(step)
    out.flush()


def _records(entries: Iterator[tuple[str, Mapping[str, Attribute]]], schema: Schema) -> Iterator[bytes]:
    shown: dict[str, bool] = {}
    for name, attributes in entries:
        written = []
        for key, attribute in attributes.items():
            show = shown.get(key)
            if show is None:
                show = shown[key] = not schema.is_secret(key) and (
                    key == ID_KEY or not schema.is_operational(key)
                )
            if show:
                written.append(attribute)
        yield b"\n" + write_entry(name, written)
