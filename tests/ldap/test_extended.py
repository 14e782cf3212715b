"""The values of extended operations: Password Modify, Cancel, Who am I, and ours.

The octets are written by hand from the specifications; those marked with a tool are also what OpenLDAP 2.5
sent.
"""

from __future__ import annotations

import pytest

from provserver.ldap.errors import LocalProtocolError
from provserver.ldap.extended import (
    EXTENDED_REQUESTS,
    EXTENDED_RESPONSES,
    Cancel,
    Cancelled,
    CheckEndpoint,
    CheckTree,
    ClearGuard,
    DeliveriesDropped,
    DeliveriesRetried,
    DropDeliveries,
    EndpointChecked,
    EndpointExplored,
    Explain,
    Explained,
    ExploreEndpoint,
    ExtendedError,
    ExtendedValue,
    GuardCleared,
    PasswordModified,
    PasswordModify,
    RetryDeliveries,
    TreeChecked,
    WhoAmI,
    YouAre,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from provserver.ldap.messages import (
    CANCEL,
    CHECK_ENDPOINT,
    CHECK_TREE,
    CLEAR_GUARD,
    DROP_DELIVERIES,
    EXPLAIN,
    EXPLORE_ENDPOINT,
    PASSWORD_MODIFY,
    RETRY_DELIVERIES,
    WHO_AM_I,
    ExtendedRequest,
    ExtendedResponse,
)
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

REQUESTS: list[tuple[ExtendedValue, str, str | None]] = [
    (PasswordModify(), PASSWORD_MODIFY, None),
    (
        PasswordModify(None, Secret(b"secret"), Secret(b"xy")),  # ldappasswd
        PASSWORD_MODIFY,
        "300c 8106 736563726574 8202 7879",
    ),
    (PasswordModify("cn=a,dc=ex"), PASSWORD_MODIFY, "300c 800a 636e3d612c64633d6578"),  # ldappasswd
    (PasswordModify("", Secret(b""), Secret(b"")), PASSWORD_MODIFY, "3006 8000 8100 8200"),
    (Cancel(5), CANCEL, "3003 020105"),  # ldapexop
    (Cancel(2**31 - 1), CANCEL, "3006 0204 7fffffff"),
    (WhoAmI(), WHO_AM_I, None),  # RFC 4532 2.1
    (Explain("cn=a"), EXPLAIN, "3006 0404 636e3d61"),
    (ClearGuard("a:b:c"), CLEAR_GUARD, "3007 0405 613a623a63"),
    (RetryDeliveries(), RETRY_DELIVERIES, "3000"),
    (
        RetryDeliveries(("a", "b"), "u", "x", "e", "held", True),
        RETRY_DELIVERIES,
        "301a a006 040161 040162 810175 820178 830165 8404 68656c64 8501ff",
    ),
    (DropDeliveries(endpoint="e"), DROP_DELIVERIES, "3003 830165"),
    (CheckEndpoint("e"), CHECK_ENDPOINT, "3003 040165"),
    (CheckEndpoint("e", "a:b:c"), CHECK_ENDPOINT, "300a 040165 8005 613a623a63"),
    (ExploreEndpoint("e"), EXPLORE_ENDPOINT, "3003 040165"),
    (
        ExploreEndpoint("e", ("a", "b"), True, "f"),
        EXPLORE_ENDPOINT,
        "3011 040165 a006 040161 040162 8101ff 820166",
    ),
    (CheckTree(), CHECK_TREE, "3000"),
    (CheckTree(True), CHECK_TREE, "3003 8001ff"),
]

RESPONSES: list[tuple[ExtendedValue, str, str | None]] = [
    (PasswordModified(), PASSWORD_MODIFY, None),
    (PasswordModified(Secret(b"m.Jq/07D")), PASSWORD_MODIFY, "300a 8008 6d2e4a712f303744"),  # slapd
    (Cancelled(), CANCEL, None),
    (YouAre("u:xxyyz@EXAMPLE.NET"), WHO_AM_I, "753a787879797a404558414d504c452e4e4554"),  # RFC 4532 2.2
    (YouAre(""), WHO_AM_I, ""),  # slapd
    (YouAre(None), WHO_AM_I, None),
    (Explained('{"at": 1}'), EXPLAIN, "7b 226174223a2031 7d"),
    (Explained(None), EXPLAIN, None),
    (GuardCleared("{}"), CLEAR_GUARD, "7b7d"),
    (DeliveriesRetried("{}"), RETRY_DELIVERIES, "7b7d"),
    (DeliveriesDropped("{}"), DROP_DELIVERIES, "7b7d"),
    (EndpointChecked("{}"), CHECK_ENDPOINT, "7b7d"),
    (EndpointExplored("{}"), EXPLORE_ENDPOINT, "7b7d"),
    (TreeChecked("{}"), CHECK_TREE, "7b7d"),
]


def octets_of(hexadecimal: str | None) -> bytes | None:
    return None if hexadecimal is None else bytes.fromhex(hexadecimal)


def refused(oid: str, value: bytes | None) -> str:
    with pytest.raises(ExtendedError) as caught:
        decode_request(ExtendedRequest(oid, value))
    return str(caught.value)


@pytest.mark.parametrize(("value", "oid", "octets"), REQUESTS)
def test_a_request_is_written_and_understood(value: ExtendedValue, oid: str, octets: str | None) -> None:
    request = ExtendedRequest(oid, octets_of(octets))
    assert encode_request(value) == request
    assert decode_request(request) == value


@pytest.mark.parametrize(("value", "oid", "octets"), RESPONSES)
def test_a_response_is_written_and_understood(value: ExtendedValue, oid: str, octets: str | None) -> None:
    assert encode_response(value) == ExtendedResponse(Result(), None, octets_of(octets))
    assert decode_response(oid, octets_of(octets)) == value


def test_every_operation_is_among_the_examples() -> None:
    assert {oid for _, oid, _ in REQUESTS} == set(EXTENDED_REQUESTS) == set(EXTENDED_RESPONSES)


def test_a_failure_is_answered_without_a_value() -> None:
    failure = Result(ResultCode.UNWILLING_TO_PERFORM, "no")
    assert encode_response(PasswordModified(), failure) == ExtendedResponse(failure)


def test_a_password_modify_with_nothing_in_it_asks_for_the_defaults() -> None:
    assert decode_request(ExtendedRequest(PASSWORD_MODIFY, b"\x30\x00")) == PasswordModify()


def test_unknown_components_at_the_end_are_ignored() -> None:
    request = ExtendedRequest(PASSWORD_MODIFY, bytes.fromhex("3005 8001 61 8300"))
    assert decode_request(request) == PasswordModify("a")


@pytest.mark.parametrize(
    ("oid", "octets", "problem"),
    [
        (PASSWORD_MODIFY, "", "PasswdModifyRequestValue is missing or cut off"),
        (PASSWORD_MODIFY, "8000", "PasswdModifyRequestValue does not start with tag 30"),
        (PASSWORD_MODIFY, "3003 8001 ff", "PasswdModifyRequestValue.userIdentity is not UTF-8"),
        (
            PASSWORD_MODIFY,
            "3004 8200 8100",
            "PasswdModifyRequestValue has a component too many or out of place",
        ),
        (
            PASSWORD_MODIFY,
            "3004 8200 8200",
            "PasswdModifyRequestValue has a component too many or out of place",
        ),
        (PASSWORD_MODIFY, "3002 8201", "PasswdModifyRequestValue.newPasswd is longer than what holds it"),
        (CANCEL, None, "cancelRequestValue is missing"),
        (CANCEL, "020105", "cancelRequestValue does not start with tag 30"),
        (CANCEL, "3003 0201ff", "cancelRequestValue.cancelID is not an integer between 0 and 2147483647"),
        (WHO_AM_I, "3000", "the value is there, but none is expected"),
        (EXPLAIN, None, "explainRequestValue is missing"),
        (CLEAR_GUARD, "3002 0400 00", "explainRequestValue is followed by other octets"),
        (EXPLAIN, "3003 0401 ff", "explainRequestValue.account is not UTF-8"),
        (RETRY_DELIVERIES, None, "deliveriesRequestValue is missing"),
        (RETRY_DELIVERIES, "3005 a003 810161", "deliveriesRequestValue.ids.id does not start with tag 04"),
        (DROP_DELIVERIES, "3003 8301 ff", "deliveriesRequestValue.endpoint is not UTF-8"),
        (CHECK_ENDPOINT, "3000", "checkRequestValue.endpoint is missing or cut off"),
        (EXPLORE_ENDPOINT, None, "exploreRequestValue is missing"),
        (CHECK_TREE, None, "checkTreeRequestValue is missing"),
    ],
)
def test_what_is_wrong_is_named(oid: str, octets: str | None, problem: str) -> None:
    name = EXTENDED_REQUESTS[oid].name
    assert refused(oid, octets_of(octets)) == f"{name} ({oid}): {problem}"


@pytest.mark.parametrize(
    ("oid", "octets"), [(oid, octets) for _, oid, octets in REQUESTS if octets is not None]
)
def test_a_value_that_is_cut_off_or_goes_on_is_refused(oid: str, octets: str) -> None:
    whole = bytes.fromhex(octets)
    for size in range(len(whole)):
        refused(oid, whole[:size])
    for behind in (b"\x00", b"\x05\x00", b"\x9e\x00", whole):
        refused(oid, whole + behind)


@pytest.mark.parametrize(
    ("oid", "octets"),
    [
        (PASSWORD_MODIFY, "3002 8001"),
        (CANCEL, "00"),
        (WHO_AM_I, "ff"),
        *((oid, "ff") for oid in (EXPLAIN, CLEAR_GUARD, RETRY_DELIVERIES, DROP_DELIVERIES, CHECK_ENDPOINT)),
    ],
)
def test_a_response_that_is_none_is_refused(oid: str, octets: str) -> None:
    with pytest.raises(ExtendedError, match=EXTENDED_RESPONSES[oid].name):
        decode_response(oid, bytes.fromhex(octets))


def test_an_operation_that_is_not_known_is_not_decoded() -> None:
    with pytest.raises(KeyError):
        decode_request(ExtendedRequest("1.2.3"))
    with pytest.raises(KeyError):
        decode_response("1.2.3", None)


def test_passwords_are_not_shown() -> None:
    request = PasswordModify("cn=a", Secret(b"old-word"), Secret(b"new-word"))
    assert "-word" not in repr((request, PasswordModified(Secret(b"made-word")), encode_request(request)))
    spoilt = b"\x30\x0b\x82\x0anew-word"
    assert "-word" not in refused(PASSWORD_MODIFY, spoilt)


def test_what_cannot_be_said_is_our_own_error() -> None:
    for value in (Cancel(-1), Cancel(2**31), YouAre("u:\udc80"), PasswordModify("\udc80")):
        with pytest.raises(LocalProtocolError):
            value.encode()
