"""The server's own log: one file in the instance, times in UTC, never on standard output (that line says
`ready`).
"""

from __future__ import annotations

import os
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

LOG_FILE = "provserver.log"


def start_logs(instance: Instance) -> None:
    """Send everything that is logged to the instance's file. OSError when it cannot be written."""
    instance.logs.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(instance.logs / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    file = cast(TextIO, os.fdopen(descriptor, "a", buffering=1, encoding="utf-8"))
    level = LogLevel.levelWithName(instance.settings.logging.level)
    observer = FilteringLogObserver(
        FileLogObserver(file, formatEventAsClassicLogText), [LogLevelFilterPredicate(level)]
    )
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
