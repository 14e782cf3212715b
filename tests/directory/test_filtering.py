"""Filters: three values, matching by rule, subtypes and options, secrets, extensible match."""

from __future__ import annotations

import pytest
from small_schema import TEXT, person, raw, small

from provserver.directory.entries import Entry
from provserver.directory.filtering import DEPTH_LIMIT, compile_filter
from provserver.directory.schema import Schema
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
from provserver.ldap.results import Refusal, ResultCode

JACK = person(
    description=["A  quick brown fox", "Zweite Beschreibung"],
    mail=["Jack@Example.com", "j@x"],
    uidNumber="9",
    flags=["514", "3"],
    manager="CN=Boss, OU=Staff, DC=im",
    enabled="TRUE",
    since="20240101120000Z",
    telephoneNumber="+49 30-123",
    exact="CaseMatters",
    secretKey="hunter2",
    picture=b"\xff\xd8",
    note="x",
)


def verdict(filter: Filter, entry: Entry = JACK) -> bool | None:
    return compile_filter(filter, small())(entry)


def substrings(attribute: str, pattern: str) -> Substrings:
    first, *middle, last = [part.encode() for part in pattern.split("*")]
    return Substrings(attribute, first or None, tuple(middle), last or None)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Equality("cn", b"JACK"), True),
        (Equality("commonName", b" jack "), True),
        (Equality("2.5.4.3", b"jack"), True),
        (Equality("name", b"doe"), True),
        (Equality("sn", b"jack"), False),
        (Equality("description", b"a quick   BROWN fox"), True),
        (Equality("exact", b"casematters"), False),
        (Equality("exact", b"CaseMatters"), True),
        (Equality("mail", b"jack@example.COM"), True),
        (Equality("uidNumber", b"9"), True),
        (Equality("manager", b"cn=boss,ou=staff,dc=im"), True),
        (Equality("enabled", b"true"), True),
        (Equality("since", b"202401011300+0100"), True),
        (Equality("telephoneNumber", b"+493 0123"), True),
        (Equality("objectClass", b"person"), True),
        (Equality("objectClass", b"2.5.6.6"), True),
        (Equality("objectClass", b"device"), False),
        (Equality("objectClass", b"2.999.77"), False),
        (Equality("ou", b"x"), False),
    ],
)
def test_equality_follows_the_rule_of_the_type(filter: Filter, expected: bool) -> None:
    assert verdict(filter) is expected


@pytest.mark.parametrize(
    "filter",
    [
        Equality("nosuch", b"x"),
        Present("nosuch"),
        Equality("cn;nosuchoption", b"x"),
        Equality("uidNumber", b"nine"),
        Equality("manager", b"no name"),
        Equality("cn", b"\xff"),
        Equality("mail", "ä".encode()),
        Equality("picture", b"\xff\xd8"),
        Equality("note", b"x"),
        Equality("objectClass", b"noSuchClass"),
        Equality("structuralObjectClass", b"noSuchClass"),
        Equality("attributeTypes", b"noSuchType"),
        GreaterOrEqual("mail", b"a"),
        GreaterOrEqual("uidNumber", b"x"),
        LessOrEqual("picture", b"x"),
        substrings("uidNumber", "9*"),
        substrings("nosuch", "*x*"),
        Substrings("cn", b"\xff", (), None),
        Approximate("nosuch", b"x"),
        Approximate("cn", b"\xff"),
        Extensible("nosuchRule", "cn", b"x"),
        Extensible("nosuchRule", None, b"x"),
        Extensible("certificateExactMatch", "cn", b"x"),
        Extensible(None, "nosuch", b"x"),
        Extensible(None, None, b"x"),
        Extensible(None, "picture", b"x"),
        Extensible("integerMatch", "uidNumber", b"x"),
        Extensible("integerMatch", None, b"x"),
        Extensible("caseIgnoreSubstringsMatch", "cn", b"no star"),
        Extensible("caseIgnoreMatch", "uidNumber", b"9"),
        Extensible("integerMatch", "cn", b"9"),
        Extensible("integerBitAndMatch", "telephoneNumber", b"1"),
        Extensible("generalizedTimeMatch", "cn", b"20240101120000Z"),
        Extensible("wordMatch", "cn", b"-"),
        Equality("entryUUID", b"no UUID"),
        Equality("entryDN", b"no name"),
        substrings("entryDN", "cn=*"),
        Present("hasSubordinates"),
        Equality("hasSubordinates", b"TRUE"),
        GreaterOrEqual("numSubordinates", b"0"),
    ],
)
def test_what_cannot_be_judged_is_undefined_and_so_is_its_negation(filter: Filter) -> None:
    assert verdict(filter) is None
    assert verdict(Not(filter)) is None
    assert verdict(And((filter, Present("cn")))) is None
    assert verdict(And((filter, Present("ou")))) is False
    assert verdict(Or((filter, Present("cn")))) is True
    assert verdict(Or((filter, Present("ou")))) is None


