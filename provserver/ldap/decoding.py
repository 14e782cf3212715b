"""Bytes to typed messages: one function per production of RFC 4511 appendix B, one pass, from offsets.

Every decoder takes the whole buffer with the bounds of its content, so nothing is sliced but values, and the
work is linear in the input. Counted things (values, filter nodes, depth) are checked against `Limits` while
they are read. Anything not as RFC 4511 has it raises RemoteProtocolError with the component's path; nothing
else is ever raised for what is in the buffer. `codec` is the door to this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from provserver.ldap.ber import boolean, element, extensions, integer, octets, text
from provserver.ldap.ber_writing import BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET
from provserver.ldap.errors import RemoteProtocolError
from provserver.ldap.filter_decoding import decode_filter
from provserver.ldap.filters import Scope
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    AbandonRequest,
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    Change,
    ChangeKind,
    CompareRequest,
    CompareResponse,
    Control,
    DeleteRequest,
    DeleteResponse,
    DerefAliases,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    ModifyDNResponse,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
    Request,
    Response,
    SaslCredentials,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    UnbindRequest,
)
from provserver.ldap.results import Result, ResultCode
from provserver.recent import Recent
from provserver.vault.secret import Secret

MAX_INT: Final = 2**31 - 1
"""maxInt of RFC 4511 4.1.1."""

_SCOPES: Final = tuple(Scope)
_DEREF_ALIASES: Final = tuple(DerefAliases)
_CHANGE_KINDS: Final = tuple(ChangeKind)
_RESULT_CODES: Final = {int(code): code for code in ResultCode}

Decoder = Callable[[bytes, int, int, Limits], Request | Response]

_SEARCH: Final = 0x63
_LONGEST_REMEMBERED: Final = 512
"""Octets of a search that is remembered; 16,384 of them are at most 25 MB."""
_searches: Final[Recent[bytes, tuple[Limits, SearchRequest]]] = Recent(8_192)


def decode_content(
    buffer: bytes, pos: int, end: int, limits: Limits, decoders: Mapping[int, Decoder]
) -> Message:
    """The message whose SEQUENCE content is `buffer[pos:end]`; its operation must be one of `decoders`."""
    message_id, pos = integer(buffer, pos, end, INTEGER, MAX_INT, "LDAPMessage.messageID")
    decoder = decoders.get(buffer[pos]) if pos < end else None
    if decoder is None:
        raise RemoteProtocolError(
            "LDAPMessage.protocolOp", "is missing or not an operation to be sent this way"
        )
    start, stop = element(buffer, pos, end, buffer[pos], "LDAPMessage.protocolOp")
    if buffer[pos] == _SEARCH and stop - start <= _LONGEST_REMEMBERED:
        operation = _search_again(buffer[start:stop], limits)
    else:
        operation = decoder(buffer, start, stop, limits)
    if stop == end:
        return Message(message_id, operation)
    controls: tuple[Control, ...] = ()
    if buffer[stop] == 0xA0:
        controls, stop = _controls(buffer, stop, end, limits)
    if stop != end:
        extensions(buffer, stop, end, "LDAPMessage", b"\xa0")
    return Message(message_id, operation, controls)


def _search_again(content: bytes, limits: Limits) -> Request | Response:
    """Clients ask the same again and again, an agent twice for every password: decoded once.

    The same octets give the same object, by which others can remember what they know of the question.
    """
    known = _searches.get(content)
    if known is not None and known[0] is limits:
        return known[1]
    request = _search_request(content, 0, len(content), limits)
    _searches.put(content, (limits, request))
    return request


def _controls(buffer: bytes, pos: int, end: int, limits: Limits) -> tuple[tuple[Control, ...], int]:
    cursor, end_of_all = element(buffer, pos, end, 0xA0, "LDAPMessage.controls")
    controls: list[Control] = []
    while cursor < end_of_all:
        if len(controls) >= limits.values:
            raise RemoteProtocolError(
                "LDAPMessage.controls", f"has more than {limits.values} controls", limit="values"
            )
        pos, stop = element(buffer, cursor, end_of_all, SEQUENCE, "Controls.control")
        oid, pos = text(buffer, pos, stop, OCTET_STRING, "Control.controlType")
        critical = False
        value = None
        if pos < stop and buffer[pos] == BOOLEAN:
            critical, pos = boolean(buffer, pos, stop, BOOLEAN, "Control.criticality")
        if pos < stop and buffer[pos] == OCTET_STRING:
            value, pos = octets(buffer, pos, stop, OCTET_STRING, "Control.controlValue")
        if pos != stop:
            extensions(buffer, pos, stop, "Control")
        controls.append(Control(oid, critical, value))
        cursor = stop
    return tuple(controls), end_of_all


# -- requests


def _bind_request(buffer: bytes, pos: int, end: int, limits: Limits) -> BindRequest:
    version, pos = integer(buffer, pos, end, INTEGER, 127, "BindRequest.version")
    if version == 0:
        raise RemoteProtocolError("BindRequest.version", "is not between 1 and 127")
    name, pos = text(buffer, pos, end, OCTET_STRING, "BindRequest.name")
    authentication: Secret | SaslCredentials
    if pos < end and buffer[pos] == 0xA3:
        authentication, pos = _sasl_credentials(buffer, pos, end)
    else:
        password, pos = octets(buffer, pos, end, 0x80, "BindRequest.authentication")
        authentication = Secret(password)
    if pos != end:
        extensions(buffer, pos, end, "BindRequest", b"\x80\xa3")
    return BindRequest(version, name, authentication)


def _sasl_credentials(buffer: bytes, pos: int, end: int) -> tuple[SaslCredentials, int]:
    pos, stop = element(buffer, pos, end, 0xA3, "BindRequest.authentication.sasl")
    mechanism, pos = text(buffer, pos, stop, OCTET_STRING, "SaslCredentials.mechanism")
    credentials = None
    if pos < stop and buffer[pos] == OCTET_STRING:
        value, pos = octets(buffer, pos, stop, OCTET_STRING, "SaslCredentials.credentials")
        credentials = Secret(value)
    if pos != stop:
        extensions(buffer, pos, stop, "SaslCredentials")
    return SaslCredentials(mechanism, credentials), stop


def _unbind_request(buffer: bytes, pos: int, end: int, limits: Limits) -> UnbindRequest:
    if pos != end:
        raise RemoteProtocolError("UnbindRequest", "is not NULL")
    return UnbindRequest()


def _search_request(buffer: bytes, pos: int, end: int, limits: Limits) -> SearchRequest:
    base, pos = text(buffer, pos, end, OCTET_STRING, "SearchRequest.baseObject")
    scope, pos = integer(buffer, pos, end, ENUMERATED, 2, "SearchRequest.scope")
    deref, pos = integer(buffer, pos, end, ENUMERATED, 3, "SearchRequest.derefAliases")
    size_limit, pos = integer(buffer, pos, end, INTEGER, MAX_INT, "SearchRequest.sizeLimit")
    time_limit, pos = integer(buffer, pos, end, INTEGER, MAX_INT, "SearchRequest.timeLimit")
    types_only, pos = boolean(buffer, pos, end, BOOLEAN, "SearchRequest.typesOnly")
    wanted, pos = decode_filter(buffer, pos, end, limits.ber_depth, [limits.filter_nodes])
    cursor, stop = element(buffer, pos, end, SEQUENCE, "SearchRequest.attributes")
    attributes: list[str] = []
    while cursor < stop:
        attribute, cursor = text(buffer, cursor, stop, OCTET_STRING, "SearchRequest.attributes.selector")
        attributes.append(attribute)
        if len(attributes) > limits.values:
            raise RemoteProtocolError(
                "SearchRequest.attributes", f"has more than {limits.values} selectors", limit="values"
            )
    if stop != end:
        extensions(buffer, stop, end, "SearchRequest")
    return SearchRequest(
        base,
        _SCOPES[scope],
        _DEREF_ALIASES[deref],
        size_limit,
        time_limit,
        types_only,
        wanted,
        tuple(attributes),
    )


def _modify_request(buffer: bytes, pos: int, end: int, limits: Limits) -> ModifyRequest:
    dn, pos = text(buffer, pos, end, OCTET_STRING, "ModifyRequest.object")
    cursor, end_of_all = element(buffer, pos, end, SEQUENCE, "ModifyRequest.changes")
    budget = limits.values
    changes: list[Change] = []
    while cursor < end_of_all:
        pos, stop = element(buffer, cursor, end_of_all, SEQUENCE, "ModifyRequest.changes.change")
        kind, pos = integer(buffer, pos, stop, ENUMERATED, 3, "ModifyRequest.changes.change.operation")
        attribute, pos = _attribute(buffer, pos, stop, budget, "ModifyRequest.changes.change.modification")
        budget -= len(attribute.values) + 1
        if pos != stop:
            extensions(buffer, pos, stop, "ModifyRequest.changes.change")
        changes.append(Change(_CHANGE_KINDS[kind], attribute))
        cursor = stop
    if end_of_all != end:
        extensions(buffer, end_of_all, end, "ModifyRequest")
    return ModifyRequest(dn, tuple(changes))


def _add_request(buffer: bytes, pos: int, end: int, limits: Limits) -> AddRequest:
    dn, pos = text(buffer, pos, end, OCTET_STRING, "AddRequest.entry")
    attributes, pos = _attributes(buffer, pos, end, limits.values, "AddRequest.attributes")
    if pos != end:
        extensions(buffer, pos, end, "AddRequest")
    return AddRequest(dn, attributes)


def _delete_request(buffer: bytes, pos: int, end: int, limits: Limits) -> DeleteRequest:
    return DeleteRequest(_whole_text(buffer, pos, end, "DelRequest"))


def _modify_dn_request(buffer: bytes, pos: int, end: int, limits: Limits) -> ModifyDNRequest:
    dn, pos = text(buffer, pos, end, OCTET_STRING, "ModifyDNRequest.entry")
    new_rdn, pos = text(buffer, pos, end, OCTET_STRING, "ModifyDNRequest.newrdn")
    delete_old_rdn, pos = boolean(buffer, pos, end, BOOLEAN, "ModifyDNRequest.deleteoldrdn")
    new_superior = None
    if pos < end and buffer[pos] == 0x80:
        new_superior, pos = text(buffer, pos, end, 0x80, "ModifyDNRequest.newSuperior")
    if pos != end:
        extensions(buffer, pos, end, "ModifyDNRequest", b"\x80")
    return ModifyDNRequest(dn, new_rdn, delete_old_rdn, new_superior)


def _compare_request(buffer: bytes, pos: int, end: int, limits: Limits) -> CompareRequest:
    dn, pos = text(buffer, pos, end, OCTET_STRING, "CompareRequest.entry")
    pos, stop = element(buffer, pos, end, SEQUENCE, "CompareRequest.ava")
    description, pos = text(buffer, pos, stop, OCTET_STRING, "CompareRequest.ava.attributeDesc")
    value, pos = octets(buffer, pos, stop, OCTET_STRING, "CompareRequest.ava.assertionValue")
    if pos != stop:
        extensions(buffer, pos, stop, "CompareRequest.ava")
    if stop != end:
        extensions(buffer, stop, end, "CompareRequest")
    return CompareRequest(dn, description, value)


def _abandon_request(buffer: bytes, pos: int, end: int, limits: Limits) -> AbandonRequest:
    size = end - pos
    message_id = int.from_bytes(buffer[pos:end], "big", signed=True) if 0 < size <= 8 else -1
    if not 0 <= message_id <= MAX_INT:
        raise RemoteProtocolError("AbandonRequest", f"is not an integer between 0 and {MAX_INT}")
    return AbandonRequest(message_id)


def _extended_request(buffer: bytes, pos: int, end: int, limits: Limits) -> ExtendedRequest:
    oid, pos = text(buffer, pos, end, 0x80, "ExtendedRequest.requestName")
    value = None
    if pos < end and buffer[pos] == 0x81:
        value, pos = octets(buffer, pos, end, 0x81, "ExtendedRequest.requestValue")
    if pos != end:
        extensions(buffer, pos, end, "ExtendedRequest", b"\x80\x81")
    return ExtendedRequest(oid, value)


# -- responses


def _bind_response(buffer: bytes, pos: int, end: int, limits: Limits) -> BindResponse:
    result, pos = _result(buffer, pos, end, limits)
    credentials = None
    if pos < end and buffer[pos] == 0x87:
        credentials, pos = octets(buffer, pos, end, 0x87, "BindResponse.serverSaslCreds")
    if pos != end:
        extensions(buffer, pos, end, "BindResponse", b"\xa3\x87")
    return BindResponse(result, credentials)


def _search_result_entry(buffer: bytes, pos: int, end: int, limits: Limits) -> SearchResultEntry:
    dn, pos = text(buffer, pos, end, OCTET_STRING, "SearchResultEntry.objectName")
    attributes, pos = _attributes(buffer, pos, end, limits.values, "SearchResultEntry.attributes")
    if pos != end:
        extensions(buffer, pos, end, "SearchResultEntry")
    return SearchResultEntry(dn, attributes)


def _search_result_reference(buffer: bytes, pos: int, end: int, limits: Limits) -> SearchResultReference:
    return SearchResultReference(_uris(buffer, pos, end, limits, "SearchResultReference"))


def _extended_response(buffer: bytes, pos: int, end: int, limits: Limits) -> ExtendedResponse:
    result, pos = _result(buffer, pos, end, limits)
    oid, value = None, None
    if pos < end and buffer[pos] == 0x8A:
        oid, pos = text(buffer, pos, end, 0x8A, "ExtendedResponse.responseName")
    if pos < end and buffer[pos] == 0x8B:
        value, pos = octets(buffer, pos, end, 0x8B, "ExtendedResponse.responseValue")
    if pos != end:
        extensions(buffer, pos, end, "ExtendedResponse", b"\xa3\x8a\x8b")
    return ExtendedResponse(result, oid, value)


def _intermediate_response(buffer: bytes, pos: int, end: int, limits: Limits) -> IntermediateResponse:
    oid, value = None, None
    if pos < end and buffer[pos] == 0x80:
        oid, pos = text(buffer, pos, end, 0x80, "IntermediateResponse.responseName")
    if pos < end and buffer[pos] == 0x81:
        value, pos = octets(buffer, pos, end, 0x81, "IntermediateResponse.responseValue")
    if pos != end:
        extensions(buffer, pos, end, "IntermediateResponse", b"\x80\x81")
    return IntermediateResponse(oid, value)


def _plain(name: str, response: Callable[[Result], Response]) -> Decoder:
    """The decoder of a response that is an LDAPResult and nothing more."""

    def decode(buffer: bytes, pos: int, end: int, limits: Limits) -> Response:
        result, pos = _result(buffer, pos, end, limits)
        if pos != end:
            extensions(buffer, pos, end, name, b"\xa3")
        return response(result)

    return decode


# -- parts


def _result(buffer: bytes, pos: int, end: int, limits: Limits) -> tuple[Result, int]:
    """The LDAPResult's own components. An unknown code is an error of unknown kind (4.1.9)."""
    number, pos = integer(buffer, pos, end, ENUMERATED, MAX_INT, "LDAPResult.resultCode")
    matched_dn, pos = text(buffer, pos, end, OCTET_STRING, "LDAPResult.matchedDN")
    diagnostic, pos = text(buffer, pos, end, OCTET_STRING, "LDAPResult.diagnosticMessage")
    referrals: tuple[str, ...] = ()
    if pos < end and buffer[pos] == 0xA3:
        start, pos = element(buffer, pos, end, 0xA3, "LDAPResult.referral")
        referrals = _uris(buffer, start, pos, limits, "LDAPResult.referral")
    return Result(_RESULT_CODES.get(number, ResultCode.OTHER), diagnostic, matched_dn, referrals), pos


