"""Tables for people: boxed and fitted to a terminal; elsewhere plain lines, whole, for grep and awk."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table. Without rows nothing is printed."""
    if not rows:
        return
    if sys.stdout.isatty():
        table = Table(*columns)
        for row in rows:
            table.add_row(*[Text(cell, overflow="fold") for cell in row])
        Console(highlight=False).print(table)
        return
    cells = [[_one_line(cell) or "-" for cell in row] for row in [columns, *rows]]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip())


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
