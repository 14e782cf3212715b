"""Typed messages to bytes: one function per production of RFC 4511 appendix B.

The hot answers are encoded without dataclasses. What cannot be said (a message id out of range, text that is
no UTF-8) raises LocalProtocolError: a bug of ours. `codec` is the door to this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from provserver.ldap.ber_writing import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    boolean,
    header,
    integer,
    octets,
    tlv,
)
from provserver.ldap.decoding import MAX_INT
from provserver.ldap.errors import LocalProtocolError
from provserver.ldap.filter_encoding import encode_filter
from provserver.ldap.messages import (
    AbandonRequest,
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    CompareRequest,
    CompareResponse,
    Control,
    DeleteRequest,
    DeleteResponse,
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
from provserver.ldap.results import SUCCESS, Result

_SUCCESS_BODY: Final = b"\x0a\x01\x00\x04\x00\x04\x00"


def encode_message(message: Message) -> bytes:
    """Any message of RFC 4511."""
    operation = message.operation
    encoder = _ENCODERS.get(type(operation))
    if encoder is None:
        raise LocalProtocolError(f"{type(operation).__name__} is not an operation")
    return enveloped(message.id, encoder(operation), message.controls)


def encode_search_entry(
    message_id: int,
    dn: str | bytes,
    attributes: Iterable[tuple[str | bytes, Sequence[bytes]]],
    controls: Sequence[Control] = (),
) -> bytes:
    """A SearchResultEntry. Names given as `str` are remembered encoded: they should come from a schema."""
    return enveloped(message_id, encode_entry(dn, attributes), controls)


def encode_entry(dn: str | bytes, attributes: Iterable[tuple[str | bytes, Sequence[bytes]]]) -> bytes:
    """The operation of a SearchResultEntry, to be `enveloped`, once or again."""
    encoded = []
    for description, values in attributes:
        if len(values) == 1 and isinstance(description, str):
            value = values[0]
            before = before_value(description)
            length = len(value)
            if length < len(before):
                encoded.append(before[length])
                encoded.append(value)
                continue
        encoded.append(encode_attribute(description, values))
    return encode_entry_of(dn, b"".join(encoded))


def encode_entry_of(dn: str | bytes, attributes: bytes) -> bytes:
    """The same, of attributes that are encoded already, one after the other."""
    name = _utf8(dn) if isinstance(dn, str) else dn
    before_name, before_all = header(OCTET_STRING, len(name)), header(SEQUENCE, len(attributes))
    length = len(before_name) + len(name) + len(before_all) + len(attributes)
    return b"".join((header(0x64, length), before_name, name, before_all, attributes))


def encode_attribute(description: str | bytes, values: Sequence[bytes]) -> bytes:
    """One attribute of an entry."""
    name = _description(description) if isinstance(description, str) else octets(description)
    return tlv(SEQUENCE, name + tlv(SET, b"".join([octets(value) for value in values])))


@lru_cache(maxsize=1024)
def before_value(description: str) -> tuple[bytes, ...]:
    """What precedes a single value in the encoding of its attribute, by the value's length; as far as all
    lengths are one octet (127 or less), which is nearly all there is.
    """
    name = _description(description)
    longest = 127 - len(name) - 4  # headers of the SET and of the value
    return tuple(
        [
            header(SEQUENCE, len(name) + 4 + length)
            + name
            + header(SET, 2 + length)
            + header(OCTET_STRING, length)
            for length in range(longest + 1)
        ]
    )


def encode_result(
    message_id: int, tag: int, result: Result = SUCCESS, controls: Sequence[Control] = ()
) -> bytes:
    """An answer that is an LDAPResult and nothing more; `tag` from `codec.RESPONSE_TAGS`."""
    body = _SUCCESS_BODY if result is SUCCESS else _result(result)
    return enveloped(message_id, tlv(tag, body), controls)


def enveloped(message_id: int, operation: bytes, controls: Sequence[Control] = ()) -> bytes:
    """The message with this operation."""
    if 0 <= message_id < 128:
        content = bytes((INTEGER, 1, message_id)) + operation
    elif 0 < message_id <= MAX_INT:
        content = integer(INTEGER, message_id) + operation
    else:
        raise LocalProtocolError(f"message id {message_id} is not between 0 and {MAX_INT}")
    if controls:
        content += tlv(0xA0, b"".join([_control(control) for control in controls]))
    return tlv(SEQUENCE, content)


def _control(control: Control) -> bytes:
    content = octets(_utf8(control.oid))
    if control.critical:
        content += boolean(BOOLEAN, True)  # FALSE is the default, and defaults are not sent (RFC 4511 5.1)
    if control.value is not None:
        content += octets(control.value)
    return tlv(SEQUENCE, content)


# -- requests


def _bind_request(request: BindRequest) -> bytes:
    authentication = request.authentication
    if isinstance(authentication, SaslCredentials):
        content = octets(_utf8(authentication.mechanism))
        if authentication.credentials is not None:
            content += octets(authentication.credentials.reveal())
        choice = tlv(0xA3, content)
    else:
        choice = tlv(0x80, authentication.reveal())
    if not 1 <= request.version <= 127:
        raise LocalProtocolError("a BindRequest's version is between 1 and 127")
    return tlv(0x60, bytes((INTEGER, 1, request.version)) + octets(_utf8(request.name)) + choice)


def _unbind_request(_: UnbindRequest) -> bytes:
    return b"\x42\x00"


def _search_request(request: SearchRequest) -> bytes:
    return tlv(
        0x63,
        octets(_utf8(request.base))
        + integer(ENUMERATED, request.scope)
        + integer(ENUMERATED, request.deref_aliases)
        + _count(request.size_limit)
        + _count(request.time_limit)
        + boolean(BOOLEAN, request.types_only)
        + encode_filter(request.filter)
        + tlv(SEQUENCE, b"".join([octets(_utf8(name)) for name in request.attributes])),
    )


def _modify_request(request: ModifyRequest) -> bytes:
    changes = [
        tlv(SEQUENCE, integer(ENUMERATED, change.kind) + _attribute(change.attribute))
        for change in request.changes
    ]
    return tlv(0x66, octets(_utf8(request.dn)) + tlv(SEQUENCE, b"".join(changes)))


def _add_request(request: AddRequest) -> bytes:
    return tlv(0x68, octets(_utf8(request.dn)) + _attributes(request.attributes))


def _delete_request(request: DeleteRequest) -> bytes:
    return tlv(0x4A, _utf8(request.dn))


def _modify_dn_request(request: ModifyDNRequest) -> bytes:
    content = octets(_utf8(request.dn)) + octets(_utf8(request.new_rdn))
    content += boolean(BOOLEAN, request.delete_old_rdn)
    if request.new_superior is not None:
        content += tlv(0x80, _utf8(request.new_superior))
    return tlv(0x6C, content)


def _compare_request(request: CompareRequest) -> bytes:
    assertion = tlv(SEQUENCE, octets(_utf8(request.description)) + octets(request.value))
    return tlv(0x6E, octets(_utf8(request.dn)) + assertion)


def _abandon_request(request: AbandonRequest) -> bytes:
    return tlv(0x50, _count(request.message_id)[2:])


def _extended_request(request: ExtendedRequest) -> bytes:
    return tlv(0x77, tlv(0x80, _utf8(request.oid)) + _optional(0x81, request.value))


# -- responses


_PlainResponse = (
    SearchResultDone | ModifyResponse | AddResponse | DeleteResponse | ModifyDNResponse | CompareResponse
)


def _plain(tag: int) -> Callable[..., bytes]:
    """The encoder of a response that is an LDAPResult and nothing more."""

    def encode(response: _PlainResponse) -> bytes:
        return tlv(tag, _result(response.result))

    return encode


def _bind_response(response: BindResponse) -> bytes:
    return tlv(0x61, _result(response.result) + _optional(0x87, response.server_sasl_credentials))


def _search_result_entry(response: SearchResultEntry) -> bytes:
    return tlv(0x64, octets(_utf8(response.dn)) + _attributes(response.attributes))


def _search_result_reference(response: SearchResultReference) -> bytes:
    return tlv(0x73, _uris(response.uris))


def _extended_response(response: ExtendedResponse) -> bytes:
    oid = None if response.oid is None else _utf8(response.oid)
    return tlv(0x78, _result(response.result) + _optional(0x8A, oid) + _optional(0x8B, response.value))


def _intermediate_response(response: IntermediateResponse) -> bytes:
    oid = None if response.oid is None else _utf8(response.oid)
    return tlv(0x79, _optional(0x80, oid) + _optional(0x81, response.value))


# -- parts


def _result(result: Result) -> bytes:
    content = (
        integer(ENUMERATED, result.code) + octets(_utf8(result.matched_dn)) + octets(_utf8(result.diagnostic))
    )
    if result.referrals:
        content += tlv(0xA3, _uris(result.referrals))
    return content


def _uris(uris: Sequence[str]) -> bytes:
    if not uris:
        raise LocalProtocolError("a referral has at least one URI")
    return b"".join([octets(_utf8(uri)) for uri in uris])


def _attributes(attributes: Sequence[PartialAttribute]) -> bytes:
    return tlv(SEQUENCE, b"".join([_attribute(attribute) for attribute in attributes]))


def _attribute(attribute: PartialAttribute) -> bytes:
    values = b"".join([octets(value) for value in attribute.values])
    return tlv(SEQUENCE, octets(_utf8(attribute.description)) + tlv(SET, values))


def _count(number: int) -> bytes:
    if not 0 <= number <= MAX_INT:
        raise LocalProtocolError(f"{number} is not between 0 and {MAX_INT}")
    return integer(INTEGER, number)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # `from None`: the error shows the text, which may be anything.
        raise LocalProtocolError("a text has no UTF-8 form") from None


def _optional(tag: int, value: bytes | None) -> bytes:
    return b"" if value is None else tlv(tag, value)


@lru_cache(maxsize=4096)
def _description(name: str) -> bytes:
    """An attribute description as an OCTET STRING."""
    encoded = _utf8(name)
    return header(OCTET_STRING, len(encoded)) + encoded


_ENCODERS: Final[dict[type[Request | Response], Callable[..., bytes]]] = {
    BindRequest: _bind_request,
    UnbindRequest: _unbind_request,
    SearchRequest: _search_request,
    ModifyRequest: _modify_request,
    AddRequest: _add_request,
    DeleteRequest: _delete_request,
    ModifyDNRequest: _modify_dn_request,
    CompareRequest: _compare_request,
    AbandonRequest: _abandon_request,
    ExtendedRequest: _extended_request,
    BindResponse: _bind_response,
    SearchResultEntry: _search_result_entry,
    SearchResultReference: _search_result_reference,
    SearchResultDone: _plain(0x65),
    ModifyResponse: _plain(0x67),
    AddResponse: _plain(0x69),
    DeleteResponse: _plain(0x6B),
    ModifyDNResponse: _plain(0x6D),
    CompareResponse: _plain(0x6F),
    ExtendedResponse: _extended_response,
    IntermediateResponse: _intermediate_response,
}
