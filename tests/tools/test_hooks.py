"""The tool that says how soon each hook of an agent speaks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import hooks
import pytest


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(30)
        yield made


@pytest.mark.parametrize("number", range(len(hooks.hooks(Path("script")))))
def test_every_hook_speaks(tmp_path: Path, listener: socket.socket, number: int) -> None:
    conf, script = hooks.make_conf(tmp_path, listener.getsockname()[1])
    found = hooks.taken(hooks.hooks(script)[number], conf, listener)
    assert found.clock > 0
    assert found.processor > 0


def test_one_that_says_nothing_is_told_with_its_reason(tmp_path: Path, listener: socket.socket) -> None:
    listener.settimeout(0.1)
    missing = tmp_path / "missing.conf"
    hook = hooks.Hook("psync-agent test", hooks.python("provserver.agents", "--conf", "{conf}", "test", "a"))
    with pytest.raises(SystemExit, match=r"psync-agent test: did not speak: .*there is no conf file"):
        hooks.taken(hook, missing, listener)
