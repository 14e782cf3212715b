"""Schema files as people really write them, and errors that name file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from provserver.directory.definitions import Definition, SchemaError
from provserver.directory.schema import Schema
from provserver.directory.schematext import Macros, read_definitions
from provserver.testing.slapd import require_slapd

SYNTAX = "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
BUILT_INTO_SLAPD = """
attributetype ( 1.3.6.1.1.1.1.0 NAME 'uidNumber' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )
attributetype ( 1.3.6.1.1.1.1.1 NAME 'gidNumber' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )
"""


def read(text: str) -> list[Definition]:
    return list(read_definitions("site.schema", text, Macros()))


def one(text: str) -> Definition:
    (definition,) = read(text)
    return definition


def test_a_definition_in_the_rfcs_form_is_written_as_it_was_read() -> None:
    text = (
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'a \\27name\\27 \\5C' OBSOLETE SUP name "
        "EQUALITY caseIgnoreMatch "
        "ORDERING caseIgnoreOrderingMatch SUBSTR caseIgnoreSubstringsMatch "
        "SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{64} "
        "SINGLE-VALUE COLLECTIVE NO-USER-MODIFICATION USAGE directoryOperation X-A 'b' X-C ( 'd' 'e' ) )"
    )
    definition = one(f"attributetype {text}")
    assert definition.text() == text
    assert definition.one("DESC") == "a 'name' \\"
    classes = (
        "( 2.5.6.6 NAME 'person' SUP ( top $ other ) STRUCTURAL MUST ( sn $ cn ) MAY mail X-ORIGIN 'RFC' )"
    )
    assert one(f"objectclass {classes}").text() == classes


def test_what_the_rfc_does_not_allow_but_files_contain_is_read() -> None:
    definition = one(
        "AttributeType(2.999.1 syntax '1.3.6.1.4.1.1466.115.121.1.15' single-value NAME'cn'X-ORIGIN 'a' "
        "sup name "
        "DESC'd')"
    )
    assert definition.names == ("cn",)
    assert definition.one("SYNTAX") == "1.3.6.1.4.1.1466.115.121.1.15"
    assert definition.one("SUP") == "name"
    assert definition.has("SINGLE-VALUE")
    assert one("objectclass ( 2.999.2 NAME 'x' MUST(sn$cn) MAY ( a b ) X-NDS 'y' )").many("MUST") == (
        "sn",
        "cn",
    )
    bounded = one("attributetype ( 1.2 NAME ( 'a' ) SYNTAX 1.2.3 {64} )")
    assert bounded.text() == "( 1.2 NAME 'a' SYNTAX 1.2.3{64} )"
    assert one("matchingrule ( 1.2.3 NAME 'm' SYNTAX 1.2 X-A 'b' )").name == "m"
    assert one("ldapsyntax ( 1.2.3 DESC 'd' X-NOT-HUMAN-READABLE 'TRUE' )").one("DESC") == "d"


def test_macros_of_oids_are_resolved_in_all_places() -> None:
    first, second = read(
        "objectIdentifier top 2.999\nobjectidentifier mine top:1\n"
        f"attributetype ( mine:7 NAME 'a' {SYNTAX} )\nattributetype ( MINE:8.1 NAME 'b' {SYNTAX} )\n"
    )
    assert first.oid == "2.999.1.7"
    assert second.oid == "2.999.1.8.1"


def test_comments_blank_lines_and_continuations() -> None:
    definitions = read(
        "# a comment\n  that goes on\n\n"
        "attributetype ( 1.2.1 NAME 'a'\n"
        "# in the middle\n"
        f"\t{SYNTAX} )\r\n"
        "# after\n"
        "  still the comment\n"
        f"attributetype ( 1.2.2 NAME 'b'\n\n   {SYNTAX}\n )"
    )
    assert [definition.name for definition in definitions] == ["a", "b"]
    assert [definition.place.line for definition in definitions] == [4, 9]


def test_the_ldif_form_of_389_ds_and_of_cn_config_is_read() -> None:
    definitions = read(
        "# 389\ndn: cn=schema\nobjectClass: top\naci: (x)\n"
        "attributeTypes: ( 2.999.1 NAME 'split'\n  DESC 'folded wo\n rd' " + SYNTAX + "\n  X-ORIGIN 'a' )\n"
        "#\nobjectClasses: ( 2.999.2 NAME 'x' MAY split )\n"
        "olcAttributeTypes: {0}( 2.999.3 NAME 'y' " + SYNTAX + " )\n"
        "olcAttributeTypes:: KCAyLjk5OS40IE5BTUUgJ3onIFNZTlRBWCAxLjIgKQ==\n"
        "olcObjectIdentifier: {0}root 2.999\nolcAttributeTypes: {1}( root:9 NAME 'w' " + SYNTAX + " )\n"
    )
    assert [(one.oid, one.name) for one in definitions] == [
        ("2.999.1", "split"),
        ("2.999.2", "x"),
        ("2.999.3", "y"),
        ("2.999.4", "z"),
        ("2.999.9", "w"),
    ]
    assert definitions[0].one("DESC") == "folded word"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("nonsense here", 1, "expected attributetype"),
        ("\n\n(1.2.3)", 3, "expected a keyword"),
        ("  attributetype ( 1.2 )", 1, "no white space"),
        ("attributetype 1.2.3", 1, "expected '('"),
        ("attributetype ( 1.2.3 NAME 'x'\n", 1, "expected ')'"),
        ("attributetype ( 1.2.3\n NAME 'x'\n SYNTAXX 1.2 )", 3, "not SYNTAXX"),
        ("attributetype ( 1.2.3 NAME 'x\n SYNTAX 1.2 )", 1, "closing quote"),
        ("attributetype ( 1.2.3 NAME 'x' SYNTAX )", 1, "a name or an OID"),
        ("attributetype ( 1.2.3 NAME 'x' DESC ( 'a' 'b' ) )", 1, "quoted text"),
        ("attributetype ( 1.2.3 NAME 'x' NAME 'y' )", 1, "NAME once"),
        ("attributetype ( 1.2.3 SYNTAX 1.2 SYNTAX 1.3 )", 1, "SYNTAX once"),
        ("attributetype ( 1.2.3 NAME 'x' ) )", 1, "nothing after"),
        ("attributetype ( 1.2.3 'NAME' x )", 1, "a keyword"),
        ("attributetype ( )", 1, "an OID"),
        ("objectclass ( 1.2.3 NAME 'x' MUST ( ) )", 1, "at least one"),
        ("objectidentifier a", 1, "a name and an OID"),
        ("objectidentifier 1a 1.2", 1, "a letter"),
        ("objectidentifier a b:1", 1, "not b:1"),
        ("objectidentifier a 1.2\nobjectidentifier a 1.3", 2, "1.2 already"),
        ("attributeTypes:: !!!", 1, "base64"),
    ],
)
def test_a_text_that_cannot_be_read_says_file_line_and_what_was_expected(
    text: str, line: int, problem: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        read(text)
    assert str(caught.value).startswith(f"site.schema:{line}: ")
    assert problem in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("attributetype ( 1.2.3 NAME 'x' )", "SYNTAX or SUP"),
        ("attributetype ( 1.2.3 NAME 'x' SUP nosuch )", "not nosuch"),
        ("attributetype ( 1.2.3 NAME 'x' SYNTAX 1.2.3.4 )", "not 1.2.3.4"),
        (f"attributetype ( 1.2.3 NAME 'x' EQUALITY nosuchMatch {SYNTAX} )", "not nosuchMatch"),
        (f"attributetype ( 1.2.3 NAME 'x' USAGE other {SYNTAX} )", "USAGE"),
        (f"attributetype ( nomacro:1 NAME 'x' {SYNTAX} )", "not nomacro:1"),
        (f"attributetype ( 1.2.3 NAME 'x' X-PROV-INDEX 'eq' {SYNTAX} )", "equality rule"),
        (f"attributetype ( 1.2.3 NAME 'x' X-PROV-INDEX 'sub' {SYNTAX} )", "X-PROV-INDEX 'eq'"),
        (f"attributetype ( 1.2.3 NAME 'x' X-PROV-SECRET 'maybe' {SYNTAX} )", "'TRUE' or 'FALSE'"),
        (
            f"attributetype ( 1.2.3 NAME 'x' EQUALITY caseIgnoreMatch X-PROV-SECRET 'TRUE' "
            f"X-PROV-INDEX 'eq' {SYNTAX} )",
            "not secret",
        ),
        ("attributetype ( 1.2 NAME 'a' SUP b )\nattributetype ( 1.3 NAME 'b' SUP a )", "circle"),
        ("objectclass ( 1.2 NAME 'a' SUP b )\nobjectclass ( 1.3 NAME 'b' SUP a )", "circle"),
        ("objectclass ( 1.2 NAME 'a' SUP nosuch )", "not nosuch"),
        ("objectclass ( 1.2 NAME 'a' MAY nosuch )", "not nosuch"),
        ("objectclass ( 1.2 NAME 'a' ABSTRACT AUXILIARY )", "one of ABSTRACT"),
    ],
)
def test_definitions_that_do_not_hold_together_name_file_and_line(text: str, problem: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.parse([("first.schema", "# nothing"), ("second.schema", "\n" + text)])
    assert str(caught.value).startswith("second.schema:")
    assert problem in str(caught.value)


@pytest.mark.slapd
@pytest.mark.parametrize("ending", ["schema", "ldif"])
def test_openldaps_own_files_load_unchanged_after_ours(ending: str) -> None:
    folder = require_slapd().schemas
    ours = [
        (path.name, path.read_text())
        for path in sorted((Path(__file__).parents[2] / "schema").glob("*.schema"))
    ]
    names = [
        "core",
        "cosine",
        "inetorgperson",
        "nis",
        "misc",
        "openldap",
        "java",
        "corba",
        "duaconf",
        "dyngroup",
    ]
    theirs = [(name, (folder / f"{name}.{ending}").read_text()) for name in names]
    schema = Schema.parse([*ours, ("slapd", BUILT_INTO_SLAPD), *theirs])
    assert schema.object_class("posixAccount").must >= {"cn", "uid", "uidnumber"}
    assert schema.object_class("inetOrgPerson").chain[:3] == (
        "inetorgperson",
        "organizationalperson",
        "person",
    )
