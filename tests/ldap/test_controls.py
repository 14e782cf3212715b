"""The controls on the wire: what is sent, what is understood, what is refused and how the refusal names it.

The octets are written by hand from the specifications; those marked "slapd" or "ldapsearch" are also what
OpenLDAP 2.5 sent.
"""

from __future__ import annotations

import time
from typing import get_args
from uuid import UUID

import pytest

from provserver.ldap.controls import (
    REQUEST_CONTROLS,
    RESPONSE_CONTROLS,
    Assertion,
    ByOffset,
    ByValue,
    Captured,
    ControlError,
    ControlKind,
    ControlValue,
    EntryState,
    GraceAuthentications,
    ManageDsaIT,
    MatchedValues,
    NewCookie,
    PagedResults,
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    PostRead,
    PostReadEntry,
    PreRead,
    PreReadEntry,
    ProxiedAuthorization,
    RefreshDelete,
    RefreshPresent,
    SortKey,
    SortRequest,
    SortResult,
    Subentries,
    SyncDone,
    SyncIdSet,
    SyncInfo,
    SyncMode,
    SyncRequest,
    SyncState,
    TimeBeforeExpiration,
    TreeDelete,
    ViewRequest,
    ViewResult,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from provserver.ldap.errors import LocalProtocolError
from provserver.ldap.filters import (
    And,
    Equality,
    Extensible,
    GreaterOrEqual,
    Not,
    Present,
    Scope,
    Substrings,
)
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import (
    START_TLS,
    WHO_AM_I,
    AbandonRequest,
    AddRequest,
    BindRequest,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ExtendedRequest,
    ModifyDNRequest,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
    SearchResultEntry,
    UnbindRequest,
)
from provserver.ldap.results import ResultCode
from provserver.ldap.values import MalformedValue, WireValue
from provserver.vault.secret import Secret

ONE = UUID("2edc793e-79f5-1041-8c6f-91d57baff782")
TWO = UUID("2edc85f0-79f5-1041-8c70-91d57baff782")
ENTRY = SearchResultEntry(
    "cn=b,dc=ex", (PartialAttribute("cn", (b"b",)), PartialAttribute("sn", (b"aa", b"ab")))
)
ENTRY_CONTENT = (
    "040a 636e3d622c64633d6578 301b 3009 0402 636e 3103 0401 62 300e 0402 736e 3108 0402 6161 0402 6162"
)

REQUESTS: list[tuple[ControlValue, str | None]] = [
    (PagedResults(2), "3005 020102 0400"),  # ldapsearch
    (PagedResults(500, bytes(range(4))), "300a 020201f4 0404 00010203"),
    (SortRequest((SortKey("sn"),)), "3006 3004 0402 736e"),  # ldapsearch
    (
        SortRequest((SortKey("sn", "2.5.13.3"), SortKey("cn", reverse=True))),  # ldapsearch
        "3019 300e 0402 736e 8008 322e352e31332e33 3007 0402 636e 8101ff",
    ),
    (ViewRequest(1, 2, ByOffset(1)), "300e 020101 020102 a006 020101 020100"),  # ldapsearch
    (ViewRequest(1, 2, ByValue(b"b")), "3009 020101 020102 8101 62"),  # ldapsearch
    (
        ViewRequest(0, 19, ByOffset(78525, 78564), b"ctx"),  # the draft's example (7), and a context
        "3017 020100 020113 a00a 0203 0132bd 0203 0132e4 0403 637478",
    ),
    (
        Assertion(And((Equality("dc", b"ex"), Not(Equality("cn", b"x"))))),  # ldapsearch
        "a015 a308 0402 6463 0402 6578 a209 a307 0402 636e 0401 78",
    ),
    (PreRead(("cn", "sn")), "3008 0402 636e 0402 736e"),  # ldapmodify
    (PreRead(), "3000"),
    (PostRead(("*", "+")), "3006 0401 2a 0401 2b"),
    (ProxiedAuthorization("dn:cn=a,dc=ex"), "646e3a636e3d612c64633d6578"),  # ldapsearch
    (ProxiedAuthorization("u:ada"), "753a616461"),
    (ProxiedAuthorization(""), ""),  # ldapsearch
    (ManageDsaIT(), None),
    (
        MatchedValues(
            (
                Equality("cn", b"a"),
                GreaterOrEqual("sn", b"b"),
                Substrings("sn", b"a", (), b"b"),
                Present("cn"),
                Extensible("caseExactMatch", None, b"x"),
            )
        ),  # ldapsearch
        "3039 a307 0402 636e 0401 61 a507 0402 736e 0401 62 a40c 0402 736e 3006 8001 61 8201 62"
        "8702 636e a913 810e 6361736545786163744d61746368 8301 78",
    ),
    (MatchedValues(()), "3000"),
    (TreeDelete(), None),
    (Subentries(True), "0101ff"),  # RFC 3672 3
    (Subentries(False), "010100"),
    (PasswordPolicyRequest(), None),
    (SyncRequest(SyncMode.REFRESH_ONLY), "3003 0a0101"),  # ldapsearch
    (SyncRequest(SyncMode.REFRESH_AND_PERSIST, b"c", True), "3009 0a0103 0401 63 0101ff"),
    (
        Captured(b"a1", 1795285800.25, 1795285801.0),
        "3034 0402 6131 0416 32303236313132313138333030302e3235303030305a"
        "0416 32303236313132313138333030312e3030303030305a",
    ),
]

RESPONSES: list[tuple[ControlValue, str]] = [
    (PagedResults(0, b"\x02" + bytes(7)), "300d 020100 0408 0200000000000000"),  # slapd
    (PagedResults(5), "3005 020105 0400"),
    (SortResult(), "3003 0a0100"),  # slapd
    (SortResult(ResultCode.NO_SUCH_ATTRIBUTE, "sn"), "3007 0a0110 8002 736e"),
    (ViewResult(3, 4, context=b"context!"), "3013 020103 020104 0a0100 0408 636f6e7465787421"),
    (ViewResult(0, 4, ResultCode.OFFSET_RANGE_ERROR), "3009 020100 020104 0a013d"),
    (PreReadEntry(ENTRY), f"6429 {ENTRY_CONTENT}"),
    (PostReadEntry(SearchResultEntry("", ())), "6404 0400 3000"),
    (PasswordPolicyResponse(), "3000"),  # slapd
    (PasswordPolicyResponse(TimeBeforeExpiration(990)), "3006 a004 8002 03de"),  # slapd
    (PasswordPolicyResponse(GraceAuthentications(2)), "3005 a003 8101 02"),
    (PasswordPolicyResponse(error=PolicyError.PASSWORD_TOO_SHORT), "3003 8101 06"),  # slapd
    (
        PasswordPolicyResponse(TimeBeforeExpiration(5), PolicyError.CHANGE_AFTER_RESET),
        "3008 a003 8001 05 8101 02",
    ),
    (SyncState(EntryState.ADD, ONE), "3015 0a0101 0410 2edc793e79f510418c6f91d57baff782"),  # slapd
    (
        SyncState(EntryState.DELETE, TWO, b"c"),
        "3018 0a0103 0410 2edc85f079f510418c7091d57baff782 0401 63",
    ),
    (SyncDone(), "3000"),
    (SyncDone(b"rid=000", True), "300c 0407 7269643d303030 0101ff"),  # slapd
]

MESSAGES: list[tuple[SyncInfo, str]] = [
    (SyncInfo(NewCookie(b"c")), "8001 63"),
    (SyncInfo(RefreshDelete(b"c")), "a103 0401 63"),  # slapd
    (SyncInfo(RefreshDelete(done=False)), "a103 010100"),
    (SyncInfo(RefreshPresent()), "a200"),
    (SyncInfo(RefreshPresent(b"c", False)), "a206 0401 63 010100"),
    (
        SyncInfo(SyncIdSet((ONE, TWO))),  # slapd
        "a326 3124 0410 2edc793e79f510418c6f91d57baff782 0410 2edc85f079f510418c7091d57baff782",
    ),
    (SyncInfo(SyncIdSet((), b"c", True)), "a308 0401 63 0101ff 3100"),
]

VALUES: list[tuple[WireValue, str | None]] = [*REQUESTS, *RESPONSES, *MESSAGES]
WITHOUT_BER = (ProxiedAuthorization, ManageDsaIT, TreeDelete, PasswordPolicyRequest)
IN_BER = [(value, octets) for value, octets in VALUES if octets and not isinstance(value, WITHOUT_BER)]


def octets_of(hexadecimal: str | None) -> bytes | None:
    return None if hexadecimal is None else bytes.fromhex(hexadecimal)


def refused(kind: type[WireValue], value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> str:
    """The refusal, without whose it is."""
    with pytest.raises(kind.malformed) as caught:
        kind.decode(value, limits)
    intro = f"{kind.name} ({kind.oid}): "
    assert str(caught.value).startswith(intro)
    return str(caught.value).removeprefix(intro)


@pytest.mark.parametrize(("value", "octets"), VALUES)
def test_a_value_is_written_as_its_specification_has_it(value: WireValue, octets: str | None) -> None:
    assert value.encode() == octets_of(octets)


@pytest.mark.parametrize(("value", "octets"), VALUES)
def test_a_value_is_understood_as_its_specification_has_it(value: WireValue, octets: str | None) -> None:
    assert type(value).decode(octets_of(octets)) == value


@pytest.mark.parametrize(("value", "octets"), REQUESTS)
def test_a_request_is_decoded_by_its_object_identifier(value: ControlValue, octets: str | None) -> None:
    assert decode_request(value.oid, octets_of(octets)) == value
    assert encode_request(value, critical=True) == Control(value.oid, True, octets_of(octets))


@pytest.mark.parametrize(("value", "octets"), RESPONSES)
def test_a_response_is_decoded_by_its_object_identifier(value: ControlValue, octets: str) -> None:
    assert decode_response(value.oid, octets_of(octets)) == value
    assert encode_response(value) == Control(value.oid, False, octets_of(octets))


def test_every_control_of_the_registries_is_among_the_examples() -> None:
    assert {value.oid for value, _ in REQUESTS} == set(REQUEST_CONTROLS)
    assert {value.oid for value, _ in RESPONSES} == set(RESPONSE_CONTROLS)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (PagedResults(2), "3084 0000000c 0204 00000002 0484 00000000"),
        (SortRequest((SortKey("sn"),)), "3009 3007 0402 736e 810100"),
        (SortRequest((SortKey("sn", reverse=True),)), "3009 3007 0402 736e 810101"),
        (Subentries(True), "010101"),
        (SyncRequest(SyncMode.REFRESH_ONLY), "3006 0a0101 010100"),
        (SyncDone(), "3003 010100"),
        (SyncInfo(RefreshPresent()), "a203 0101ff"),
        # The UnboundID SDK leaves the application tag away.
        (PreReadEntry(ENTRY), f"3029 {ENTRY_CONTENT}"),
        # Result codes that nobody has named: a failure of unknown kind. slapd sends 77.
        (SortResult(ResultCode.OTHER), "3004 0a0203e7"),
        (ViewResult(3, 4, ResultCode.OTHER), "3009 020103 020104 0a014d"),
        # An offset of 0 has an answer of its own, offsetRangeError.
        (ViewRequest(1, 2, ByOffset(0)), "300e 020101 020102 a006 020100 020100"),
        # Windows clients send an empty value where there is none.
        (ManageDsaIT(), ""),
        (TreeDelete(), ""),
        (PasswordPolicyRequest(), ""),
    ],
)
def test_other_ways_to_say_the_same_are_understood(value: WireValue, octets: str) -> None:
    assert type(value).decode(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (PagedResults(2), "3007 020102 0400 9e00"),
        (SortRequest((SortKey("sn"),)), "3008 3006 0402 736e 9e00"),
        (SortResult(), "3005 0a0100 9e00"),
        (ViewRequest(1, 2, ByOffset(1)), "3012 020101 020102 a008 020101 020100 9e00 9e00"),
        (PreReadEntry(SearchResultEntry("", ())), "6406 0400 3000 9e00"),
        (PasswordPolicyResponse(), "3002 9e00"),
        (SyncRequest(SyncMode.REFRESH_ONLY), "3005 0a0101 9e00"),
        (SyncInfo(RefreshDelete()), "a102 9e00"),
        (SyncInfo(SyncIdSet(())), "a304 3100 9e00"),
        (MatchedValues((Equality("c", b"a"),)), "300a a308 0401 63 0401 61 9e00"),
    ],
)
def test_unknown_components_at_the_end_of_a_sequence_are_ignored(value: WireValue, octets: str) -> None:
    assert type(value).decode(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    ("kind", "octets", "problem"),
    [
        (PagedResults, None, "realSearchControlValue is missing"),
        (PagedResults, "", "realSearchControlValue is missing or cut off"),
        (PagedResults, "3105 020102 0400", "realSearchControlValue does not start with tag 30"),
        (PagedResults, "3003 020102", "realSearchControlValue.cookie is missing or cut off"),
        (PagedResults, "3005 0201ff 0400", "realSearchControlValue.size is not an integer between 0 and"),
        (PagedResults, "3009 02050080000000 0400", "realSearchControlValue.size is not an integer between 0"),
        (PagedResults, "3007 020102 0400 0400", "realSearchControlValue has a component too many"),
        (PagedResults, "3005 020102 0404", "realSearchControlValue.cookie is longer than what holds it"),
        (PagedResults, "3080 020102 0400 0000", "realSearchControlValue has an indefinite length"),
        (SortRequest, "3000", "SortKeyList.key is missing"),
        (SortRequest, "3004 0402 736e", "SortKeyList.key does not start with tag 30"),
        (SortRequest, "3005 3003 0401 ff", "SortKeyList.key.attributeType is not UTF-8"),
        # The rule behind the order: ignoring it would change the request.
        (SortRequest, "300b 3009 0402 736e 8101ff 8000", "SortKeyList.key has a component too many or out"),
        (SortResult, "3000", "SortResult.sortResult is missing"),
        (ViewRequest, "3006 020101 020102", "VirtualListViewRequest.target is neither byOffset nor"),
        (ViewRequest, "3008 020101 020102 8200", "VirtualListViewRequest.target is neither byOffset nor"),
        (
            ViewRequest,
            "300b 020101 020102 a003 020101",
            "VirtualListViewRequest.byOffset.contentCount is missing",
        ),
        (ViewRequest, "300a 020101 020102 8100 8100", "VirtualListViewRequest has a component too many"),
        (Assertion, None, "controlValue is missing"),
        (Assertion, "", "controlValue.filter is missing or cut off"),
        (Assertion, "a303 0401 63", "controlValue.filter.assertionValue is missing"),
        (Assertion, "8701 63 00", "controlValue is followed by other octets"),
        (PreRead, "3002 0201", "AttributeSelection.selector does not start with tag 04"),
        (PreReadEntry, "6304 0400 3000", "SearchResultEntry does not start with tag 64"),
        (PreReadEntry, "6402 0400", "SearchResultEntry.attributes is missing"),
        (ProxiedAuthorization, None, "authzId is missing"),
        (ProxiedAuthorization, "616461", "authzId is not empty, and starts neither with dn: nor with u:"),
        (ProxiedAuthorization, "646e", "authzId is not empty, and starts neither"),
        (ProxiedAuthorization, "75", "authzId is not empty, and starts neither"),
        (ProxiedAuthorization, "753aff", "authzId is not UTF-8"),
        (ManageDsaIT, "00", "the value is there, but none is expected"),
        (TreeDelete, "0500", "the value is there, but none is expected"),
        (PasswordPolicyRequest, "3000", "the value is there, but none is expected"),
        (MatchedValues, "a302", "ValuesReturnFilter does not start with tag 30"),
        (MatchedValues, "3005 a003 8701 63", "ValuesReturnFilter.item is an and, or, not"),
        (MatchedValues, "3002 a200", "ValuesReturnFilter.item is an and, or, not"),
        (MatchedValues, "3002 aa00", "ValuesReturnFilter.item is nested too deeply"),
        (MatchedValues, "300b a909 8201 63 8301 61 8401ff", "ValuesReturnFilter.item has dnAttributes"),
        (Subentries, None, "controlValue is missing"),
        (Subentries, "0102 ffff", "controlValue.visibility is not a BOOLEAN of one octet"),
        (Subentries, "0101ff 00", "controlValue is followed by other octets"),
        (PasswordPolicyResponse, "3002 a000", "PasswordPolicyResponseValue.warning is neither"),
        (
            PasswordPolicyResponse,
            "3008 a006 8001 01 8101 01",
            "PasswordPolicyResponseValue.warning is followed by other octets",
        ),
        (
            PasswordPolicyResponse,
            "3008 a006 8101 01 8001 01",
            "PasswordPolicyResponseValue.warning is followed by other octets",
        ),
        (
            PasswordPolicyResponse,
            "3003 8101 0a",
            "PasswordPolicyResponseValue.error is none of password_expired (0), account_locked (1), ",
        ),
        (
            SyncRequest,
            "3003 0a0102",
            "syncRequestValue.mode is none of refresh_only (1), refresh_and_persist (3)",
        ),
        (SyncState, "3005 0a0101 0400", "syncStateValue.entryUUID is not a UUID of 16 octets"),
        (SyncState, "3003 0a0104", "syncStateValue.state is none of present (0), add (1), modify (2), "),
        (SyncInfo, None, "syncInfoValue is missing"),
        (SyncInfo, "a400", "syncInfoValue.syncIdSet does not start with tag a3"),
        (SyncInfo, "a305 3103 0401 61", "syncInfoValue.syncIdSet.syncUUIDs.syncUUID is not a UUID of 16"),
    ],
)
def test_what_is_wrong_is_named(kind: type[WireValue], octets: str | None, problem: str) -> None:
    assert refused(kind, octets_of(octets)).startswith(problem)


