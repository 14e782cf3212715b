"""The controls that we can say and understand (RFC 4511 4.1.11): their values, typed, and the bytes of them.

One module per family, without I/O and without any meaning for a directory. A server looks a control up in
`REQUEST_CONTROLS`, asks whether it `suits` the operation, and decodes it. Start at `kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from provserver.ldap.controls.authorization import ProxiedAuthorization
from provserver.ldap.controls.captured import Captured
from provserver.ldap.controls.filtering import Assertion, MatchedValues, SimpleFilterItem
from provserver.ldap.controls.kinds import ControlError, ControlKind, ControlValue
from provserver.ldap.controls.marks import ManageDsaIT, TreeDelete
from provserver.ldap.controls.paging import PagedResults
from provserver.ldap.controls.password_policy import (
    GraceAuthentications,
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    TimeBeforeExpiration,
)
from provserver.ldap.controls.read_entry import PostRead, PostReadEntry, PreRead, PreReadEntry
from provserver.ldap.controls.sorting import SortKey, SortRequest, SortResult
from provserver.ldap.controls.subentries import Subentries
from provserver.ldap.controls.sync_info import NewCookie, RefreshDelete, RefreshPresent, SyncIdSet, SyncInfo
from provserver.ldap.controls.synchronisation import EntryState, SyncDone, SyncMode, SyncRequest, SyncState
from provserver.ldap.controls.views import ByOffset, ByValue, ViewRequest, ViewResult
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import (
    START_TLS,
    AddRequest,
    CompareRequest,
    Control,
    DeleteRequest,
    ExtendedRequest,
    ModifyDNRequest,
    ModifyRequest,
    Request,
    SearchRequest,
)

_SEARCH: Final[frozenset[type[Request]]] = frozenset({SearchRequest})
_ON_ENTRIES: Final = _SEARCH | {AddRequest, CompareRequest, DeleteRequest, ModifyDNRequest, ModifyRequest}

_KINDS: Final = (
    ControlKind(PagedResults, _SEARCH),
    ControlKind(SortRequest, _SEARCH),
    ControlKind(ViewRequest, _SEARCH),
    ControlKind(Assertion, _ON_ENTRIES),
    ControlKind(PreRead, frozenset({DeleteRequest, ModifyDNRequest, ModifyRequest})),
    ControlKind(PostRead, frozenset({AddRequest, ModifyDNRequest, ModifyRequest})),
    ControlKind(
        ProxiedAuthorization, _ON_ENTRIES | {ExtendedRequest}, frozenset({START_TLS}), always_critical=True
    ),
    ControlKind(ManageDsaIT, _ON_ENTRIES),
    ControlKind(MatchedValues, _SEARCH),
    ControlKind(TreeDelete, frozenset({DeleteRequest})),
    ControlKind(Subentries, _SEARCH),
    ControlKind(PasswordPolicyRequest, frozenset(get_args(Request))),
    ControlKind(SyncRequest, _SEARCH),
    ControlKind(Captured, frozenset({ModifyRequest})),
)

REQUEST_CONTROLS: Final[Mapping[str, ControlKind]] = MappingProxyType({kind.oid: kind for kind in _KINDS})
"""What a client may send us, by object identifier."""

RESPONSE_CONTROLS: Final[Mapping[str, type[ControlValue]]] = MappingProxyType(
    {
        kind.oid: kind
        for kind in (
            PagedResults,
            SortResult,
            ViewResult,
            PreReadEntry,
            PostReadEntry,
            PasswordPolicyResponse,
            SyncState,
            SyncDone,
        )
    }
)
"""What a server may send, by object identifier."""


def decode_request(oid: str, value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> ControlValue:
    """The value of a control of REQUEST_CONTROLS (else KeyError); ControlError if it is malformed."""
    return REQUEST_CONTROLS[oid].decode(value, limits)


def encode_request(value: ControlValue, *, critical: bool = False) -> Control:
    """The control for a request; critical without being asked if its specification wants that."""
    return Control(value.oid, critical or REQUEST_CONTROLS[value.oid].always_critical, value.encode())


def decode_response(oid: str, value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> ControlValue:
    """The value of a control of RESPONSE_CONTROLS (else KeyError); ControlError if it is malformed."""
    return RESPONSE_CONTROLS[oid].decode(value, limits)


def encode_response(value: ControlValue) -> Control:
    """The control for a response, where criticality means nothing (RFC 4511 4.1.11)."""
    return Control(value.oid, False, value.encode())


__all__ = [
    "Assertion",
    "ByOffset",
    "ByValue",
    "Captured",
    "ControlError",
    "ControlKind",
    "ControlValue",
    "EntryState",
    "GraceAuthentications",
    "ManageDsaIT",
    "MatchedValues",
    "NewCookie",
    "PagedResults",
    "PasswordPolicyRequest",
    "PasswordPolicyResponse",
    "PolicyError",
    "PostRead",
    "PostReadEntry",
    "PreRead",
    "PreReadEntry",
    "ProxiedAuthorization",
    "REQUEST_CONTROLS",
    "RESPONSE_CONTROLS",
    "RefreshDelete",
    "RefreshPresent",
    "SimpleFilterItem",
    "SortKey",
    "SortRequest",
    "SortResult",
    "Subentries",
    "SyncDone",
    "SyncIdSet",
    "SyncInfo",
    "SyncMode",
    "SyncRequest",
    "SyncState",
    "TimeBeforeExpiration",
    "TreeDelete",
    "ViewRequest",
    "ViewResult",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]
