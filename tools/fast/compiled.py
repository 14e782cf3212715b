"""Which modules are compiled in the fast form, and why the others are not. This is the only list.

A new module in one of these packages is compiled unless it is named here; if it cannot be, `make fast` says
so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

COMPILED: Final = (
    "delivery",
    "directory",
    "imps",
    "journal",
    "ldap",
    "operations",
    "passwords",
    "storage",
    "recent.py",
    "vault",
)
"""Packages and modules: what a request passes through. The others run at the start, or once."""

_TURNED: Final = "waits for changes most of the time; tests set its limits"
_ASYNC_GENERATOR: Final = "an asynchronous generator, which mypyc does not have"

INTERPRETED: Final = {
    "imps/accounts.py": _ASYNC_GENERATOR,
    "journal/alerts": "waits for other servers; threads and classes of the standard library",
    "journal/metrics/page.py": "derives from Twisted's classes",
    "journal/metrics/sources.py": "mypyc breaks off at what it awaits between samples",
    "ldap/client.py": "waits for other servers; derives from Twisted's classes",
    "ldap/client_line.py": "waits for other servers; derives from Twisted's classes",
    "ldap/controls": "values that mix in a class each (`NoValue`), which C structs cannot",
    "ldap/extended": "values that mix in a class each (`NoValue`), which C structs cannot",
    "ldap/values.py": "the base of the two above",
    "operations/copying.py": _TURNED,
    "operations/monitoring/tree.py": _ASYNC_GENERATOR,
    "operations/paging.py": _ASYNC_GENERATOR,
    "operations/persisting.py": _TURNED,
    "operations/subtrees.py": _ASYNC_GENERATOR,
    "operations/walking.py": _ASYNC_GENERATOR,
    "passwords/external": "waits for another server; derives from Twisted's classes",
    "storage/batches.py": _ASYNC_GENERATOR,
}
"""Modules and folders in these that are not; the reason."""

KINDS: Final = {
    "passwords/hashing.py": {"Hasher": "native_class=False"},  # tests stand in for it
    "storage/planning.py": {"_Range": "native_class=False"},  # others hold it by weak references
    "storage/sqlite.py": {"SqliteStore": "native_class=False"},  # tests stand in for its methods
    "storage/loading.py": {"LoadingStore": "native_class=False"},  # is one of these
}
"""Classes that are to be of another kind than mypyc would choose: what it is told of them. Without
`native_class` a class is a C struct."""


def modules(provserver: Path) -> list[Path]:
    """The modules to compile of the package `provserver`, in order."""
    return [path for path in sorted(provserver.rglob("*.py")) if _is_compiled(path.relative_to(provserver))]


def _is_compiled(path: Path) -> bool:
    return path.name != "__init__.py" and _in(path, COMPILED) and not _in(path, INTERPRETED)


def _in(path: Path, places: Iterable[str]) -> bool:
    return any(path == Path(place) or Path(place) in path.parents for place in places)
