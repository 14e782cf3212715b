"""Values of controls and of extended operations: there and back, against ldap3 and pyasn1, and spoilt.

Where ldap3 has the type, it is the oracle; for the others the ASN.1 of the specification is written down
here for pyasn1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, get_args
from uuid import UUID

import pytest
from codec_strategies import (
    attributes,
    filters,
    leaves,
    maybe_octets,
    maybe_texts,
    numbers,
    octets,
    secrets,
    texts,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from ldap3.protocol.rfc2696 import RealSearchControlValue, paged_search_control
from ldap3.protocol.rfc3062 import PasswdModifyRequestValue, PasswdModifyResponseValue
from ldap3.protocol.rfc4511 import AttributeSelection
from ldap3.protocol.rfc4527 import post_read_control, pre_read_control
from ldap3.strategy.base import BaseStrategy
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import namedtype, tag, univ
from pyasn1_modules import rfc2251
from test_codec_pyasn1 import Pyasn1, flat_filters

from provserver.ldap import controls as c
from provserver.ldap import extended as e
from provserver.ldap import messages as m
from provserver.ldap.filters import Extensible, Filter
from provserver.ldap.results import ResultCode
from provserver.ldap.values import WireValue
from provserver.vault.secret import Secret

few = settings(max_examples=40)
many = settings(max_examples=300)


def several(element: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(element, min_size=least, max_size=3).map(tuple)


simple_items = leaves.filter(lambda item: not (isinstance(item, Extensible) and item.dn_attributes))
entries = st.builds(m.SearchResultEntry, texts, attributes())
warnings = st.none() | st.builds(c.TimeBeforeExpiration, numbers) | st.builds(c.GraceAuthentications, numbers)
maybe_secrets = st.none() | secrets
chosen_deliveries = (several(texts), maybe_texts, maybe_texts, maybe_texts, maybe_texts, st.booleans())

times = st.integers(0, 4_102_444_800_000_000).map(lambda microseconds: microseconds / 1_000_000)
"""Until 2100."""

VALUES: dict[type[WireValue], st.SearchStrategy[Any]] = {
    c.PagedResults: st.builds(c.PagedResults, numbers, octets),
    c.SortRequest: st.builds(
        c.SortRequest, several(st.builds(c.SortKey, texts, maybe_texts, st.booleans()), least=1)
    ),
    c.SortResult: st.builds(c.SortResult, st.sampled_from(ResultCode), maybe_texts),
    c.ViewRequest: st.builds(
        c.ViewRequest,
        numbers,
        numbers,
        st.builds(c.ByOffset, numbers, numbers) | st.builds(c.ByValue, octets),
        maybe_octets,
    ),
    c.ViewResult: st.builds(c.ViewResult, numbers, numbers, st.sampled_from(ResultCode), maybe_octets),
    c.Assertion: st.builds(c.Assertion, filters()),
    c.PreRead: st.builds(c.PreRead, several(texts)),
    c.PostRead: st.builds(c.PostRead, several(texts)),
    c.PreReadEntry: st.builds(c.PreReadEntry, entries),
    c.PostReadEntry: st.builds(c.PostReadEntry, entries),
    c.ProxiedAuthorization: st.builds(
        c.ProxiedAuthorization, st.just("") | texts.map("dn:{}".format) | texts.map("u:{}".format)
    ),
    c.ManageDsaIT: st.builds(c.ManageDsaIT),
    c.MatchedValues: st.builds(c.MatchedValues, several(simple_items)),
    c.TreeDelete: st.builds(c.TreeDelete),
    c.Subentries: st.builds(c.Subentries, st.booleans()),
    c.PasswordPolicyRequest: st.builds(c.PasswordPolicyRequest),
    c.PasswordPolicyResponse: st.builds(
        c.PasswordPolicyResponse, warnings, st.none() | st.sampled_from(c.PolicyError)
    ),
    c.SyncRequest: st.builds(c.SyncRequest, st.sampled_from(c.SyncMode), maybe_octets, st.booleans()),
    c.Captured: st.builds(c.Captured, st.binary(min_size=1, max_size=64), times, times),
    c.SyncState: st.builds(c.SyncState, st.sampled_from(c.EntryState), st.uuids(), maybe_octets),
    c.SyncDone: st.builds(c.SyncDone, maybe_octets, st.booleans()),
    c.SyncInfo: st.builds(
        c.SyncInfo,
        st.one_of(
            st.builds(c.NewCookie, octets),
            st.builds(c.RefreshDelete, maybe_octets, st.booleans()),
            st.builds(c.RefreshPresent, maybe_octets, st.booleans()),
            st.builds(c.SyncIdSet, several(st.uuids()), maybe_octets, st.booleans()),
        ),
    ),
    e.PasswordModify: st.builds(e.PasswordModify, maybe_texts, maybe_secrets, maybe_secrets),
    e.PasswordModified: st.builds(e.PasswordModified, maybe_secrets),
    e.Cancel: st.builds(e.Cancel, numbers),
    e.Cancelled: st.builds(e.Cancelled),
    e.WhoAmI: st.builds(e.WhoAmI),
    e.YouAre: st.builds(e.YouAre, maybe_texts),
    e.Explain: st.builds(e.Explain, texts),
    e.Explained: st.builds(e.Explained, maybe_texts),
    e.ClearGuard: st.builds(e.ClearGuard, texts),
    e.GuardCleared: st.builds(e.GuardCleared, maybe_texts),
    e.RetryDeliveries: st.builds(e.RetryDeliveries, *chosen_deliveries),
    e.DeliveriesRetried: st.builds(e.DeliveriesRetried, maybe_texts),
    e.DropDeliveries: st.builds(e.DropDeliveries, *chosen_deliveries),
    e.DeliveriesDropped: st.builds(e.DeliveriesDropped, maybe_texts),
    e.CheckEndpoint: st.builds(e.CheckEndpoint, texts, maybe_texts),
    e.ExploreEndpoint: st.builds(
        e.ExploreEndpoint, texts, st.lists(texts, max_size=4).map(tuple), st.booleans(), maybe_texts
    ),
    e.CheckTree: st.builds(e.CheckTree, st.booleans()),
    e.EndpointChecked: st.builds(e.EndpointChecked, maybe_texts),
    e.EndpointExplored: st.builds(e.EndpointExplored, maybe_texts),
    e.TreeChecked: st.builds(e.TreeChecked, maybe_texts),
}
values = st.one_of(VALUES.values())
kinds = st.sampled_from(sorted(VALUES, key=lambda kind: kind.name))


def test_every_kind_of_value_takes_part() -> None:
    registered = {kind.value for kind in c.REQUEST_CONTROLS.values()} | {
        kind
        for registry in (c.RESPONSE_CONTROLS, e.EXTENDED_REQUESTS, e.EXTENDED_RESPONSES)
        for kind in registry.values()
    }
    assert set(VALUES) == registered | {c.SyncInfo}


@many
@given(values)
def test_every_value_decodes_to_what_was_encoded(value: WireValue) -> None:
    assert type(value).decode(value.encode()) == value


# -- the oracles


def tagged(base: Any, number: int, form: int = tag.tagFormatSimple) -> Any:
    return base.subtype(implicitTag=tag.Tag(tag.tagClassContext, form, number))


def structure(*components: Any, of: type[Any] = univ.Sequence) -> Any:
    return of(componentType=namedtype.NamedTypes(*components))


is_there, may_be, default = namedtype.NamedType, namedtype.OptionalNamedType, namedtype.DefaultedNamedType
_number, _octets, _code = univ.Integer(), univ.OctetString(), univ.Enumerated()
_constructed = tag.tagFormatConstructed
_cookie = may_be("cookie", _octets)


def _phase(number: int) -> Any:
    return tagged(structure(_cookie, default("refreshDone", univ.Boolean(True))), number, _constructed)


SPECIFICATIONS: dict[type[WireValue], Any] = {
    c.PagedResults: RealSearchControlValue(),
    c.SortRequest: univ.SequenceOf(
        structure(
            is_there("attributeType", _octets),
            may_be("orderingRule", tagged(_octets, 0)),
            default("reverseOrder", tagged(univ.Boolean(False), 1)),
        )
    ),
    c.SortResult: structure(is_there("sortResult", _code), may_be("attributeType", tagged(_octets, 0))),
    c.ViewRequest: structure(
        is_there("beforeCount", _number),
        is_there("afterCount", _number),
        is_there(
            "target",
            structure(
                is_there(
                    "byOffset",
                    tagged(
                        structure(is_there("offset", _number), is_there("contentCount", _number)),
                        0,
                        _constructed,
                    ),
                ),
                is_there("greaterThanOrEqual", tagged(_octets, 1)),
                of=univ.Choice,
            ),
        ),
        may_be("contextID", _octets),
    ),
    c.ViewResult: structure(
        is_there("targetPosition", _number),
        is_there("contentCount", _number),
        is_there("virtualListViewResult", _code),
        may_be("contextID", _octets),
    ),
    c.Assertion: rfc2251.Filter(),
    c.PreRead: AttributeSelection(),
    c.PostRead: AttributeSelection(),
    c.PreReadEntry: rfc2251.SearchResultEntry(),
    c.PostReadEntry: rfc2251.SearchResultEntry(),
    c.MatchedValues: univ.SequenceOf(rfc2251.Filter()),
    c.Subentries: univ.Boolean(),
    c.PasswordPolicyResponse: structure(
        may_be(
            "warning",
            structure(
                is_there("timeBeforeExpiration", tagged(_number, 0)),
                is_there("graceAuthNsRemaining", tagged(_number, 1)),
                of=univ.Choice,
            ).subtype(explicitTag=tag.Tag(tag.tagClassContext, _constructed, 0)),
        ),
        may_be("error", tagged(_code, 1)),
    ),
    c.SyncRequest: structure(is_there("mode", _code), _cookie, default("reloadHint", univ.Boolean(False))),
    c.Captured: structure(
        is_there("changeId", _octets), is_there("captured", _octets), is_there("sent", _octets)
    ),
    c.SyncState: structure(is_there("state", _code), is_there("entryUUID", _octets), _cookie),
    c.SyncDone: structure(_cookie, default("refreshDeletes", univ.Boolean(False))),
    c.SyncInfo: structure(
        is_there("newcookie", tagged(_octets, 0)),
        is_there("refreshDelete", _phase(1)),
        is_there("refreshPresent", _phase(2)),
        is_there(
            "syncIdSet",
            tagged(
                structure(
                    _cookie,
                    default("refreshDeletes", univ.Boolean(False)),
                    is_there("syncUUIDs", univ.SetOf(_octets)),
                ),
                3,
                _constructed,
            ),
        ),
        of=univ.Choice,
    ),
    e.PasswordModify: PasswdModifyRequestValue(),
    e.PasswordModified: PasswdModifyResponseValue(),
    e.Cancel: structure(is_there("cancelID", _number)),
}


CHOICES: dict[type, str] = {
    c.ByOffset: "byOffset",
    c.ByValue: "greaterThanOrEqual",
    c.TimeBeforeExpiration: "timeBeforeExpiration",
    c.GraceAuthentications: "graceAuthNsRemaining",
    c.NewCookie: "newcookie",
    c.RefreshDelete: "refreshDelete",
    c.RefreshPresent: "refreshPresent",
    c.SyncIdSet: "syncIdSet",
}
ORDER: dict[type, tuple[str, ...]] = {c.SyncIdSet: ("syncUUIDs", "cookie", "refreshDeletes")}
"""Components in the order of our fields, where it is not that of the specification."""


WRAPPED = (
    c.SortRequest,
    c.Assertion,
    c.PreRead,
    c.PostRead,
    c.PreReadEntry,
    c.PostReadEntry,
    c.MatchedValues,
    c.Subentries,
    c.SyncInfo,
    *(c.ByValue, c.TimeBeforeExpiration, c.GraceAuthentications, c.NewCookie),
)
"""What has one field and is, for its specification, no structure around it."""


def _content(value: Any) -> Any:
    """What a component is to be: a plain value as pyasn1 takes it, or a structure of ours."""
    if isinstance(value, WRAPPED):
        return getattr(value, fields(value)[0].name)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y%m%d%H%M%S.%fZ").encode()
    if isinstance(value, UUID):
        return value.bytes
    return int(value) if isinstance(value, IntEnum) else value


def _fill(into: Any, value: Any) -> None:
    """A structure of ours into theirs, component by component."""
    if isinstance(value, m.SearchResultEntry):
        Pyasn1().searchResEntry(into, value)
    elif isinstance(value, get_args(Filter)):
        Pyasn1().filter(into, value)
    elif isinstance(into, univ.Choice):
        _put(into, CHOICES[type(value)], value)
    elif isinstance(value, tuple):
        into.clear()
        for index, part in enumerate(value):
            _put(into, index, part)
    else:
        into.clear()
        for name, field in zip(ORDER.get(type(value), into.componentType), fields(value), strict=True):
            _put(into, name, getattr(value, field.name))


def _put(into: Any, key: str | int, part: Any) -> None:
    if part is None:
        return
    # Which component of a choice it is, is said by the record; so one is chosen before it is unwrapped.
    content = part if isinstance(into[key], univ.Choice) else _content(part)
    if isinstance(content, bytes | int):
        into[key] = content
    else:
        _fill(into[key], content)


def _theirs(value: Any) -> Any:
    specification = SPECIFICATIONS[type(value)]
    if isinstance(value, c.Subentries):
        return specification.clone(value.visible)
    built = specification.clone()
    _fill(built, _content(value))
    return built


FOR_PYASN1 = {
    **VALUES,
    # Its filters nest one level only, see test_codec_pyasn1.
    c.Assertion: st.builds(c.Assertion, flat_filters),
    # With nothing in them they are absent.
    e.PasswordModify: VALUES[e.PasswordModify].filter(lambda value: value.encode() is not None),
    e.PasswordModified: st.builds(e.PasswordModified, secrets),
}


@pytest.mark.parametrize("kind", SPECIFICATIONS, ids=lambda kind: kind.name)
def test_pyasn1_and_we_understand_each_other(kind: type[WireValue]) -> None:
    @few
    @given(FOR_PYASN1[kind])
    def agree(value: WireValue) -> None:
        theirs = encoder.encode(_theirs(value))
        assert kind.decode(theirs) == value
        understood, rest = decoder.decode(value.encode(), asn1Spec=SPECIFICATIONS[kind])
        assert not rest
        assert encoder.encode(understood) == theirs

    agree()


@few
@given(numbers, octets)
def test_ldap3_asks_for_pages_as_we_do(size: int, cookie: bytes) -> None:
    control = paged_search_control(False, size, cookie)
    assert bytes(control["controlValue"]) == c.PagedResults(size, cookie).encode()


@few
@given(several(st.sampled_from(("cn", "*", "+", "1.1", "sn;lang-de")), least=1))
def test_ldap3_asks_for_entries_as_we_do(selectors: tuple[str, ...]) -> None:
    for build, ours in ((pre_read_control, c.PreRead), (post_read_control, c.PostRead)):
        control = build(list(selectors), criticality=True)
        assert bytes(control["controlValue"]) == ours(selectors).encode()
        assert str(control["controlType"]) == ours.oid


@few
@given(numbers, octets)
def test_ldap3_understands_our_pages(size: int, cookie: bytes) -> None:
    control = c.encode_response(c.PagedResults(size, cookie))
    parts = [(False, 0, 4, control.oid.encode()), (False, 0, 4, control.value)]
    _, found = BaseStrategy.decode_control_fast(parts, from_server=False)
    assert found["value"] == {"size": size, "cookie": cookie}


# -- spoilt


def _check(kind: type[WireValue], value: bytes) -> None:
    """Any octets are a value that can be said again, or refused as malformed."""
    try:
        found = kind.decode(value)
    except kind.malformed:
        return
    assert kind.decode(found.encode()) == found


@many
@given(kinds, st.binary(max_size=40))
def test_any_octets_are_a_value_or_malformed(kind: type[WireValue], value: bytes) -> None:
    _check(kind, value)


@many
@given(kinds, st.binary(max_size=40), st.sampled_from((0x30, 0x31, 0x64, 0xA0, 0xA1, 0xA2, 0xA3, 0xA9)))
def test_any_content_is_a_value_or_malformed(kind: type[WireValue], content: bytes, tag: int) -> None:
    _check(kind, bytes((tag, len(content))) + content)


_spoilings: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.builds(
        lambda at, new: lambda old: old[:at] + bytes((new,)) + old[at + 1 :],
        st.integers(0, 30),
        st.integers(0, 255),
    ),
    st.builds(
        lambda at, new: lambda old: old[:at] + new + old[at:],
        st.integers(0, 30),
        st.binary(min_size=1, max_size=3),
    ),
    st.builds(
        lambda at, count: lambda old: old[:at] + old[at + count :], st.integers(0, 30), st.integers(1, 3)
    ),
)


@many
@given(values, st.lists(_spoilings, min_size=1, max_size=3), kinds)
def test_a_spoilt_value_is_a_value_or_malformed(
    value: WireValue, spoilings: list[Callable[[bytes], bytes]], other: type[WireValue]
) -> None:
    spoilt = value.encode() or b""
    for spoil in spoilings:
        spoilt = spoil(spoilt)
    _check(type(value), spoilt)
    _check(other, spoilt)
