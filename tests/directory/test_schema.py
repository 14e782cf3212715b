"""What the schema answers: keys, inheritance, site files, secrets, triggers, indexes."""

from __future__ import annotations

import pytest
from small_schema import STRING, TEXT, small

from provserver.directory.schema import ClassKind, Schema, SchemaError
from provserver.ldap.results import Refusal, ResultCode


def with_site(text: str) -> Schema:
    return Schema.parse([("small.schema", TEXT), ("site.schema", text)])


@pytest.mark.parametrize(
    ("description", "key"),
    [
        ("cn", "cn"),
        ("CommonName", "cn"),
        ("2.5.4.3", "cn"),
        ("eTid", "etid"),
        ("CN;lang-DE", "cn;lang-de"),
        ("commonName;x-b;lang-de;x-b", "cn;lang-de;x-b"),
        ("picture;binary", "picture;binary"),
    ],
)
def test_any_name_of_an_attribute_leads_to_one_key(description: str, key: str) -> None:
    assert small().key(description) == key
    assert small().key(description) == key  # remembered


@pytest.mark.parametrize(
    "description",
    [
        "nosuch",
        "",
        "cn;",
        "cn;range=0-1",
        "cn;unknown",
        ";lang-de",
        "secretKey;binary",
        "eTSyncPassword;x-a",
        "cn ",
        "2.5.4",
    ],
)
def test_what_is_no_known_attribute_is_undefined(description: str) -> None:
    assert small().known_key(description) is None
    with pytest.raises(Refusal) as caught:
        small().key(description)
    assert caught.value.code is ResultCode.UNDEFINED_ATTRIBUTE_TYPE
    assert description in caught.value.result.diagnostic


def test_a_clients_word_does_not_flood_the_diagnostic_or_the_memory() -> None:
    schema = Schema.parse([("small.schema", TEXT)])
    with pytest.raises(Refusal) as caught:
        schema.key("x" * 10_000 + "\n")
    assert len(caught.value.result.diagnostic) < 120
    with pytest.raises(Refusal, match=r"a\\nb"):
        schema.key("a\nb")
    for number in range(12_000):
        assert schema.key(f"cn;x-{number}") == f"cn;x-{number}"
    assert len(schema._keys) <= 10_000


def test_rules_syntax_and_secrecy_are_inherited() -> None:
    schema = small()
    cn, name = schema.attribute("cn"), schema.attribute("name")
    assert cn.superior == "name"
    assert (cn.equality, cn.substrings, cn.ordering, cn.syntax) == (
        name.equality,
        name.substrings,
        name.ordering,
        name.syntax,
    )
    assert schema.is_secret("oldsecretkey")


def test_subtypes_are_the_type_and_all_below_with_its_options() -> None:
    assert set(small().subtypes("name")) == {"name", "cn", "sn", "ou"}
    assert small().subtypes("name")[0] == "name"
    assert small().subtypes("cn") == ("cn",)
    assert small().subtypes("name;lang-de")[0] == "name;lang-de"
    assert "cn;lang-de" in small().subtypes("name;lang-de")


def test_classes_inherit_and_default_to_top() -> None:
    schema = small()
    employee = schema.object_class("EMPLOYEE")
    assert employee.chain == ("employee", "person", "top")
    assert employee.kind is ClassKind.STRUCTURAL
    assert {"cn", "sn", "objectclass"} <= employee.must
    assert {"mail", "description"} <= employee.may
    assert schema.object_class("2.5.6.6").name == "person"
    assert schema.object_class("mailbox").chain == ("mailbox", "top")
    assert schema.known_class("nosuch") is None
    with pytest.raises(Refusal) as caught:
        schema.object_class("nosuch")
    assert caught.value.code is ResultCode.OBJECT_CLASS_VIOLATION


def test_secrets_stay_secret_under_every_spelling_and_so_does_what_is_unknown() -> None:
    schema = small()
    assert schema.is_secret("secretkey")
    assert schema.is_secret("secretkey;lang-de")
    assert schema.is_secret("a-type-of-a-schema-file-that-went-away")
    assert not schema.is_secret("cn")
    assert not schema.is_secret("cn;lang-de")
    assert schema.hides("SecretKey")
    assert schema.hides("nosuch")
    assert schema.hides("secretKey;binary")
    assert not schema.hides("commonName")


