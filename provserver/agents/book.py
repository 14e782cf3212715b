"""The agent's log: what was asked, what came of it, in lines that `grep` reads. No password ever.

Opened anew for each line, so that it may be rotated or moved at any time. A log that cannot be written never
stops a password change: that is said on standard error, once.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from provserver.agents.conf import Logging

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Book:
    """Where lines go that a conf's `[Logs]` asks for."""

    def __init__(self, logging: Logging, wall: Callable[[], float] = time.time) -> None:
        self._logging = logging
        self._wall = wall
        self._failed = False

    def note(self, text: str) -> None:
        """What happened as it should."""
        self._write("INFO", text)

    def warn(self, text: str) -> None:
        """What happened, and somebody should know."""
        self._write("WARNING", text)

    def wrong(self, text: str) -> None:
        """What did not happen."""
        self._write("ERROR", text)

    def ldap(self, text: str) -> None:
        """A request or an answer."""
        if self._logging.ldap:
            self._write("LDAP", text)

    def _write(self, level: str, text: str) -> None:
        if self._logging.file is None:
            return
        at = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds")
        line = f"{at} [{os.getpid()}] {level} {_CONTROL.sub('?', text)}\n"
        try:
            descriptor = os.open(self._logging.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "ab") as file:
                file.write(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            if not self._failed:
                self._failed = True
                print(f"psync-agent: {self._logging.file}: {error.strerror}", file=sys.stderr)
