"""Tables: the same figures for people (Markdown, in aligned columns) and for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

OURS: Final = "ours"
SLAPD: Final = "slapd"

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`form` is a format specification for numbers; a text column has none. What is missing is shown as -."""

    heading: str
    key: str
    form: str = ""

    def cell(self, figures: Figures) -> str:
        value = figures.get(self.key)
        return "-" if value is None else format(value, self.form)

    def padded(self, text: str, width: int) -> str:
        return text.rjust(width) if self.form else text.ljust(width)

    def rule(self, width: int) -> str:
        return "-" * (width - 1) + ":" if self.form else "-" * width


SIDE: Final = Column("side", "side")
CONNECTIONS: Final = Column("conns", "connections", "d")
P50: Final = Column("p50 ms", "p50_ms", ".2f")
P99: Final = Column("p99 ms", "p99_ms", ".2f")
SERVER_CPU: Final = Column("CPU s", "server_cpu_s", ".2f")
GENERATOR_CPU: Final = Column("gen CPU s", "generator_cpu_s", ".2f")
OTHER_CPU: Final = Column("other CPU s", "other_cpu_s", ".2f")
FAILED: Final = Column("failed", "failed", "d")
RATIO: Final = Column("ratio", "ratio", ".2f")
REMARK: Final = Column("remark", "remark")


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: Sequence[Column]
    rows: Sequence[Figures]

    def text(self) -> str:
        """The table, without its title."""
        lines = [[column.heading for column in self.columns]]
        lines += [[column.cell(figures) for column in self.columns] for figures in self.rows]
        widths = [max(len(line[number]) for line in lines) for number in range(len(self.columns))]

        def joined(cells: Sequence[str]) -> str:
            return f"| {' | '.join(cells)} |"

        def aligned(cells: Sequence[str]) -> str:
            return joined([c.padded(cell, w) for c, cell, w in zip(self.columns, cells, widths, strict=True)])

        rule = joined([column.rule(width) for column, width in zip(self.columns, widths, strict=True)])
        return "\n".join([aligned(lines[0]), rule, *map(aligned, lines[1:])])


def with_ratio(
    rows: Sequence[Figures],
    of: str,
    *alike: str,
    against: tuple[str, str] = ("side", SLAPD),
    name: str = "ratio",
) -> list[Figures]:
    """The rows, each with a ratio: its figure `of` to that of the row that is `against` (key and value) and
    whose `alike` are the same. None where there is no such row, or no figure.
    """
    key, value = against
    base = {tuple(row.get(k) for k in alike): row.get(of) for row in rows if row.get(key) == value}
    found: list[Figures] = []
    for row in rows:
        figure, other = row.get(of), base.get(tuple(row.get(k) for k in alike))
        found.append({**row, name: figure / other if figure is not None and other else None})
    return found