@pytest.mark.parametrize(("value", "octets"), IN_BER)
def test_a_value_that_is_cut_off_is_refused(value: WireValue, octets: str) -> None:
    whole = bytes.fromhex(octets)
    for size in range(len(whole)):
        refused(type(value), whole[:size])


@pytest.mark.parametrize(("value", "octets"), [*IN_BER, (ManageDsaIT(), ""), (TreeDelete(), "")])
def test_a_value_with_something_behind_it_is_refused(value: WireValue, octets: str) -> None:
    for behind in (b"\x00", b"\x05\x00", b"\x9e\x00", bytes.fromhex(octets) or b"\x30\x00"):
        refused(type(value), bytes.fromhex(octets) + behind)


@pytest.mark.parametrize(("value", "octets"), IN_BER)
def test_a_value_whose_content_is_cut_off_is_a_value_or_refused(value: WireValue, octets: str) -> None:
    whole = bytes.fromhex(octets)
    for size in range(len(whole) - 2):
        shortened = bytes((whole[0], size)) + whole[2 : 2 + size]
        try:
            found = type(value).decode(shortened)
        except MalformedValue:
            continue
        assert type(value).decode(found.encode()) == found


@pytest.mark.parametrize(
    ("kind", "octets", "limits"),
    [
        (SortRequest, "300c 3002 0400 3002 0400 3002 0400", Limits(values=2)),
        (PreRead, "3006 0400 0400 0400", Limits(values=2)),
        (SyncInfo, "a338 3136" + ("0410" + "00" * 16) * 3, Limits(values=2)),
        (MatchedValues, "3006 8700 8700 8700", Limits(filter_nodes=2)),
        (Assertion, "a006 8700 8700 8700", Limits(filter_nodes=3)),
        (Assertion, "a206 a204 a202 8700", Limits(ber_depth=2)),
        (PostReadEntry, "640e 0400 300a 3008 0400 3104 0400 0400", Limits(values=1)),
    ],
)
def test_what_is_counted_is_limited(kind: type[WireValue], octets: str, limits: Limits) -> None:
    refused(kind, bytes.fromhex(octets), limits)


