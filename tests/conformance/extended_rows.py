"""Every way in which an extended operation fails (RFC 4511 4.12), but for Password Modify, which is among the
passwords.
"""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

import pytest
from asking import Case, Row
from harbour import AD_CORP, ADA_AD, NEW, NOBODY_AD, SUFFIX
from read_rows import search_request

from provserver.ldap.extended import (
    Cancel,
    CheckEndpoint,
    CheckTree,
    ClearGuard,
    DropDeliveries,
    Explain,
    ExploreEndpoint,
    ExtendedValue,
    RetryDeliveries,
    WhoAmI,
    encode_request,
)
from provserver.ldap.messages import (
    CANCEL,
    EXPLAIN,
    EXPLORE_ENDPOINT,
    RETRY_DELIVERIES,
    START_TLS,
    WHO_AM_I,
    ExtendedRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer
from provserver.testing.wire import Told, WireClient

C = ResultCode
STARTING = ExtendedRequest(START_TLS)


def cancelling(message_id: int) -> ExtendedRequest:
    return encode_request(Cancel(message_id))


async def its_own(client: WireClient) -> Told:
    number = client.begin(encode_request(WhoAmI()))
    return await client.ask(cancelling(number + 1))


async def a_sync(client: WireClient) -> Told:
    """It waits for an endpoint."""
    return await client.ask(cancelling(client.begin_sync(ADA_AD, NEW)))


async def a_search(client: WireClient) -> Told:
    return await client.ask(cancelling(client.begin(search_request(SUFFIX))))


async def a_search_that_is_called_off(client: WireClient) -> Told:
    number = client.begin(search_request(SUFFIX))
    client.begin(cancelling(number))
    return await client.answer(number)


async def what_is_over(client: WireClient) -> Told:
    number = client.begin(encode_request(WhoAmI()))
    await client.answer(number)
    return await client.ask(cancelling(number))


async def meanwhile(client: WireClient) -> Told:
    client.begin_sync(ADA_AD, NEW)
    return await client.ask(STARTING)


async def be_slow_at_unix(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    server.endpoint("hpdev01").delay(1.0)


async def have_no_certificate(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """Connections that are open cannot be protected."""
    connections: Any = server.service._counters.connections
    for connection in connections:
        patches.setattr(connection, "_front", changed(connection._front, tls=None))


UNKNOWN = [
    Row("it is unknown", lambda c: c.ask(ExtendedRequest("1.2.3.4")), C.PROTOCOL_ERROR, "1.2.3.4 is not supported", "RFC 4511 4.12"),
    Row("it is unknown, by nobody", lambda c: c.ask(ExtendedRequest("1.2.3.4", b"x")), C.PROTOCOL_ERROR, "1.2.3.4 is not supported", "RFC 4511 4.12", who=""),
    Row("it has no name", lambda c: c.ask(ExtendedRequest("")), C.PROTOCOL_ERROR, "is not supported", "RFC 4511 4.12"),
    Row("it is the notice of disconnection", lambda c: c.ask(ExtendedRequest("1.3.6.1.4.1.1466.20036")), C.PROTOCOL_ERROR, "is not supported", "RFC 4511 4.4.1"),
]  # fmt: skip

WHO = [
    Row("nobody asks", lambda c: c.ask(encode_request(WhoAmI())), C.SUCCESS, "", "RFC 4532 2.2", who=""),
    Row("a value", lambda c: c.ask(ExtendedRequest(WHO_AM_I, b"x")), C.PROTOCOL_ERROR, "Who am I request", "RFC 4532 2.1"),
    Row("an empty value, as Windows sends it", lambda c: c.ask(ExtendedRequest(WHO_AM_I, b"")), C.SUCCESS, "", "ours"),
]  # fmt: skip

TLS = [
    Row("a value", lambda c: c.ask(ExtendedRequest(START_TLS, b"x")), C.PROTOCOL_ERROR, "expected no value", "RFC 4511 4.14.1"),
    Row("under TLS", lambda c: c.ask(STARTING), C.OPERATIONS_ERROR, "established already", "RFC 4511 4.14.1", tls=True),
    Row("while something else is in progress", meanwhile, C.OPERATIONS_ERROR, "other operations are in progress", "RFC 4511 4.14.1", first=be_slow_at_unix, changes=True),
    Row("where there is no certificate", lambda c: c.ask(STARTING), C.UNAVAILABLE, "there is no TLS", "RFC 4511 4.14.1", first=have_no_certificate),
]  # fmt: skip

CANCELS = [
    Row("no value", lambda c: c.ask(ExtendedRequest(CANCEL)), C.PROTOCOL_ERROR, "Cancel request", "RFC 3909 2.1"),
    Row("a value that is malformed", lambda c: c.ask(ExtendedRequest(CANCEL, b"\x30\x03\x04\x01\x01")), C.PROTOCOL_ERROR, "Cancel request", "RFC 3909 2.1"),
    Row("what never was", lambda c: c.ask(cancelling(4711)), C.NO_SUCH_OPERATION, "is not in progress", "RFC 3909 2.3"),
    Row("what is over", what_is_over, C.NO_SUCH_OPERATION, "is not in progress", "RFC 3909 2.3"),
    Row("itself", its_own, C.CANNOT_CANCEL, "cannot be cancelled", "RFC 3909 2.3"),
    Row("a sync that waits for an endpoint", a_sync, C.TOO_LATE, "a change that has begun is finished", "RFC 3909 2.3", first=be_slow_at_unix, changes=True),
    Row("a search", a_search, C.SUCCESS, "", "RFC 3909 2.3", scene="crossroads"),
    Row("a search, which says so", a_search_that_is_called_off, C.CANCELED, "called off", "RFC 3909 2.2", scene="crossroads"),
]  # fmt: skip


def about(account: str, kind: type[Explain] = Explain) -> Case:
    return lambda c: c.ask(encode_request(kind(account)))


async def have_twins(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    names = "eTADSAccountName=aokafor,eTADSContainerName=Users"
    await server.load(f"dn: {names},{AD_CORP}\nobjectClass: eTADSAccount\n")


SHORT = "ActiveDirectory:AD-Corp:"
ABOUT_ACCOUNTS = [
    Row("no value", lambda c: c.ask(ExtendedRequest(EXPLAIN)), C.PROTOCOL_ERROR, "Explain request", "ours"),
    Row("by nobody", about(ADA_AD), C.INSUFFICIENT_ACCESS_RIGHTS, "may not ask about", "ours", who=""),
    Row("by an agent of its endpoint", about(ADA_AD, ClearGuard), C.INSUFFICIENT_ACCESS_RIGHTS, "may not ask about", "ours", who="psync-ad-corp"),
    Row("what is not there", about(NOBODY_AD), C.NO_SUCH_OBJECT, "does not exist", "ours"),
    Row("what is no account", about(AD_CORP, ClearGuard), C.OBJECT_CLASS_VIOLATION, "is not an account", "ours"),
    Row("what is no name", about("no name"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("a short name that is nobody's", about(f"{SHORT}ghost"), C.NO_SUCH_OBJECT, "there is no account", "ours"),
    Row("a short name of several", about(f"{SHORT}aokafor"), C.UNWILLING_TO_PERFORM, "several accounts are called", "ours", first=have_twins),
    Row("a short name", about(f"{SHORT}aokafor"), C.SUCCESS, "", "ours"),
    Row("a guard of which there is nothing to clear", about(ADA_AD, ClearGuard), C.SUCCESS, "", "ours"),
]  # fmt: skip


def having(request: ExtendedValue) -> Case:
    return lambda c: c.ask(encode_request(request))


async def have_a_namesake(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    names = "eTDYNDirectoryName=hpdev01,eTNamespaceName=OpenLDAP,dc=im,dc=eta"
    await server.load(f"dn: {names}\nobjectClass: eTDYNDirectory\neTDYNDirectoryName: hpdev01\n")


EXPLORING = [
    Row("an exploration by a user", having(ExploreEndpoint("AD-Corp", ("explore",))), C.INSUFFICIENT_ACCESS_RIGHTS, "may not ask about", "ours", who="aokafor"),
    Row("a check of the tree by an agent", having(CheckTree()), C.INSUFFICIENT_ACCESS_RIGHTS, "may not ask about", "ours", who="psync-ad-corp"),
    Row("an exploration without a value", lambda c: c.ask(ExtendedRequest(EXPLORE_ENDPOINT)), C.PROTOCOL_ERROR, "Explore Endpoint request", "ours"),
    Row("an exploration of what is not there", having(ExploreEndpoint("ghost", ("explore",))), C.NO_SUCH_OBJECT, "there is no endpoint", "ours"),
    Row("an exploration that does something else", having(ExploreEndpoint("AD-Corp", ("dance",))), C.CONSTRAINT_VIOLATION, "expected explore", "ours"),
    Row("an exploration that does nothing", having(ExploreEndpoint("AD-Corp")), C.UNWILLING_TO_PERFORM, "expected to be told what to do", "ours"),
    Row("an exploration that nobody began", having(ExploreEndpoint("", follow="ghost")), C.NO_SUCH_OBJECT, "there is no exploration", "ours"),
    Row("a check of the tree", having(CheckTree()), C.SUCCESS, "", "ours"),
]  # fmt: skip

NOT_HERS = "may not ask about"
OPERATING = [
    Row("a retry without a value", lambda c: c.ask(ExtendedRequest(RETRY_DELIVERIES)), C.PROTOCOL_ERROR, "Retry Deliveries request", "ours"),
    Row("a retry by nobody", having(RetryDeliveries(all=True)), C.INSUFFICIENT_ACCESS_RIGHTS, NOT_HERS, "ours", who=""),
    Row("a drop by an agent of the endpoint", having(DropDeliveries(endpoint="AD-Corp")), C.INSUFFICIENT_ACCESS_RIGHTS, NOT_HERS, "ours", who="psync-ad-corp"),
    Row("a check by a user", having(CheckEndpoint("AD-Corp")), C.INSUFFICIENT_ACCESS_RIGHTS, NOT_HERS, "ours", who="aokafor"),
    Row("a retry of nothing that is said", having(RetryDeliveries()), C.UNWILLING_TO_PERFORM, "expected deliveries by their ids", "ours"),
    Row("a drop of what is not there", having(DropDeliveries(("ghost",))), C.NO_SUCH_OBJECT, "not in the outbox", "ours"),
    Row("a retry of what is in no such state", having(RetryDeliveries(state="lost")), C.CONSTRAINT_VIOLATION, "expected pending, retrying or held", "ours"),
    Row("a check of an endpoint that is not there", having(CheckEndpoint("ghost")), C.NO_SUCH_OBJECT, "there is no endpoint", "ours"),
    Row("a retry of nobody's deliveries", having(RetryDeliveries(user="ghost")), C.NO_SUCH_OBJECT, "there is no global user 'ghost'", "ours"),
    Row("a drop of what goes to no account", having(DropDeliveries(account=NOBODY_AD)), C.NO_SUCH_OBJECT, "there is no account", "ours"),
    Row("a check of one of several endpoints", having(CheckEndpoint("hpdev01")), C.UNWILLING_TO_PERFORM, "several endpoints are called 'hpdev01'", "ours", first=have_a_namesake),
    Row("a check with another endpoint's account", having(CheckEndpoint("hpdev01", ADA_AD)), C.NO_SUCH_OBJECT, "on 'UNIX - etc:hpdev01'", "ours"),
    Row("a retry where nothing is held", having(RetryDeliveries(all=True)), C.SUCCESS, "", "ours"),
]  # fmt: skip

TABLES = {
    "unknown operation": UNKNOWN,
    "Who am I": WHO,
    "StartTLS": TLS,
    "Cancel": CANCELS,
    "Explain, Clear Guard": ABOUT_ACCOUNTS,
    "Retry and Drop Deliveries, Check Endpoint": OPERATING,
    "Explore Endpoint, Check Tree": EXPLORING,
}
