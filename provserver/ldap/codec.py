"""Bytes <-> typed messages, for the complete LDAPMessage grammar of RFC 4511; the door to the codec.

Without I/O, state or clock: `session` does the framing. Decoding raises RemoteProtocolError and nothing else,
encoding LocalProtocolError and nothing else.
"""

from __future__ import annotations

from typing import Final

from provserver.ldap.ber import element
from provserver.ldap.ber_writing import SEQUENCE
from provserver.ldap.decoding import ALL_DECODERS, MAX_INT, decode_content
from provserver.ldap.encoding import (
    before_value,
    encode_attribute,
    encode_entry,
    encode_entry_of,
    encode_message,
    encode_result,
    encode_search_entry,
    enveloped,
)
from provserver.ldap.errors import LocalProtocolError, RemoteProtocolError, notice_of_disconnection
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    CompareRequest,
    DeleteRequest,
    ExtendedRequest,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    Request,
    Response,
    SearchRequest,
)

BIND_RESPONSE: Final = 0x61
SEARCH_RESULT_DONE: Final = 0x65
MODIFY_RESPONSE: Final = 0x67
ADD_RESPONSE: Final = 0x69
DELETE_RESPONSE: Final = 0x6B
MODIFY_DN_RESPONSE: Final = 0x6D
COMPARE_RESPONSE: Final = 0x6F
EXTENDED_RESPONSE: Final = 0x78

RESPONSE_TAGS: Final[dict[type[Request | Response], int]] = {
    BindRequest: BIND_RESPONSE,
    SearchRequest: SEARCH_RESULT_DONE,
    ModifyRequest: MODIFY_RESPONSE,
    AddRequest: ADD_RESPONSE,
    DeleteRequest: DELETE_RESPONSE,
    ModifyDNRequest: MODIFY_DN_RESPONSE,
    CompareRequest: COMPARE_RESPONSE,
    ExtendedRequest: EXTENDED_RESPONSE,
}
"""The tag of the final answer to each request that has one (Abandon and Unbind have none)."""


def decode_message(buffer: bytes, start: int, end: int, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The one LDAPMessage, request or response, that is exactly `buffer[start:end]`."""
    pos, stop = element(buffer, start, end, SEQUENCE, "LDAPMessage")
    if stop != end:
        raise RemoteProtocolError("LDAPMessage", "is followed by other octets")
    return decode_content(buffer, pos, end, limits, ALL_DECODERS)


__all__ = [
    "ADD_RESPONSE",
    "BIND_RESPONSE",
    "COMPARE_RESPONSE",
    "DELETE_RESPONSE",
    "EXTENDED_RESPONSE",
    "LocalProtocolError",
    "MAX_INT",
    "MODIFY_DN_RESPONSE",
    "MODIFY_RESPONSE",
    "RESPONSE_TAGS",
    "RemoteProtocolError",
    "SEARCH_RESULT_DONE",
    "before_value",
    "decode_message",
    "encode_attribute",
    "encode_entry",
    "encode_entry_of",
    "encode_message",
    "encode_result",
    "encode_search_entry",
    "enveloped",
    "notice_of_disconnection",
]
