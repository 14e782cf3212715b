"""What the subschema entry shows: definitions, the rules that types name, and where rules can be used."""

from __future__ import annotations

import re

import pytest
from small_schema import INTEGER, TEXT, small

from provserver.directory.matching import UnknownRule
from provserver.directory.rules import BUILT_IN
from provserver.directory.schema import Schema
from provserver.directory.syntaxes import SYNTAXES
from provserver.foundation import load_schema


def uses(schema: Schema) -> dict[str, set[str]]:
    """What each matchingRuleUse applies to, by the name of its rule."""
    found = {}
    for text in schema.definitions()["matchingRuleUse"]:
        match = re.fullmatch(r"\( ([0-9.]+) NAME '(\w+)' APPLIES (?:\( (.+) \)|(\S+)) \)", text)
        assert match is not None, text
        found[match[2]] = set((match[3] or match[4]).split(" $ "))
    return found


def test_rules_and_syntaxes_are_shown_with_their_oids() -> None:
    definitions = small().definitions()
    for rule in BUILT_IN:
        assert f"( {rule.oid} NAME '{rule.name}' SYNTAX {rule.syntax} )" in definitions["matchingRules"]
    for syntax in SYNTAXES.values():
        assert f"( {syntax.oid} DESC '{syntax.description}' )" in definitions["ldapSyntaxes"]


def test_a_rule_that_a_type_names_is_shown_though_nobody_evaluates_it() -> None:
    """RFC 4517 4.1: what attributeTypes refers to must be there."""
    shown = small().definitions()["matchingRules"]
    assert "( 2.5.13.34 NAME 'certificateExactMatch' SYNTAX 1.3.6.1.1.15.1 )" in shown
    assert not any("certificateMatch" in text for text in shown)


@pytest.mark.parametrize("schema", [small(), load_schema()], ids=["small", "ours"])
def test_every_rule_and_syntax_that_is_referred_to_is_shown_once(schema: Schema) -> None:
    definitions = schema.definitions()
    rules = [text.split()[1] for text in definitions["matchingRules"]]
    syntaxes = [text.split()[1] for text in definitions["ldapSyntaxes"]]
    assert len(set(rules)) == len(rules)
    assert len(set(syntaxes)) == len(syntaxes)
    for type in schema.attribute_types.values():
        assert type.syntax.oid in syntaxes
        assert {rule.oid for rule in (type.equality, type.ordering, type.substrings) if rule} <= set(rules)
    for text in definitions["matchingRuleUse"]:
        assert text.split()[1] in rules


def test_a_rule_can_be_used_with_its_own_types_and_with_those_of_its_syntaxes() -> None:
    applies = uses(small())
    assert {"cn", "description", "exact", "mail", "telephoneNumber"} <= applies["caseExactMatch"]
    assert not {"uidNumber", "manager", "since"} & applies["caseExactMatch"]
    assert applies["integerBitAndMatch"] == {"uidNumber", "flags", "numSubordinates"}
    assert applies["telephoneNumberSubstringsMatch"] == {"telephoneNumber"}
    assert applies["caseIgnoreIA5Match"] == {"mail"}
    assert "bitStringMatch" not in applies


def test_secrets_and_rules_that_nobody_evaluates_are_of_no_use() -> None:
    applies = uses(small())
    assert not any({"secretKey", "oldSecretKey", "eTSyncPassword"} & names for names in applies.values())
    assert "certificateExactMatch" not in applies
    assert isinstance(small().rule("certificateExactMatch"), UnknownRule)


def test_a_site_s_type_is_among_them() -> None:
    site = f"attributetype ( 2.999.5.1 NAME 'shoeSize' EQUALITY integerMatch SYNTAX {INTEGER} )"
    assert "shoeSize" in uses(Schema.parse([("small", TEXT), ("site", site)]))["integerOrderingMatch"]
