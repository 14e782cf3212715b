"""LDIF into the tree, with errors that name file and line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from provserver.cli.casting_worker import Order
from provserver.cli.collector import collecting_between
from provserver.cli.crew import Crew
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.running import at_once
from provserver.directory.ldif import LdifError, LdifRecord, read_ldif
from provserver.directory.ldifblocks import Block, blocks_of
from provserver.foundation import Foundation, schema_texts
from provserver.ldap.results import Refusal
from provserver.operations.bulk import Bulk
from provserver.operations.edits import Edits
from provserver.operations.identities import identities
from provserver.operations.loading import apply
from provserver.storage.arrivals import LoadedStore

STANDARD_INPUT: Final = Path("-")
BLOCK: Final = 512 * 2**10
"""Octets of LDIF that are read, and go into the store, together: about a thousand records."""


class LoadFailed(CommandFailed):
    """A record that cannot be loaded: file, line, reason."""


def name_of(path: Path) -> str:
    """What errors call a file."""
    return "<stdin>" if path == STANDARD_INPUT else str(path)


class Load:
    """Files into a store that is loaded, all of them or nothing."""

    def __init__(
        self,
        instance: Instance,
        foundation: Foundation,
        store: LoadedStore,
        by: str,
        *,
        failed: Callable[[LoadFailed], None] | None = None,
        done: Callable[[Path, int], None] = lambda path, octets: None,
        workers: int | None = None,
        block: int = BLOCK,
    ) -> None:
        """A record that cannot be loaded raises LoadFailed, or is given to `failed` and left out. `done` is
        told how many octets of a file are through.
        """
        rooms = foundation.rooms
        self._foundation = foundation
        self._instance = instance
        self._store = store
        self._by = by
        self._failed = failed
        self._done = done
        self._workers = workers
        self._block = block
        self._path = STANDARD_INPUT
        self._bulk = Bulk(rooms, store, identities(os.urandom).__next__, by, self._refused)

    def run(self, paths: Sequence[Path]) -> int:
        """How many records were loaded; nothing is kept yet. LoadFailed, OSError.

        A file that is no LDIF raises in any case: after a syntax error nobody knows where the next record
        begins.
        """
        loaded = 0
        rooms = self._foundation.rooms
        order = Order(
            tuple(schema_texts(self._instance.schema_files)),
            self._instance.settings.server.domain,
            dict(self._store.numbers),
            rooms.stamp(self._bulk.at),
            self._by,
            tuple(rooms.meanings),
        )
        with collecting_between() as collect, Crew(self._bulk.caster, order, self._workers) as crew:
            for path, block, parts in crew.cast(_blocks(paths, self._block)):
                self._path = path
                try:
                    loaded += at_once(self._bulk.land(block, parts))
                except LdifError as error:
                    raise LoadFailed(f"{name_of(path)}:{error.line}: {error.reason}") from None
                self._done(path, len(block.octets))
                collect()
        return loaded

    def _refused(self, record: LdifRecord, refusal: Refusal) -> None:
        failure = failure_of(name_of(self._path), record, refusal)
        if self._failed is None:
            raise failure
        self._failed(failure)


def _blocks(paths: Sequence[Path], size: int) -> Iterator[tuple[Path, Block]]:
    for path in paths:
        if path == STANDARD_INPUT:
            yield from ((path, block) for block in blocks_of(sys.stdin.buffer, size))
        else:
            with path.open("rb") as file:
                yield from ((path, block) for block in blocks_of(file, size))


async def load_stream(foundation: Foundation, edits: Edits, name: str, lines: Iterable[bytes]) -> int:
    """Apply every record of one text to edits that are to be committed together; returns how many.
    LoadFailed."""
    count = 0
    try:
        for record in read_ldif(lines):
            try:
                await apply(record, edits, foundation.rooms)
            except Refusal as refusal:
                raise failure_of(name, record, refusal) from None
            count += 1
    except LdifError as error:
        raise LoadFailed(f"{name}:{error.line}: {error.reason}") from None
    return count


def failure_of(name: str, record: LdifRecord, refusal: Refusal) -> LoadFailed:
    """What is told about a record of a file that was refused."""
    reason = refusal.result.diagnostic
    about = "" if record.dn in reason else f"{record.dn}: "
    return LoadFailed(f"{name}:{record.line}: {about}{reason}")