@pytest.mark.parametrize(
    "filter",
    [
        Present("secretKey"),
        Equality("secretKey", b"hunter2"),
        Equality("2.999.1.12", b"hunter2"),
        Equality("oldSecretKey", b"hunter2"),
        substrings("secretKey", "h*"),
        GreaterOrEqual("secretKey", b"a"),
        Approximate("secretKey", b"hunter2"),
        Extensible(None, "secretKey", b"hunter2"),
        Extensible("octetStringMatch", "secretKey", b"hunter2"),
        Extensible("octetStringMatch", "secretKey", b"hunter2", dn_attributes=True),
        Extensible("caseIgnoreMatch", "secretKey", b"hunter2"),
        Equality("eTSyncPassword", b"x"),
    ],
)
def test_secret_attributes_are_never_matched_not_even_their_presence(filter: Filter) -> None:
    assert verdict(filter) is None
    assert verdict(Not(filter)) is None


def test_a_rule_over_all_attributes_leaves_the_secret_ones_out() -> None:
    without = person(secretKey="hunter2")
    assert verdict(Extensible("octetStringMatch", None, b"hunter2"), without) is None
    assert verdict(Extensible("octetStringMatch", None, b"hunter2")) is False  # there is a picture
    assert verdict(Extensible("caseIgnoreMatch", None, b"hunter2")) is False


def test_an_absent_attribute_makes_an_assertion_false_and_its_negation_true() -> None:
    for filter in (Equality("ou", b"x"), Present("ou"), substrings("ou", "x*"), GreaterOrEqual("ou", b"x")):
        assert verdict(filter) is False
        assert verdict(Not(filter)) is True


def test_presence_knows_subtypes_and_operational_attributes() -> None:
    assert verdict(Present("objectClass")) is True
    assert verdict(Present("name")) is True
    assert verdict(Present("createTimestamp")) is True
    assert verdict(Present("eTID")) is True


@pytest.mark.parametrize(
    ("attribute", "pattern", "expected"),
    [
        ("cn", "j*", True),
        ("cn", "*K", True),
        ("cn", "*ac*", True),
        ("cn", "*a*a*", False),
        ("cn", "ja*ack", False),
        ("cn", "jack*", True),
        ("cn", "*jack", True),
        ("cn", "j*c*k", True),
        ("cn", "ac*", False),
        ("cn", "*ja", False),
        ("description", "a quick*", True),
        ("description", "a  QUICK *fox", True),
        ("description", "* brown *", True),
        ("description", "*quick brown*", True),
        ("description", "*quickbrown*", False),
        ("description", "* fox", True),
        ("description", "*fox *", True),
        ("description", "*rown f*", True),
        ("description", "zweite*ung", True),
        ("exact", "Case*", True),
        ("exact", "case*", False),
        ("telephoneNumber", "+4930*", True),
        ("telephoneNumber", "*01*23", True),
        ("mail", "*@example.com", True),
    ],
)
def test_substrings_match_in_order_and_each_part_only_once(
    attribute: str, pattern: str, expected: bool
) -> None:
    assert verdict(substrings(attribute, pattern)) is expected


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (GreaterOrEqual("uidNumber", b"10"), False),
        (GreaterOrEqual("uidNumber", b"9"), True),
        (GreaterOrEqual("uidNumber", b"-10"), True),
        (LessOrEqual("uidNumber", b"10"), True),
        (LessOrEqual("uidNumber", b"8"), False),
        (GreaterOrEqual("cn", b"jabba"), True),
        (LessOrEqual("cn", b"JACK"), True),
        (GreaterOrEqual("since", b"20240101115959Z"), True),
        (LessOrEqual("since", b"20240101120000+0100"), False),
        (GreaterOrEqual("ou", b"a"), False),
    ],
)
def test_order_is_that_of_the_values_not_of_their_octets(filter: Filter, expected: bool) -> None:
    assert verdict(filter) is expected


