"""`quay`: the server that clients land at, one for all tests of a process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugins.served_instance import serving
from quay import Quay, lay_quay


@pytest.fixture(scope="session")
def quay(_demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    directory = shutil.copytree(_demo_template, tmp_path_factory.mktemp("quay") / "demo")
    with serving() as serve:
        yield lay_quay(directory, serve)
