"""Agents that report changes without end, endpoints that fail and recover, and a server that is killed at
random moments and started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from aftermath import Report
from moody import Mood, Moody, Taken
from racetrack import (
    ADMINISTRATOR,
    USERS,
    BenchFailed,
    Track,
    account_ldif,
    administrators_ldif,
    container_ldif,
    ledger_ldif,
    on_wire,
    user_ldif,
    without_guard,
)
from racing import pause
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.threads import deferToThread

from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.testing.wire import Hung, WireClient

ENDPOINTS: Final = 4
SETTINGS: Final = ("passwords.propagation_wait=0.05",)
"""Agents do not stand and wait for endpoints in trouble: more happens between two kills."""
USERS_EACH: Final = 3
"""Users that one agent reports for; nobody else does, so that their changes have an order."""
THINKS: Final = 0.03
"""Seconds between two changes of an agent, at most."""
LIVES: Final = (0.05, 0.5)
"""Seconds that a server lives, once it is ready."""
MOODS_LAST: Final = (0.1, 1.0)
SETTLED_WITHIN: Final = 120.0
"""Seconds after the last kill and the end of all trouble."""
NAMESPACE: Final = "eTNamespaceName=kills,dc=im"
FIRST_PASSWORD: Final = "Before-It-All-0"


@dataclass(frozen=True, slots=True)
class Plan:
    kills: int
    agents: int = 16
    seed: int = 0

    def users_of(self, agent: int) -> Sequence[str]:
        return [f"u{agent * USERS_EACH + number}" for number in range(USERS_EACH)]

    @property
    def users(self) -> Sequence[str]:
        return [user for agent in range(self.agents) for user in self.users_of(agent)]


def domain_ldif(plan: Plan, endpoints: Sequence[Moody], secret: str) -> str:
    """Users with an account on each endpoint."""
    places = {endpoint_dn(endpoint): endpoint.url for endpoint in endpoints}
    return "".join(
        (
            without_guard(),
            f"dn: {NAMESPACE}\nobjectClass: eTNamespace\n\n",
            *[ledger_ldif(dn, url) for dn, url in places.items()],
            *[container_ldif(dn, "eTDYNAccountContainer", "Accounts") for dn in places],
            administrators_ldif(places, secret),
            *[user_ldif(user_dn(user), FIRST_PASSWORD) for user in plan.users],
            *[
                account_ldif(account_dn(user, endpoint), user_dn(user))
                for user in plan.users
                for endpoint in endpoints
            ],
        )
    )


def user_dn(user: str) -> str:
    return f"eTGlobalUserName={user},{USERS}"


def endpoint_dn(endpoint: Moody) -> str:
    return f"eTDYNDirectoryName={endpoint.name},{NAMESPACE}"


def account_dn(user: str, endpoint: Moody) -> str:
    return f"eTDYNAccountName={user},eTDYNAccountContainerName=Accounts,{endpoint_dn(endpoint)}"


class Attrition:
    """`tell` is told how it goes."""

    def __init__(
        self, reactor: Any, plan: Plan, track: Track, endpoints: Sequence[Moody], tell: Callable[[str], None]
    ) -> None:
        self.reports: dict[str, list[Report]] = {user: [] for user in plan.users}
        self.kills = 0
        self.seconds = 0.0
        self.settled_after = 0.0
        self.moods = 0
        self._reactor = reactor
        self._plan = plan
        self._track = track
        self._endpoints = endpoints
        self._tell = tell
        self._over = False

    @property
    def accounts(self) -> Mapping[str, Sequence[Sequence[Taken]]]:
        """What each account of each user had."""
        return {user: [endpoint.taken.get(user, ()) for endpoint in self._endpoints] for user in self.reports}

    async def run(self) -> Mapping[str, bool]:
        """From the first report until everything is delivered: who can log in with the newest password.
        BenchFailed.
        """
        began = time.monotonic()
        random = Random(self._plan.seed)  # noqa: S311  not for secrets: it must be repeatable
        working = [self._agent(number, Random(random.random())) for number in range(self._plan.agents)]  # noqa: S311
        trouble = [self._trouble(endpoint, Random(random.random())) for endpoint in self._endpoints]  # noqa: S311
        everybody = gatherResults([ensureDeferred(one) for one in (*working, *trouble)], consumeErrors=True)
        try:
            await self._kill(random)
        finally:
            self._over = True
        await everybody
        self.seconds = time.monotonic() - began
        return await self._settled()

    # -- agents

    async def _agent(self, number: int, random: Random) -> None:
        """Report changes; when everything else is over, one more for each user."""
        users = self._plan.users_of(number)
        client = None
        while not self._over:
            client = await self._report(client, random.choice(users), random)
            await pause(self._reactor, random.uniform(0, THINKS))
        for user in users:
            while not self.reports[user] or not self.reports[user][-1].acknowledged:
                client = await self._report(client, user, random)
        if client is not None:
            client.hang_up()

    async def _report(self, client: WireClient | None, user: str, random: Random) -> WireClient | None:
        """One change on one of the user's accounts. The line, if it is still there."""
        while client is None:
            client = await self._track.line(self._reactor)
            if client is None:
                await pause(self._reactor, 0.01)
        endpoint = random.choice(self._endpoints)
        report = Report(user, f"Kill-{user}-{len(self.reports[user]):06d}")
        self.reports[user].append(report)
        endpoint.set_at_home(user, report.password)
        try:
            told = await client.sync(on_wire(account_dn(user, endpoint)), report.password)
        except Hung:
            report.ended = time.time()
            return None
        report.ended = time.time()
        report.acknowledged = not told.code
        report.refusal = f"{told.code.name}: {told.text}" if told.code else ""
        return client

    # -- trouble

    async def _trouble(self, endpoint: Moody, random: Random) -> None:
        while not self._over:
            await pause(self._reactor, random.uniform(*MOODS_LAST))
            await endpoint.turn(random.choice(list(Mood)))
            self.moods += 1
        await endpoint.turn(Mood.WELL)

    async def _kill(self, random: Random) -> None:
        while self.kills < self._plan.kills:
            await pause(self._reactor, random.uniform(*LIVES))
            self._track.kill()
            self.kills += 1
            count = sum(map(len, self.reports.values()))
            self._tell(f"{self.kills} of {self._plan.kills} kills, {count} changes reported")
            while any(endpoint.lines for endpoint in self._endpoints if endpoint.mood is not Mood.SILENT):
                await pause(self._reactor, 0.001)
            await deferToThread(self._track.start)
        await pause(self._reactor, LIVES[1])

    # -- the end

    async def _settled(self) -> Mapping[str, bool]:
        """Wait for the last deliveries."""
        began = time.monotonic()
        client = await self._track.line(self._reactor, ADMINISTRATOR)
        if client is None:
            raise BenchFailed("the server is gone")
        while True:
            told = await client.search("cn=monitor", "(objectClass=*)", "provOutboxSize", scope=Scope.BASE)
            waiting = int(told.values("provOutboxSize")[0])
            if not waiting or time.monotonic() - began > SETTLED_WITHIN:
                break
            await pause(self._reactor, 0.05)
        client.hang_up()
        self.settled_after = time.monotonic() - began
        return {user: await self._logs_in(user) for user in self.reports}

    async def _logs_in(self, user: str) -> bool:
        client = await self._track.line(self._reactor, ADMINISTRATOR)
        if client is None:
            return False
        told = await client.bind(on_wire(user_dn(user)), self.reports[user][-1].password)
        client.hang_up()
        return told.code is ResultCode.SUCCESS
