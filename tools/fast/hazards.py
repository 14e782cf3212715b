"""What mypyc compiles to something else than Python does, without a word; or refuses, minutes later. Each was
met, and cost a search.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_EXCEPTIONS: Final = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
_CONTAINERS: Final = {"bytes", "dict", "fromkeys", "frozenset", "list", "set", "tuple"}
_TAKE_ALL: Final = _CONTAINERS | {
    *("all", "any", "extend", "join", "max", "min", "next", "sorted", "sum", "update"),
}
"""Calls that a generator expression may stand in: they take all of it at once, or mypyc knows them."""

Hazard = tuple[ast.stmt | ast.expr, str]


def hazards(sources: Mapping[Path, str]) -> list[str]:
    """`path:line: what is wrong, and how to write it`, for all modules that are compiled."""
    trees = {path: ast.parse(source) for path, source in sources.items()}
    classes = [one for tree in trees.values() for one in tree.body if isinstance(one, ast.ClassDef)]
    exceptions = _exceptions(classes)
    return [
        f"{path}:{where.lineno}: {text}"
        for path, tree in trees.items()
        for where, text in (
            *_tuples_of_floats(tree),
            *_attributes_of_exceptions(tree, exceptions),
            *_nameless_loggers(tree),
            *_generators(tree),
            *_stars_to_look_in(tree),
            *_async_generators(tree),
            *_yields_while_handling(tree),
            *_awaits_at_the_end(tree),
        )
    ]


def _tuples_of_floats(tree: ast.Module) -> Iterator[Hazard]:
    for one in tree.body:
        if isinstance(one, ast.AnnAssign) and ast.unparse(one.annotation) == "Final":
            first = one.value.elts[:1] if isinstance(one.value, ast.Tuple) else []
            if any(isinstance(item, ast.Constant) and isinstance(item.value, float) for item in first):
                yield one, "a constant that counts as never set: write Final[tuple[float, ...]]"


def _attributes_of_exceptions(tree: ast.Module, exceptions: set[str]) -> Iterator[Hazard]:
    for one in tree.body:
        if not isinstance(one, ast.ClassDef) or one.name not in exceptions:
            continue
        for statement in one.body:
            if isinstance(statement, ast.Assign):
                shared = ast.unparse(statement.targets[0]) == "__slots__"
            elif isinstance(statement, ast.AnnAssign):
                shared = statement.value is None or "ClassVar" in ast.unparse(statement.annotation)
            else:
                continue
            if not shared:
                yield statement, "an attribute that an exception will not have: set it in __init__"


def _exceptions(classes: list[ast.ClassDef]) -> set[str]:
    """The names of all classes that are derived from an exception, by name."""
    known, before = set(_EXCEPTIONS), 0
    while len(known) > before:
        before = len(known)
        known |= {one.name for one in classes if any(ast.unparse(base) in known for base in one.bases)}
    return known


def _nameless_loggers(tree: ast.Module) -> Iterator[Hazard]:
    for one in ast.walk(tree):
        if isinstance(one, ast.Call) and ast.unparse(one) == "Logger()":
            yield one, "a logger that takes another module's name: write Logger(__name__)"


def _generators(tree: ast.Module) -> Iterator[Hazard]:
    allowed: set[ast.expr] = set()
    for one in ast.walk(tree):
        if isinstance(one, ast.Call) and ast.unparse(one.func).rpartition(".")[2] in _TAKE_ALL:
            allowed.update(one.args)
        elif isinstance(one, ast.Starred):
            allowed.add(one.value)
        elif isinstance(one, ast.comprehension | ast.For):
            allowed.add(one.iter)
        elif isinstance(one, ast.Compare):
            allowed.update(one.comparators)
        elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Tuple):
            allowed.add(one.value)
    for one in ast.walk(tree):
        if isinstance(one, ast.GeneratorExp) and one not in allowed:
            yield one, "a generator that becomes a list: write a function that yields, or a list"


def _stars_to_look_in(tree: ast.Module) -> Iterator[Hazard]:
    for one in ast.walk(tree):
        if isinstance(one, ast.Compare) and isinstance(one.ops[0], ast.In | ast.NotIn):
            looked_in = one.comparators[0]
            if isinstance(looked_in, ast.Tuple) and any(
                isinstance(item, ast.Starred) for item in looked_in.elts
            ):
                yield one, "a star in the tuple behind 'in', on which mypyc breaks off: name it first"


def _async_generators(tree: ast.Module) -> Iterator[Hazard]:
    for one in ast.walk(tree):
        if isinstance(one, ast.AsyncFunctionDef) and any(isinstance(inner, ast.Yield) for inner in _own(one)):
            yield one, "an asynchronous generator: put it into a module of INTERPRETED"


def _yields_while_handling(tree: ast.Module) -> Iterator[Hazard]:
    """Coroutines that wait there are taken care of: provserver/isolated.py."""
    for one in ast.walk(tree):
        if isinstance(one, ast.ExceptHandler):
            for inner in _own(one):
                if isinstance(inner, ast.Yield | ast.YieldFrom):
                    yield inner, "a yield inside 'except', which leaves the exception behind: yield after it"


def _awaits_at_the_end(tree: ast.Module) -> Iterator[Hazard]:
    """Whoever resumed the coroutine may be handling an exception: mypyc takes it for one of the block."""
    for one in ast.walk(tree):
        if isinstance(one, ast.Try):
            for statement in one.finalbody:
                for inner in ast.walk(statement):
                    if isinstance(inner, ast.Await):
                        yield inner, "an await in a 'finally', which may raise what others handle: catch all"


def _own(block: ast.AsyncFunctionDef | ast.ExceptHandler) -> Iterator[ast.AST]:
    """What is in a block, and not in a function inside it."""
    waiting: list[ast.AST] = list(block.body)
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(one)
