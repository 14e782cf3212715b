"""The whole decision, every combination: who is asked about, what the policy service says, the parameters, a
test or a sync. What is expected is computed by `expected`: design "The exchange" 1 to 6 in a few lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import pytest
import pytest_twisted
from advised_servers import SHIP, Advised
from harbour import (
    ADA_AD,
    ADA_UNIX,
    ELIF_AD,
    FRANCO_AD,
    IN_PROGRESS,
    NEW,
    NOBODY_AD,
    ORACLE,
    OTHER,
    holds,
    snapshot,
    wire,
)
from stand_in import Behaviour, accepting, refusing, with_status

from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    UPDATE_ONLY_GLOBAL_USER,
    USE_EXTERNAL_PASSWORD_POLICIES,
)
from provserver.ldap.results import ResultCode

AD, UNIX = "psync-ad-corp", "pam-hpdev01"
WEAK: Final = "Weak-1"


@dataclass(frozen=True)
class Case:
    """`agent` reports `password` of `account`; `delivered`: NEW was sent there just before."""

    name: str
    agent: str
    account: str
    password: str = NEW
    delivered: bool = False


CASES: Final = (
    Case("unknown", AD, NOBODY_AD),
    Case("uncorrelated", UNIX, ORACLE),
    Case("gated", AD, FRANCO_AD),
    Case("suspended", AD, ELIF_AD),
    Case("echo", UNIX, ADA_UNIX, NEW, delivered=True),
    Case("another than was sent", UNIX, ADA_UNIX, OTHER, delivered=True),
    Case("weak", AD, ADA_AD, WEAK),
    Case("good", AD, ADA_AD),
)
SERVICES: Final[dict[str, Behaviour]] = {
    "accepts": accepting,
    "refuses": refusing(SHIP),
    "is down": with_status(500),
    "is not used": refusing(SHIP),
}
GATES: Final = {
    "unknown": (ResultCode.NO_SUCH_OBJECT, "does not exist"),
    "uncorrelated": (ResultCode.UNWILLING_TO_PERFORM, "not yet correlated"),
    "gated": (ResultCode.UNWILLING_TO_PERFORM, "eTPropagatePassword"),
    "suspended": (ResultCode.UNWILLING_TO_PERFORM, "is suspended"),
}


@dataclass(frozen=True)
class Expected:
    code: ResultCode
    text: str
    changes: bool = False


def expected(case: Case, service: str, threshold: int, user_only: bool, trigger: str) -> Expected:
    """By the order of the steps."""
    if case.name in GATES:
        return Expected(*GATES[case.name])
    if case.delivered and threshold:
        if case.password == NEW:
            return Expected(ResultCode.SUCCESS, "was set by this server: nothing to do")
        return Expected(ResultCode.UNWILLING_TO_PERFORM, IN_PROGRESS)
    if case.delivered and case.password == NEW:
        # The user's password already: nobody judges it again, and a sync serves whoever is not known to hold
        # it: the account where it began, which we never sent it to.
        return Expected(ResultCode.SUCCESS, "succe", changes=trigger == "sync" and not user_only)
    if case.password == WEAK:
        return Expected(ResultCode.CONSTRAINT_VIOLATION, "at least 10 characters")
    if service == "refuses":
        return Expected(ResultCode.CONSTRAINT_VIOLATION, SHIP[1])
    if service == "is down":
        return Expected(ResultCode.UNAVAILABLE, "external")
    return Expected(ResultCode.SUCCESS, "succe", changes=trigger == "sync")


@pytest.mark.parametrize("trigger", ["test", "sync"])
@pytest.mark.parametrize(
    ("threshold", "user_only"),
    list(product([600, 0], [False, True])),
    ids=["guarded", "guarded, user only", "unguarded", "unguarded, user only"],
)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest_twisted.ensureDeferred
async def test_the_decision(
    advised: Advised, case: Case, service: str, threshold: int, user_only: bool, trigger: str
) -> None:
    server, asked = await advised(accepting)
    agent = await wire(server, case.agent)
    if case.delivered:
        assert (await (await wire(server, AD)).sync(ADA_AD, NEW)).code == 0
        await server.delivered()
    asked.behave = SERVICES[service]
    if service == "is not used":
        await server.set_parameter(USE_EXTERNAL_PASSWORD_POLICIES, "no")
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, str(threshold))
    await server.set_parameter(UPDATE_ONLY_GLOBAL_USER, "yes" if user_only else "no")
    before = await snapshot(server)
    told = await (agent.test if trigger == "test" else agent.sync)(case.account, case.password)
    await server.delivered()
    then = expected(case, service, threshold, user_only, trigger)
    assert (told.code, then.text in told.text) == (then.code, True), told.text
    assert case.password not in told.text
    assert (await snapshot(server) != before) is then.changes
    if then.changes:
        assert await server.has_password("aokafor", case.password)
        assert holds(server, "ldap-hq", "aokafor", case.password) is not user_only
