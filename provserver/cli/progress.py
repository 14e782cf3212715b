"""How far a long command is: a bar on standard error when that is a terminal, nothing elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def bar(*, beside_output: bool = False) -> Progress:
    """Not yet started. `beside_output`: not where standard output is the same terminal."""
    shown = sys.stderr.isatty() and not (beside_output and sys.stdout.isatty())
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
        transient=True,
    )
