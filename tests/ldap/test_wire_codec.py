"""The codec on single messages: what is accepted, what is refused and how the refusal names it."""

from __future__ import annotations

import time

import pytest

from provserver.ldap.codec import (
    LocalProtocolError,
    RemoteProtocolError,
    decode_message,
    encode_message,
    encode_result,
    encode_search_entry,
    notice_of_disconnection,
)
from provserver.ldap.filters import Equality, Extensible, Scope, Substrings
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    AddRequest,
    BindRequest,
    Change,
    ChangeKind,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ExtendedResponse,
    Message,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
    SearchRequest,
)
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret


def decode(hexadecimal: str, limits: Limits = DEFAULT_LIMITS) -> Message:
    data = bytes.fromhex(hexadecimal)
    return decode_message(data, 0, len(data), limits)


def refused(hexadecimal: str, limits: Limits = DEFAULT_LIMITS) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(hexadecimal, limits)
    return str(caught.value)


def tlv(tag: int, content: bytes) -> bytes:
    """An element with the longest length form, which BER allows."""
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


def search(filter_bytes: bytes) -> bytes:
    head = bytes.fromhex("0400 0a0102 0a0100 020100 020100 010100")
    operation = tlv(0x63, head + filter_bytes + b"\x30\x00")
    return tlv(0x30, b"\x02\x01\x01" + operation)


def test_a_bind_as_ldapsearch_sends_it() -> None:
    message = decode("300c 020101 6007 020103 0400 8000")
    assert message == Message(1, BindRequest(3, "", Secret(b"")))


def test_lengths_as_windows_sends_them() -> None:
    message = decode("3084 00000017 020101 6084 0000000e 020103 0484 00000000 8083 000000")
    assert message == Message(1, BindRequest(3, "", Secret(b"")))


def test_integers_with_leading_zeros_are_understood() -> None:
    assert decode("300b 020400000007 4a03 633d78").id == 7


def test_any_octet_but_zero_is_true() -> None:
    message = decode("3016 020101 4a03 633d78 a00c 300a 0403 312e32 010101 0400")
    assert message.controls == (Control("1.2", True, b""),)


def test_a_control_with_a_value_but_no_criticality() -> None:
    assert decode("3012 020101 4a03 633d78 a008 3006 0401 31 040178").controls == (Control("1", False, b"x"),)


