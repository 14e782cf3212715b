"""Every event that a server of these tests leaves in its journal is as it is declared, and so as its readers
are promised (docs/reference/journal.md).
"""

from __future__ import annotations

from typing import Any

import pytest

from provserver.delivery.declared import DECLARED
from provserver.journal.declared import problem_of
from provserver.testing.server import RunningServer

_PAGE = 100_000


@pytest.fixture(autouse=True)
def declared_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is stopped shows its journal first."""
    stop = RunningServer.stop

    async def stop_and_show(server: RunningServer) -> None:
        problems = await _problems(server.service._store)
        await stop(server)
        assert not problems, f"{problems}: see provserver/journal/events.py and delivery/declared.py"

    monkeypatch.setattr(RunningServer, "stop", stop_and_show)


async def _problems(store: Any) -> set[str]:
    """Of a store that is open; a test's own stand-in for one may have no journal to show."""
    if store is None:
        return set()
    try:
        journal = await store.journal(0, _PAGE)
    except Exception:
        return set()
    return {problem for _, event in journal if (problem := problem_of(event, DECLARED))}