def test_a_filter_nested_without_end_is_refused_quickly() -> None:
    bomb = b""
    for _ in range(2_000):
        bomb = bytes((0xA2, 0x84)) + len(bomb).to_bytes(4, "big") + bomb
    began = time.perf_counter()
    assert refused(Assertion, bomb) == "controlValue.filter is nested too deeply"
    assert time.perf_counter() - began < 1


def test_a_length_beyond_all_memory_is_refused() -> None:
    assert refused(PagedResults, bytes.fromhex("30 88 7fffffffffffffff")).endswith(
        "longer than what holds it"
    )
    assert refused(SyncState, bytes.fromhex("300d 0a0101 0488 7fffffffffffffff")).startswith(
        "syncStateValue."
    )


SEARCH = SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("cn"), ())
ADD, COMPARE, DELETE = AddRequest("", ()), CompareRequest("", "cn", b""), DeleteRequest("")
MODIFY, MODIFY_DN = ModifyRequest("", ()), ModifyDNRequest("", "", True)
BIND, UNBIND, ABANDON = BindRequest(3, "", Secret(b"")), UnbindRequest(), AbandonRequest(1)
ASK, ENCRYPT = ExtendedRequest(WHO_AM_I), ExtendedRequest(START_TLS)

ON_ENTRIES: tuple[Request, ...] = (SEARCH, ADD, COMPARE, DELETE, MODIFY, MODIFY_DN)
EVERYTHING: tuple[Request, ...] = (*ON_ENTRIES, BIND, UNBIND, ABANDON, ASK, ENCRYPT)

