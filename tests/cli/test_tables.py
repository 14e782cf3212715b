"""Tables on a terminal and elsewhere; and what is asked before something is destroyed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import pytest

from provserver.cli import outbox, tables
from provserver.cli.failure import CommandFailed

COLUMNS = ("account", "why")
ROWS = [("aokafor", "[red] too short\nsays it"), ("bnovak", "")]


class Terminal:
    def __init__(self, answer: str = "") -> None:
        self._answer = answer

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._answer + "\n"


def test_elsewhere_a_row_is_a_line_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "account  why",
        "aokafor  [red] too short says it",
        "bnovak   -",
    ]


def test_a_terminal_has_a_box_and_no_markup_in_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    tables.show(COLUMNS, ROWS)
    shown = capsys.readouterr().out
    assert "│" in shown
    assert "[red] too short" in shown


def test_a_table_without_rows_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(COLUMNS, [])
    assert capsys.readouterr().out == ""


def drop(**given: Any) -> argparse.Namespace:
    options: dict[str, Any] = {"act": "drop", "ids": [], "yes": False, "all": True, "json": False}
    conditions = dict.fromkeys(("user", "account", "endpoint", "state"))
    return argparse.Namespace(**{**options, **conditions, **given})


@pytest.mark.parametrize("answer", ["", "n", "no", "maybe"])
def test_nothing_is_dropped_that_is_not_confirmed(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(outbox, "at_place", lambda *_: pytest.fail("it was asked for"))
    with pytest.raises(CommandFailed, match="nothing was dropped"):
        outbox.run(drop())


@pytest.mark.parametrize("given", [{}, {"ids": ["a", "b"]}, {"yes": True}])
def test_what_is_confirmed_is_dropped(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y"))
    answer = {"dropped": 101, "leftAlone": 1, "deliveries": [{"account": "x on y", "state": "held"}]}
    monkeypatch.setattr(outbox, "at_place", lambda *_: answer)
    assert outbox.run(drop(**given)) == 0
    shown = capsys.readouterr().out
    assert ("Drop " in shown) is not bool(given.get("yes"))
    assert "these 2 deliveries" in shown or not given.get("ids")
    assert shown.splitlines()[-3:][0].endswith("dropped: x on y (was held)")
    assert shown.splitlines()[-2:] == [
        "... 101 in all",
        "left alone: 1, which a courier has just now, or which have ended meanwhile",
    ]