def test_approximate_match_forgives_accents_punctuation_and_case() -> None:
    entry = person("cn=x,dc=im", sn="Müller-Lüdenscheidt")
    assert verdict(Approximate("sn", b"mullerludenscheidt"), entry) is True
    assert verdict(Approximate("sn", b"muller"), entry) is False
    assert verdict(Approximate("uidNumber", b"9")) is True
    assert verdict(Approximate("uidNumber", b"8")) is False


def test_and_of_nothing_is_true_and_or_of_nothing_is_false() -> None:
    assert verdict(And(())) is True
    assert verdict(Or(())) is False
    assert verdict(Not(And(()))) is False


def test_options_of_stored_attributes_are_subtypes() -> None:
    entry = raw(
        cn=[b"plain"], cn_lang_de=[b"deutsch"], sn_lang_fr=[b"fr"], description_lang_de=[b"\xff", b"ok"]
    )
    assert verdict(Equality("cn", b"deutsch"), entry) is True
    assert verdict(Equality("cn", b"fr"), entry) is False
    assert verdict(Equality("name", b"fr"), entry) is True
    assert verdict(Equality("cn;lang-de", b"Deutsch"), entry) is True
    assert verdict(Equality("cn;lang-de", b"plain"), entry) is False
    assert verdict(Present("cn;lang-fr"), entry) is False
    assert verdict(Present("sn"), entry) is True
    assert verdict(Present("name;lang-fr"), entry) is True
    assert verdict(Equality("description", b"ok"), entry) is True
    assert verdict(Equality("description", b"other"), entry) is None


def test_a_stored_value_that_cannot_be_judged_leaves_the_others_their_say() -> None:
    entry = raw(cn=[b"\xff", b"good"], uidNumber=[b"x"])
    assert verdict(Equality("cn", b"good"), entry) is True
    assert verdict(Equality("cn", b"bad"), entry) is None
    assert verdict(GreaterOrEqual("uidNumber", b"1"), entry) is None
    assert verdict(Equality("name", b"none"), entry) is None


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Extensible(None, "cn", b"JACK"), True),
        (Extensible("caseExactMatch", "cn", b"JACK"), False),
        (Extensible("2.5.13.5", "cn", b"Jack"), True),
        (Extensible("caseIgnoreMatch", "exact", b"CASEMATTERS"), True),
        (Extensible("1.2.840.113556.1.4.803", "flags", b"2"), True),
        (Extensible("integerBitAndMatch", "flags", b"516"), False),
        (Extensible("integerBitOrMatch", "flags", b"516"), True),
        (Extensible("integerBitAndMatch", "cn", b"1"), None),
        (Extensible("caseIgnoreMatch", None, b"doe"), True),
        (Extensible("caseIgnoreMatch", None, b"nobody"), False),
        (Extensible("objectIdentifierMatch", None, b"2.5.6.6"), True),
        (Extensible("integerOrderingMatch", "uidNumber", b"10"), True),
        (Extensible("integerOrderingMatch", "uidNumber", b"9"), False),
        (Extensible("caseIgnoreSubstringsMatch", "cn", b"j*k"), True),
        (Extensible("caseIgnoreSubstringsMatch", "description", b"*brown*\\2A"), False),
        (Extensible("caseIgnoreSubstringsMatch", None, b"*brown*"), True),
        (Extensible(None, "ou", b"staff"), False),
        (Extensible("caseExactMatch", "mail", b"j@x"), True),
        (Extensible("caseExactMatch", "telephoneNumber", b"+49 30-123"), True),
        (Extensible("caseExactMatch", "telephoneNumber", b"+4930123"), False),
        (Extensible("wordMatch", "description", b"BROWN"), True),
        (Extensible("wordMatch", "description", b"row"), False),
        (Extensible("wordMatch", None, b"fox"), True),
        (Extensible("keywordMatch", "description", b"a quick brown fox"), True),
        (Extensible("generalizedTimeOrderingMatch", "since", b"20240101120001Z"), True),
        (Extensible("octetStringMatch", "picture", b"\xff\xd8"), True),
        (Extensible("distinguishedNameMatch", None, b"cn=boss,ou=staff,dc=im"), True),
        (Extensible("1.2.840.113556.1.4.804", None, b"512"), True),
    ],
)
def test_extensible_match(filter: Filter, expected: bool | None) -> None:
    assert verdict(filter) is expected