@pytest.mark.parametrize(
    ("spoilt", "path"),
    [
        ("3000", "LDAPMessage.messageID is missing"),
        ("3005 020101 4201 00", "LDAPMessage is followed by other octets"),
        ("3006 020101 4201 00", "UnbindRequest is not NULL"),
        ("3003 020101", "LDAPMessage.protocolOp"),
        ("3005 020101 7e00", "LDAPMessage.protocolOp"),
        ("3005 0201ff 4200", "LDAPMessage.messageID"),
        ("3009 02050080000000 4200", "LDAPMessage.messageID"),
        ("3004 0200 4200", "LDAPMessage.messageID"),
        ("3080 020101 4200 0000", "LDAPMessage has an indefinite length"),
        ("300c 020101 6007 020103 0400 8001", "BindRequest.authentication is longer"),
        ("300c 020101 6007 020103 2400 8000", "BindRequest.name does not start with tag 04"),
        ("300a 020101 6005 020103 0400", "BindRequest.authentication is missing"),
        ("300c 020101 6007 020100 0400 8000", "BindRequest.version"),
        ("300d 020101 6008 020103 0401ff 8000", "BindRequest.name is not UTF-8"),
        ("3010 020101 600b 020103 0400 a304 0401 4104", "SaslCredentials.credentials is missing"),
        ("3007 020101 5002 8000", "AbandonRequest"),
        ("3005 020101 5000", "AbandonRequest"),
        ("3006 020101 4a01 ff", "DelRequest is not UTF-8"),
        ("300a 020101 4a00 a003 3001 04", "Control.controlType is missing"),
        # A criticality behind the value, a second one: an extension must not be able to change what was said.
        ("3013 020101 4a00 a00c 300a 0403312e31 0400 0101ff", "Control"),
        ("300c 020101 6007 020103 0400 8000 0400", "LDAPMessage is followed"),
        ("300e 020101 6009 020103 0400 8000 0400", "BindRequest has a component too many"),
        ("300e 020101 6009 020103 0400 8000 8000", "BindRequest has a component too many"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(spoilt: str, path: str) -> None:
    assert refused(spoilt).startswith(path)


def test_unknown_components_at_the_end_are_ignored_where_they_are_well_formed() -> None:
    known = Message(1, BindRequest(3, "", Secret(b"")))
    for extended in (
        "3010 020101 600b 020103 0400 8000 8502 abcd",
        "3011 020101 600c 020103 0400 8000 bf8101 01 00",  # a tag number above 30
        "300e 020101 6007 020103 0400 8000 8b00",
    ):
        assert decode(extended) == known
    assert refused("300f 020101 600a 020103 0400 8000 8505ab").startswith("BindRequest is longer")


NAME = "0402 636e"
LIST = "3007 3005 0401 61 3100"
RESULT = "0a0100 0400 0400"


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (0x60, "020103 0400 a303 0401 41 {}"),
        (0x63, "0400 0a0102 0a0100 020100 020100 010100 8701 61 3000 {}"),
        (0x63, "0400 0a0102 0a0100 020100 020100 010100 a304 0400 0400 3000 {}"),
        (0x66, f"{NAME} 3000 {{}}"),
        (0x68, f"{NAME} {LIST} {{}}"),
        (0x6C, f"{NAME} {NAME} 010100 {{}}"),
        (0x6E, f"{NAME} 3004 0400 0400 {{}}"),
        (0x77, "8001 31 {}"),
        (0x61, RESULT + "{}"),
        (0x64, f"{NAME} {LIST} {{}}"),
        (0x65, RESULT + "{}"),
        (0x78, RESULT + "{}"),
        (0x79, "{}"),
    ],
)
def test_every_operation_can_be_extended(tag: int, content: str) -> None:
    def message(extension: str) -> str:
        inside = bytes.fromhex(content.format(extension))
        return tlv(0x30, b"\x02\x01\x01" + tlv(tag, inside)).hex()

    assert decode(message("9e0100 9e00")) == decode(message(""))
    assert "too many or out of place" in refused(message("0400"))
    assert "missing or cut off" in refused(message("9e"))


def test_the_parts_of_a_modify_can_be_extended() -> None:
    def modify(change: str) -> str:
        changes = tlv(0x30, bytes.fromhex(change))
        return tlv(0x30, b"\x02\x01\x01" + tlv(0x66, b"\x04\x00" + changes)).hex()

    known = decode(modify("300a 0a0102 3005 0401 61 3100"))
    assert decode(modify("300c 0a0102 3007 0401 61 3100 9e00")) == known
    assert decode(modify("300c 0a0102 3005 0401 61 3100 9e00")) == known


@pytest.mark.parametrize(
    ("plain", "extended"),
    [
        ("a306 0401 61 0401 62", "a308 0401 61 0401 62 9e00"),
        ("a408 0401 61 3003 8101 62", "a40a 0401 61 3003 8101 62 9e00"),
        ("a906 8201 61 8301 62", "a908 8201 61 8301 62 9e00"),
    ],
)
def test_the_parts_of_a_filter_can_be_extended(plain: str, extended: str) -> None:
    assert decode(search(bytes.fromhex(extended)).hex()) == decode(search(bytes.fromhex(plain)).hex())


@pytest.mark.parametrize(
    ("spoilt", "problem"),
    [
        ("a200", "is missing"),
        ("a206 8701 63 8701 63", "not has more than one part"),
        ("a306 0401 63 8001 78", "assertionValue does not start"),
        ("a404 0400 3000", "is empty"),
        ("a408 0400 3004 8200 8200", "is empty or out of order"),
        ("a408 0400 3004 8100 8000", "substrings does not start"),
        ("a902 8300", "neither a rule nor an attribute"),
        ("a905 8200 840100", "extensibleMatch does not start with tag 83"),
        ("aa00", "is of no known kind"),
        ("8701ff", "present is not UTF-8"),
    ],
)
def test_a_filter_that_is_none_is_refused(spoilt: str, problem: str) -> None:
    assert problem in refused(search(bytes.fromhex(spoilt)).hex())


def test_absolute_true_and_false_are_filters() -> None:
    for empty in ("a000", "a100"):
        assert decode(search(bytes.fromhex(empty)).hex()).operation.filter.parts == ()


def test_a_filter_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    def nested(depth: int) -> str:
        wanted = b"\x87\x02cn"
        for _ in range(depth):
            wanted = tlv(0xA2, wanted)
        return search(wanted).hex()

    decode(nested(100))
    assert "nested too deeply" in refused(nested(101))
    assert "nested too deeply" in refused(nested(5_000))


@pytest.mark.parametrize(
    "wide", [b"\x87\x02cn" * 11, tlv(0xA4, b"\x04\x02cn" + tlv(0x30, b"\x81\x01x" * 11))]
)
def test_a_filter_has_not_more_parts_than_the_limit(wide: bytes) -> None:
    assert "too many parts" in refused(search(tlv(0xA0, wide)).hex(), Limits(filter_nodes=10))


def test_a_message_has_not_more_values_than_the_limit() -> None:
    values = tuple(b"%d" % number for number in range(6))
    attribute = PartialAttribute("cn", values)
    for operation in (
        AddRequest("c=x", (attribute, attribute)),
        ModifyRequest("c=x", (Change(ChangeKind.ADD, attribute), Change(ChangeKind.ADD, attribute))),
    ):
        encoded = encode_message(Message(1, operation)).hex()
        decode(encoded, Limits(values=14))
        assert "more values" in refused(encoded, Limits(values=12))
        assert "more values" in refused(encoded, Limits(values=4))
    many_controls = encode_message(Message(1, DeleteRequest("c=x"), (Control("1"),) * 5)).hex()
    assert "more than 4 controls" in refused(many_controls, Limits(values=4))
    names = SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Equality("a", b""), ("cn",) * 5)
    assert "more than 4 selectors" in refused(encode_message(Message(1, names)).hex(), Limits(values=4))