def test_triggers_are_said_by_the_schema() -> None:
    schema = small()
    assert schema.trigger("etsyncpassword") == "sync"
    assert schema.trigger("cn") is None
    assert schema.trigger_of("ETSYNCPASSWORD") == "sync"
    assert schema.trigger_of("2.999.1.14") == "sync"
    assert schema.trigger_of("nosuch") is None


def test_indexes_names_and_operational_attributes_are_said_by_the_schema() -> None:
    schema = small()
    assert schema.indexed == {"objectclass", "etid", "cn"}
    assert schema.is_name_valued("manager")
    assert schema.is_name_valued("2.999.1.6")
    assert not schema.is_name_valued("cn")
    assert not schema.is_name_valued("nosuch")
    assert schema.is_operational("etid")
    assert not schema.is_operational("cn")
    assert not schema.is_operational("cn;lang-de")
    assert schema.shown("cn;lang-de") == "cn;lang-de"
    assert schema.shown("uidnumber") == "uidNumber"


@pytest.mark.parametrize(
    ("key", "value", "normalised"),
    [
        ("cn", b" John  DOE ", b"john doe"),
        ("cn;lang-de", b"X", b"x"),
        ("manager", b"CN=A, DC=im", b"dc=im\x1fcn=a\x1f"),
        ("objectclass", b"2.5.6.6", b"person"),
        ("objectclass", b"PERSON", b"person"),
        ("objectclass", b"notInTheSchema", b"notintheschema"),
        ("uidnumber", b"12", b"12"),
        ("enabled", b"true", b"TRUE"),
    ],
)
def test_a_value_is_normalised_as_its_equality_rule_says(key: str, value: bytes, normalised: bytes) -> None:
    assert small().normalise(key, value) == normalised


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("uidnumber", b"x1x1", ResultCode.INVALID_ATTRIBUTE_SYNTAX),
        ("manager", b"x1x1", ResultCode.INVALID_ATTRIBUTE_SYNTAX),
        ("cn", b"x1x1\xff", ResultCode.INVALID_ATTRIBUTE_SYNTAX),
        ("picture", b"x1x1", ResultCode.INAPPROPRIATE_MATCHING),
        ("note", b"x1x1", ResultCode.INAPPROPRIATE_MATCHING),
        ("secretkey", b"x1x1", ResultCode.INAPPROPRIATE_MATCHING),
    ],
)
def test_what_cannot_be_compared_is_refused_without_showing_it(
    key: str, value: bytes, code: ResultCode
) -> None:
    with pytest.raises(Refusal) as caught:
        small().normalise(key, value)
    assert caught.value.code is code
    assert "x1x1" not in caught.value.result.diagnostic


def test_a_site_adds_names_to_a_type_by_oid_or_by_name() -> None:
    schema = with_site(
        "attributetype ( 2.999.1.7 NAME ( 'eTActive' ) )\n"
        "attributetype ( manager NAME ( 'manager' 'eTBoss' ) )\n"
        "attributetype ( 2.999.7.7 NAME ( 'mail' 'eTMail' ) X-ORIGIN 'site' )\n"
    )
    assert schema.key("eTActive") == "enabled"
    assert schema.key("eTBoss") == "manager"
    assert schema.key("ETMAIL") == schema.key("2.999.7.7") == "mail"
    assert schema.attribute("eTBoss").names == ("manager", "eTBoss")
    assert schema.shown("mail") == "mail"


def test_a_site_adds_types_classes_indexes_and_attributes_of_a_class() -> None:
    schema = with_site(
        "objectidentifier site 2.999.5\n"
        f"attributetype ( site:1 NAME 'badge' EQUALITY caseIgnoreMatch SYNTAX {STRING} )\n"
        "attributetype ( 2.999.1.3 NAME 'mail' X-PROV-INDEX 'eq' )\n"
        "objectclass ( 2.5.6.6 NAME 'person' MAY badge )\n"
        "objectclass ( site:2 NAME 'robot' SUP person MUST badge )\n"
    )
    assert "badge" in schema.object_class("employee").may
    assert "badge" in schema.object_class("robot").must
    assert "badge" not in schema.object_class("robot").may
    assert "mail" in schema.indexed