def test_a_definition_is_found_by_any_name_or_oid_of_what_it_defines() -> None:
    entry = raw(
        attributeTypes=[b"( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )", b"( 2.5.4.41 NAME 'name' )"]
    )
    for name in (b"2.5.4.3", b"cn", b"COMMONNAME", b"name"):
        assert verdict(Equality("attributeTypes", name), entry) is True
    assert verdict(Equality("attributeTypes", b"sn"), entry) is False
    assert verdict(Extensible("objectIdentifierFirstComponentMatch", "attributeTypes", b"cn"), entry) is True


def test_a_list_of_lines_matches_line_by_line_and_no_part_runs_over_a_line() -> None:
    entry = raw(postalAddress=[rb"1234 Main St.$\241,000 Sweepstakes$Back\5Cslash"])
    for pattern, expected in [
        ("1234*", True),
        ("*main*sweep*", True),
        ("*back\\slash", True),
        ("*$1,000*", True),
        ("*St.*Back*", True),
        ("*St.$*", False),
        ("*st. 1*", False),
        ("*\\24*", False),
        ("*main st.", False),
        ("sweep*", False),
    ]:
        assert verdict(substrings("postalAddress", pattern), entry) is expected, pattern


# ---------------------------------------------------------------- computed attributes


def test_what_follows_from_the_entry_can_be_asked_about_as_if_it_were_stored() -> None:
    for filter, expected in [
        (Equality("entryDN", b"CN=jack, DC=im"), True),
        (Equality("entryDN", b"cn=jill,dc=im"), False),
        (Present("entryDN"), True),
        (Equality("entryUUID", b"00000000-0000-0000-0000-000000000001"), True),
        (Equality("entryUUID", b"00000000-0000-0000-0000-000000000002"), False),
        (GreaterOrEqual("entryUUID", b"00000000-0000-0000-0000-000000000001"), True),
        (Present("entryUUID"), True),
        (Equality("structuralObjectClass", b"EMPLOYEE"), True),
        (Equality("structuralObjectClass", b"person"), False),
        (Equality("subschemaSubentry", b"cn=subschema"), True),
        (Extensible("distinguishedNameMatch", "entryDN", b"cn=jack,dc=im"), True),
        (Extensible("distinguishedNameMatch", None, b"cn=jack,dc=im"), True),
        (Extensible("uuidMatch", None, b"00000000-0000-0000-0000-000000000001"), True),
    ]:
        assert verdict(filter) is expected, filter
        assert verdict(Not(filter)) is (not expected), filter


def test_an_entry_whose_id_is_no_uuid_has_no_entryuuid() -> None:
    entry = raw(cn=[b"a"])
    assert verdict(Present("entryUUID"), entry) is False
    assert verdict(Equality("entryUUID", b"00000000-0000-0000-0000-000000000001"), entry) is False


def test_dn_attributes_of_all_levels_take_part_when_asked_for() -> None:
    entry = person("cn=Jack,ou=Sales,dc=im")
    assert verdict(Extensible(None, "ou", b"sales"), entry) is False
    assert verdict(Extensible(None, "ou", b"SALES", dn_attributes=True), entry) is True
    assert verdict(Extensible(None, "name", b"sales", dn_attributes=True), entry) is True
    assert verdict(Extensible("caseExactMatch", "ou", b"SALES", dn_attributes=True), entry) is False
    assert verdict(Extensible("caseIgnoreMatch", None, b"im", dn_attributes=True), entry) is True
    assert verdict(Extensible(None, "cn", b"sales", dn_attributes=True), entry) is False


def test_an_attribute_whose_type_the_schema_no_longer_knows_is_passed_over() -> None:
    entry = raw(cn=[b"a"], gone=[b"x"])
    assert verdict(Extensible("caseIgnoreMatch", None, b"x"), entry) is False
    assert verdict(Equality("gone", b"x"), entry) is None


def test_a_filter_nested_too_deeply_is_refused_and_one_below_the_limit_works() -> None:
    filter: Filter = Present("cn")
    for _ in range(DEPTH_LIMIT):
        filter = Not(filter)
    assert verdict(filter) is True
    with pytest.raises(Refusal) as caught:
        verdict(Not(filter))
    assert caught.value.code is ResultCode.ADMIN_LIMIT_EXCEEDED


def test_a_site_name_of_an_attribute_works_in_a_filter() -> None:
    schema = Schema.parse([("small.schema", TEXT), ("site", "attributetype ( 2.999.1.7 NAME 'eTActive' )")])
    assert compile_filter(Equality("ETACTIVE", b"TRUE"), schema)(JACK) is True