def _uris(buffer: bytes, pos: int, end: int, limits: Limits, path: str) -> tuple[str, ...]:
    """A SEQUENCE SIZE (1..MAX) OF URI."""
    uris: list[str] = []
    while pos < end:
        uri, pos = text(buffer, pos, end, OCTET_STRING, path)
        uris.append(uri)
        if len(uris) > limits.values:
            raise RemoteProtocolError(path, f"has more than {limits.values} URIs", limit="values")
    if not uris:
        raise RemoteProtocolError(path, "has no URI")
    return tuple(uris)


def _attributes(
    buffer: bytes, pos: int, end: int, budget: int, path: str
) -> tuple[tuple[PartialAttribute, ...], int]:
    """A list of attributes with their values, and where it stops."""
    cursor, end_of_all = element(buffer, pos, end, SEQUENCE, path)
    attributes: list[PartialAttribute] = []
    while cursor < end_of_all:
        attribute, cursor = _attribute(buffer, cursor, end_of_all, budget, path)
        budget -= len(attribute.values) + 1
        attributes.append(attribute)
    return tuple(attributes), end_of_all


def _attribute(buffer: bytes, pos: int, end: int, budget: int, path: str) -> tuple[PartialAttribute, int]:
    """A PartialAttribute with not more values than `budget`, and where it stops."""
    pos, stop = element(buffer, pos, end, SEQUENCE, path)
    description, pos = text(buffer, pos, stop, OCTET_STRING, path)
    cursor, end_of_all = element(buffer, pos, stop, SET, path)
    values: list[bytes] = []
    while cursor < end_of_all:
        value, cursor = octets(buffer, cursor, end_of_all, OCTET_STRING, path)
        values.append(value)
        if len(values) > budget:
            break
    if len(values) > budget or budget <= 0:
        raise RemoteProtocolError(path, "makes more values than a message may have", limit="values")
    if end_of_all != stop:
        extensions(buffer, end_of_all, stop, path)
    return PartialAttribute(description, tuple(values)), stop


