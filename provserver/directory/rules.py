"""Which matching rules there are (RFC 4517 section 4.2, RFC 4530, OpenLDAP, Active Directory).

A rule suits the syntaxes that the RFC names for it, and, ours, those whose values are the same kind of text
or number: caseIgnoreMatch an IA5 String too.
"""

from __future__ import annotations

from typing import Final

from provserver.directory import comparables as of
from provserver.directory import syntaxes
from provserver.directory.matching import (
    BitRule,
    EqualityRule,
    OrderingRule,
    Rule,
    SubstringsRule,
    UnknownRule,
    WordRule,
)
from provserver.directory.preparation import prepare_numeric, prepare_telephone

_STRING: Final = syntaxes.DIRECTORY_STRING
_PARTS: Final = syntaxes.SUBSTRING_ASSERTION


def _only(*oids: str) -> frozenset[str]:
    return frozenset(oids)


_TEXTS: Final = _only(
    _STRING,
    syntaxes.PRINTABLE_STRING,
    syntaxes.COUNTRY_STRING,
    syntaxes.TELEPHONE_NUMBER,
    syntaxes.IA5_STRING,
)
_IA5: Final = _only(syntaxes.IA5_STRING)
_NUMERIC: Final = _only(syntaxes.NUMERIC_STRING)
_TELEPHONE: Final = _only(syntaxes.TELEPHONE_NUMBER)
_LISTS: Final = _only(syntaxes.POSTAL_ADDRESS)
_INTEGERS: Final = _only(syntaxes.INTEGER, syntaxes.LARGE_INTEGER)
_OCTETS: Final = _only(syntaxes.OCTET_STRING, syntaxes.JPEG)
_TIMES: Final = _only(syntaxes.GENERALIZED_TIME)
_UUIDS: Final = _only(syntaxes.UUID)
_BITS: Final = _only(syntaxes.BIT_STRING)
_OIDS: Final = _only(syntaxes.OID)
_NAMES: Final = _only(syntaxes.DN)
_MEMBERS: Final = _only(syntaxes.NAME_AND_UID)
_BOOLEANS: Final = _only(syntaxes.BOOLEAN)
_NONE: Final = _only()

