"""StartTLS end to end: on the clear-text port, of a server with a certificate."""

from __future__ import annotations

from typing import Any

import pytest_twisted
from harbour import PASSWORDS, wire
from twisted.internet.ssl import Certificate, optionsForClientTLS

from provserver.ldap.client import LdapClient, Trust
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Scope
from provserver.ldap.messages import START_TLS, BindRequest, ExtendedRequest, SaslCredentials
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer
from provserver.testing.wire import WireClient
from provserver.vault.secret import Secret

C = ResultCode


async def raised(server: RunningServer, client: WireClient) -> None:
    """The connection under TLS, the server's certificate verified."""
    told = await client.ask(ExtendedRequest(START_TLS))
    assert (told.code, told.text) == (C.SUCCESS, "")
    trust = Certificate.loadPEM(server.authority.read_bytes())  # type: ignore[no-untyped-call]
    options: Any = optionsForClientTLS("localhost", trust)
    transport: Any = client.transport
    transport.startTLS(options)


async def plain_bind(client: WireClient) -> ResultCode:
    """A bind that is only for protected connections, from wherever."""
    secret = Secret(f"\0aokafor\0{PASSWORDS['aokafor']}".encode())
    return (await client.ask(BindRequest(3, "", SaslCredentials("PLAIN", secret)))).code


@pytest_twisted.ensureDeferred
async def test_a_client_that_verifies_can_raise_its_connection(provserver: RunningServer) -> None:
    client = await LdapClient.connect(
        provserver.ldap_url, reactor=provserver.reactor, trust=Trust(ca_file=str(provserver.authority))
    )
    try:
        assert client.secure
    finally:
        await client.close()


@pytest_twisted.ensureDeferred
async def test_the_connection_counts_as_protected_and_is_nobody_s(provserver: RunningServer) -> None:
    client = await wire(provserver, "bnovak")
    assert await plain_bind(client) is C.CONFIDENTIALITY_REQUIRED
    await client.bind("bnovak", PASSWORDS["bnovak"])
    await raised(provserver, client)
    assert (await client.ask(extended(WhoAmI()))).value == b""
    assert await plain_bind(client) is C.SUCCESS
    assert (await client.ask(ExtendedRequest(START_TLS))).code is C.OPERATIONS_ERROR


@pytest_twisted.ensureDeferred
async def test_a_value_is_a_protocol_error(provserver: RunningServer) -> None:
    client = await provserver.wire()
    told = await client.ask(ExtendedRequest(START_TLS, b""))
    assert (told.code, told.text) == (C.PROTOCOL_ERROR, "StartTLS: expected no value")
    await raised(provserver, client)
    assert await plain_bind(client) is C.SUCCESS


@pytest_twisted.ensureDeferred
async def test_the_root_dse_offers_it_and_cancel(provserver: RunningServer) -> None:
    client = await provserver.wire()
    told = await client.search("", "(objectClass=*)", "supportedExtension", scope=Scope.BASE)
    assert {START_TLS, "1.3.6.1.1.8"} <= set(told.values("supportedExtension"))
