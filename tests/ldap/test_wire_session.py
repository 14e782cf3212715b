"""The session: framing, which request may start when, and what is refused before it costs anything."""

from __future__ import annotations

import time

import pytest

from provserver.ldap.codec import LocalProtocolError, RemoteProtocolError, encode_message
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    START_TLS,
    AbandonRequest,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    ExtendedRequest,
    Message,
    ModifyResponse,
    Request,
    Response,
    UnbindRequest,
)
from provserver.ldap.results import SUCCESS
from provserver.ldap.session import Session
from provserver.vault.secret import Secret

BIND = BindRequest(3, "cn=x", Secret(b"y"))
COMPARE = CompareRequest("cn=x", "cn", b"x")


def wire(*operations: Request | Response, start: int = 1) -> bytes:
    return b"".join(
        encode_message(Message(number, operation)) for number, operation in enumerate(operations, start)
    )


def ids(messages: list[Message]) -> list[int]:
    return [message.id for message in messages]


def answered_at_once(pieces: list[bytes]) -> list[Message | str]:
    session = Session()
    said: list[Message | str] = []
    try:
        for piece in pieces:
            while messages := session.receive(piece):
                piece = b""
                said += messages
                for message in messages:
                    if message.id in session.outstanding:
                        session.answered(message.id)
    except RemoteProtocolError as failure:
        said.append(str(failure))
    return said


def test_every_split_of_the_bytes_gives_the_same_requests() -> None:
    data = wire(
        BIND, COMPARE, DeleteRequest("cn=" + "x" * 200), AbandonRequest(2), BIND, COMPARE, UnbindRequest()
    )
    whole = answered_at_once([data])
    assert ids(whole) == [1, 2, 3, 4, 5, 6, 7]
    for cut in range(len(data) + 1):
        assert answered_at_once([data[:cut], data[cut:]]) == whole
    for size in (1, 2, 3, 7, 50):
        assert answered_at_once([data[at : at + size] for at in range(0, len(data), size)]) == whole


def test_every_split_gives_the_same_error_after_the_same_requests() -> None:
    data = wire(COMPARE, COMPARE) + bytes.fromhex("3005 020101 7e00") + wire(COMPARE, start=9)
    whole = answered_at_once([data])
    assert len(whole) == 3
    assert "protocolOp" in str(whole[-1])
    for cut in range(len(data) + 1):
        assert answered_at_once([data[:cut], data[cut:]]) == whole


@pytest.mark.parametrize(
    "first",
    [
        b"G",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        bytes.fromhex("3080"),
        bytes.fromhex("30847fffffff"),
        bytes.fromhex("3085 0100000000"),
        bytes.fromhex("3089"),
        bytes.fromhex("30ff"),
        bytes.fromhex("3000"),
    ],
)
def test_what_cannot_become_a_message_is_refused_at_its_last_telling_octet(first: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Session().receive(first)
    session = Session()
    for octet in first:
        session.feed(bytes((octet,)))
    with pytest.raises(RemoteProtocolError):
        session.next()


def test_an_error_is_repeated_and_nothing_is_kept() -> None:
    session = Session()
    with pytest.raises(RemoteProtocolError) as first:
        session.receive(b"HELO")
    with pytest.raises(RemoteProtocolError) as second:
        session.receive(wire(COMPARE))
    assert second.value is first.value
    assert session.buffered == 0
    assert session.full


def test_requests_before_an_error_are_handed_out_first() -> None:
    session = Session()
    assert ids(session.receive(wire(COMPARE, COMPARE) + b"XX")) == [1, 2]
    with pytest.raises(RemoteProtocolError):
        session.receive(b"")


def test_a_truncated_inner_element_is_an_error_not_a_wait() -> None:
    # 7.3: in ldaptor the connection hangs, and every later request only grows the buffer.
    with pytest.raises(
        RemoteProtocolError, match=r"BindRequest\.authentication is longer than what holds it"
    ):
        Session().receive(bytes.fromhex("300c 020101 6007 020103 0400 8001"))


def test_a_stranger_may_send_less_than_who_is_known() -> None:
    limits = Limits(message_before_bind=100, message_after_bind=1000)
    big = wire(DeleteRequest("x" * 500))
    with pytest.raises(RemoteProtocolError, match="LDAPMessage is larger than 100 octets"):
        Session(limits).receive(big[:4])
    session = Session(limits)
    session.bound = True
    assert ids(session.receive(big)) == [1]
    with pytest.raises(RemoteProtocolError, match="LDAPMessage is larger than 1000 octets"):
        session.receive(wire(DeleteRequest("x" * 1001))[:4])


@pytest.mark.parametrize("known", [True, False])
def test_which_limit_holds_after_a_bind_is_known_when_it_has_ended(known: bool) -> None:
    session = Session(Limits(message_before_bind=100, message_after_bind=1000))
    assert ids(session.receive(wire(BIND, DeleteRequest("x" * 500)))) == [1]
    session.bound = known
    session.answered(1)
    if known:
        assert ids(session.receive(b"")) == [2]
    else:
        with pytest.raises(RemoteProtocolError):
            session.receive(b"")


def test_message_id_0_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="messageID is 0"):
        Session().receive(wire(COMPARE, start=0))


