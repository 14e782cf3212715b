"""A lab turns its emulated endpoints while the server runs, by the settings of their entries."""

from __future__ import annotations

import pytest_twisted
from harbour import ADA_AD, HPDEV01, NEW, OTHER, administrator, holds, wire

from provserver.testing.server import RunningServer
from provserver.testing.wire import replace


@pytest_twisted.ensureDeferred
async def test_what_an_entry_breaks_is_broken_at_once_and_mended_at_once(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    told = await admin.modify(HPDEV01, replace("provSetting", "break=set:1:drop-after"))
    assert told.code == 0, told.text
    assert "pending: 1" in (await agent.sync(ADA_AD, NEW)).text
    record = provserver.endpoint("hpdev01").record
    assert [one.outcome for one in record] == ["DroppedConnection"]
    provserver.clock.turn(60)
    await provserver.delivered()
    assert [one.outcome for one in record] == ["DroppedConnection", "taken"]
    assert record[0].digest == record[1].digest
    assert record[1].time - record[0].time >= 60


@pytest_twisted.ensureDeferred
async def test_a_personality_is_put_on_while_the_server_runs_and_its_words_are_told(
    provserver: RunningServer,
) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await provserver.delivered()
    told = await admin.modify(HPDEV01, replace("provSetting", "personality=unix", "min_length=60"))
    assert told.code == 0, told.text
    assert "failures: 1" in (await agent.sync(ADA_AD, OTHER)).text
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    said = [str(event) for event in await provserver.journal()]
    assert any("The password is shorter than 60 characters" in one for one in said)
