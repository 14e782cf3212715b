"""The times that a connection is given, by a clock that the test turns."""

from __future__ import annotations

import pytest
from OpenSSL.SSL import Error as TlsError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from wire_stage import BIND, COMPARE, Stage, notice

from provserver.ldap.codec import (
    encode_result,
)
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    UnbindRequest,
)
from provserver.ldap.offences import Offence
from provserver.ldap.results import Result, ResultCode


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_stranger_who_does_not_bind_is_told_to_go() -> None:
    stage = Stage(Limits(time_to_first_bind=10, idle_time=100))
    stage.clock.advance(5)
    stage.ask(COMPARE)
    assert stage.answered() == [1]
    stage.clock.advance(5)
    (farewell,) = stage.answers()
    assert notice(farewell) == (ResultCode.TIME_LIMIT_EXCEEDED, "nobody has authenticated in time")
    assert stage.wire.disconnecting


def test_a_bind_in_progress_is_given_its_time() -> None:
    stage = Stage(Limits(time_to_first_bind=10, idle_time=100))
    bind = stage.wait(1)
    stage.ask(BIND)
    stage.clock.advance(10)
    stage.clock.advance(5)
    assert not stage.wire.disconnecting
    bind.callback(encode_result(1, 0x61, Result(ResultCode.INVALID_CREDENTIALS)))
    stage.clock.advance(1)
    assert stage.wire.disconnecting


def test_an_idle_connection_is_told_to_go() -> None:
    stage = Stage(Limits(idle_time=100))
    stage.ask(BIND)
    for _ in range(3):
        stage.clock.advance(60)
        stage.ask(COMPARE)
    assert stage.answered() == [1, 1, 1, 1]
    stage.connection.dataReceived(b"\x30")
    stage.clock.advance(60)
    stage.connection.dataReceived(b"\x20")  # drop by drop is idle too
    stage.clock.advance(40)
    (farewell,) = stage.answers()
    assert notice(farewell) == (ResultCode.TIME_LIMIT_EXCEEDED, "the connection was idle for too long")


def test_a_connection_with_an_operation_in_progress_is_not_idle() -> None:
    stage = Stage(Limits(idle_time=10))
    slow = stage.wait(2)
    stage.ask(BIND, COMPARE)
    for _ in range(50):
        stage.clock.advance(1)
    slow.callback(encode_result(2, 0x6F))
    stage.clock.advance(9)
    assert not stage.wire.disconnecting
    stage.clock.advance(1)
    assert stage.wire.disconnecting


def test_times_of_0_are_no_limits() -> None:
    stage = Stage(Limits(time_to_first_bind=0, idle_time=0, slow_reader_time=0))
    stage.pause()
    assert stage.clock.getDelayedCalls() == []


def test_a_peer_who_does_not_take_its_last_answer_is_cut() -> None:
    stage = Stage(Limits(closing_time=5))
    stage.ask(UnbindRequest())
    assert stage.wire.disconnecting
    assert not stage.wire.disconnected
    stage.clock.advance(5)
    assert stage.wire.disconnected


def test_a_handshake_that_is_not_done_in_time_ends_the_connection_without_a_word() -> None:
    stage = Stage(Limits(handshake_time=10, time_to_first_bind=60), tls=True)
    stage.clock.advance(9)
    assert not stage.wire.disconnected
    stage.clock.advance(1)
    assert stage.wire.disconnected
    assert stage.answers() == []
    assert stage.offences.counts == {Offence.HANDSHAKE_TIME: 1}
    stage.lose()
    assert stage.clock.getDelayedCalls() == []


def test_after_the_handshake_the_other_times_run() -> None:
    stage = Stage(Limits(handshake_time=10, time_to_first_bind=60), tls=True)
    stage.clock.advance(9)
    stage.connection.handshakeCompleted()
    assert (stage.connection.tls_version, stage.happened[-1]) == ("TLSv1.3", "secured")
    stage.clock.advance(50)
    assert not stage.wire.disconnecting
    stage.clock.advance(1)
    (farewell,) = stage.answers()
    assert notice(farewell) == (ResultCode.TIME_LIMIT_EXCEEDED, "nobody has authenticated in time")


def test_who_is_told_to_go_during_the_handshake_is_cut_off() -> None:
    stage = Stage(tls=True)
    stage.factory.disconnect_all("the server stops")
    assert stage.wire.disconnected


def test_a_handshake_that_fails_is_told_of() -> None:
    stage = Stage(tls=True)
    stage.connection.connectionLost(Failure(TlsError([("SSL routines", "", "tlsv1 alert unknown ca")])))
    assert stage.offences.counts == {Offence.HANDSHAKE: 1}
    assert stage.connection.ending == "the TLS handshake failed: tlsv1 alert unknown ca"


def test_who_looks_in_and_leaves_before_the_handshake_has_done_nothing() -> None:
    stage = Stage(tls=True)
    stage.connection.connectionLost(Failure(ConnectionDone()))
    assert not stage.offences.counts
