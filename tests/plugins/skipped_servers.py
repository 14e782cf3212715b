"""Says in the last lines of a run what was skipped because a real server is not installed, and what would
install it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

MARK = "install"
"""The word in `require_slapd`'s reasons (and in those of its like) before the command."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: TerminalReporter) -> Iterator[None]:
    """After everything that pytest and other plugins print; with xdist too, where skips come from workers."""
    yield
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
            if f"; {MARK} " in reason:
                reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in reasons.items():
        tests = "1 test was" if count == 1 else f"{count} tests were"
        terminalreporter.write_line(f"NOT RUN: {tests} skipped. {reason}", yellow=True, bold=True)