BUILT_IN: Final[tuple[Rule, ...]] = (
    EqualityRule("2.5.13.0", "objectIdentifierMatch", syntaxes.OID, _OIDS, of.object_identifier),
    EqualityRule("2.5.13.1", "distinguishedNameMatch", syntaxes.DN, _NAMES, of.dn_key),
    EqualityRule("2.5.13.2", "caseIgnoreMatch", _STRING, _TEXTS, of.ignoring_case),
    OrderingRule("2.5.13.3", "caseIgnoreOrderingMatch", _STRING, _TEXTS, of.ignoring_case),
    SubstringsRule("2.5.13.4", "caseIgnoreSubstringsMatch", _PARTS, _TEXTS, *of.IGNORING_CASE_PARTS),
    EqualityRule("2.5.13.5", "caseExactMatch", _STRING, _TEXTS, of.exactly),
    OrderingRule("2.5.13.6", "caseExactOrderingMatch", _STRING, _TEXTS, of.exactly),
    SubstringsRule("2.5.13.7", "caseExactSubstringsMatch", _PARTS, _TEXTS, *of.EXACT_PARTS),
    EqualityRule("2.5.13.8", "numericStringMatch", syntaxes.NUMERIC_STRING, _NUMERIC, of.numeric),
    OrderingRule("2.5.13.9", "numericStringOrderingMatch", syntaxes.NUMERIC_STRING, _NUMERIC, of.numeric),
    SubstringsRule(
        "2.5.13.10",
        "numericStringSubstringsMatch",
        _PARTS,
        _NUMERIC,
        *of.plain_parts(prepare_numeric),
    ),
    EqualityRule("2.5.13.11", "caseIgnoreListMatch", syntaxes.POSTAL_ADDRESS, _LISTS, of.lines),
    SubstringsRule("2.5.13.12", "caseIgnoreListSubstringsMatch", _PARTS, _LISTS, *of.LINE_PARTS),
    EqualityRule("2.5.13.13", "booleanMatch", syntaxes.BOOLEAN, _BOOLEANS, of.boolean),
    EqualityRule("2.5.13.14", "integerMatch", syntaxes.INTEGER, _INTEGERS, of.integer),
    OrderingRule("2.5.13.15", "integerOrderingMatch", syntaxes.INTEGER, _INTEGERS, of.ordered_integer),
    EqualityRule("2.5.13.16", "bitStringMatch", syntaxes.BIT_STRING, _BITS, of.bits),
    EqualityRule("2.5.13.17", "octetStringMatch", syntaxes.OCTET_STRING, _OCTETS, of.octets),
    OrderingRule("2.5.13.18", "octetStringOrderingMatch", syntaxes.OCTET_STRING, _OCTETS, of.octets),
    SubstringsRule("2.5.13.19", "octetStringSubstringsMatch", _PARTS, _OCTETS, *of.OCTET_PARTS),
    EqualityRule("2.5.13.20", "telephoneNumberMatch", syntaxes.TELEPHONE_NUMBER, _TELEPHONE, of.telephone),
    SubstringsRule(
        "2.5.13.21",
        "telephoneNumberSubstringsMatch",
        _PARTS,
        _TELEPHONE,
        *of.plain_parts(prepare_telephone),
    ),
    EqualityRule("2.5.13.23", "uniqueMemberMatch", syntaxes.NAME_AND_UID, _MEMBERS, of.name_and_uid),
    EqualityRule("2.5.13.27", "generalizedTimeMatch", syntaxes.GENERALIZED_TIME, _TIMES, of.instant),
    OrderingRule("2.5.13.28", "generalizedTimeOrderingMatch", syntaxes.GENERALIZED_TIME, _TIMES, of.instant),
    EqualityRule(
        "2.5.13.29",
        "integerFirstComponentMatch",
        syntaxes.INTEGER,
        _only(syntaxes.DIT_STRUCTURE_RULE),
        of.first(of.integer),
        of.integer,
    ),
    EqualityRule(
        "2.5.13.30",
        "objectIdentifierFirstComponentMatch",
        syntaxes.OID,
        syntaxes.DEFINITIONS,
        of.first(of.object_identifier),
        of.object_identifier,
    ),
    EqualityRule(
        "2.5.13.31",
        "directoryStringFirstComponentMatch",
        _STRING,
        _NONE,
        of.first(of.ignoring_case),
        of.ignoring_case,
    ),
    WordRule("2.5.13.32", "wordMatch", _STRING, _TEXTS, of.words),
    WordRule("2.5.13.33", "keywordMatch", _STRING, _TEXTS, of.keywords),
    EqualityRule(
        "1.3.6.1.4.1.1466.109.114.1", "caseExactIA5Match", syntaxes.IA5_STRING, _IA5, of.ia5(of.exactly)
    ),
    EqualityRule(
        "1.3.6.1.4.1.1466.109.114.2",
        "caseIgnoreIA5Match",
        syntaxes.IA5_STRING,
        _IA5,
        of.ia5(of.ignoring_case),
    ),
    SubstringsRule(
        "1.3.6.1.4.1.1466.109.114.3", "caseIgnoreIA5SubstringsMatch", _PARTS, _IA5, *of.IGNORING_CASE_PARTS
    ),
    SubstringsRule("1.3.6.1.4.1.4203.1.2.1", "caseExactIA5SubstringsMatch", _PARTS, _IA5, *of.EXACT_PARTS),
    EqualityRule("1.3.6.1.1.16.2", "uuidMatch", syntaxes.UUID, _UUIDS, of.uuid),
    OrderingRule("1.3.6.1.1.16.3", "uuidOrderingMatch", syntaxes.UUID, _UUIDS, of.uuid),
    BitRule("1.2.840.113556.1.4.803", "integerBitAndMatch", syntaxes.INTEGER, _INTEGERS, True),
    BitRule("1.2.840.113556.1.4.804", "integerBitOrMatch", syntaxes.INTEGER, _INTEGERS, False),
)
"""What is evaluated."""

_NOT_EVALUATED: Final = (
    UnknownRule("2.5.13.22", "presentationAddressMatch", syntaxes.PREFIX + "43", _NONE),
    UnknownRule("2.5.13.24", "protocolInformationMatch", syntaxes.PREFIX + "42", _NONE),
    UnknownRule("2.5.13.34", "certificateExactMatch", "1.3.6.1.1.15.1", _NONE),
    UnknownRule("2.5.13.35", "certificateMatch", "1.3.6.1.1.15.2", _NONE),
    UnknownRule("2.5.13.36", "certificatePairExactMatch", "1.3.6.1.1.15.3", _NONE),
    UnknownRule("2.5.13.38", "certificateListExactMatch", "1.3.6.1.1.15.5", _NONE),
    UnknownRule("2.5.13.40", "algorithmIdentifierMatch", "1.3.6.1.1.15.7", _NONE),
    UnknownRule("1.3.6.1.4.1.4203.666.4.12", "authzMatch", "1.3.6.1.4.1.4203.666.2.7", _NONE),
    UnknownRule("1.2.840.113556.1.4.1941", "1.2.840.113556.1.4.1941", syntaxes.DN, _NONE),
)
"""Rules that real schema files name: RFC 4517, RFC 4523, OpenLDAP, and Active Directory's rule in chain."""

RULES: Final[dict[str, Rule]] = {
    key: rule for rule in (*BUILT_IN, *_NOT_EVALUATED) for key in (rule.oid, rule.name.lower())
}
"""By OID and by name in lower case."""
