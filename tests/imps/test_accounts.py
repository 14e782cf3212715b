"""Accounts by the names that people type."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import ADA_AD, ADA_LDAP, ADA_MVS, ADA_UNIX, CLAIRE_AD

from provserver.imps.accounts import account_of, read_account_name
from provserver.ldap.results import Refusal, ResultCode
from provserver.testing.server import RunningServer

TWIN = (
    "dn: eTADSAccountName=aokafor,eTADSContainerName=Users,eTADSDirectoryName=AD-Corp,"
    "eTNamespaceName=ActiveDirectory,dc=im\nobjectClass: eTADSAccount\neTADSsAMAccountName: second\n"
)


async def named(server: RunningServer, text: str) -> str:
    foundation = server.service.foundation
    name = read_account_name(text, foundation.views)
    return str(await account_of(name, foundation.views, foundation.store))


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("ActiveDirectory:AD-Corp:aokafor", ADA_AD),
        ("ActiveDirectory:AD-Corp:Okafor, Ada", ADA_AD),
        ("activedirectory : ad-corp : CMERCIER", CLAIRE_AD),
        ("UNIX - etc:hpdev01:aokafor", ADA_UNIX),
        ("CA-ACF2:MVSPROD:okafor1", ADA_MVS),
        ("OpenLDAP:ldap-hq:aokafor", ADA_LDAP),
        (ADA_AD, ADA_AD),
        (f"{ADA_AD}db", ADA_AD),
        (ADA_AD.removesuffix(",dc=eta"), ADA_AD),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_short_form_or_a_dn_in_any_view_names_it(
    provserver: RunningServer, text: str, account: str
) -> None:
    assert await named(provserver, text) == account.removesuffix(",dc=eta")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ActiveDirectory:AD-Corp:ghost", ResultCode.NO_SUCH_OBJECT),
        ("ActiveDirectory:AD-Lab:aokafor", ResultCode.NO_SUCH_OBJECT),
        ("Nowhere:AD-Corp:aokafor", ResultCode.NO_SUCH_OBJECT),
        ("ActiveDirectory:AD-Corp:Users", ResultCode.NO_SUCH_OBJECT),
        ("ActiveDirectory:aokafor", ResultCode.INVALID_DN_SYNTAX),
        ("aokafor", ResultCode.INVALID_DN_SYNTAX),
        ("cn=a:b:c,dc=elsewhere", ResultCode.NO_SUCH_OBJECT),
        ("::", ResultCode.NO_SUCH_OBJECT),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_names_none_is_refused(provserver: RunningServer, text: str, code: ResultCode) -> None:
    with pytest.raises(Refusal) as refused:
        await named(provserver, text)
    assert refused.value.code is code


@pytest_twisted.ensureDeferred
async def test_of_several_the_names_are_told(provserver: RunningServer) -> None:
    await provserver.load(TWIN)
    with pytest.raises(Refusal) as refused:
        await named(provserver, "ActiveDirectory:AD-Corp:aokafor")
    assert refused.value.code is ResultCode.UNWILLING_TO_PERFORM
    assert ADA_AD.removesuffix(",dc=eta") in refused.value.result.diagnostic
    assert "eTADSAccountName=aokafor,eTADSContainerName=Users" in refused.value.result.diagnostic
