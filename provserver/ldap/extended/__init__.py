"""The values of extended operations (RFC 4511 4.12), typed, and the bytes of them: those of the RFCs, and
some of our own.

One module per family, without I/O and without any meaning for a directory. Start at `kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from provserver.ldap.extended.explaining import ClearGuard, Explain, Explained, GuardCleared
from provserver.ldap.extended.exploring import CheckTree, EndpointExplored, ExploreEndpoint, TreeChecked
from provserver.ldap.extended.kinds import ExtendedError, ExtendedValue
from provserver.ldap.extended.operating import (
    CheckEndpoint,
    DeliveriesDropped,
    DeliveriesRetried,
    DropDeliveries,
    EndpointChecked,
    RetryDeliveries,
)
from provserver.ldap.extended.standard import (
    Cancel,
    Cancelled,
    PasswordModified,
    PasswordModify,
    WhoAmI,
    YouAre,
)
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import ExtendedRequest, ExtendedResponse
from provserver.ldap.results import SUCCESS, Result

__all__ = [
    "Cancel",
    "Cancelled",
    "CheckEndpoint",
    "CheckTree",
    "ClearGuard",
    "DeliveriesDropped",
    "DeliveriesRetried",
    "DropDeliveries",
    "EXTENDED_REQUESTS",
    "EXTENDED_RESPONSES",
    "EndpointChecked",
    "EndpointExplored",
    "Explain",
    "Explained",
    "ExploreEndpoint",
    "ExtendedError",
    "ExtendedValue",
    "GuardCleared",
    "PasswordModified",
    "PasswordModify",
    "RetryDeliveries",
    "TreeChecked",
    "WhoAmI",
    "YouAre",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]

EXTENDED_REQUESTS: Final[Mapping[str, type[ExtendedValue]]] = MappingProxyType(
    {
        kind.oid: kind
        for kind in (
            PasswordModify,
            Cancel,
            WhoAmI,
            Explain,
            ClearGuard,
            RetryDeliveries,
            DropDeliveries,
            CheckEndpoint,
            ExploreEndpoint,
            CheckTree,
        )
    }
)
"""What a client may ask, by object identifier."""

EXTENDED_RESPONSES: Final[Mapping[str, type[ExtendedValue]]] = MappingProxyType(
    {
        kind.oid: kind
        for kind in (
            PasswordModified,
            Cancelled,
            YouAre,
            Explained,
            GuardCleared,
            DeliveriesRetried,
            DeliveriesDropped,
            EndpointChecked,
            EndpointExplored,
            TreeChecked,
        )
    }
)
"""What is answered, by the object identifier of the request: these responses have no name of their own."""


def decode_request(request: ExtendedRequest, limits: Limits = DEFAULT_LIMITS) -> ExtendedValue:
    """What is asked by one of EXTENDED_REQUESTS (else KeyError); ExtendedError if its value is malformed."""
    return EXTENDED_REQUESTS[request.oid].decode(request.value, limits)


def encode_request(value: ExtendedValue) -> ExtendedRequest:
    return ExtendedRequest(value.oid, value.encode())


def decode_response(oid: str, value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> ExtendedValue:
    """The answer to one of EXTENDED_REQUESTS (else KeyError); ExtendedError if it is malformed."""
    return EXTENDED_RESPONSES[oid].decode(value, limits)


def encode_response(value: ExtendedValue, result: Result = SUCCESS) -> ExtendedResponse:
    return ExtendedResponse(result, value=value.encode())
