"""Syntaxes and matching rules: what a value is, and when two are equal, ordered, or one is in the other."""

from __future__ import annotations

import pytest

from provserver.directory.matching import (
    BitRule,
    EqualityRule,
    OrderingRule,
    SubstringsRule,
    UnknownRule,
    WordRule,
)
from provserver.directory.rules import BUILT_IN, RULES
from provserver.directory.syntaxes import SYNTAXES
from provserver.directory.times import generalized_time

PREFIX = "1.3.6.1.4.1.1466.115.121.1."
UUID = "1.3.6.1.1.16.1"


@pytest.mark.parametrize(
    ("oid", "good", "bad"),
    [
        (PREFIX + "15", ["a", "ä", " "], [b"", b"\xff"]),
        (PREFIX + "26", ["", "a b"], ["ä"]),
        (PREFIX + "27", ["0", "-1", "12345678901234567890"], ["", "-0", "01", "+1", "1.5", "1" * 5000]),
        (PREFIX + "7", ["TRUE", "FALSE", "true"], ["", "1", "yes"]),
        (PREFIX + "40", ["", b"\xff\x00"], []),
        (PREFIX + "28", [b"\xff\xd8"], []),
        (PREFIX + "12", ["", "dc=im", r"cn=a\, b,dc=im"], ["im", b"cn=\xff"]),
        (PREFIX + "34", ["dc=im#'01'B", "dc=im"], ["im#'01'B"]),
        (
            PREFIX + "24",
            [
                "20240229120000Z",
                "2024022912Z",
                "202402291200.5Z",
                "20240229120000,25+0130",
                "20161231235960Z",
            ],
            [
                "20230229120000Z",
                "20240229120000",
                "2024",
                "20240229250000Z",
                "20240229120000+2500",
                "٢٠240229120000Z",
            ],
        ),
        (PREFIX + "38", ["2.5.4.3", "cn", "0.9.2342"], ["", "2..5", "2.05", "3.1", "-cn", "a b"]),
        (PREFIX + "50", ["+49 (30) 123-456"], ["", "ä", "12*3"]),
        (PREFIX + "44", ["A-Z (0-9)/'x'"], ["", "a_b", "ä"]),
        (PREFIX + "36", ["12 34"], ["", "1-2"]),
        (PREFIX + "6", ["'0101'B", "''B"], ["0101", "'2'B"]),
        (PREFIX + "11", ["DE"], ["D", "DEU", "D1"]),
        (PREFIX + "41", ["a$b"], ["", "a$$b", "$"]),
        (PREFIX + "22", ["+49 30$fineResolution"], ["", "ä"]),
        (PREFIX + "14", ["any $ telephone", "mhs"], ["", "$", "any$", "pigeon"]),
        (PREFIX + "39", ["MCIMail$x@y", "a$"], ["", "no mail system", "$x", "a$ä"]),
        (PREFIX + "52", ["1234$DE$abc"], ["", "1234$DE", "1$2$3$4", "$$"]),
        (
            PREFIX + "53",
            ["2402291200Z", "240229120059+0130", "2402291200"],
            ["", "2302291200Z", "2413011200Z", "2402291200+2500", "20240229120000Z"],
        ),
        (
            UUID,
            ["597ae2f6-16a6-1027-98f4-D28B5365DC14"],
            ["597ae2f6", "{597ae2f6-16a6-1027-98f4-d28b5365dc14}"],
        ),
    ],
)
def test_a_syntax_takes_its_values_and_no_others(
    oid: str, good: list[str | bytes], bad: list[str | bytes]
) -> None:
    check = SYNTAXES[oid].check
    for value in good:
        check(value if isinstance(value, bytes) else value.encode())
    for value in bad:
        octets = value if isinstance(value, bytes) else value.encode()
        with pytest.raises(ValueError, match=r"\w") as caught:
            check(octets)
        assert type(caught.value) is ValueError  # UnicodeDecodeError would show the octets


