"""What is answered to octets that are no request, and to whoever has to go: the Notice of Disconnection, and then
the line is closed (RFC 4511 4.1.1, 4.4.1). And what is never answered: Abandon and Unbind (4.3, 4.11).
"""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, PASSWORDS, SUFFIX, administrator
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred

from provserver.ldap.ber_writing import integer, octets, tlv
from provserver.ldap.codec import encode_message
from provserver.ldap.extended import WhoAmI, encode_request
from provserver.ldap.limits import KIB, MIB
from provserver.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    AbandonRequest,
    BindResponse,
    ExtendedRequest,
    Message,
    ModifyRequest,
    SearchResultDone,
)
from provserver.ldap.results import SUCCESS, ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient, replace

REACTOR: Any = reactor
C = ResultCode
BORIS = user_dn("bnovak")
test = pytest_twisted.ensureDeferred


@dataclass(frozen=True)
class Row:
    """Octets, and what the notice says. `bound`: sent by somebody who has authenticated."""

    case: str
    sent: bytes
    text: str
    bound: bool = False

    def __str__(self) -> str:
        return self.case


def message(content: str, number: str = "020101") -> bytes:
    """The operation, in hexadecimal, with its message id."""
    return tlv(0x30, bytes.fromhex(number) + bytes.fromhex(content))


def operation(tag: int, *parts: bytes, behind: bytes = b"") -> bytes:
    return tlv(0x30, integer(0x02, 1) + tlv(tag, b"".join(parts)) + behind)


NAME = octets(b"dc=im")
SEARCH = (NAME, b"\x0a\x01\x02", b"\x0a\x01\x00", b"\x02\x01\x00", b"\x02\x01\x00", b"\x01\x01\x00")
PRESENT = tlv(0x87, b"cn")
NO_LIST = b"\x30\x00"


def searching(*changed: tuple[int, bytes], filter: bytes = PRESENT, attributes: bytes = NO_LIST) -> bytes:
    """A search with some of its parts exchanged."""
    parts = list(SEARCH)
    for place, part in changed:
        parts[place] = part
    return operation(0x63, *parts, filter, attributes)


def nested(depth: int) -> bytes:
    wanted = PRESENT
    for _ in range(depth):
        wanted = tlv(0xA2, wanted)
    return wanted


def attribute(*values: bytes) -> bytes:
    return tlv(0x30, octets(b"cn") + tlv(0x31, b"".join(map(octets, values))))


def control(*parts: bytes) -> bytes:
    return operation(0x4A, b"dc=im", behind=tlv(0xA0, tlv(0x30, b"".join(parts))))


FRAMES = [
    Row("HTTP", b"GET / HTTP/1.0\r\n\r\n", "this is not LDAP"),
    Row("a TLS hello", bytes.fromhex("16030100c8010000c40303"), "this is not LDAP"),
    Row("an indefinite length", bytes.fromhex("3080020101420000 00"), "an indefinite length"),
    Row("a length of nine octets", bytes.fromhex("3089010000000000000000"), "a length of too many octets"),
    Row("two gigabytes announced", bytes.fromhex("30847fffffff"), "is larger than 65536 octets"),
    Row("more than a stranger may send", tlv(0x30, bytes(64 * KIB)), "is larger than 65536 octets"),
    Row("more than anybody may send", bytes.fromhex("3084") + (4 * MIB).to_bytes(4, "big"), "is larger than 4194304 octets", bound=True),
    Row("nothing", b"\x30\x00", "LDAPMessage.messageID"),
    Row("no operation", bytes.fromhex("3003020101"), "LDAPMessage.protocolOp"),
    Row("an operation that is unknown", message("7e00"), "LDAPMessage.protocolOp"),
    Row("message id 0", message("4200", "020100"), "is 0, which is the server's"),
    Row("a negative message id", message("4200", "0201ff"), "LDAPMessage.messageID"),
    Row("a message id above maxInt", message("4200", "02050080000000"), "LDAPMessage.messageID"),
    Row("a response to a bind", encode_message(Message(1, BindResponse(SUCCESS))), "LDAPMessage.protocolOp"),
    Row("a response to a search", encode_message(Message(1, SearchResultDone(SUCCESS))), "LDAPMessage.protocolOp"),
    Row("something behind the controls", operation(0x4A, b"dc=im", behind=b"\xa0\x00\x04\x00"), "LDAPMessage has a component too many"),
]  # fmt: skip