SUITED: dict[type[ControlValue], tuple[Request, ...]] = {
    PagedResults: (SEARCH,),
    SortRequest: (SEARCH,),
    ViewRequest: (SEARCH,),
    Assertion: ON_ENTRIES,
    PreRead: (DELETE, MODIFY, MODIFY_DN),
    PostRead: (ADD, MODIFY, MODIFY_DN),
    ProxiedAuthorization: (*ON_ENTRIES, ASK),
    ManageDsaIT: ON_ENTRIES,
    MatchedValues: (SEARCH,),
    TreeDelete: (DELETE,),
    Subentries: (SEARCH,),
    PasswordPolicyRequest: EVERYTHING,
    SyncRequest: (SEARCH,),
    Captured: (MODIFY,),
}


@pytest.mark.parametrize("kind", REQUEST_CONTROLS.values(), ids=lambda kind: kind.name)
def test_a_control_suits_the_operations_that_its_specification_names(kind: ControlKind) -> None:
    assert {type(operation) for operation in EVERYTHING} == set(get_args(Request))
    assert [operation for operation in EVERYTHING if kind.suits(operation)] == [
        operation for operation in EVERYTHING if operation in SUITED[kind.value]
    ]


def test_proxied_authorization_alone_is_always_critical() -> None:
    assert [kind.value for kind in REQUEST_CONTROLS.values() if kind.always_critical] == [
        ProxiedAuthorization
    ]
    assert encode_request(ProxiedAuthorization("u:ada")).critical
    assert not encode_request(ManageDsaIT()).critical