def test_decoding_is_linear_in_the_number_of_values() -> None:
    # 7.3: ldaptor needs 3.4 s for these 80,000 values.
    values = tuple(b"eTGlobalUserName=user%d,dc=im" % number for number in range(80_000))
    encoded = encode_message(Message(1, AddRequest("cn=x", (PartialAttribute("member", values),))))
    begun = time.process_time()
    message = decode_message(encoded, 0, len(encoded))
    assert time.process_time() - begun < 0.2
    assert message.operation.attributes[0].values == values


def test_an_unknown_result_code_is_an_error_of_unknown_kind() -> None:
    assert decode("300c 020101 6707 0a0109 0400 0400") == Message(1, ModifyResponse(Result(ResultCode.OTHER)))


def test_a_referral_without_uris_is_an_error() -> None:
    assert refused("300e 020101 6709 0a010a 0400 0400 a300").startswith("LDAPResult.referral has no URI")


def test_the_notice_of_disconnection_is_what_the_rfc_describes() -> None:
    data = notice_of_disconnection(ResultCode.UNAVAILABLE, "bye")
    assert decode_message(data, 0, len(data)) == Message(
        0, ExtendedResponse(Result(ResultCode.UNAVAILABLE, "bye"), NOTICE_OF_DISCONNECTION)
    )


def test_a_remote_error_carries_its_notice() -> None:
    notice = RemoteProtocolError("SearchRequest.filter", "is missing").notice
    message = decode_message(notice, 0, len(notice))
    assert message.id == 0
    assert message.operation.result == Result(ResultCode.PROTOCOL_ERROR, "SearchRequest.filter is missing")
    assert message.operation.oid == NOTICE_OF_DISCONNECTION