@pytest.mark.parametrize(
    ("rule", "one", "other", "equal"),
    [
        ("caseIgnoreMatch", "Foo  Bar", " foo bar ", True),
        ("caseIgnoreMatch", "Ä", "a\u0308", True),
        ("caseExactMatch", "Foo", "foo", False),
        ("caseExactMatch", "a  b", "a b", True),
        ("caseIgnoreIA5Match", "A@B", "a@b", True),
        ("caseExactIA5Match", "A", "a", False),
        ("integerMatch", "10", "9", False),
        ("booleanMatch", "true", "TRUE", True),
        ("distinguishedNameMatch", "CN=a, DC=im", "cn=A,dc=im", True),
        ("distinguishedNameMatch", "cn=a,dc=im", "cn=b,dc=im", False),
        ("uniqueMemberMatch", "CN=a#'01'B", "cn=A#'01'B", True),
        ("uniqueMemberMatch", "cn=a#'01'B", "cn=a#'00'B", False),
        ("octetStringMatch", "a", "A", False),
        ("numericStringMatch", "12 34", "1234", True),
        ("telephoneNumberMatch", "+49 30-123", "+4930123", True),
        ("generalizedTimeMatch", "20240101120000Z", "202401011300+0100", True),
        ("generalizedTimeMatch", "20240101120000.500Z", "20240101120000.5Z", True),
        ("objectIdentifierMatch", "CN", "cn", True),
        ("uuidMatch", "597AE2F6-16a6-1027-98f4-d28b5365dc14", "597ae2f6-16a6-1027-98f4-d28b5365dc14", True),
        ("bitStringMatch", "'01'B", "'01'B", True),
        ("caseIgnoreListMatch", "Main Street 1$ BERLIN", "main  street 1$Berlin", True),
        ("caseIgnoreListMatch", "a$b", "a b", False),
        ("caseIgnoreListMatch", "a$b", "a$b$c", False),
        ("caseIgnoreListMatch", r"\5Ca", r"\5cA", True),
        ("caseExactIA5Match", "a  b", " a b", True),
        ("bitStringMatch", "'01'B", "'010'B", False),
        ("uniqueMemberMatch", "cn=a", "cn=a#'0'B", False),
        ("octetStringMatch", "a", "a ", False),
        ("integerMatch", "10", "10", True),
    ],
)
def test_equality_rules(rule: str, one: str, other: str, equal: bool) -> None:
    found = RULES[rule.lower()]
    assert isinstance(found, EqualityRule)
    assert found is RULES[found.oid]
    assert (found.comparable(one.encode()) == found.comparable(other.encode())) is equal


@pytest.mark.parametrize(
    ("rule", "value", "asserted", "other"),
    [
        ("objectIdentifierFirstComponentMatch", "( 2.5.4.3 NAME 'cn' SUP name )", "2.5.4.3", "2.5.4.4"),
        ("integerFirstComponentMatch", "( 16 NAME 'x' FORM y )", "16", "17"),
        ("directoryStringFirstComponentMatch", "( 'Foo' x )", "foo", "bar"),
        ("directoryStringFirstComponentMatch", "('Foo  Bar' x)", "foo bar", "foo"),
    ],
)
def test_first_component_rules_look_at_the_first_word(
    rule: str, value: str, asserted: str, other: str
) -> None:
    found = RULES[rule.lower()]
    assert isinstance(found, EqualityRule)
    assert found.comparable(value.encode()) == found.asserted(asserted.encode())
    assert found.comparable(value.encode()) != found.asserted(other.encode())
    with pytest.raises(ValueError, match="definition"):
        found.comparable(b"( ")


