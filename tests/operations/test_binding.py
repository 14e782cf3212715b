"""Bind end to end: who is who, under which name, and who is not."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, PASSWORDS, SUFFIX, administrator

from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

INSIDE = user_dn("aokafor").removesuffix(",dc=eta")


@pytest.mark.parametrize(
    "name",
    [
        user_dn("aokafor"),
        f"{INSIDE},dc=etadb",
        INSIDE,
        user_dn("aokafor").upper(),
        "aokafor",
        "AOKAFOR",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_global_user_binds_by_its_dn_under_any_suffix_or_by_its_name(
    provserver: RunningServer, name: str
) -> None:
    client = await provserver.wire()
    assert (await client.bind(name, PASSWORDS["aokafor"])).code == 0
    assert (await client.search(user_dn("aokafor"), scope=Scope.BASE)).names == [user_dn("aokafor")]


@pytest.mark.parametrize(
    "name", ["aokafor", "ghost", user_dn("ghost"), ADA_AD, SUFFIX, "[default user]", "dc=x"]
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_password_and_an_unknown_name_are_told_alike(
    provserver: RunningServer, name: str
) -> None:
    client = await provserver.wire()
    told = await client.bind(name, NEW)
    assert told.code is ResultCode.INVALID_CREDENTIALS
    assert told.text == ":ETA_E_9040<BGU>, Bind to provisioning server failed: wrong name or password"
    assert told.result.matched_dn == ""


@pytest_twisted.ensureDeferred
async def test_a_suspended_user_is_told_so_only_with_the_right_password(provserver: RunningServer) -> None:
    client = await provserver.wire()
    assert (await client.bind("eyilmaz", NEW)).code is ResultCode.INVALID_CREDENTIALS
    told = await client.bind("eyilmaz", PASSWORDS["eyilmaz"])
    assert (told.code, "suspended" in told.text) == (ResultCode.UNWILLING_TO_PERFORM, True)
    assert (await client.search(SUFFIX)).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS


@pytest_twisted.ensureDeferred
async def test_the_old_password_is_of_no_use_after_a_change(provserver: RunningServer) -> None:
    admin, client = await administrator(provserver), await provserver.wire()
    assert (await client.bind("aokafor", PASSWORDS["aokafor"])).code == 0
    assert (await admin.modify(user_dn("aokafor"), replace("eTPassword", NEW))).code == 0
    assert (await client.bind("aokafor", PASSWORDS["aokafor"])).code is ResultCode.INVALID_CREDENTIALS
    assert (await client.bind("aokafor", NEW)).code == 0


@pytest_twisted.ensureDeferred
async def test_over_tls_with_the_servers_certificate_verified(provserver: RunningServer) -> None:
    client = await provserver.client("aokafor", PASSWORDS["aokafor"])
    assert client.secure
