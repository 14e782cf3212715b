"""Where an instance's server is reached just now: what its `ready` line said, in a file, for commands that
are given the directory. Settings cannot say it: a port may have been free, or given to `serve`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from provserver.cli.instance import Instance
from provserver.storage.lock import holder_of

_FILE = "serving"
_SAID = re.compile(r"process (\d+) (?:.* )?ldaps=\[?([^]]+)\]?:(\d+)\n")


@contextlib.contextmanager
def told_where(instance: Instance, addresses: str) -> Iterator[None]:
    """While the block runs the file says that this process serves here. OSError."""
    file = instance.directory / _FILE
    file.write_text(f"process {os.getpid()} {addresses}\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def place_of(instance: Instance) -> tuple[str, int] | None:
    """Address and port of LDAPS at the server that has the store; None: it did not say, or has none."""
    holder = holder_of(instance.store)
    try:
        said = _SAID.fullmatch((instance.directory / _FILE).read_text())
    except OSError:
        return None
    # A server that was killed leaves its file: it must be the one that runs.
    if said is None or holder is None or not holder.is_here or int(said[1]) != holder.process:
        return None
    return said[2], int(said[3])
