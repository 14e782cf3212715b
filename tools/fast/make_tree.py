"""Lays out what `make fast` builds: `make_tree.py FOLDER`.

A copy of what is installed, with setup.py beside it; the modules that are compiled are spelled as mypyc likes
them (spelling.py). The checkout itself never sees a compiled file, which would hide the source beside it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from compiled import KINDS, modules
from hazards import hazards
from spelling import NoSpelling, respelled

CHECKOUT: Final = Path(__file__).resolve().parents[2]
_COPIED: Final = ("provserver", "schema", "ldif", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_OURS: Final = ("setup.py", "mypy.ini")
LIST: Final = "compiled.txt"
"""The paths that setup.py compiles."""
_REQUIRED: Final = "install_requires =\n"


def make_tree(tree: Path, checkout: Path = CHECKOUT) -> None:
    """Write the tree anew. SystemExit says what is in the way, a line for each."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for name in _COPIED:
        source = checkout / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(source, tree)
    for name in _OURS:
        shutil.copy(Path(__file__).with_name(name), tree)
    _require_extensions(tree / "setup.cfg")
    package = tree / "provserver"
    paths = modules(package)
    faults = []
    for path in paths:
        kinds = KINDS.get(path.relative_to(package).as_posix(), {})
        try:
            path.write_text(respelled(path.read_text("utf-8"), kinds), "utf-8")
        except NoSpelling as reason:
            faults.append(f"{path.relative_to(tree)}: {reason}")
    faults += hazards({path.relative_to(tree): path.read_text("utf-8") for path in paths})
    if faults:
        raise SystemExit("\n".join(["cannot be compiled as it is written:", *faults]))
    (tree / LIST).write_text("".join(f"{path.relative_to(tree)}\n" for path in paths))


def _require_extensions(settings: Path) -> None:
    """What mypyc is told of a class is imported by the compiled module too."""
    text = settings.read_text("utf-8")
    if _REQUIRED not in text:
        raise SystemExit(f"{settings}: expected '{_REQUIRED.strip()}'")
    settings.write_text(text.replace(_REQUIRED, f"{_REQUIRED}    mypy-extensions\n"), "utf-8")


if __name__ == "__main__":
    make_tree(Path(sys.argv[1]))