OPERATIONS = [
    Row("bind: cut off", operation(0x60, b"\x02\x01\x03", NAME, b"\x80\x05x"), "BindRequest.authentication"),
    Row("bind: version 0", operation(0x60, b"\x02\x01\x00", NAME, b"\x80\x00"), "BindRequest.version"),
    Row("bind: version 128", operation(0x60, b"\x02\x02\x00\x80", NAME, b"\x80\x00"), "BindRequest.version"),
    Row("bind: no authentication", operation(0x60, b"\x02\x01\x03", NAME), "BindRequest.authentication"),
    Row("bind: Kerberos of version 2", operation(0x60, b"\x02\x01\x03", NAME, b"\x81\x01x"), "BindRequest.authentication"),
    Row("bind: a name that is not UTF-8", operation(0x60, b"\x02\x01\x03", octets(b"\xff"), b"\x80\x00"), "BindRequest.name is not UTF-8"),
    Row("bind: SASL without a mechanism", operation(0x60, b"\x02\x01\x03", NAME, b"\xa3\x00"), "SaslCredentials.mechanism"),
    Row("unbind: not NULL", operation(0x42, b"x"), "UnbindRequest is not NULL"),
    Row("search: cut off", operation(0x63, *SEARCH), "SearchRequest.filter"),
    Row("search: scope 3", searching((1, b"\x0a\x01\x03")), "SearchRequest.scope"),
    Row("search: derefAliases 4", searching((2, b"\x0a\x01\x04")), "SearchRequest.derefAliases"),
    Row("search: a negative size limit", searching((3, b"\x02\x01\xff")), "SearchRequest.sizeLimit"),
    Row("search: a negative time limit", searching((4, b"\x02\x01\xff")), "SearchRequest.timeLimit"),
    Row("search: typesOnly of two octets", searching((5, b"\x01\x02\x00\x00")), "SearchRequest.typesOnly"),
    Row("search: a filter that is unknown", searching(filter=tlv(0xAA, b"")), "SearchRequest.filter"),
    Row("search: not of nothing", searching(filter=tlv(0xA2, b"")), "SearchRequest.filter"),
    Row("search: substrings of nothing", searching(filter=tlv(0xA4, octets(b"cn") + b"\x30\x00")), "SearchRequest.filter"),
    Row("search: an extensible match of nothing", searching(filter=tlv(0xA9, tlv(0x83, b"x"))), "SearchRequest.filter"),
    Row("search: a filter that is too deep", searching(filter=nested(101)), "SearchRequest.filter"),
    Row("search: a filter of too many parts", searching(filter=tlv(0xA0, PRESENT * 10_001)), "has too many parts"),
    Row("search: no list of attributes", searching(attributes=b""), "SearchRequest.attributes"),
    Row("search: too many attributes", searching(attributes=tlv(0x30, octets(b"cn") * 100_001)), "more than 100000", bound=True),
    Row("modify: cut off", operation(0x66, NAME), "ModifyRequest.changes"),
    Row("modify: a change of kind 4", operation(0x66, NAME, tlv(0x30, tlv(0x30, b"\x0a\x01\x04" + attribute(b"x")))), "ModifyRequest.changes.change.operation"),
    Row("modify: too many values", operation(0x66, NAME, tlv(0x30, tlv(0x30, b"\x0a\x01\x00" + attribute(*[b"x"] * 100_001)))), "more values than a message may have", bound=True),
    Row("add: cut off", operation(0x68, NAME), "AddRequest.attributes"),
    Row("add: values that are no set", operation(0x68, NAME, tlv(0x30, tlv(0x30, octets(b"cn") + octets(b"x")))), "AddRequest.attributes"),
    Row("add: too many values", operation(0x68, NAME, tlv(0x30, attribute(*[b"x"] * 100_001))), "more values than a message may have", bound=True),
    Row("delete: a name that is not UTF-8", operation(0x4A, b"\xff"), "DelRequest is not UTF-8"),
    Row("rename: cut off", operation(0x6C, NAME, NAME), "ModifyDNRequest.deleteoldrdn"),
    Row("compare: cut off", operation(0x6E, NAME), "CompareRequest.ava"),
    Row("compare: no value", operation(0x6E, NAME, tlv(0x30, octets(b"cn"))), "CompareRequest.ava.assertionValue"),
    Row("abandon: nothing", operation(0x50), "AbandonRequest"),
    Row("abandon: a negative message id", operation(0x50, b"\xff"), "AbandonRequest"),
    Row("extended: no name", operation(0x77), "ExtendedRequest.requestName"),
    Row("extended: a value before the name", operation(0x77, tlv(0x81, b"x"), tlv(0x80, b"1.2")), "ExtendedRequest.requestName"),
    Row("a control without a type", control(), "Control.controlType"),
    Row("a control whose criticality comes last", control(octets(b"1.2"), octets(b"x"), b"\x01\x01\xff"), "Control"),
    Row("too many controls", operation(0x4A, b"dc=im", behind=tlv(0xA0, tlv(0x30, octets(b"1")) * 100_001)), "more than 100000 controls", bound=True),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    running: Any = pytest_twisted.blockon(ensureDeferred(RunningServer.start(REACTOR)))
    yield running
    pytest_twisted.blockon(ensureDeferred(running.stop()))


def send(client: WireClient, data: bytes) -> None:
    client.transport.write(data)  # type: ignore[union-attr]  # it is connected


async def closed(client: WireClient) -> list[tuple[ResultCode, str]]:
    """What the notices said, when the line is closed."""
    await ensureDeferred(_closed(client.closed)).addTimeout(10, REACTOR)
    assert all(notice.oid == NOTICE_OF_DISCONNECTION for notice in client.notices)
    return [(notice.result.code, notice.result.diagnostic) for notice in client.notices]


async def _closed(line: Deferred[None]) -> None:
    await line


@pytest.mark.parametrize("row", FRAMES + OPERATIONS, ids=str)
@test
async def test_what_is_no_request_ends_the_connection_with_a_protocol_error(
    server: RunningServer, row: Row
) -> None:
    client = await (administrator(server) if row.bound else server.wire())
    send(client, row.sent)
    ((code, text),) = await closed(client)
    assert code is C.PROTOCOL_ERROR
    assert row.text in text
    assert text.isprintable()


@test
async def test_an_id_that_is_in_progress_ends_the_connection(server: RunningServer) -> None:
    client = await administrator(server)
    server.endpoint("hpdev01").delay(1000)
    number = client.begin_sync(ADA_AD, NEW)
    send(client, encode_message(Message(number, encode_request(WhoAmI()))))
    ((code, text),) = await closed(client)
    assert code is C.PROTOCOL_ERROR
    assert "that of a request in progress" in text
    server.clock.turn(1000)


@test
async def test_clear_text_behind_start_tls_ends_the_connection(server: RunningServer) -> None:
    client = await server.wire()
    behind = encode_message(Message(2, encode_request(WhoAmI())))
    send(client, encode_message(Message(1, ExtendedRequest(START_TLS))) + behind)
    ((code, text),) = await closed(client)
    assert code is C.PROTOCOL_ERROR
    assert "StartTLS" in text


# ---------------------------------------------------------------- who has to go


@pytest.mark.parametrize(
    ("settings", "bound", "seconds", "code", "text"),
    [
        (["limits.time_to_first_bind=60"], False, 61, C.TIME_LIMIT_EXCEEDED, "nobody has authenticated in time"),
        (["limits.idle_time=900"], True, 901, C.TIME_LIMIT_EXCEEDED, "idle for too long"),
        (["limits.idle_time=900"], False, 901, C.TIME_LIMIT_EXCEEDED, "idle for too long"),
    ],
)  # fmt: skip
@test
async def test_whoever_takes_too_long_is_told_so(
    start_provserver: Starter, settings: Sequence[str], bound: bool, seconds: int, code: ResultCode, text: str
) -> None:
    server = await start_provserver(settings=settings)
    client = await (administrator(server) if bound else server.wire())
    await server.breathe()
    server.clock.turn(seconds)
    ((told, why),) = await closed(client)
    assert told is code
    assert text in why


@test
async def test_whoever_is_one_too_many_is_told_so(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["connections.total=1"])
    first = await administrator(server)
    ((code, text),) = await closed(await server.wire())
    assert code is C.BUSY
    assert text
    assert (await first.search(SUFFIX, size=1)).code is C.SIZE_LIMIT_EXCEEDED


@test
async def test_whoever_is_there_when_the_server_stops_is_told_so(start_provserver: Starter) -> None:
    server = await start_provserver()
    client, stranger = await administrator(server), await server.wire()
    await server.breathe()
    await server.stop()
    for one in (client, stranger):
        assert await closed(one) == [(C.UNAVAILABLE, "the server is stopping")]


# ---------------------------------------------------------------- what is never answered


@test
async def test_unbind_is_not_answered_and_closes(server: RunningServer) -> None:
    client = await administrator(server)
    client.unbind()
    assert await closed(client) == []


@pytest.mark.parametrize("number", [0, 1, 4711, 2**31 - 1])
@test
async def test_abandon_of_what_is_not_in_progress_is_silence(server: RunningServer, number: int) -> None:
    client = await administrator(server)
    client.begin(AbandonRequest(number))
    assert (await client.search(SUFFIX, size=1)).code is C.SIZE_LIMIT_EXCEEDED, "the connection goes on"
    assert (client.late, client.notices) == ([], [])
    client.hang_up()


@test
async def test_abandon_of_a_sync_is_silence_and_the_password_arrives(start_provserver: Starter) -> None:
    server = await start_provserver()
    server.endpoint("hpdev01").delay(1)
    client = await administrator(server)
    client.abandon(client.begin_sync(ADA_AD, NEW))
    assert (await client.bind("aokafor", PASSWORDS["aokafor"])).code is C.INVALID_CREDENTIALS
    assert (await client.bind("aokafor", NEW)).code is C.SUCCESS
    server.clock.turn(2)
    await server.delivered()
    assert (client.late, client.notices) == ([], [])


@test
async def test_abandon_of_a_change_is_silence_and_the_change_is_whole_or_not_there(
    server: RunningServer,
) -> None:
    client = await administrator(server)
    before = await client.search(BORIS, "(objectClass=*)", "eTTitle", "eTDepartment")
    changes = replace("eTTitle", "pilot"), replace("eTDepartment", "pilot")
    client.abandon(client.begin(ModifyRequest(BORIS, changes)))
    after = await client.search(BORIS, "(objectClass=*)", "eTTitle", "eTDepartment")
    wanted = [before.values(name) for name in ("eTTitle", "eTDepartment")]
    assert [after.values(name) for name in ("eTTitle", "eTDepartment")] in (wanted, [["pilot"], ["pilot"]])
    assert client.notices == []
