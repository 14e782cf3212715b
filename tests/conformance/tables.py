"""All rows, by table."""

from __future__ import annotations

from typing import Final

import bind_rows
import control_rows
import extended_rows
import password_rows
import read_rows
import search_control_rows
import trusted_rows
import write_rows

_MODULES: Final = (
    bind_rows,
    read_rows,
    write_rows,
    password_rows,
    control_rows,
    search_control_rows,
    extended_rows,
    trusted_rows,
)
TABLES: Final = {name: rows for module in _MODULES for name, rows in module.TABLES.items()}
ROWS: Final = {f"{table}: {row}": row for table, rows in TABLES.items() for row in rows}
"""By `<operation>: <code name>: <RFC and clause>: <case>`."""