def test_loading_the_same_file_twice_changes_nothing() -> None:
    twice = Schema.parse([("small.schema", TEXT), ("copy.schema", TEXT)])
    assert twice.definitions() == small().definitions()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "attributetype ( 2.999.1.6 NAME 'manager' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            "SYNTAX of the attribute",
        ),
        ("attributetype ( 2.999.1.6 NAME 'manager' SINGLE-VALUE )", "SINGLE-VALUE of the attribute"),
        ("attributetype ( 2.999.1.10 EQUALITY caseIgnoreMatch )", "EQUALITY of the attribute"),
        ("attributetype ( 2.999.1.12 X-PROV-SECRET 'FALSE' )", "X-PROV-SECRET"),
        ("attributetype ( 2.999.1.14 X-PROV-TRIGGER 'test' )", "X-PROV-TRIGGER"),
        (
            "attributetype ( 2.999.1.6 NAME ( 'manager' 'cn' ) )",
            "cn is a name of the attribute type cn (small.schema:",
        ),
        ("objectclass ( 2.5.6.6 NAME 'person' MUST cn )", "MUST of the object class"),
        ("objectclass ( 2.5.6.6 NAME 'person' AUXILIARY )", "AUXILIARY of the object class"),
        ("attributetype ( boss NAME 'eTBoss' )", "not boss"),
    ],
)
def test_a_site_cannot_redefine_what_is_there(text: str, problem: str) -> None:
    with pytest.raises(SchemaError) as caught:
        with_site("# the site\n" + text)
    assert str(caught.value).startswith("site.schema:2: ")
    assert problem in str(caught.value)


def test_a_repeated_definition_may_use_other_words_for_the_same() -> None:
    schema = with_site(
        "attributetype ( 2.5.4.3 NAME 'cn' DESC 'other' SUP 2.5.4.41 "
        "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32} )\n"
        "attributetype ( 2.999.1.3 NAME 'mail' EQUALITY 1.3.6.1.4.1.1466.109.114.2 )\n"
        "attributetype ( 2.999.1.9 NAME 'picture' EQUALITY certificateExactMatch )\n"
        "objectclass ( 2.5.6.6 NAME 'person' MUST ( surname $ commonName ) )\n"
    )
    assert schema.definitions()["objectClasses"] == small().definitions()["objectClasses"]


def test_the_definitions_can_be_read_back_into_the_same_schema() -> None:
    definitions = small().definitions()
    assert set(definitions) == {
        "attributeTypes",
        "objectClasses",
        "matchingRules",
        "matchingRuleUse",
        "ldapSyntaxes",
    }
    keywords = {
        "attributeTypes": "attributetype",
        "objectClasses": "objectclass",
        "matchingRules": "matchingrule",
        "ldapSyntaxes": "ldapsyntax",
    }
    text = "\n".join(f"{keyword} {one}" for kind, keyword in keywords.items() for one in definitions[kind])
    again = Schema.parse([("again", text)])
    assert again.definitions() == definitions
    assert again.indexed == small().indexed
    assert again.is_secret("secretkey")


def test_a_rule_and_a_syntax_that_only_a_file_knows_are_taken_as_they_are() -> None:
    schema = with_site(
        "ldapsyntax ( 2.999.6.1 DESC 'odd' )\nmatchingrule ( 2.999.6.2 NAME 'oddMatch' SYNTAX 2.999.6.1 )\n"
        "attributetype ( 2.999.6.3 NAME 'odd' EQUALITY oddMatch SYNTAX 2.999.6.1 )\n"
    )
    assert schema.attribute("odd").comparable is None
    assert any("oddMatch" in text for text in schema.definitions()["matchingRules"])
    assert any("2.999.6.1" in text for text in schema.definitions()["ldapSyntaxes"])


@pytest.mark.parametrize(
    ("syntax", "bound"), [("{64}", 64), ("", None), ("{}", None), ("{0}", None), (" {7}", 7)]
)
def test_a_bound_is_read_with_its_syntax_and_inherited(syntax: str, bound: int | None) -> None:
    schema = with_site(
        f"attributetype ( 2.999.6.1 NAME 'bounded' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{syntax} )\n"
        "attributetype ( 2.999.6.2 NAME 'below' SUP bounded )\n"
        "attributetype ( 2.999.6.3 NAME 'own' SUP bounded SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{3} )\n"
    )
    assert schema.attribute("bounded").bound == bound
    assert schema.attribute("below").bound == bound
    assert schema.attribute("own").bound == 3