def test_a_control_that_is_not_known_is_not_decoded() -> None:
    with pytest.raises(KeyError):
        decode_request("1.2.3", None)
    with pytest.raises(KeyError):
        decode_request(SortResult.oid, bytes.fromhex("3003 0a0100"))
    with pytest.raises(KeyError):
        decode_response(SortRequest.oid, bytes.fromhex("3006 3004 0402 736e"))


def test_a_refusal_says_which_control_is_at_fault_and_where() -> None:
    with pytest.raises(ControlError) as caught:
        decode_request(PagedResults.oid, bytes.fromhex("3005 0201ff 0400"))
    assert str(caught.value) == (
        "paged results control (1.2.840.113556.1.4.319): "
        "realSearchControlValue.size is not an integer between 0 and 2147483647"
    )
    assert isinstance(caught.value, ValueError)
    assert (caught.value.oid, caught.value.path) == (PagedResults.oid, "realSearchControlValue.size")


def test_assertion_values_are_not_shown() -> None:
    shown = repr(
        (
            ViewRequest(1, 1, ByValue(b"secret")),
            Assertion(Equality("userPassword", b"secret")),
            MatchedValues((Equality("userPassword", b"secret"),)),
            PreReadEntry(SearchResultEntry("", (PartialAttribute("userPassword", (b"secret",)),))),
        )
    )
    assert "secret" not in shown


@pytest.mark.parametrize(
    "value",
    [
        PagedResults(-1),
        PagedResults(2**31),
        SortRequest((SortKey("\udc80"),)),
        ProxiedAuthorization("u:\udc80"),
        MatchedValues((Extensible(None, "cn", b"x", True),)),
    ],
)
def test_what_cannot_be_said_is_our_own_error(value: WireValue) -> None:
    with pytest.raises(LocalProtocolError):
        value.encode()