def test_a_remote_error_never_shows_a_value() -> None:
    secret = b"S3cretPassw0rd"
    bind = encode_message(Message(1, BindRequest(3, "cn=x", Secret(secret))))
    shown = set()
    for position in range(len(bind)):
        for octet in (0x00, 0x04, 0x80, 0xFF):
            spoilt = bind[:position] + bytes((octet,)) + bind[position + 1 :]
            try:
                decode_message(spoilt, 0, len(spoilt))
            except RemoteProtocolError as failure:
                shown.add(f"{failure} {failure!r} {failure.notice!r} {failure.__cause__!r}")
    assert shown
    assert not any("S3cret" in one or "Passw0rd" in one for one in shown)


def test_messages_with_passwords_do_not_show_them() -> None:
    # 7.3: ldaptor's debug log prints add and modify requests with the password.
    secret = b"S3cret"
    attribute = PartialAttribute("eTSyncPassword", (secret,))
    for operation in (
        BindRequest(3, "cn=x", Secret(secret)),
        ModifyRequest("cn=x", (Change(ChangeKind.REPLACE, attribute),)),
        AddRequest("cn=x", (attribute,)),
        CompareRequest("cn=x", "userPassword", secret),
        SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Equality("userPassword", secret), ()),
    ):
        encoded = encode_message(Message(1, operation, (Control("1", True, secret),)))
        assert "S3cret" not in repr(decode_message(encoded, 0, len(encoded)))


@pytest.mark.parametrize(
    "unspeakable",
    [
        Message(-1, DeleteRequest("c=x")),
        Message(2**31, DeleteRequest("c=x")),
        Message(1, DeleteRequest("\udc80")),
        Message(1, BindRequest(0, "", Secret(b""))),
        Message(1, SearchRequest("", Scope.BASE, DerefAliases.NEVER, -1, 0, False, Equality("a", b""), ())),
        Message(
            1,
            SearchRequest(
                "", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Substrings("a", None, (), None), ()
            ),
        ),
        Message(
            1, SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Extensible(None, None, b""), ())
        ),
    ],
)
def test_what_cannot_be_said_is_our_own_error(unspeakable: Message) -> None:
    with pytest.raises(LocalProtocolError):
        encode_message(unspeakable)


def test_a_message_without_an_operation_is_one_too() -> None:
    """The compiled form does not even make it."""
    with pytest.raises((LocalProtocolError, TypeError)):
        encode_message(Message(1, "no operation"))  # type: ignore[arg-type]


def test_the_direct_encoders_have_the_same_errors() -> None:
    with pytest.raises(LocalProtocolError):
        encode_result(2**31, 0x67)
    with pytest.raises(LocalProtocolError):
        encode_result(1, 0x67, Result(ResultCode.OTHER, "\udc80"))
    with pytest.raises(LocalProtocolError):
        encode_search_entry(1, "\udc80", ())


def test_integers_are_encoded_minimally() -> None:
    assert encode_result(127, 0x67)[:5] == bytes.fromhex("300c02017f")
    assert encode_result(128, 0x67)[:6] == bytes.fromhex("300d02020080")
    assert encode_result(32768, 0x67)[:7] == bytes.fromhex("300e0203008000")
    assert (
        encode_result(1, 0x65, Result(ResultCode.SYNC_REFRESH_REQUIRED))[:11].hex()
        == "300d02010165080a021000"
    )


def test_an_entry_without_attributes_or_values_is_an_entry() -> None:
    data = encode_search_entry(1, b"dc=im", [("cn", ()), (b"sn", (b"a", b"b"))])
    entry = decode_message(data, 0, len(data)).operation
    assert entry.dn == "dc=im"
    assert entry.attributes == (PartialAttribute("cn", ()), PartialAttribute("sn", (b"a", b"b")))
