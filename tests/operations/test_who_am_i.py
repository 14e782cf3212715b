"""Extended operations: Who am I (RFC 4532), and what nobody knows."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import OTHER, PASSWORDS, wire

from provserver.ldap.extended import PasswordModify, WhoAmI, encode_request
from provserver.ldap.filters import Scope
from provserver.ldap.messages import ExtendedRequest
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient

test = pytest_twisted.ensureDeferred


async def who_am_i(client: WireClient) -> str:
    told = await client.ask(encode_request(WhoAmI()))
    assert (told.code, told.text, told.controls) == (0, "", ())
    assert told.value is not None
    return told.value.decode()


@pytest.mark.parametrize(
    "name", [user_dn("aokafor"), user_dn("aokafor").removesuffix(",dc=eta") + ",dc=etadb", "AOKAFOR"]
)
@test
async def test_whoever_is_bound_is_told_its_name_in_the_servers_view(
    provserver: RunningServer, name: str
) -> None:
    client = await provserver.wire()
    assert await who_am_i(client) == ""
    assert (await client.bind(name, PASSWORDS["aokafor"])).code == 0
    assert await who_am_i(client) == f"dn:{user_dn('aokafor')}"
    assert (await client.bind(name, OTHER)).code is ResultCode.INVALID_CREDENTIALS
    assert await who_am_i(client) == ""


@test
async def test_after_an_anonymous_bind_nobody_is_anybody(provserver: RunningServer) -> None:
    client = await wire(provserver, "etaadmin")
    assert (await client.bind("", "")).code == 0
    assert await who_am_i(client) == ""


@pytest.mark.parametrize(
    "request_",
    [
        ExtendedRequest("1.2.3.4"),
        ExtendedRequest("1.2.3.4", b"value"),
        ExtendedRequest(WhoAmI.oid, b"value"),
        ExtendedRequest(PasswordModify.oid, b"no SEQUENCE"),
        ExtendedRequest(""),
    ],
)
@test
async def test_what_is_unknown_or_malformed_is_a_protocol_error(
    provserver: RunningServer, request_: ExtendedRequest
) -> None:
    """RFC 4511 4.12."""
    client = await wire(provserver, "etaadmin")
    told = await client.ask(request_)
    assert (told.code, bool(told.text), told.value) == (ResultCode.PROTOCOL_ERROR, True, None)


@test
async def test_the_root_dse_lists_what_there_is(provserver: RunningServer) -> None:
    client = await provserver.wire()
    told = await client.search("", "(objectClass=*)", "supportedExtension", scope=Scope.BASE)
    assert {WhoAmI.oid, PasswordModify.oid} <= set(told.values("supportedExtension"))
