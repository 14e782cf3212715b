"""Endpoints as their entries describe them."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import AD_CORP, ADA_AD, ADA_UNIX, HPDEV01, SUFFIX, UNIX

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.endpoints import leaf_value, read_endpoint, settings_of
from provserver.testing.server import RunningServer, user_dn

NAME = DN.parse("eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im")


def entry(**attributes: str) -> Entry:
    held = {name.lower(): Attribute(name, (value.encode(),)) for name, value in attributes.items()}
    return Entry(EntryId("e"), NAME, held, 3)


def test_the_defaults_are_the_safe_ones() -> None:
    endpoint = read_endpoint(entry())
    assert (endpoint.name, endpoint.namespace, endpoint.version) == ("ldap-hq", "OpenLDAP", 3)
    assert endpoint.agent_installed
    assert endpoint.require_secure
    assert not endpoint.propagation_disabled
    assert (endpoint.retry_limit, endpoint.retry_interval) == (10, 60.0)


def test_the_check_boxes_and_numbers_are_read() -> None:
    endpoint = read_endpoint(
        entry(
            provDisablePasswordPropagation="TRUE",
            provPasswordSyncAgentInstalled="FALSE",
            provRequireSecureConnection="FALSE",
            provRetryLimit="0",
            provRetryInterval="5",
            provConnector="ldap",
            provSetting="url=ldaps://x:636/?a=b",
        )
    )
    assert endpoint.propagation_disabled
    assert not endpoint.agent_installed
    assert not endpoint.require_secure
    assert (endpoint.retry_limit, endpoint.retry_interval) == (0, 5.0)
    assert endpoint.connector == "ldap"
    assert endpoint.settings == {"url": "ldaps://x:636/?a=b"}


@pytest.mark.parametrize(
    ("values", "settings"),
    [(("a=1", " b = 2 "), {"a": "1", "b": "2"}), (("flag",), {"flag": ""}), ((), {})],
)
def test_settings_are_keys_and_values(values: tuple[str, ...], settings: dict[str, str]) -> None:
    assert settings_of(values) == settings


def test_sealed_secrets_are_not_shown() -> None:
    assert "c2VhbGVk" not in repr(read_endpoint(entry(provSecret="password=c2VhbGVk")))


def test_a_name_that_holds_a_comma_is_said_as_people_say_it() -> None:
    dn = DN.parse(ADA_AD)
    assert leaf_value(dn) == "Okafor, Ada"


@pytest_twisted.ensureDeferred
async def test_everything_below_an_endpoint_belongs_to_it(provserver: RunningServer) -> None:
    foundation = provserver.service.foundation
    endpoints, resolve = foundation.endpoints, foundation.views.resolve
    for dn, name in ((ADA_AD, "AD-Corp"), (ADA_UNIX, "hpdev01"), (UNIX, "hpdev01")):
        endpoint = await endpoints.of_account(resolve(dn)[0])
        assert endpoint is not None
        assert endpoint.name == name
        assert (await endpoints.get(endpoint.id)) is endpoint, "read once for each version"
    for above in (AD_CORP, f"eTNamespaceName=ActiveDirectory,{SUFFIX}", SUFFIX):
        assert endpoints.dn_of(resolve(above)[0]) is None
    assert (
        await endpoints.of_account(resolve(f"eTETCAccountName=x,eTETCDirectoryName=gone,{SUFFIX}")[0]) is None
    )


@pytest_twisted.ensureDeferred
async def test_a_change_of_its_entry_is_seen_at_once(provserver: RunningServer) -> None:
    foundation = provserver.service.foundation
    account = foundation.views.resolve(ADA_UNIX)[0]
    await provserver.load(f"dn: {HPDEV01}\nchangetype: modify\nreplace: provRetryLimit\nprovRetryLimit: 3\n")
    endpoint = await foundation.endpoints.of_account(account)
    assert endpoint is not None
    assert endpoint.retry_limit == 3
    ada = await provserver.entry(ADA_UNIX)
    assert ada is not None
    assert endpoint.account_name(ada) == "UNIX - etc Account 'aokafor' on 'hpdev01'"
    assert user_dn("x").startswith("eTGlobalUserName=x,")
