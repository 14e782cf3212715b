"""Who owns which account."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import AD_CORP, ADA_AD, ADA_LDAP, ADA_MVS, ADA_UNIX, ORACLE

from provserver.directory.entries import Entry
from provserver.imps.inclusions import Inclusions, account_class_of, inclusions_container
from provserver.testing.server import RunningServer, user_dn


async def entry(server: RunningServer, dn: str) -> Entry:
    found = await server.entry(dn)
    assert found is not None
    return found


def inclusions(server: RunningServer) -> Inclusions:
    return server.service.foundation.inclusions


@pytest_twisted.ensureDeferred
async def test_an_account_knows_its_owner_and_an_owner_its_accounts_in_order(
    provserver: RunningServer,
) -> None:
    ada = await entry(provserver, user_dn("aokafor"))
    for dn in (ADA_AD, ADA_UNIX, ADA_MVS, ADA_LDAP):
        assert await inclusions(provserver).owner(await entry(provserver, dn)) == ada
    found = [account.dn.key for account in await inclusions(provserver).accounts(ada)]
    assert len(found) == 4
    assert found == sorted(found)


@pytest_twisted.ensureDeferred
async def test_an_account_of_nobody_has_no_owner(provserver: RunningServer) -> None:
    assert await inclusions(provserver).owner(await entry(provserver, ORACLE)) is None


@pytest_twisted.ensureDeferred
async def test_a_deleted_account_is_no_longer_one_of_its_owner(provserver: RunningServer) -> None:
    await provserver.load(f"dn: {ADA_LDAP}\nchangetype: delete\n")
    ada = await entry(provserver, user_dn("aokafor"))
    assert len(await inclusions(provserver).accounts(ada)) == 3


@pytest_twisted.ensureDeferred
async def test_the_name_of_an_inclusion_is_both_ids(provserver: RunningServer) -> None:
    """facts/imps.md 1.5: `<eTPID>@<eTCID>`."""
    ada, oracle = await entry(provserver, user_dn("aokafor")), await entry(provserver, ORACLE)
    dn, attributes = inclusions(provserver).attributes(ada, oracle)
    given = dict(attributes)
    name = f"{ada.id}@{oracle.id}"
    assert dn == inclusions_container(provserver.service.foundation.views.domain, "eTETCAccount").child(
        "eTInclusionID", name
    )
    assert (given["eTPID"], given["eTCID"]) == ([ada.id.encode()], [oracle.id.encode()])
    assert given["eTSuperiorClassEntry"] == [ada.dn.text.encode()]
    assert given["eTSubordinateClassEntry"] == [oracle.dn.text.encode()]


@pytest.mark.parametrize(
    ("dn", "account_class"),
    [(ADA_AD, "eTADSAccount"), (ADA_MVS, "eTACFLid"), (AD_CORP, None), (user_dn("aokafor"), None)],
)
@pytest_twisted.ensureDeferred
async def test_what_is_an_account(provserver: RunningServer, dn: str, account_class: str | None) -> None:
    found = await entry(provserver, dn)
    assert account_class_of(found) == account_class
    if account_class is None:
        with pytest.raises(ValueError, match="is no account"):
            inclusions(provserver).attributes(found, found)
