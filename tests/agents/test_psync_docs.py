"""What the page on the agent shows is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from provserver.agents.decisions import Ending
from provserver.agents.keys import KEYS
from provserver.agents.options import COMMANDS, PSYNC_AGENT, parser

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "run-an-agent.md").read_text("utf-8")


def test_every_command_line_is_one_that_we_have() -> None:
    lines = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    commands = re.findall(
        r"psync-agent ((?:sample|check|test|sync|change|run|spool)[^>)\n]*)", "".join(lines)
    )
    assert {line.split()[0] for line in commands} == set(COMMANDS) - {"change", "rehearse"}
    for line in commands:
        parser(PSYNC_AGENT, {}).parse_args(shlex.split(line))


def test_every_exit_code_is_in_its_table() -> None:
    for ending in Ending:
        assert re.search(rf"^\| {int(ending)} \| ", PAGE, re.MULTILINE)


def test_every_key_that_it_names_is_one() -> None:
    keys = {key.name for key in KEYS}
    assert {
        name for name in re.findall(r"`([a-z]+_[a-z_]+)`", PAGE) if not name.startswith(("pam_", "eta_"))
    } <= keys
    assert set(re.findall(r"`([a-z]+(?:_[a-z]+)*) = ", PAGE)) - {"key"} <= keys
