"""The gates before a password is looked at: their order, and Automatic Correlation."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import (
    ADA_AD,
    ADA_UNIX,
    FRANCO_AD,
    IN_PROGRESS,
    NEW,
    ORACLE,
    OTHER,
    UNIX,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.imps.parameters import AUTOMATIC_CORRELATION
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

CORRELATED = "not yet correlated to this global user"
ENABLED = "password synchronization is not enabled"
SUSPENDED = "is suspended"


async def refusal(agent: WireClient, account: str, password: str) -> Told:
    """What both triggers say: the same code and reason."""
    tested, synced = await agent.test(account, password), await agent.sync(account, password)
    assert tested.code is synced.code
    assert tested.text.partition(" failed: ")[2] == synced.text.partition(" failed: ")[2]
    return synced


@pytest_twisted.ensureDeferred
async def test_the_gates_close_in_their_order_and_before_the_guard_and_the_policy(
    provserver: RunningServer,
) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "pam-hpdev01")
    ad = await wire(provserver, "psync-ad-corp")
    # Everything is wrong at once: a mark of another password, a weak one, suspended, not enabled, nobody's.
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    user, weak = user_dn("aokafor"), "x"
    await admin.modify(user, replace("eTSuspended", "1"), replace("eTPropagatePassword", "0"))
    inclusions = await admin.search(
        "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im,dc=etadb",
        f"(eTCID={await id_of(provserver, ADA_UNIX)})",
    )
    (inclusion,) = inclusions.entries
    attributes = {a.description: a.values for a in inclusion.attributes if a.description != "eTID"}
    assert (await admin.delete(inclusion.dn)).code == 0

    said = []
    for mend in (
        lambda: admin.add(inclusion.dn, attributes),
        lambda: admin.modify(user, replace("eTPropagatePassword", "1")),
        lambda: admin.modify(user, replace("eTSuspended", "0")),
    ):
        told = await refusal(agent, ADA_UNIX, weak)
        assert told.code is ResultCode.UNWILLING_TO_PERFORM
        said.append(told.text)
        mended = await mend()
        assert mended.code == 0, mended.text
    assert [CORRELATED in said[0], ENABLED in said[1], SUSPENDED in said[2]] == [True, True, True]

    told = await refusal(agent, ADA_UNIX, weak)
    assert (told.code, IN_PROGRESS in told.text) == (ResultCode.UNWILLING_TO_PERFORM, True)
    provserver.clock.turn(601)
    assert (await refusal(agent, ADA_UNIX, weak)).code is ResultCode.CONSTRAINT_VIOLATION


@pytest_twisted.ensureDeferred
async def test_an_echo_of_a_suspended_user_is_refused_all_the_same(provserver: RunningServer) -> None:
    ad, agent = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    await provserver.load(
        f"dn: {user_dn('aokafor')}\nchangetype: modify\nreplace: eTSuspended\neTSuspended: 1\n"
    )
    assert SUSPENDED in (await agent.sync(ADA_UNIX, NEW)).text


@pytest.mark.parametrize("value", ["0", "2", "TRUE"])
@pytest_twisted.ensureDeferred
async def test_only_1_enables_synchronisation(provserver: RunningServer, value: str) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    told = await admin.modify(user_dn("fgreco"), replace("eTPropagatePassword", value))
    if told.code == 0:
        assert ENABLED in (await agent.sync(FRANCO_AD, NEW)).text
    await admin.modify(user_dn("fgreco"), replace("eTPropagatePassword", "1"))
    assert (await agent.sync(FRANCO_AD, NEW)).code == 0


@pytest_twisted.ensureDeferred
async def test_an_inclusion_whose_user_is_gone_counts_as_none(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "pam-hpdev01")
    dn = (
        "eTInclusionID=gone@here,eTSubordinateClass=eTETCAccount,eTSuperiorClass=eTGlobalUser,"
        "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im,dc=etadb"
    )
    added = await admin.add(
        dn,
        {
            "objectClass": ["eTInclusionObject"],
            "eTInclusionID": ["gone@here"],
            "eTPID": ["00000000-0000-0000-0000-000000000000"],
            "eTCID": [await id_of(provserver, ORACLE)],
        },
    )
    assert added.code == 0, added.text
    assert CORRELATED in (await agent.sync(ORACLE, NEW)).text


# ---------------------------------------------------------------- Automatic Correlation


def account(name: str) -> str:
    return f"dn: eTETCAccountName={name},{UNIX}\nobjectClass: eTETCAccount\neTETCAccountName: {name}\n"


@pytest_twisted.ensureDeferred
async def test_a_sync_correlates_the_account_of_a_user_of_that_name(provserver: RunningServer) -> None:
    await provserver.load(account("cmercier"))
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "yes")
    agent = await wire(provserver, "pam-hpdev01")
    dn = f"eTETCAccountName=cmercier,{UNIX}"
    told = await agent.sync(dn, NEW)
    assert told.code == 0, told.text
    assert await provserver.has_password("cmercier", NEW)
    assert holds(provserver, "AD-Corp", "Claire Mercier", NEW)
    admin = await administrator(provserver)
    found = await admin.search(
        "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im,dc=etadb",
        f"(eTCID={await id_of(provserver, dn)})",
    )
    assert found.values("eTPID") == [await id_of(provserver, user_dn("cmercier"))]
    # From now on it is one of her accounts, whatever the parameter says.
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "no")
    ad = await wire(provserver, "psync-ad-corp")
    provserver.clock.turn(601)
    await ad.sync(
        "eTADSAccountName=Claire Mercier,eTADSOrgUnitName=Head Office,eTADSOrgUnitName=Staff,"
        "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta",
        OTHER,
    )
    assert holds(provserver, "hpdev01", "cmercier", OTHER)


@pytest_twisted.ensureDeferred
async def test_a_test_passes_for_it_but_writes_nothing(provserver: RunningServer) -> None:
    await provserver.load(account("cmercier"))
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "yes")
    agent = await wire(provserver, "pam-hpdev01")
    before = await snapshot(provserver)
    assert (await agent.test(f"eTETCAccountName=cmercier,{UNIX}", NEW)).code == 0
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("trigger", ["test", "sync"])
@pytest.mark.parametrize("name", ["etaadmin", "psync-ad-corp"])
@pytest_twisted.ensureDeferred
async def test_a_user_with_an_admin_profile_is_never_correlated(
    provserver: RunningServer, name: str, trigger: str
) -> None:
    await provserver.load(account(name))
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "yes")
    agent = await wire(provserver, "pam-hpdev01")
    before = await snapshot(provserver)
    told = await (agent.test if trigger == "test" else agent.sync)(f"eTETCAccountName={name},{UNIX}", NEW)
    assert (told.code, CORRELATED in told.text) == (ResultCode.UNWILLING_TO_PERFORM, True)
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_a_candidate_that_may_not_be_synchronised_is_not_correlated(provserver: RunningServer) -> None:
    await provserver.load(account("eyilmaz"))
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "yes")
    agent = await wire(provserver, "pam-hpdev01")
    before = await snapshot(provserver)
    assert SUSPENDED in (await agent.sync(f"eTETCAccountName=eyilmaz,{UNIX}", NEW)).text
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_an_account_nobody_is_called_like_stays_uncorrelated(provserver: RunningServer) -> None:
    await provserver.set_parameter(AUTOMATIC_CORRELATION, "yes")
    agent = await wire(provserver, "pam-hpdev01")
    assert CORRELATED in (await agent.sync(ORACLE, NEW)).text
