"""Where the code refuses, and which of these places were reached."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import provserver
from provserver.ldap.results import Refusal
from provserver.operations.sorting import Unsortable
from provserver.passwords.gates import Closed

_ROOT: Final = Path(provserver.__file__).parent
_WHERE: Final = (
    "directory",
    "imps",
    "storage",
    "passwords",
    "passwords/external",
    "operations",
    "ldap/connection.py",
)
"""What a client can reach; `ldap.client` and the connectors are clients themselves."""
_OFFLINE: Final = {_ROOT / "operations" / "loading.py"}
"""What only a command can reach."""
_REFUSALS: Final = (Refusal, Closed, Unsortable)
_BY_NAME: Final = frozenset(
    {
        "Refusal",
        "Closed",
        "WrongOldPassword",
        "NotAnother",
        "NotTaken",
        "Weak",
        "PolicyUnreachable",
        "Unsortable",
    }
)


@dataclass(frozen=True)
class Site:
    """A call that makes a refusal: where, and the text of it, or of the statement that raises it."""

    module: str
    """`operations/edits.py`."""
    first: int
    last: int
    text: str

    def is_among(self, lines: Collection[tuple[str, int]]) -> bool:
        return any((self.module, line) in lines for line in range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.module}:{self.first}: {' '.join(self.text.split())}"


@cache
def sites() -> list[Site]:
    """All of them: calls of the classes, and of functions that return one."""
    paths = [path for where in _WHERE for path in _files(_ROOT / where)]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in paths}
    makers = {path: _makers(tree) for path, tree in trees.items()}
    of_all = {name for names in makers.values() for name in names if not name.startswith("_")}
    return [
        Site(str(path.relative_to(_ROOT)), call.lineno, call.end_lineno or call.lineno, ast.unparse(within))
        for path, tree in trees.items()
        for within, call in _calls(tree)
        if _called(call.func) in _BY_NAME | of_all | makers[path]
    ]


@contextmanager
def reached() -> Iterator[set[tuple[str, int]]]:
    """The lines, by module, on which a refusal was made while the block lasts, or something it came from."""
    lines: set[tuple[str, int]] = set()

    def note() -> None:
        frame = sys._getframe(2)
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith(str(_ROOT)):
                lines.add((str(Path(path).relative_to(_ROOT)), frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]  # None at the end

    with pytest.MonkeyPatch.context() as patches:
        for kind in _REFUSALS:
            patches.setattr(kind, "__init__", _noting(kind, note))
        yield lines


def _noting(kind: type[Exception], note: object) -> object:
    made = kind.__init__

    def init(self: Exception, *arguments: object, **named: object) -> None:
        assert callable(note)
        note()
        made(self, *arguments, **named)

    return init


def _makers(tree: ast.Module) -> set[str]:
    """The functions that return a refusal; with an underscore they are the module's own."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {one.name for one in functions if _says(one.returns) in _BY_NAME}


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Calls, with the statement that raises what they return."""
    raised = {node.exc: node for node in ast.walk(tree) if isinstance(node, ast.Raise)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield raised.get(node, node), node


def _files(path: Path) -> list[Path]:
    return sorted(set(path.glob("*.py")) - _OFFLINE) if path.is_dir() else [path]


def _says(annotation: ast.expr | None) -> str:
    return annotation.id if isinstance(annotation, ast.Name) else ""


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
