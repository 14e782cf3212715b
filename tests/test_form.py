"""Which form is tested: `make test` the sources as they are, `make test-fast` the compiled ones. Never a mix,
and never one in the place of the other.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES

from plugins.served_instance import COMMAND, REPOSITORY

sys.path.append(str(REPOSITORY / "tools" / "fast"))

from compiled import modules

IS_COMPILED = os.environ.get("PROVSERVER_FORM") == "compiled"


def test_every_module_is_of_the_form_that_is_tested() -> None:
    suffix = EXTENSION_SUFFIXES[0] if IS_COMPILED else ".py"
    paths = [path.relative_to(REPOSITORY).with_suffix("") for path in modules(REPOSITORY / "provserver")]
    files = [importlib.import_module(".".join(path.parts)).__file__ or "" for path in paths]
    assert [file for file in files if not file.endswith(suffix)] == []


def test_commands_that_tests_start_are_of_the_same_form() -> None:
    module = importlib.import_module("provserver.ldap.codec")
    python = COMMAND[: COMMAND.index("-m")]
    told = subprocess.run(
        [*python, "-c", f"import {module.__name__} as it; print(it.__file__)"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == module.__file__
