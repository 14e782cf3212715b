"""The server's own log: one file in the instance, times in UTC, never on standard output (that line says
`ready`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO, cast

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    formatEventAsClassicLogText,
    globalLogBeginner,
)

from provserver.cli.instance import Instance
from provserver.journal.files import append_only, put_in_place

LOG_FILE = "provserver.log"


def start_logs(instance: Instance) -> Callable[[], None]:
    """Send everything that is logged to the instance's file. What is returned goes on in a new one, when the
    old one was moved away (logrotate). OSError when it cannot be written.
    """
    instance.logs.mkdir(parents=True, exist_ok=True)
    path = instance.logs / LOG_FILE
    descriptor = append_only(path)
    file = cast(TextIO, os.fdopen(descriptor, "a", buffering=1, encoding="utf-8"))
    level = LogLevel.levelWithName(instance.settings.logging.level)
    observer = FilteringLogObserver(
        FileLogObserver(file, formatEventAsClassicLogText), [LogLevelFilterPredicate(level)]
    )
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    return lambda: put_in_place(path, descriptor)