def _whole_text(buffer: bytes, pos: int, end: int, path: str) -> str:
    """The content of an element that is itself an LDAPString."""
    try:
        return buffer[pos:end].decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError(path, "is not UTF-8") from None


REQUEST_DECODERS: Final[Mapping[int, Decoder]] = {
    0x60: _bind_request,
    0x42: _unbind_request,
    0x63: _search_request,
    0x66: _modify_request,
    0x68: _add_request,
    0x4A: _delete_request,
    0x6C: _modify_dn_request,
    0x6E: _compare_request,
    0x50: _abandon_request,
    0x77: _extended_request,
}

RESPONSE_DECODERS: Final[Mapping[int, Decoder]] = {
    0x61: _bind_response,
    0x64: _search_result_entry,
    0x73: _search_result_reference,
    0x65: _plain("SearchResultDone", SearchResultDone),
    0x67: _plain("ModifyResponse", ModifyResponse),
    0x69: _plain("AddResponse", AddResponse),
    0x6B: _plain("DeleteResponse", DeleteResponse),
    0x6D: _plain("ModifyDNResponse", ModifyDNResponse),
    0x6F: _plain("CompareResponse", CompareResponse),
    0x78: _extended_response,
    0x79: _intermediate_response,
}

ALL_DECODERS: Final[Mapping[int, Decoder]] = {**REQUEST_DECODERS, **RESPONSE_DECODERS}
