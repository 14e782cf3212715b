"""The two ways in which the protocol can be broken: by us, or by the peer.

The division is h11's: a LocalProtocolError is a bug of ours, a RemoteProtocolError is theirs and carries what
to send back. Neither ever shows a value: any byte of a message may belong to a password.
"""

from __future__ import annotations

from typing import Final

from provserver.ldap.ber_writing import ENUMERATED, integer, octets, tlv
from provserver.ldap.results import ResultCode

_NOTICE_NAME: Final = tlv(0x8A, b"1.3.6.1.4.1.1466.20036")


class LocalProtocolError(Exception):
    """We tried to say or do what RFC 4511 does not allow."""


class RemoteProtocolError(Exception):
    """The peer said what RFC 4511 does not allow; nothing after it can be trusted.

    `path` names the ASN.1 component (`SearchRequest.filter`), `problem` what was wrong with it; `limit` is
    the field of `Limits` that was exceeded, if that is all that is wrong.
    """

    def __init__(self, path: str, problem: str, *, limit: str = "") -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem
        self.limit = limit

    @property
    def notice(self) -> bytes:
        """The Notice of Disconnection to send before closing (RFC 4511 4.1.1, 4.4.1)."""
        return notice_of_disconnection(ResultCode.PROTOCOL_ERROR, str(self))


def notice_of_disconnection(code: ResultCode, text: str) -> bytes:
    """The unsolicited notification, message id 0, that says why the server closes (RFC 4511 4.4.1)."""
    result = integer(ENUMERATED, code) + octets(b"") + octets(text.encode("utf-8", "replace"))
    return tlv(0x30, b"\x02\x01\x00" + tlv(0x78, result + _NOTICE_NAME))
