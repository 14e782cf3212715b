"""The server around the session: order, cancelling, back-pressure, times, broken peers and handlers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher
from wire_stage import BIND, COMPARE, DELETE, Stage, notice, success

from provserver.ldap.codec import (
    encode_message,
    encode_result,
    encode_search_entry,
)
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    AbandonRequest,
    AddRequest,
    DeleteRequest,
    ExtendedRequest,
    Message,
    Request,
    UnbindRequest,
)
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.ldap.running import shielded
from provserver.ldap.server import Connection


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


# Requests and their answers


def test_a_chunk_of_requests_is_answered_in_one_write(stage: Stage) -> None:
    stage.ask(BIND, COMPARE, DELETE, COMPARE)
    assert stage.wire.writes == 1
    assert stage.answered() == [1, 2, 3, 4]


def test_operations_run_concurrently_and_are_answered_as_they_end(stage: Stage) -> None:
    first = stage.wait(1)
    second = stage.wait(2)
    stage.ask(COMPARE, COMPARE, COMPARE)
    assert stage.answered() == [3]
    second.callback(encode_result(2, 0x6F))
    assert stage.answered() == [2]
    first.callback(encode_result(1, 0x6F))
    assert stage.answered() == [1]


def test_nothing_runs_beside_a_bind(stage: Stage) -> None:
    before, bind = stage.wait(1), stage.wait(2)
    stage.ask(COMPARE, BIND, COMPARE)
    assert stage.happened == ["connected", 1]
    before.callback(encode_result(1, 0x6F))
    assert stage.happened == ["connected", 1, 2]
    bind.callback(encode_result(2, 0x61))
    assert stage.happened == ["connected", 1, 2, 3]
    assert stage.answered() == [1, 2, 3]


def test_the_size_of_messages_follows_the_identity() -> None:
    stage = Stage(Limits(message_before_bind=100, message_after_bind=1000))
    big = DeleteRequest("x" * 500)
    stage.ask(BIND, big)
    assert stage.answered() == [1, 2]
    stage.connection.identity = None

    async def refuse(connection: Connection, message: Message) -> bytes:
        raise Refusal(ResultCode.INVALID_CREDENTIALS)

    stage.script[3] = refuse
    stage.ask(BIND, big, start=3)
    bind, farewell = stage.answers()
    assert bind.operation.result.code is ResultCode.INVALID_CREDENTIALS
    assert notice(farewell) == (ResultCode.PROTOCOL_ERROR, "LDAPMessage is larger than 100 octets")


def test_entries_go_before_the_result(stage: Stage) -> None:
    async def finds(connection: Connection, message: Message) -> bytes:
        for number in range(3):
            connection.send(encode_search_entry(message.id, f"cn={number}", ()))
            await connection.drained()
        return success(message)

    stage.script[1] = finds
    stage.ask(COMPARE)
    names = [type(message.operation).__name__ for message in stage.answers()]
    assert names == ["SearchResultEntry"] * 3 + ["CompareResponse"]


def test_a_refusal_is_answered_with_its_result(stage: Stage) -> None:
    async def refuses(connection: Connection, message: Message) -> bytes:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, "no", matched_dn="dc=im")

    stage.script[1] = refuses
    stage.ask(DELETE)
    (answer,) = stage.answers()
    assert answer.operation.result == Result(ResultCode.NO_SUCH_OBJECT, "no", "dc=im")


@pytest.mark.parametrize("later", [False, True])
def test_a_handlers_bug_is_answered_with_an_incident_and_logged(later: bool, logged: list[Any]) -> None:
    # 7.3: ldaptor sends the exception's text to the client.
    stage = Stage()
    start: Deferred[None] = Deferred()

    async def breaks(connection: Connection, message: Message) -> bytes:
        if later:
            await start
        raise KeyError("userPassword of cn=x")

    stage.script[1] = breaks
    stage.ask(DELETE)
    if later:
        start.callback(None)
    (answer,) = stage.answers()
    assert answer.operation.result == Result(ResultCode.OTHER, "internal error, incident a0a1a2a3")
    (event,) = [event for event in logged if "log_failure" in event]
    assert event["incident"] == "a0a1a2a3"
    assert event["log_failure"].type is KeyError
    stage.ask(COMPARE)
    assert stage.answered() == [1]


def test_a_refusal_that_cannot_be_said_is_an_incident(stage: Stage, logged: list[Any]) -> None:
    async def refuses(connection: Connection, message: Message) -> bytes:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, "\udc80")

    stage.script[1] = refuses
    stage.ask(DELETE)
    assert stage.answers()[0].operation.result.code is ResultCode.OTHER


def test_an_operation_may_have_no_answer(stage: Stage) -> None:
    async def silent(connection: Connection, message: Message) -> bytes:
        return b""

    stage.script[1] = silent
    stage.ask(COMPARE, COMPARE)
    assert stage.answered() == [2]


# Abandon, unbind, lost connections


def test_abandon_is_silent_and_cancels(stage: Stage) -> None:
    # 7.3: ldaptor answers it.
    stage.wait(1)
    stage.ask(COMPARE, AbandonRequest(1), AbandonRequest(77), COMPARE)
    assert stage.happened == ["connected", 1, "1 cancelled", 4]
    assert stage.answered() == [4]
    stage.script.clear()
    stage.ask(COMPARE, start=1)
    assert stage.answered() == [1]


def test_an_abandoned_operation_that_ends_all_the_same_is_not_answered(stage: Stage) -> None:
    broom: Deferred[None] = Deferred()

    async def stubborn(connection: Connection, message: Message) -> bytes:
        try:
            await Deferred()
        except CancelledError:
            await broom
        return success(message)

    stage.script[1] = stubborn
    stage.ask(COMPARE, AbandonRequest(1))
    broom.callback(None)
    assert stage.answers() == []
    stage.ask(COMPARE, start=2)
    assert stage.answered() == [2]


def test_an_exchange_goes_on_when_its_request_is_abandoned(stage: Stage) -> None:
    exchange: Deferred[str] = Deferred()
    ended = []

    async def exchanges(connection: Connection, message: Message) -> bytes:
        await shielded(exchange)
        return success(message)

    stage.script[1] = exchanges
    stage.ask(COMPARE, AbandonRequest(1))
    exchange.addCallback(ended.append)
    exchange.callback("delivered")
    assert ended == [None]
    assert stage.answers() == []


def test_unbind_cancels_everything_and_closes(stage: Stage, logged: list[Any]) -> None:
    # 7.3: in ldaptor operations continue, and their answer raises into "Unhandled error in Deferred".
    first = stage.wait(1)
    stage.ask(COMPARE, COMPARE, UnbindRequest(), COMPARE)
    assert stage.happened == ["connected", 1, 2, "1 cancelled"]
    assert stage.answered() == [2]
    assert stage.wire.disconnecting
    assert stage.wire.producer is None
    first.callback(b"late")
    assert stage.wire.value() == b""
    stage.lose()
    assert stage.happened[-1] == "disconnected"
    assert not [event for event in logged if "log_failure" in event]


def test_a_lost_connection_cancels_everything(stage: Stage) -> None:
    stage.wait(1)
    stage.wait(2)
    stage.ask(COMPARE, COMPARE)
    assert stage.factory.connections == {stage.connection}
    stage.lose()
    assert stage.happened == ["connected", 1, 2, "1 cancelled", "2 cancelled", "disconnected"]
    assert stage.factory.connections == set()
    assert stage.clock.getDelayedCalls() == []
    assert stage.wire.value() == b""


def test_a_handler_that_disconnects_is_cancelled_itself(stage: Stage) -> None:
    async def leaves(connection: Connection, message: Message) -> bytes:
        connection.disconnect(ResultCode.UNAVAILABLE, "gone")
        connection.send(b"more")
        await Deferred()
        return success(message)

    stage.script[1] = leaves
    stage.ask(COMPARE)
    (farewell,) = stage.answers()
    assert notice(farewell) == (ResultCode.UNAVAILABLE, "gone")
    stage.lose()


def test_the_end_of_the_service_is_told_to_all(stage: Stage) -> None:
    stage.factory.disconnect_all("the server stops")
    (farewell,) = stage.answers()
    assert notice(farewell) == (ResultCode.UNAVAILABLE, "the server stops")
    assert stage.wire.disconnecting


# Peers that do not speak LDAP, or badly


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x30\x80",
        b"\x30\x84\x7f\xff\xff\xff",
        bytes.fromhex("300c 020101 6007 020103 0400 8001"),
        bytes.fromhex("3005 020101 7e00"),
        bytes.fromhex("300c 020101 6107 0a0100 0400 0400"),
        encode_message(Message(0, COMPARE)),
        b"\x30\x00",
    ],
)
def test_what_is_no_request_gets_a_notice_and_the_connection_is_closed(said: bytes, stage: Stage) -> None:
    stage.connection.dataReceived(said)
    (farewell,) = stage.answers()
    assert notice(farewell)[0] is ResultCode.PROTOCOL_ERROR
    assert stage.wire.disconnecting
    stage.connection.dataReceived(encode_message(Message(5, COMPARE)))
    assert stage.answers() == []
    assert stage.happened == ["connected"]


def test_requests_before_the_fault_are_answered_and_those_running_cancelled(stage: Stage) -> None:
    stage.wait(1)
    stage.connection.dataReceived(
        encode_message(Message(1, COMPARE)) + encode_message(Message(2, COMPARE)) + b"\x16\x03"
    )
    assert stage.answered() == [2, 0]
    assert stage.happened == ["connected", 1, 2, "1 cancelled"]


def test_a_duplicate_id_is_a_protocol_error(stage: Stage) -> None:
    stage.wait(1)
    stage.ask(COMPARE)
    stage.ask(COMPARE)
    (farewell,) = stage.answers()
    assert notice(farewell)[1] == "LDAPMessage.messageID is that of a request in progress"


# Back-pressure


def test_reading_stops_at_the_limit_of_operations() -> None:
    stage = Stage(Limits(outstanding_operations=2))
    first = stage.wait(1)
    stage.wait(2)
    stage.ask(COMPARE, COMPARE, COMPARE)
    assert not stage.wire.reading
    assert stage.happened == ["connected", 1, 2]
    first.callback(encode_result(1, 0x6F))
    assert stage.happened == ["connected", 1, 2, 3]
    assert stage.wire.reading
    assert stage.answered() == [1, 3]


def test_reading_stops_when_much_waits_behind_a_bind() -> None:
    stage = Stage(Limits(read_ahead=100))
    bind = stage.wait(1)
    stage.ask(BIND, COMPARE, COMPARE)
    assert stage.wire.reading
    stage.ask(DeleteRequest("x" * 200), start=4)
    assert not stage.wire.reading
    bind.callback(encode_result(1, 0x61))
    assert stage.wire.reading
    assert stage.answered() == [1, 2, 3, 4]


def test_a_client_that_does_not_read_is_not_read_from(stage: Stage) -> None:
    stage.pause()
    assert not stage.wire.reading
    stage.ask(COMPARE)
    assert stage.happened == ["connected"]
    stage.resume()
    assert stage.wire.reading
    assert stage.answered() == [1]


def test_a_full_transport_stops_the_requests_of_the_same_chunk() -> None:
    stage = Stage(Limits(write_chunk=10))
    real = stage.wire.write

    def full_at_once(data: bytes) -> None:
        real(data)
        stage.pause()

    stage.wire.write = full_at_once  # type: ignore[method-assign]
    stage.ask(COMPARE, COMPARE, COMPARE)
    assert stage.happened == ["connected", 1]
    stage.resume()
    assert stage.happened == ["connected", 1, 2]


def test_a_handler_waits_while_the_client_does_not_read(stage: Stage) -> None:
    sent = []

    async def streams(connection: Connection, message: Message) -> bytes:
        for number in range(4):
            connection.send(encode_search_entry(message.id, "cn=x", ()))
            sent.append(number)
            if number == 1:
                stage.pause()
            await connection.drained()
        return success(message)

    stage.script[1] = streams
    stage.ask(COMPARE)
    assert sent == [0, 1]
    stage.resume()
    assert sent == [0, 1, 2, 3]
    assert stage.answered() == [1] * 5


def test_a_stream_to_a_client_that_is_gone_ends(stage: Stage) -> None:
    ends = []

    async def streams(connection: Connection, message: Message) -> bytes:
        try:
            for _ in range(1_000):
                connection.send(b"x" * 100)
                await connection.drained()
                connection.disconnect(ResultCode.UNAVAILABLE, "")
        except CancelledError:
            ends.append(message.id)
            raise
        return success(message)

    stage.script[1] = streams
    stage.ask(COMPARE)
    assert ends == [1]


def test_a_slow_reader_is_cut_after_a_time() -> None:
    stage = Stage(Limits(slow_reader_time=10))
    stage.wait(1)
    stage.ask(COMPARE)
    stage.pause()
    stage.clock.advance(9)
    stage.resume()
    stage.clock.advance(9)
    stage.pause()
    stage.clock.advance(9.9)
    assert not stage.wire.disconnected
    stage.clock.advance(0.2)
    assert stage.wire.disconnected
    assert stage.happened[-1] == "1 cancelled"


def test_answers_for_a_reader_who_does_not_read_are_bounded() -> None:
    stage = Stage(Limits(write_buffer=1000))
    stage.pause()
    for _ in range(10):
        stage.connection.send(b"x" * 100)
    assert not stage.wire.disconnected
    stage.connection.send(b"x")
    assert stage.wire.disconnected
    stage.lose()


# Who is there


@pytest.mark.parametrize(
    ("address", "peer", "port", "loopback"),
    [
        (IPv4Address("TCP", "127.0.0.1", 7), "127.0.0.1", 7, True),
        (IPv4Address("TCP", "192.0.2.1", 7), "192.0.2.1", 7, False),
        (IPv6Address("TCP", "::1", 7), "::1", 7, True),
        (IPv6Address("TCP", "::ffff:127.0.0.1", 7), "::ffff:127.0.0.1", 7, True),
        (IPv6Address("TCP", "::ffff:192.0.2.1", 7), "::ffff:192.0.2.1", 7, False),
        (IPv6Address("TCP", "fe80::1%eth0", 7), "fe80::1%eth0", 7, False),
        (UNIXAddress("/run/x"), "unix", 0, True),
    ],
)
def test_a_connection_knows_its_peer(address: Any, peer: str, port: int, loopback: bool) -> None:
    connection = Stage(peerAddress=address).connection
    assert (connection.peer, connection.port, connection.is_loopback) == (peer, port, loopback)
    assert connection.tls is False


def test_a_connection_knows_that_it_is_protected() -> None:
    assert Stage(tls=True).connection.tls is True


# Everything that is not exercised above is answered with the right kind of answer


@pytest.mark.parametrize(
    "operation", [BIND, COMPARE, DELETE, AddRequest("cn=x", ()), ExtendedRequest("1.2.3")]
)
def test_each_kind_of_request_is_refused_with_its_own_kind_of_answer(
    operation: Request, stage: Stage
) -> None:
    async def refuses(connection: Connection, message: Message) -> bytes:
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "no")

    stage.script[1] = refuses
    stage.ask(operation)
    (answer,) = stage.answers()
    assert type(answer.operation).__name__ == type(operation).__name__.replace("Request", "Response")
