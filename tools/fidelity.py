"""Makes docs/fidelity.md of tests/fidelity/behaviours.toml, and knows which tests there are."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
TESTS: Final = CHECKOUT / "tests"
TABLE: Final = TESTS / "fidelity" / "behaviours.toml"
MARKS: Final = ("documented", "probable", "ours")
_FIELDS: Final = {"says", "source", "mark", "tests"}

_HEAD: Final = """# How faithful this is

{made}

What the documents say IMPS does, and the tests that show that this server does it; they run with every
change. **documented**: stated in a public document, named by its id in the list at the end. **probable**:
general knowledge that no document confirms. **ours**: the documents are silent, and this is our choice.
"""


def behaviours(table: Path = TABLE) -> Mapping[str, Any]:
    """The table: groups of rows, and what is not reproduced."""
    return tomllib.loads(table.read_text("utf-8"))


def problems(found: Mapping[str, Any], tests: Path = TESTS) -> list[str]:
    """What is wrong with a table: rows without a test, tests that are not there, words that nobody knows."""
    wrong = []
    sources = found["sources"].keys()
    for row in _rows(found):
        name = row.get("says", "a row")
        if missing := _FIELDS - row.keys():
            wrong.append(f"{name}: {', '.join(sorted(missing))} expected")
        elif row["mark"] not in MARKS:
            wrong.append(f"{name}: one of {', '.join(MARKS)} expected, not {row['mark']}")
        elif unknown := set(row["source"]) - sources:
            wrong.append(f"{name}: no such source: {', '.join(sorted(unknown))}")
        elif row["mark"] == "documented" and not row["source"]:
            wrong.append(f"{name}: documented where?")
        elif not row["tests"]:
            wrong.append(f"{name}: no test shows it")
        else:
            wrong += [f"{name}: there is no test {test}" for test in row["tests"] if not _exists(test, tests)]
    return wrong


def page(made: str) -> str:
    """docs/fidelity.md; `made` says that it is made."""
    found = behaviours()
    lines = [_HEAD.format(made=made)]
    for group in found["group"]:
        lines += [f"## {group['title']}", "", "| what | source | | shown by |", "|---|---|---|---|"]
        for row in group["row"]:
            says = f"{row['says']} *{row['note']}*" if "note" in row else row["says"]
            lines.append(f"| {says} | {', '.join(row['source'])} | {row['mark']} | {_links(row['tests'])} |")
        lines.append("")
    lines += ["## Not reproduced", "", "| what | why |", "|---|---|"]
    lines += [f"| {gap['what']} | {gap['why']} |" for gap in found["missing"]]
    lines += ["", "## Sources", "", "| id | document |", "|---|---|"]
    lines += [f"| {source} | {title} |" for source, title in found["sources"].items()]
    return "\n".join([*lines, ""])


def _rows(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in found["group"]:
        yield from group["row"]


def _links(tests: Sequence[str]) -> str:
    return " · ".join(_link(test) for test in tests)


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{file})"


def _exists(test: str, tests: Path) -> bool:
    file, _, name = test.partition("::")
    path = tests / file
    if not path.is_file():
        return False
    functions = [one for one in ast.parse(path.read_text("utf-8")).body if isinstance(one, _FUNCTIONS)]
    return any(one.name == name for one in functions)


_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
