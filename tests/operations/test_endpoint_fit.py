"""`provserver endpoints test` asks a connector that can tell whether its settings fit the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
import pytest_twisted

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    Connector,
    ConnectorFailure,
    Misfit,
    Security,
)
from provserver.ldap.extended import CheckEndpoint
from provserver.operations.endpoint_checks import EndpointChecks
from provserver.testing.server import RunningServer

test = pytest_twisted.ensureDeferred

NO_EXOP = Misfit("it has no Password Modify", "set operation=replace")
NO_LOCK = Misfit("it has no lock attribute", "take unlock away")
OFFERS_TLS = Misfit("it offers StartTLS", "use it", grave=False)


class Asker:
    """A connector that tells what does not fit."""

    security = Security.SECURE

    def __init__(self, found: Sequence[Misfit] | ConnectorFailure) -> None:
        self._found = found

    async def open(self, partition: str = "") -> None:
        pass

    async def close(self) -> None:
        pass

    async def misfits(self) -> Sequence[Misfit]:
        if isinstance(self._found, ConnectorFailure):
            raise self._found
        return self._found

    async def locate(self, account: Account) -> str:
        return account.name


async def checked(provserver: RunningServer, found: Sequence[Misfit] | ConnectorFailure) -> list[Any]:
    foundation = provserver.service.foundation
    asker = cast(Connector, Asker(found))
    checks = EndpointChecks(foundation.rooms, foundation.endpoints, lambda endpoint: asker, provserver.clock)
    answer: Any = await checks.check(CheckEndpoint("hpdev01"), {"by": "tests"})
    steps: list[Any] = answer["steps"]
    assert answer["good"] is steps[-1]["good"]
    return steps


@test
async def test_a_server_that_fits_is_said_to_fit(provserver: RunningServer) -> None:
    steps = await checked(provserver, [])
    assert [step["step"] for step in steps][-2:] == ["does the server fit", "look up an account"]
    assert "warning" not in steps[-2]


@test
async def test_a_warning_is_shown_and_stops_nothing(provserver: RunningServer) -> None:
    fit, lookup = (await checked(provserver, [OFFERS_TLS]))[-2:]
    assert (fit["good"], fit["warning"], fit["text"]) == (True, True, "it offers StartTLS: use it")
    assert lookup["step"] == "look up an account"


@test
async def test_what_is_grave_fails_the_step_and_says_what_to_set(provserver: RunningServer) -> None:
    last = (await checked(provserver, [OFFERS_TLS, NO_EXOP, NO_LOCK]))[-1]
    assert (last["step"], last["good"], last["event"]) == ("does the server fit", False, 6922)
    assert last["text"] == "it has no Password Modify; it has no lock attribute"
    assert last["advice"] == "set operation=replace; take unlock away"


@pytest.mark.parametrize("failure", [AccessDenied("not you")])
@test
async def test_a_server_that_does_not_answer_is_a_failed_step(
    provserver: RunningServer, failure: ConnectorFailure
) -> None:
    last = (await checked(provserver, failure))[-1]
    assert (last["step"], last["good"]) == ("does the server fit", False)
    assert "not you" in last["text"]
