"""Files that are their owner's alone: keys, and secrets shared with others."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_private(path: Path, what: str, if_missing: str) -> tuple[bytes, str]:
    """The file's bytes, or why they were not read. The mode is that of the open file: no race.

    `what` the file is, for the sentence; `if_missing`: what to do then.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                return b"", f"the {what} is not a regular file"
            if mode & 0o077:
                shown = f"{stat.S_IMODE(mode):04o}"
                return b"", f"others than its owner may use the {what} (mode {shown}): chmod 600 {path}"
            return file.read(), ""
    except FileNotFoundError:
        return b"", f"there is no {what}; {if_missing}"
    except OSError as error:
        return b"", f"the {what} cannot be read: {error.strerror}"
