"""The fast form, as far as can be told without compiling: that the sources can be laid out for it, and mean
the same afterwards.
"""

from __future__ import annotations

import ast
import copy
import pickle
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.append(str(REPOSITORY / "tools" / "fast"))

import compiled  # noqa: E402
import ready  # noqa: E402
from hazards import hazards  # noqa: E402
from make_tree import LIST, make_tree  # noqa: E402
from spelling import NoSpelling, respelled  # noqa: E402

FUTURE = "from __future__ import annotations\n"


def names(source: str) -> dict[str, int]:
    """Where each function and class is defined, by its qualified name."""
    found: dict[str, int] = {}

    def visit(node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{path}.{child.name}"
                found[where] = child.lineno
                visit(child, where)

    visit(ast.parse(source), "")
    return found


# The tree


def test_the_checkout_can_be_laid_out_and_every_line_stays_where_it_is(tmp_path: Path) -> None:
    """SystemExit says what is in the way: `make fast` would say so too."""
    make_tree(tmp_path)
    listed = (tmp_path / LIST).read_text().splitlines()
    assert "provserver/ldap/codec.py" in listed
    assert "provserver/ldap/client.py" not in listed
    for path in listed:
        before, after = (names((top / path).read_text()) for top in (REPOSITORY, tmp_path))
        assert before.items() <= after.items(), path
    assert "    mypy-extensions\n" in (tmp_path / "setup.cfg").read_text()


def test_what_is_in_the_way_is_told_all_at_once(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "provserver" / "ldap").mkdir(parents=True)
    for name in ("schema", "ldif"):
        (checkout / name).mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (checkout / name).touch()
    (checkout / "setup.cfg").write_text("install_requires =\n    attrs\n")
    (checkout / "provserver" / "ldap" / "one.py").write_text("_log = Logger()\n")
    (checkout / "provserver" / "ldap" / "two.py").write_text("@record\nclass A(B):\n    x: int\n")
    with pytest.raises(SystemExit) as told:
        make_tree(tmp_path / "tree", checkout)
    assert str(told.value).splitlines() == [
        "cannot be compiled as it is written:",
        "provserver/ldap/two.py: line 2: A is a record that derives from another class",
        "provserver/ldap/one.py:1: a logger that takes another module's name: write Logger(__name__)",
    ]


@pytest.mark.parametrize("named", [compiled.COMPILED, compiled.INTERPRETED, compiled.KINDS])
def test_what_is_named_is_there(named: Any) -> None:
    assert [path for path in named if not (REPOSITORY / "provserver" / path).exists()] == []


def test_what_is_interpreted_would_be_compiled_otherwise() -> None:
    def is_inside(path: str) -> bool:
        return any(Path(top) in (Path(path), *Path(path).parents) for top in compiled.COMPILED)

    assert [path for path in compiled.INTERPRETED if not is_inside(path)] == []


# The spelling

RECORDS = (
    FUTURE
    + '''\
from typing import ClassVar

from provserver.records import field, record


@record
class Point:
    """A point."""

    x: int
    y: int = 3
    tags: list[str] = field(default_factory=list)
    label: str | None = field(default=None, repr=False)
    unit: ClassVar[str] = "m"

    def moved(self) -> Point:
        return Point(self.x + 1, self.y, self.tags)


@record
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(f"expected an even number, not {self.number}")
'''
)


def executed(source: str, name: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec", dont_inherit=True), vars(module))
    return module


@pytest.fixture(params=["as it is", "respelled"])
def shapes(request: pytest.FixtureRequest) -> ModuleType:
    return executed(RECORDS if request.param == "as it is" else respelled(RECORDS), f"shapes_{request.param}")


def test_a_record_is_the_same_when_it_is_respelled(shapes: ModuleType) -> None:
    point = shapes.Point(1)
    assert point == shapes.Point(x=1, y=3, tags=[], label=None) != shapes.Point(2)
    assert point.tags is not shapes.Point(1).tags
    assert repr(point) == "Point(x=1, y=3, tags=[])"
    assert hash(shapes.Even(2)) == hash(shapes.Even(2))
    assert point.moved() == shapes.Point(2)
    assert copy.copy(point) == point
    assert copy.deepcopy(point) == point
    assert pickle.loads(pickle.dumps(shapes.Point(1, label="a"))) == shapes.Point(1, label="a")
    with pytest.raises(ValueError, match="expected an even number, not 3"):
        shapes.Even(3)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        shapes.Point()


def test_a_respelled_record_is_a_dataclass_with_a_constructor_of_its_own() -> None:
    lines = respelled(RECORDS).splitlines()
    assert lines[3] == "from provserver.records import field, record; from dataclasses import dataclass"
    assert lines[6] == "@dataclass(init=False, unsafe_hash=True)"
    assert lines[18].startswith("    def __init__(self, x: int, y: int = 3, tags: list[str] | None = None")
    assert lines[19] == "    def __reduce__(self) -> tuple[object, ...]: return Point, " + (
        "(self.x, self.y, self.tags, self.label, )"
    )


def test_an_interface_is_declared_behind_the_class() -> None:
    source = FUTURE + "from zope.interface import implementer\n\n\n@implementer(A, B)\nclass C:\n    x = 1\n"
    assert respelled(source).splitlines()[1:] == [
        "from zope.interface import implementer; from zope.interface import classImplements",
        "",
        "",
        "",
        "class C:",
        "    x = 1",
        "classImplements(C, A, B)",
    ]


def test_object_as_the_type_of_a_field_is_imported_by_name() -> None:
    source = FUTURE + "\n\nclass C:\n    x: object\n"
    assert respelled(source).splitlines()[0] == FUTURE.strip() + "; from builtins import object"


def test_what_mypyc_is_told_of_a_class_stands_above_it() -> None:
    source = FUTURE + "\n\n@dataclass\nclass C:\n    x: int\n\n\nclass D:\n    pass\n"
    lines = respelled(source, {"C": "native_class=False"}).splitlines()
    assert lines[0] == FUTURE.strip() + "; from mypy_extensions import mypyc_attr"
    assert lines[2:5] == ["@mypyc_attr(native_class=False)", "@dataclass", "class C:"]
    assert "".join(lines).count("mypyc_attr") == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("@record\nclass A:\n    x: int\nB = A", "line 5: expected 2 blank lines behind A"),
        ("@record\nclass A:\n    x: int = field(kw_only=True)\n", "line 5: a field with kw_only"),
        (
            "@record\nclass A:\n    x: list[int] | None = field(default_factory=list)\n",
            "line 5: a factory, and None is a value too",
        ),
        ("@record\nclass A(B):\n    x: int\n", "line 4: A is a record that derives from another class"),
        ("class K:\n    pass\n", "no blank line above K"),
        ("class A:\n    pass\n", "there is no class K"),
    ],
)
def test_what_has_no_spelling_is_told(source: str, reason: str) -> None:
    kinds = {} if "record" in source else {"K": "native_class=False"}
    with pytest.raises(NoSpelling, match=reason):
        respelled(FUTURE + "from provserver.records import field, record\n" + source, kinds)


