"""What the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from matrix import Stage, set_stage
from twisted.internet.defer import ensureDeferred


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A server with everybody on a line to it; not to be changed."""
    made: Any = pytest_twisted.blockon(ensureDeferred(set_stage()))
    yield made
    pytest_twisted.blockon(ensureDeferred(made.server.stop()))
