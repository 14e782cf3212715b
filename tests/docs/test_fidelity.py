"""What is claimed of IMPS is shown by a test: a row without one fails here."""

from __future__ import annotations

import copy
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def fidelity() -> ModuleType:
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
    return importlib.import_module("fidelity")


def test_every_claim_is_shown_by_tests_that_there_are(fidelity: ModuleType) -> None:
    assert fidelity.problems(fidelity.behaviours()) == []


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("tests", [], "no test shows it"),
        (
            "tests",
            ["passwords/test_guard.py::test_nothing"],
            "there is no test passwords/test_guard.py::test_n",
        ),
        ("tests", ["passwords/test_none.py::test_nothing"], "there is no test passwords/test_none.py"),
        ("mark", "certain", "one of documented, probable, ours expected, not certain"),
        ("source", ["K1"], "no such source: K1"),
        ("source", [], "documented where?"),
    ],
)
def test_a_row_that_claims_without_showing_is_a_problem(
    fidelity: ModuleType, key: str, value: object, problem: str
) -> None:
    table: Any = copy.deepcopy(fidelity.behaviours())
    table["group"][0]["row"][0][key] = value
    (told,) = fidelity.problems(table)
    assert problem in told


def test_what_is_not_reproduced_says_why(fidelity: ModuleType) -> None:
    for gap in fidelity.behaviours()["missing"]:
        assert gap["what"]
        assert gap["why"].endswith(".")