# What mypyc takes for something else


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("A: Final = (1.5, 2)", "A: Final[tuple[float, ...]] = (1.5, 2)"),
        (
            "class E(ValueError):\n    code = 1",
            "class E(ValueError):\n    __slots__ = ()\n    code: int\n    all: ClassVar[int] = 1",
        ),
        ("class E(KeyError): pass\nclass F(E):\n    code: int = 1", "class E: \n    code: int = 1"),
        ("_log = Logger()", "_log = Logger(__name__)"),
        ("a = b(x for x in c)", "a = sorted(x for x in c)"),
        ("return_(x for x in c)", "for y in (x for x in c): pass"),
        ("a in (x, *y)", "a in (x, y)"),
        ("async def f():\n    yield 1", "async def f():\n    def g():\n        yield 1"),
        (
            "def f():\n    try: g()\n    except E:\n        yield 1",
            "def f():\n    try: yield 1\n    except E: pass\n    yield 2",
        ),
        (
            "async def f():\n    try: g()\n    finally:\n        await h()",
            "async def f():\n    try: await g()\n    finally:\n        h()",
        ),
    ],
)
def test_a_hazard_is_told_with_its_place(wrong: str, right: str) -> None:
    path = Path("provserver/ldap/one.py")
    [told] = hazards({path: wrong})
    assert told.startswith(f"{path}:")
    assert hazards({path: right}) == []


def test_an_exception_is_known_by_its_base_in_another_module() -> None:
    base, derived = Path("base.py"), Path("derived.py")
    told = hazards({derived: "class F(E):\n    code = 1", base: "class E(Exception): pass"})
    assert told == ["derived.py:2: an attribute that an exception will not have: set it in __init__"]


# The machine


def test_a_machine_that_lacks_something_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: sys.executable)
    assert ready.missing() == []
    (tmp_path / "Python.h").unlink()
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "no-such-compiler -pthread")
    compiler, headers = ready.missing()
    assert "gcc" in compiler
    assert f"python3.{sys.version_info.minor}-dev" in headers