def test_integers_sort_by_their_value_not_by_their_octets() -> None:
    rule = RULES["integerorderingmatch"]
    assert isinstance(rule, OrderingRule)
    numbers = [-(10**30), -100, -99, -10, -9, -1, 0, 1, 9, 10, 11, 99, 100, 10**30]
    keys = [rule.comparable(str(number).encode()) for number in numbers]
    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("rule", "ordered"),
    [
        ("octetStringOrderingMatch", [b"", b"\x00", b"a", b"aa", b"b", b"\xff"]),
        ("caseIgnoreOrderingMatch", [b"Ant", b"ant hill", b"anthill", b"BEE"]),
        ("caseExactOrderingMatch", [b"BEE", b"ant"]),
        ("numericStringOrderingMatch", [b"1 0", b"11", b"2"]),
        (
            "uuidOrderingMatch",
            [b"00000000-0000-0000-0000-00000000000F", b"00000000-0000-0000-0000-000000000010"],
        ),
    ],
)
def test_an_ordering_rule_sorts_its_values(rule: str, ordered: list[bytes]) -> None:
    found = RULES[rule.lower()]
    assert isinstance(found, OrderingRule)
    keys = [found.comparable(value) for value in ordered]
    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("rule", "value", "asserted", "expected"),
    [
        ("wordMatch", "The Port-Office, Quay 7", "PORT", True),
        ("wordMatch", "The Port-Office, Quay 7", "7", True),
        ("wordMatch", "The Port-Office, Quay 7", "offic", False),
        ("wordMatch", "The Port-Office, Quay 7", "port office", True),
        ("wordMatch", "The Port-Office, Quay 7", "quay port", False),
        ("wordMatch", "E\u0301tude", "étude", True),
        ("wordMatch", "क\u093cलम", "क\u093cलम", True),
        ("keywordMatch", "pilot boat; harbour master", "Pilot  Boat", True),
        ("keywordMatch", "pilot boat; harbour master", "pilot", False),
        ("keywordMatch", "pilot, harbour", "harbour", True),
    ],
)
def test_words_and_keywords_are_whole_ones_without_case(
    rule: str, value: str, asserted: str, expected: bool
) -> None:
    found = RULES[rule.lower()]
    assert isinstance(found, WordRule)
    assert found.holds(value.encode(), found.asserted(asserted.encode())) is expected


@pytest.mark.parametrize(("rule", "nothing"), [("wordMatch", b" -,"), ("keywordMatch", b" ; ,")])
def test_no_word_at_all_cannot_be_asserted(rule: str, nothing: bytes) -> None:
    found = RULES[rule.lower()]
    assert isinstance(found, WordRule)
    with pytest.raises(ValueError, match="at least one word"):
        found.asserted(nothing)


def test_instants_sort_by_time_whatever_zone_and_precision_they_are_written_in() -> None:
    times = [
        b"00010101000000Z",
        b"20231231235959Z",
        b"20240101000000Z",
        b"20240101000000.25Z",
        b"2024010102.5+0200",
        b"20240101003000.5Z",
    ]
    keys = [generalized_time(time) for time in times]
    assert sorted(keys) == keys
    assert keys[4] == "20240101003000"
    assert generalized_time(b"2024010100.123Z") == "20240101000722.8"


@pytest.mark.parametrize(
    "time", [b"00000101000000Z", b"99991231235959-0100", b"00010101000000+0100", b"2024130100Z"]
)
def test_an_instant_outside_the_calendar_is_no_value(time: bytes) -> None:
    with pytest.raises(ValueError, match="generalized time"):
        generalized_time(time)


def test_bit_rules() -> None:
    every, some = RULES["1.2.840.113556.1.4.803"], RULES["integerbitormatch"]
    assert isinstance(every, BitRule)
    assert isinstance(some, BitRule)
    assert every.holds(b"514", 514)
    assert every.holds(b"514", 2)
    assert not every.holds(b"512", 514)
    assert some.holds(b"512", 514)
    assert not some.holds(b"1", 514)
    assert every.holds(b"5", 0)
    assert not some.holds(b"5", 0)
    # Active Directory's integers have 32 bits and a sign: groupType of a security group.
    assert every.holds(b"-2147483646", 2_147_483_648)
    with pytest.raises(ValueError, match="an integer"):
        every.holds(b"x", 1)


