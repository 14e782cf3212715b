"""One account's password reset by an administrator: by Password Modify, through the outbox, it alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_MVS,
    ADA_UNIX,
    ELIF_AD,
    NEW,
    NOBODY_AD,
    ORACLE,
    OTHER,
    PASSWORDS,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)

from provserver.connectors.contract import Busy, PasswordOption, PasswordPolicyViolation
from provserver.imps.parameters import CHECK_ACCOUNT_PASSWORDS, UPDATE_ONLY_GLOBAL_USER
from provserver.journal.events import Event
from provserver.ldap.extended import PasswordModify, encode_request
from provserver.ldap.results import ResultCode
from provserver.storage.contract import DeliveryState
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
THIRD = "Lamp-Oil-Store-3"


async def reset(client: WireClient, account: str, password: str) -> Told:
    return await client.ask(encode_request(PasswordModify(account, None, Secret.of_text(password))))


async def state_of(server: RunningServer, account: str) -> list[DeliveryState]:
    rows = await server.service.foundation.store.deliveries(account=await id_of(server, account))
    return [row.state for row in rows]


@test
async def test_it_goes_to_that_account_and_nowhere_else(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    user = await provserver.entry(ADA)
    told = await reset(admin, ADA_UNIX, NEW)
    assert (told.code, told.value) == (0, None)
    assert told.text.startswith(":ETA_S_9014<MAC>, Password of ")
    assert told.text.endswith(
        "'aokafor' on 'hpdev01' reset: (accounts updated: 1, unchanged: 0, failures: 0)"
    )
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert [provserver.endpoint(name).received for name in ("AD-Corp", "ldap-hq", "MVSPROD")] == [0, 0, 0]
    assert await provserver.entry(ADA) == user
    assert await provserver.has_password("aokafor", PASSWORDS["aokafor"])
    event = [event for event in await provserver.journal() if event.event == Event.ACCOUNT_RESET][-1]
    assert event.fields["account"] == ADA_UNIX.removesuffix(",dc=eta")
    assert event.fields["user"] == ADA.removesuffix(",dc=eta")
    assert event.fields["by"] == user_dn("etaadmin").removesuffix(",dc=eta")
    assert NEW not in str(await provserver.journal())


@test
async def test_an_account_that_nobody_owns_can_be_reset_and_that_of_a_suspended_user(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    assert (await reset(admin, ORACLE, NEW)).code == 0
    assert holds(provserver, "hpdev01", "oracle", NEW)
    assert (await reset(admin, ELIF_AD, NEW)).code == 0
    assert holds(provserver, "AD-Corp", "Elif Yilmaz", NEW)


@test
async def test_it_is_set_as_a_reset_and_its_echo_is_known(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "pam-hpdev01")
    assert (await reset(admin, ADA_UNIX, NEW)).code == 0
    store = provserver.service.foundation.store
    marks = await store.marks(await id_of(provserver, ADA_UNIX))
    assert [mark.options for mark in marks] == [PasswordOption.FORCE_CHANGE_AT_LOGON.value]
    told = await agent.sync(ADA_UNIX, NEW)
    assert (told.code, "nothing to do" in told.text) == (0, True)
    assert await provserver.has_password("aokafor", PASSWORDS["aokafor"])


@pytest.mark.parametrize("who", ["", "aokafor", "pam-hpdev01"])
@pytest.mark.parametrize("dn", [ADA_UNIX, NOBODY_AD])
@test
async def test_administrators_only(provserver: RunningServer, who: str, dn: str) -> None:
    client = await (wire(provserver, who) if who else provserver.wire())
    before = await snapshot(provserver)
    assert (await reset(client, dn, NEW)).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert await snapshot(provserver) == before


@test
async def test_what_cannot_be_reset(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await provserver.set_parameter(CHECK_ACCOUNT_PASSWORDS, "ALL")
    before = await snapshot(provserver)
    for dn, code in (
        (NOBODY_AD, ResultCode.NO_SUCH_OBJECT),
        (AD_CORP, ResultCode.UNWILLING_TO_PERFORM),
        (ADA_MVS, ResultCode.UNWILLING_TO_PERFORM),
    ):
        told = await reset(admin, dn, NEW)
        assert (told.code, bool(told.text)) == (code, True), dn
    weak = await reset(admin, ADA_UNIX, "short")
    assert weak.code is ResultCode.CONSTRAINT_VIOLATION
    assert "at least 10 characters are needed" in weak.text
    knowing = PasswordModify(ADA_UNIX, Secret(b"old"), Secret.of_text(NEW))
    assert (await admin.ask(encode_request(knowing))).code is ResultCode.UNWILLING_TO_PERFORM
    assert await snapshot(provserver) == before
    events = [
        event.text for event in await provserver.journal() if event.event == Event.ACCOUNT_RESET_REFUSED
    ]
    assert [text.partition(" failed: ")[2] for text in events] == [
        "no passwords are sent to this endpoint (provDisablePasswordPropagation)",
        weak.text.partition(" failed: ")[2],
    ]


@test
async def test_what_the_endpoint_refuses_is_no_success(provserver: RunningServer) -> None:
    """RFC 3062 2: success only when the password is changed."""
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("too simple"), times=1)
    told = await admin.ask(encode_request(PasswordModify(ADA_UNIX)))
    assert (told.code, told.value) == (ResultCode.UNWILLING_TO_PERFORM, None)
    assert told.text.endswith("failed at the endpoint: (accounts updated: 0, unchanged: 0, failures: 1)")
    await provserver.delivered()
    assert await state_of(provserver, ADA_UNIX) == [DeliveryState.HELD]
    assert (await reset(admin, ADA_UNIX, NEW)).code == 0
    assert await state_of(provserver, ADA_UNIX) == []
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@test
async def test_for_an_endpoint_that_is_down_it_is_durable_and_delivered_later(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").down()
    told = await reset(admin, ADA_UNIX, NEW)
    assert (told.code, told.text.endswith("failures: 0, pending: 1)")) == (0, True)
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert await state_of(provserver, ADA_UNIX) == []


# ---------------------------------------------------------------- with other changes: the later one wins


@test
async def test_while_the_users_password_is_on_its_way_there_it_is_busy(provserver: RunningServer) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").down()
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    before = await snapshot(provserver)
    told = await reset(admin, ADA_UNIX, OTHER)
    assert (told.code, "is on its way there" in told.text) == (ResultCode.BUSY, True)
    assert await snapshot(provserver) == before
    assert (await reset(admin, ADA_LDAP, OTHER)).code == 0, "another account of the user"
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert (await reset(admin, ADA_UNIX, OTHER)).code == 0
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


@test
async def test_what_is_held_of_the_user_there_ends(provserver: RunningServer) -> None:
    """Only a person would send it, and that person would set an older password."""
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("no"), times=1)
    provserver.endpoint("ldap-hq").refuse(lambda: PasswordPolicyViolation("no"), times=1)
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await provserver.delivered()
    assert await state_of(provserver, ADA_UNIX) == [DeliveryState.HELD]
    assert (await reset(admin, ADA_UNIX, OTHER)).code == 0
    assert await state_of(provserver, ADA_UNIX) == []
    assert await state_of(provserver, ADA_LDAP) == [DeliveryState.HELD], "the others stay"
    assert await provserver.service.foundation.store.outbox_size() == 1


@pytest.mark.parametrize("later", ["a sync from elsewhere", "a sync from there", "a reset of the user"])
@test
async def test_a_later_change_of_the_user_ends_what_waits(provserver: RunningServer, later: str) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").down()
    assert (await reset(admin, ADA_UNIX, OTHER)).code == 0
    if later == "a sync from elsewhere":
        told = await (await wire(provserver, "psync-ad-corp")).sync(ADA_AD, NEW)
    elif later == "a sync from there":
        provserver.clock.turn(3)
        told = await (await wire(provserver, "pam-hpdev01")).sync(ADA_UNIX, NEW)
    else:
        told = await admin.modify(ADA, replace("eTPassword", NEW), replace("eTSyncAccounts", "1"))
    assert told.code == 0, told
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(120)
    await provserver.delivered()
    assert not holds(provserver, "hpdev01", "aokafor", OTHER)
    assert holds(provserver, "hpdev01", "aokafor", NEW) is (later != "a sync from there")
    assert await provserver.service.foundation.store.outbox_size() == 0


@test
async def test_also_what_is_on_its_way_at_that_moment(provserver: RunningServer) -> None:
    """The attempt that lasts fails after the newer password was accepted: it is not tried again."""
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    endpoint = provserver.endpoint("hpdev01")
    endpoint.refuse(lambda: Busy("in a moment"), times=1, after=5)
    begun = admin.begin(encode_request(PasswordModify(ADA_UNIX, None, Secret.of_text(OTHER))))
    await provserver.breathe()
    synced = agent.begin_sync(ADA_AD, NEW)
    await provserver.breathe()
    provserver.clock.turn(5)
    assert (await admin.answer(begun)).code == 0
    assert (await agent.answer(synced)).code == 0
    await provserver.delivered()
    provserver.clock.turn(120)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert await state_of(provserver, ADA_UNIX) == []


@test
async def test_a_change_of_the_user_that_goes_to_nobody_leaves_it(provserver: RunningServer) -> None:
    admin, ada = await administrator(provserver), await wire(provserver, "aokafor")
    provserver.endpoint("hpdev01").down()
    assert (await reset(admin, ADA_UNIX, OTHER)).code == 0
    assert (await ada.modify(ADA, replace("eTPassword", NEW))).code == 0
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


@test
async def test_so_does_an_agents_report_that_goes_to_nobody(provserver: RunningServer) -> None:
    await provserver.set_parameter(UPDATE_ONLY_GLOBAL_USER, "Yes")
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").down()
    assert (await reset(admin, ADA_UNIX, OTHER)).code == 0
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)


@test
async def test_a_later_reset_ends_an_earlier_one(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.endpoint("hpdev01").down()
    for password in (OTHER, THIRD, NEW):
        assert (await reset(admin, ADA_UNIX, password)).code == 0
    assert len(await state_of(provserver, ADA_UNIX)) == 1
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(60)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert provserver.endpoint("hpdev01").received == 1


@test
async def test_a_repeat_of_the_users_password_reaches_an_account_that_was_reset(
    provserver: RunningServer,
) -> None:
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    assert (await reset(admin, ADA_UNIX, OTHER)).code == 0
    told = await agent.sync(ADA_AD, NEW)
    assert (told.code, "accounts updated: 1" in told.text) == (0, True)
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@test
async def test_it_survives_a_stop(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(directory=tmp_path)
    admin = await administrator(server)
    server.endpoint("hpdev01").down()
    assert (await reset(admin, ADA_UNIX, NEW)).code == 0
    await server.stop()
    server = await start_provserver(directory=tmp_path, clock=server.clock)
    server.clock.turn(60)
    await server.delivered()
    assert holds(server, "hpdev01", "aokafor", NEW)


@test
async def test_a_full_outbox_takes_no_more(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["delivery.outbox_limit=1"])
    admin = await administrator(server)
    server.endpoint("hpdev01").down()
    assert (await reset(admin, ADA_UNIX, NEW)).code == 0
    assert (await reset(admin, ORACLE, NEW)).code is ResultCode.BUSY
