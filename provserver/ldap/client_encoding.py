"""Our changes and filters as ldaptor's request objects. Only `client` uses this module."""

from __future__ import annotations

from typing import Any, assert_never

from ldaptor.protocols import pureber, pureldap

from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
)
from provserver.ldap.messages import Change


def octets(value: bytes) -> Any:
    return pureldap.LDAPAttributeValue(value)


def encode_change(change: Change) -> Any:
    attribute = change.attribute
    values = pureber.BERSet([octets(value) for value in attribute.values])
    described = pureber.BERSequence([pureldap.LDAPAttributeDescription(attribute.description), values])
    return pureber.BERSequence([pureber.BEREnumerated(int(change.kind)), described])


def _assertion(kind: Any, attribute: str, value: bytes) -> Any:
    return kind(pureldap.LDAPAttributeDescription(attribute), pureldap.LDAPAssertionValue(value))


def _substrings(filter: Substrings) -> Any:
    parts = [pureldap.LDAPFilter_substrings_any(part) for part in filter.any]
    if filter.initial is not None:
        parts.insert(0, pureldap.LDAPFilter_substrings_initial(filter.initial))
    if filter.final is not None:
        parts.append(pureldap.LDAPFilter_substrings_final(filter.final))
    return pureldap.LDAPFilter_substrings(filter.attribute, parts)


def encode_filter(filter: Filter) -> Any:
    match filter:
        case And(parts):
            return pureldap.LDAPFilter_and([encode_filter(part) for part in parts])
        case Or(parts):
            return pureldap.LDAPFilter_or([encode_filter(part) for part in parts])
        case Not(part):
            return pureldap.LDAPFilter_not(encode_filter(part))
        case Equality(attribute, value):
            return _assertion(pureldap.LDAPFilter_equalityMatch, attribute, value)
        case GreaterOrEqual(attribute, value):
            return _assertion(pureldap.LDAPFilter_greaterOrEqual, attribute, value)
        case LessOrEqual(attribute, value):
            return _assertion(pureldap.LDAPFilter_lessOrEqual, attribute, value)
        case Approximate(attribute, value):
            return _assertion(pureldap.LDAPFilter_approxMatch, attribute, value)
        case Substrings():
            return _substrings(filter)
        case Present(attribute):
            return pureldap.LDAPFilter_present(attribute)
        case Extensible(rule, attribute, value, dn_attributes):
            return pureldap.LDAPFilter_extensibleMatch(
                matchingRule=rule, type=attribute, matchValue=value, dnAttributes=dn_attributes or None
            )
        case _:
            assert_never(filter)
