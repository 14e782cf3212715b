"""LDIF into the tree, with errors that name file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO

from provserver.cli.failure import CommandFailed
from provserver.directory.ldif import LONGEST_LINE, LdifError, read_ldif
from provserver.foundation import Foundation
from provserver.ldap.results import Refusal
from provserver.operations.edits import Edits
from provserver.operations.loading import apply


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long, as much as shows the reader that it is."""
    return iter(partial(file.readline, LONGEST_LINE + 3), b"")


class LoadFailed(CommandFailed):
    """A record that cannot be loaded: file, line, reason."""


async def load_stream(
    foundation: Foundation,
    edits: Edits,
    name: str,
    lines: Iterable[bytes],
    *,
    failed: Callable[[LoadFailed], None] | None = None,
    done: Callable[[int], None] = lambda line: None,
) -> int:
    """Apply every record of one file; returns how many. A bad record raises LoadFailed, or is given to
    `failed` and left out.

    A file that is no LDIF always raises: after a syntax error nobody knows where the next record begins.
    """
    count = 0
    try:
        for record in read_ldif(lines):
            try:
                await apply(record, edits, foundation.rooms)
                count += 1
            except Refusal as refusal:
                reason = refusal.result.diagnostic
                about = "" if record.dn in reason else f"{record.dn}: "
                failure = LoadFailed(f"{name}:{record.line}: {about}{reason}")
                if failed is None:
                    raise failure from None
                failed(failure)
            done(record.line)
    except LdifError as error:
        raise LoadFailed(f"{name}:{error.line}: {error.reason}") from None
    return count
