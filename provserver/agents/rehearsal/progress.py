"""How far a rehearsal is: a line on standard error when that is a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from provserver.agents.rehearsal.tally import Seen


class Bar:
    """A context."""

    def __init__(self, changes: int | None) -> None:
        """`changes`: how many there will be, where that is known."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
            redirect_stdout=False,  # it need not be the same terminal
        )
        self._task = self._progress.add_task("rehearsal", total=changes, said="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def wanted(self) -> bool:
        """Whether anybody sees it."""
        return not self._progress.disable

    def show(self, seen: Seen, waiting: int, seconds: float) -> None:
        """What was seen in so many seconds; so many changes are on their way to their accounts."""
        parts = [f"{seen.accepted:,} accepted", f"{seen.accepted / max(seconds, 1e-9):,.0f}/s"]
        if seen.whole.count:
            parts.append(f"p95 {seen.whole.quantile(0.95) * 1000:,.0f} ms")
        if refused := seen.guarded + seen.refused.total():
            parts.append(f"{refused:,} refused")
        if troubles := seen.troubles.total():
            parts.append(f"{troubles:,} errors")
        if waiting:
            parts.append(f"{waiting:,} on their way")
        self._progress.update(self._task, completed=seen.ended, said=", ".join(parts))
