"""What is counted: limits that were reached, connections, operations, bytes, entries."""

from __future__ import annotations

import pytest
from wire_stage import BIND, COMPARE, Stage, notice, success

from provserver.ldap.codec import (
    encode_message,
    encode_search_entry,
)
from provserver.ldap.filters import Not, Present, Scope
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    AbandonRequest,
    Change,
    ChangeKind,
    CompareRequest,
    DeleteRequest,
    DerefAliases,
    Message,
    ModifyRequest,
    PartialAttribute,
    SearchRequest,
)
from provserver.ldap.offences import Offence
from provserver.ldap.server import Connection


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_limits_that_were_reached_are_counted_by_their_names() -> None:
    search = SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Not(Not(Present("cn"))), ())
    changes = ModifyRequest("cn=x", (Change(ChangeKind.ADD, PartialAttribute("cn", (b"a", b"b", b"c"))),))
    small = Limits(message_before_bind=100, ber_depth=1, values=2)
    for said, offence in (
        (b"GET / HTTP/1.1", Offence.MALFORMED),
        (encode_message(Message(1, DeleteRequest("x" * 100))), Offence.MESSAGE_BEFORE_BIND),
        (encode_message(Message(1, search)), Offence.BER_DEPTH),
        (encode_message(Message(1, changes)), Offence.VALUES),
    ):
        stage = Stage(small)
        stage.connection.dataReceived(said)
        assert stage.offences.counts == {offence: 1}
        assert stage.connection.ending.startswith(notice(stage.answers()[0])[1])


def test_connections_operations_and_bytes_are_counted(stage: Stage) -> None:
    stage.ask(BIND, COMPARE, COMPARE, AbandonRequest(7))
    counters = stage.counters
    assert (counters.total, len(counters.connections)) == (1, 1)
    assert counters.operations[CompareRequest] == 2
    assert sum(counters.operations.values()) == 4
    received, sent = counters.received, counters.sent
    assert received > 50
    assert sent == len(stage.wire.value())
    stage.lose()
    assert (counters.total, len(counters.connections)) == (1, 0)
    assert (counters.received, counters.sent) == (received, sent), "of those who left too"


def test_entries_are_counted_for_whoever_wants_to_know(stage: Stage) -> None:
    counted = {}

    async def finds(connection: Connection, message: Message) -> bytes:
        found = [
            encode_search_entry(message.id, "cn=" + "x" * message.id, ()) for _ in range(message.id % 1000)
        ]
        connection.send(found[0])
        connection.send(b"".join(found[1:]))
        counted[message.id] = connection.entries_of(message.id)
        return success(message)

    stage.script = dict.fromkeys((1, 3, 130, 70_002), finds)
    stage.ask(COMPARE)
    assert counted == {1: 0}, "nobody asked for it"
    stage.connection.count_entries()
    for number in (1, 3, 130, 70_002):
        stage.ask(COMPARE, start=number)
    assert counted == {1: 1, 3: 3, 130: 130, 70_002: 2}
