"""Tables: aligned for people, with ratios to the right row."""

from __future__ import annotations

from report import Column, Table, with_ratio

ROWS = [
    {"side": "slapd", "connections": 16, "per_second": 2000.0},
    {"side": "ours", "connections": 16, "per_second": 1000.0},
    {"side": "ours", "connections": 64, "per_second": 1500.0},
    {"side": "slapd", "connections": 1, "per_second": 0.0},
    {"side": "ours", "connections": 1},
]


def test_a_ratio_is_to_the_baseline_with_the_same_facts_and_none_where_there_is_none() -> None:
    ratios = [row["ratio"] for row in with_ratio(ROWS, "per_second", "connections")]
    assert ratios == [1.0, 0.5, None, None, None]


def test_a_ratio_can_be_against_any_row_and_have_any_name() -> None:
    rows = with_ratio(ROWS, "per_second", "side", against=("connections", 16), name="grown")  # type: ignore[arg-type]
    assert [row["grown"] for row in rows] == [1.0, 1.0, 1.5, 0.0, None]


def test_a_table_is_markdown_in_aligned_columns_and_shows_what_is_missing() -> None:
    table = Table(
        "t", [Column("side", "side"), Column("per second", "per_second", ",.0f")], ROWS[:2] + ROWS[4:]
    )
    assert table.text().splitlines() == [
        "| side  | per second |",
        "| ----- | ---------: |",
        "| slapd |      2,000 |",
        "| ours  |      1,000 |",
        "| ours  |          - |",
    ]
