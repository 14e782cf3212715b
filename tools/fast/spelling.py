"""The sources as mypyc understands them best: the same classes, spelled otherwise.

Line by line as long as before: what is written more stands in the blank line behind a class or at the end of
an import, so that a traceback names the lines of the checkout.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_OPTIONS: Final = {"default", "default_factory", "repr"}
"""Of `field`: those that a constructor can be written for."""


class NoSpelling(Exception):
    """A class uses what nobody has needed so far; the text names the line."""


def respelled(source: str, kinds: Mapping[str, str] = MappingProxyType({})) -> str:
    """The module, ready for mypyc; `kinds` as in compiled.py, of its classes. NoSpelling."""
    module = _Module(source)
    module.records()
    module.interfaces()
    module.objects()
    module.kinds(kinds)
    return "\n".join(module.lines)


class _Module:
    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self._tree = ast.parse(source)
        self._classes = [one for one in self._tree.body if isinstance(one, ast.ClassDef)]

    def records(self) -> None:
        """`@record` as the dataclass that it is, with its constructor written out.

        mypyc keeps the fields of a class in a C struct only if it knows the decorator, and fills them without
        the interpreter only in an `__init__` that it has compiled itself. It knows `dataclass`, whose own
        `__init__` is made when the program runs. To be copied, and to go to another process, a record is made
        anew: a struct with an `__init__` of its own is never empty.
        """
        records = [(one, by) for one in self._classes for by in one.decorator_list if _is(by, "record")]
        for one, by in records:
            if one.bases:
                raise NoSpelling(f"line {one.lineno}: {one.name} is a record that derives from another class")
            self.lines[by.lineno - 1] = "@dataclass(init=False, unsafe_hash=True)"
            self._put_behind(one, f"    {_constructor(one)}", f"    {_reduction(one)}")
        if records:
            self._import("provserver.records", "from dataclasses import dataclass")

    def interfaces(self) -> None:
        """`@implementer(...)` as a call behind the class: mypyc makes no struct for a class with a decorator
        that it does not know."""
        for one in self._classes:
            by = one.decorator_list[0] if len(one.decorator_list) == 1 else None
            if isinstance(by, ast.Call) and _is(by.func, "implementer"):
                interfaces = ", ".join(map(ast.unparse, by.args))
                self.lines[by.lineno - 1] = ""
                self._put_behind(one, f"classImplements({one.name}, {interfaces})")
                self._import("zope.interface", "from zope.interface import classImplements")

    def objects(self) -> None:
        """mypyc looks for `object`, as the type of a field, among the names of the module only."""
        fields = [field for one in self._classes for field in one.body if isinstance(field, ast.AnnAssign)]
        if any(_is(field.annotation, "object") for field in fields):
            self._import("__future__", "from builtins import object")

    def kinds(self, kinds: Mapping[str, str]) -> None:
        """What mypyc is told of a class, in the blank line above it."""
        for one in self._classes:
            if one.name in kinds:
                self._put_above(one, f"@mypyc_attr({kinds[one.name]})")
                self._import("__future__", "from mypy_extensions import mypyc_attr")
        if unknown := kinds.keys() - {one.name for one in self._classes}:
            raise NoSpelling(f"there is no class {', '.join(sorted(unknown))}")

    def _import(self, behind: str, statement: str) -> None:
        at = next(one for one in self._tree.body if isinstance(one, ast.ImportFrom) and one.module == behind)
        line = (at.end_lineno or at.lineno) - 1
        if statement not in self.lines[line]:
            self.lines[line] += f"; {statement}"

    def _put_above(self, one: ast.ClassDef, statement: str) -> None:
        line = min([one.lineno, *[by.lineno for by in one.decorator_list]]) - 2
        if line < 0 or self.lines[line]:
            raise NoSpelling(f"line {line + 1}: no blank line above {one.name}")
        self.lines[line] = statement

    def _put_behind(self, one: ast.ClassDef, *statements: str) -> None:
        """In the blank lines behind a class; behind the last one there is as much room as one likes."""
        first = one.end_lineno or one.lineno
        last = first + len(statements)
        if any(self.lines[first:last]):
            raise NoSpelling(f"line {first}: expected {len(statements)} blank lines behind {one.name}")
        self.lines[first:last] = statements


def _is(expression: ast.expr, name: str) -> bool:
    return isinstance(expression, ast.Name) and expression.id == name


def _fields(one: ast.ClassDef) -> list[ast.AnnAssign]:
    statements = [statement for statement in one.body if isinstance(statement, ast.AnnAssign)]
    return [field for field in statements if "ClassVar" not in ast.unparse(field.annotation)]


def _reduction(one: ast.ClassDef) -> str:
    values = "".join(f"self.{ast.unparse(field.target)}, " for field in _fields(one))
    return f"def __reduce__(self) -> tuple[object, ...]: return {one.name}, ({values})"


def _constructor(one: ast.ClassDef) -> str:
    parameters, body = ["self"], []
    for field in _fields(one):
        name, kind = ast.unparse(field.target), ast.unparse(field.annotation)
        default, factory = _default(field)
        if factory is not None:
            if "None" in kind:
                raise NoSpelling(f"line {field.lineno}: a factory, and None is a value too")
            parameters.append(f"{name}: {kind} | None = None")
            body.append(f"self.{name} = {ast.unparse(factory)}() if {name} is None else {name}")
        else:
            parameters.append(f"{name}: {kind}" + (f" = {ast.unparse(default)}" if default else ""))
            body.append(f"self.{name} = {name}")
    if any(isinstance(method, ast.FunctionDef) and method.name == "__post_init__" for method in one.body):
        body.append("self.__post_init__()")
    return f"def __init__({', '.join(parameters)}) -> None: {'; '.join(body) or 'pass'}"


def _default(field: ast.AnnAssign) -> tuple[ast.expr | None, ast.expr | None]:
    """A field's default, and what makes one."""
    value = field.value
    if not isinstance(value, ast.Call) or not _is(value.func, "field"):
        return value, None
    options = {option.arg: option.value for option in value.keywords}
    if not options.keys() <= _OPTIONS:
        raise NoSpelling(f"line {field.lineno}: a field with {', '.join(map(str, options))}")
    return options.get("default"), options.get("default_factory")
