"""Two endpoints whose agents report whatever they receive, our own deliveries too: it settles after one
round, however late the reports come; and without the echo guard it does not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import pytest_twisted
from harbour import ADA_AD, ADA_UNIX, IN_PROGRESS, NEW, OTHER, administrator, holds, wire
from twisted.internet.defer import ensureDeferred

from provserver.connectors.emulated import EmulatedEndpoint
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.journal.events import Event
from provserver.ldap.results import ResultCode
from provserver.storage.contract import DeliveryState
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace
from provserver.vault.secret import Secret

WITHOUT_PROFILE = (
    "dn: eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    "eTNamespaceName=CommonObjects,dc=im\nchangetype: modify\nreplace: provProfileEnabled\n"
    "provProfileEnabled: FALSE\n"
)
"""As IMPS has it, and so that no history ends a loop in the place of the guard."""
SECOND_THOUGHT = "Reef-Signal-64"


@dataclass
class ReportingAgent:
    """An agent that cannot tell who changed a password: it reports each one that its endpoint took, `delay`
    seconds later.
    """

    server: RunningServer
    endpoint: EmulatedEndpoint
    client: WireClient
    accounts: dict[str, str]
    """DNs, by the names that the endpoint has for them."""
    delay: float
    told: list[Told] = field(default_factory=list)

    def listen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        take = self.endpoint.take

        def take_and_report(account: str, secret: Secret, history: int) -> None:
            take(account, secret, history)
            self.server.clock.callLater(self.delay, self._report, account, secret)

        monkeypatch.setattr(self.endpoint, "take", take_and_report)

    def _report(self, account: str, secret: Secret) -> None:
        asked = ensureDeferred(self.client.sync(self.accounts[account], secret.reveal()))
        asked.addCallback(self.told.append)


class Harbour:
    """Ada's domain controller and her UNIX host, both with such an agent. The user's own changes are reported
    by the same agents, over `ad` and `unix`.
    """

    def __init__(self, server: RunningServer, ad: ReportingAgent, unix: ReportingAgent) -> None:
        self.server = server
        self.reporters = (ad, unix)
        self.ad, self.unix = ad.client, unix.client

    async def turn(self, seconds: float, steps: int = 1) -> None:
        """Let time pass, and whatever comes of it be done."""
        for _ in range(steps):
            self.server.clock.turn(seconds / steps)
            for _ in range(4):
                await self.server.breathe()
                await self.server.exchanged()
                await self.server.delivered()

    @property
    def received(self) -> tuple[int, int]:
        """Passwords that the two endpoints were sent."""
        return self.reporters[0].endpoint.received, self.reporters[1].endpoint.received

    @property
    def reports(self) -> tuple[int, int]:
        """Reports of the two agents about what we had sent, answered."""
        return len(self.reporters[0].told), len(self.reporters[1].told)

    async def changes(self) -> int:
        """Exchanges that were accepted so far."""
        return [line.event for line in await self.server.journal()].count(Event.SYNC_ACCEPTED)

    async def is_settled(self) -> bool:
        """Whether nothing more comes, in a day of ten minutes each and a week of days."""
        before = await self._state()
        await self.turn(86_400, steps=24 * 6)
        await self.turn(7 * 86_400, steps=7)
        return await self._state() == before

    async def _state(self) -> list[object]:
        outbox = await self.server.service.foundation.store.deliveries()
        user = await self.server.entry(user_dn("aokafor"))
        return [self.received, self.reports, await self.changes(), outbox, user]


async def harbour(
    start: Starter, monkeypatch: pytest.MonkeyPatch, *, delay: float, threshold: str = "600"
) -> Harbour:
    server = await start(more=[WITHOUT_PROFILE])
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, threshold)
    ad = ReportingAgent(
        server,
        server.endpoint("AD-Corp"),
        await wire(server, "psync-ad-corp"),
        {"Okafor, Ada": ADA_AD},
        delay,
    )
    unix = ReportingAgent(
        server, server.endpoint("hpdev01"), await wire(server, "pam-hpdev01"), {"aokafor": ADA_UNIX}, delay
    )
    for agent in (ad, unix):
        agent.listen(monkeypatch)
    return Harbour(server, ad, unix)


DELAYS = {
    "at once": 0.0,
    "after a minute": 60.0,
    "at the end of the window": 599.0,
    "after the window": 601.0,
    "a day later": 86_300.0,
    "when the echo memory is over": 86_401.0,
}
"""How late an agent reports, with a threshold of 600 s and an echo memory of a day."""


@pytest.mark.parametrize("delay", DELAYS.values(), ids=list(DELAYS))
@pytest_twisted.ensureDeferred
async def test_a_users_change_settles_after_one_round(
    start_provserver: Starter, monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    here = await harbour(start_provserver, monkeypatch, delay=delay)
    assert (await here.ad.sync(ADA_AD, NEW)).code == 0
    await here.turn(delay)
    assert here.received[1] == here.reports[1] == 1
    await here.turn(delay)
    assert await here.is_settled()
    assert here.received == here.reports
    assert here.received[1] == 1, "it was sent once"
    late = delay > 86_400
    # Then it is no echo any more, but the current password: sent to the one account that is not known to
    # hold it, where it began; and when that one's agent reports it, to nobody.
    assert here.received[0] == (1 if late else 0)
    assert await here.changes() == (3 if late else 1)
    assert {told.code for reporter in here.reporters for told in reporter.told} == {ResultCode.SUCCESS}
    assert await here.server.has_password("aokafor", NEW)


@pytest.mark.parametrize("delay", DELAYS.values(), ids=list(DELAYS))
@pytest_twisted.ensureDeferred
async def test_a_reset_that_both_receive_settles_after_one_round(
    start_provserver: Starter, monkeypatch: pytest.MonkeyPatch, delay: float
) -> None:
    here = await harbour(start_provserver, monkeypatch, delay=delay)
    admin = await administrator(here.server)
    told = await admin.modify(user_dn("aokafor"), replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert told.code == 0
    await here.turn(delay)
    assert here.received == here.reports == (1, 1)
    assert await here.is_settled()
    assert here.received == here.reports == (1, 1), "both know it, whatever the guard remembers"
    assert await here.server.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_inside_the_window_the_second_of_two_crossing_changes_is_refused_and_the_first_settles(
    start_provserver: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await harbour(start_provserver, monkeypatch, delay=60.0)
    assert (await here.ad.sync(ADA_AD, NEW)).code == 0
    refused = await here.unix.sync(ADA_UNIX, OTHER)
    assert (refused.code, IN_PROGRESS in refused.text) == (ResultCode.UNWILLING_TO_PERFORM, True)
    await here.turn(60)
    assert await here.is_settled()
    assert here.received == here.reports == (0, 1)
    assert await here.changes() == 1
    assert holds(here.server, "hpdev01", "aokafor", NEW)


@pytest.mark.parametrize("threshold", ["600", "1"])
@pytest_twisted.ensureDeferred
async def test_after_the_window_the_reports_of_two_crossing_changes_revert_nothing(
    start_provserver: Starter, monkeypatch: pytest.MonkeyPatch, threshold: str
) -> None:
    """Both agents are late, so each reports the older password after the newer one was taken elsewhere."""
    here = await harbour(start_provserver, monkeypatch, delay=1000.0, threshold=threshold)
    await here.ad.sync(ADA_AD, NEW)
    await here.turn(700)
    assert (await here.unix.sync(ADA_UNIX, OTHER)).code == 0
    assert here.received == (1, 1)
    await here.turn(300)
    assert here.reports == (0, 1), "the report of the first comes after the second"
    await here.turn(700)
    assert here.reports == (1, 1)
    assert await here.is_settled()
    assert here.received == here.reports == (1, 1)
    assert await here.changes() == 2
    assert await here.server.has_password("aokafor", OTHER)
    assert holds(here.server, "AD-Corp", "Okafor, Ada", OTHER)


@pytest_twisted.ensureDeferred
async def test_without_the_guard_two_crossing_changes_chase_each_other_for_ever(
    start_provserver: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guard is for. (One password alone does not loop even so: whoever is known to hold the current
    one is not sent it again.)
    """
    here = await harbour(start_provserver, monkeypatch, delay=60.0, threshold="0")
    assert (await here.ad.sync(ADA_AD, NEW)).code == 0
    assert (await here.unix.sync(ADA_UNIX, OTHER)).code == 0
    assert await here.changes() == 2
    for round in range(1, 21):
        await here.turn(60)
        assert here.received == (1 + round, 1 + round)
        assert here.reports == (round, round)
        assert await here.changes() == 2 + 2 * round, "every report is a change, and is sent to the other"
    # Turned on, the guard ends it.
    await here.server.set_parameter(AGENT_RESPONSE_THRESHOLD, "600")
    await here.turn(60)
    changes, received = await here.changes(), here.received
    assert await here.is_settled()
    assert (await here.changes(), here.received) == (changes, received)


@pytest_twisted.ensureDeferred
async def test_a_circle_that_was_ended_is_open_for_the_users_next_change(
    start_provserver: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await harbour(start_provserver, monkeypatch, delay=5.0)
    await here.ad.sync(ADA_AD, NEW)
    await here.turn(606)
    for secret, client, account in (
        (OTHER, here.unix, ADA_UNIX),
        (SECOND_THOUGHT, here.ad, ADA_AD),
    ):
        assert (await client.sync(account, secret)).code == 0
        await here.turn(606)
        assert await here.server.has_password("aokafor", secret)
    assert await here.is_settled()
    assert here.received == here.reports == (1, 2)
    store = here.server.service.foundation.store
    entry = await here.server.entry(ADA_UNIX)
    assert entry is not None
    status = await store.status(entry.id)
    assert status is not None
    assert status.state is DeliveryState.UPDATED
