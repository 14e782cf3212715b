"""How far a masschange is: a bar on standard error when that is a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_TURN: Final = 64
"""Entries between two looks at the bar: it is drawn ten times a second at most, and asking costs too."""


class Bar:
    """A context: shown from the first entry on. Whoever writes to standard error meanwhile takes `sys.stderr`
    as it is then, and writes above the bar.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}{task.fields[expected]} entries"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not (wanted and sys.stderr.isatty()),
            transient=True,
            redirect_stdout=False,  # it need not be the same terminal
        )
        self._task = self._progress.add_task("masschange", total=None, expected="", visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, handled: int, estimate: int) -> None:
        """So many entries are through; of so many, 0 if nobody knows."""
        if handled % _TURN and handled != estimate:
            return
        self._progress.update(
            self._task,
            completed=handled,
            total=estimate or None,
            expected=f" of {estimate:,}" if estimate else "",
            visible=True,
        )