def test_an_equality_rule_refuses_what_is_no_value_of_it() -> None:
    for name, value in [
        ("integerMatch", b"x"),
        ("booleanMatch", b"x"),
        ("distinguishedNameMatch", b"x"),
        ("caseIgnoreMatch", b"\xff"),
        ("caseIgnoreIA5Match", "ä".encode()),
        ("generalizedTimeMatch", b"x"),
        ("objectIdentifierMatch", b"a b"),
        ("uuidMatch", b"x"),
        ("bitStringMatch", b"x"),
    ]:
        rule = RULES[name.lower()]
        assert isinstance(rule, EqualityRule)
        with pytest.raises(ValueError, match=r"\w"):
            rule.comparable(value)


def test_rules_that_real_files_name_are_known_even_where_they_are_not_evaluated() -> None:
    assert isinstance(RULES["certificateexactmatch"], UnknownRule)
    assert isinstance(RULES["caseignoresubstringsmatch"], SubstringsRule)


RFC_4517 = {
    "bitStringMatch": "2.5.13.16",
    "booleanMatch": "2.5.13.13",
    "caseExactIA5Match": "1.3.6.1.4.1.1466.109.114.1",
    "caseExactMatch": "2.5.13.5",
    "caseExactOrderingMatch": "2.5.13.6",
    "caseExactSubstringsMatch": "2.5.13.7",
    "caseIgnoreIA5Match": "1.3.6.1.4.1.1466.109.114.2",
    "caseIgnoreIA5SubstringsMatch": "1.3.6.1.4.1.1466.109.114.3",
    "caseIgnoreListMatch": "2.5.13.11",
    "caseIgnoreListSubstringsMatch": "2.5.13.12",
    "caseIgnoreMatch": "2.5.13.2",
    "caseIgnoreOrderingMatch": "2.5.13.3",
    "caseIgnoreSubstringsMatch": "2.5.13.4",
    "directoryStringFirstComponentMatch": "2.5.13.31",
    "distinguishedNameMatch": "2.5.13.1",
    "generalizedTimeMatch": "2.5.13.27",
    "generalizedTimeOrderingMatch": "2.5.13.28",
    "integerFirstComponentMatch": "2.5.13.29",
    "integerMatch": "2.5.13.14",
    "integerOrderingMatch": "2.5.13.15",
    "keywordMatch": "2.5.13.33",
    "numericStringMatch": "2.5.13.8",
    "numericStringOrderingMatch": "2.5.13.9",
    "numericStringSubstringsMatch": "2.5.13.10",
    "objectIdentifierFirstComponentMatch": "2.5.13.30",
    "objectIdentifierMatch": "2.5.13.0",
    "octetStringMatch": "2.5.13.17",
    "octetStringOrderingMatch": "2.5.13.18",
    "telephoneNumberMatch": "2.5.13.20",
    "telephoneNumberSubstringsMatch": "2.5.13.21",
    "uniqueMemberMatch": "2.5.13.23",
    "wordMatch": "2.5.13.32",
}
OTHERS = {
    "uuidMatch": "1.3.6.1.1.16.2",
    "uuidOrderingMatch": "1.3.6.1.1.16.3",
    "integerBitAndMatch": "1.2.840.113556.1.4.803",
    "integerBitOrMatch": "1.2.840.113556.1.4.804",
}


@pytest.mark.parametrize(("name", "oid"), [*RFC_4517.items(), *OTHERS.items()])
def test_every_rule_of_rfc_4517_and_those_that_clients_send_are_evaluated(name: str, oid: str) -> None:
    rule = RULES[name.lower()]
    assert rule is RULES[oid]
    assert (rule.name, rule.oid) == (name, oid)
    assert rule in BUILT_IN
    assert rule.syntax in SYNTAXES
    assert rule.suited <= SYNTAXES.keys()


RFC_4517_SYNTAXES = (
    "3 6 7 11 12 14 15 16 17 21 22 23 24 25 26 27 28 30 31 34 35 36 37 38 39 40 41 44 50 51 52 53 54 58"
)


@pytest.mark.parametrize("number", RFC_4517_SYNTAXES.split())
def test_every_syntax_of_rfc_4517_has_its_name(number: str) -> None:
    syntax = SYNTAXES[PREFIX + number]
    assert syntax.oid == PREFIX + number
    assert not syntax.description[0].isdigit()