def test_an_id_in_progress_is_an_error_and_one_that_ended_is_not() -> None:
    session = Session()
    session.receive(wire(COMPARE))
    session.answered(1)
    assert ids(session.receive(wire(COMPARE))) == [1]
    with pytest.raises(RemoteProtocolError, match="request in progress"):
        session.receive(wire(COMPARE))


def test_a_response_from_a_client_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="protocolOp"):
        Session().receive(wire(ModifyResponse(SUCCESS)))


def test_requests_behind_a_bind_wait_for_its_end() -> None:
    session = Session()
    assert ids(session.receive(wire(BIND, COMPARE, COMPARE))) == [1]
    assert session.binding
    assert session.receive(b"") == []
    session.answered(1)
    assert ids(session.receive(b"")) == [2, 3]


def test_a_bind_waits_for_what_is_in_progress_and_binds_follow_each_other() -> None:
    # 7.3: in ldaptor two binds race, and the one sent first may win last.
    session = Session()
    assert ids(session.receive(wire(COMPARE, COMPARE, BIND, BIND, COMPARE))) == [1, 2]
    session.answered(2)
    assert session.receive(b"") == []
    session.answered(1)
    assert ids(session.receive(b"")) == [3]
    session.answered(3)
    assert ids(session.receive(b"")) == [4]
    session.answered(4)
    assert ids(session.receive(b"")) == [5]


def test_not_more_requests_are_in_progress_than_the_limit() -> None:
    session = Session(Limits(outstanding_operations=2))
    assert ids(session.receive(wire(COMPARE, COMPARE, COMPARE, COMPARE))) == [1, 2]
    assert session.full
    session.answered(1)
    assert ids(session.receive(b"")) == [3]
    assert session.full
    session.answered(2)
    session.answered(3)
    assert ids(session.receive(b"")) == [4]
    assert not session.full


def test_an_abandon_or_unbind_passes_at_the_limit() -> None:
    session = Session(Limits(outstanding_operations=1))
    assert ids(session.receive(wire(COMPARE, AbandonRequest(1), UnbindRequest()))) == [1, 2, 3]


def test_an_unbind_may_carry_any_id() -> None:
    session = Session()
    assert ids(session.receive(wire(COMPARE) + wire(UnbindRequest()))) == [1, 1]


def test_reading_should_stop_when_only_the_buffer_would_grow() -> None:
    session = Session(Limits(read_ahead=1000))
    session.receive(wire(BIND))
    assert not session.full
    session.feed(b"x" * 1001)
    assert session.full
    assert session.buffered == 1001


def test_what_was_decoded_is_not_kept() -> None:
    session = Session()
    session.receive(wire(BindRequest(3, "", Secret(b"S3cret"))))
    assert not any(b"S3cret" in getattr(session, name) for name in ("_data", "_tail"))


def test_ending_what_was_not_in_progress_is_our_own_error() -> None:
    with pytest.raises(LocalProtocolError):
        Session().answered(1)


@pytest.mark.parametrize("size", [1, 64 * 1024])
def test_receiving_is_linear_however_the_bytes_come(size: int) -> None:
    # 7.3: ldaptor needs 4.8 s for 33 MB in pieces of 64 KiB.
    length = 100_000 if size == 1 else 32 * 1024 * 1024
    session = Session(Limits(message_after_bind=64 * 1024 * 1024))
    session.bound = True
    data = wire(DeleteRequest("x" * length))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    begun = time.process_time()
    for piece in pieces[:-1]:
        assert session.receive(piece) == []
    assert ids(session.receive(pieces[-1])) == [1]
    assert time.process_time() - begun < 1.0


def test_nothing_is_decoded_behind_start_tls_until_it_is_answered() -> None:
    session = Session()
    start_tls = ExtendedRequest(START_TLS)
    assert ids(session.receive(wire(COMPARE, start_tls, COMPARE))) == [1, 2]
    session.feed(b"no LDAP at all")
    assert session.next() is None
    assert session.buffered == len(wire(COMPARE)) + len(b"no LDAP at all")
    session.answered(2)
    assert ids(session.receive(b"")) == [3]


def test_start_tls_does_not_wait_for_others_as_a_bind_does() -> None:
    session = Session()
    assert ids(session.receive(wire(COMPARE, ExtendedRequest(START_TLS)))) == [1, 2]
    session = Session()
    assert ids(session.receive(wire(COMPARE, ExtendedRequest("1.2.3"), COMPARE))) == [1, 2, 3]
