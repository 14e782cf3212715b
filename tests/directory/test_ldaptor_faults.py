"""What ldaptor's directory gets wrong (facts/ldaptor.md 7.3) and ours must not: a test for each row of ours.

The LDIF rows are in test_ldif.py, those of the wire and of the filter text in tests/ldap, those of the store
in tests/contract.
"""

from __future__ import annotations

import timeit

import pytest
from small_schema import TEXT, person, small

from provserver.directory.filtering import compile_filter
from provserver.directory.names import DN, InvalidName
from provserver.directory.schema import Schema
from provserver.directory.tree import ADD, DELETE, INCREMENT, modified
from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    Not,
    Present,
    Substrings,
)
from provserver.ldap.results import Refusal, ResultCode

JACK = person(uidNumber="9", description="x")


def verdict(filter: Filter) -> bool | None:
    return compile_filter(filter, small())(JACK)


def code_of(*changes: tuple[int, str, list[bytes]]) -> ResultCode:
    with pytest.raises(Refusal) as caught:
        modified(JACK, changes, small(), "20260101000000Z", "cn=a")
    return caught.value.code


def test_row_modify_is_atomic_and_has_the_rfcs_codes() -> None:
    assert (
        code_of((ADD, "description", [b"y"]), (DELETE, "nosuch", [])) is ResultCode.UNDEFINED_ATTRIBUTE_TYPE
    )
    assert JACK.texts("description") == ("x",)
    assert code_of((ADD, "description", [b"X"])) is ResultCode.ATTRIBUTE_OR_VALUE_EXISTS
    assert code_of((DELETE, "telephoneNumber", [])) is ResultCode.NO_SUCH_ATTRIBUTE
    after = modified(JACK, [(INCREMENT, "uidNumber", [b"1"])], small(), "20260101000000Z", "cn=a")
    assert after.text("uidnumber") == "10"


def test_row_add_and_rename_a_name_in_another_case_is_the_same_name() -> None:
    assert DN.parse("CN=Jack,DC=im").key == DN.parse("cn=jack,dc=im").key


def test_row_str_and_bytes_a_binary_assertion_is_undefined_not_an_error() -> None:
    assert verdict(Equality("cn", b"\xff\xfe")) is None
    assert verdict(Equality("flags", b"\xff")) is None


def test_row_filters_approximate_and_named_rules_are_evaluated_and_never_swallow_an_entry() -> None:
    assert verdict(And((Equality("objectClass", b"person"), Approximate("cn", b"j a-c k")))) is True
    assert verdict(Extensible("caseExactMatch", "cn", b"Jack")) is True


def test_row_substrings_are_consumed_and_the_final_part_is_whole() -> None:
    assert verdict(Substrings("cn", None, (b"a", b"a"), None)) is False
    assert verdict(Substrings("cn", b"Jac", (), b"ack")) is False
    assert verdict(Substrings("cn", b"J", (b"a",), b"ck")) is True


def test_row_order_of_numbers_is_not_that_of_their_digits() -> None:
    assert verdict(GreaterOrEqual("uidNumber", b"10")) is False


def test_row_equality_knows_rules_spaces_oids_subtypes_and_undefined() -> None:
    assert verdict(Equality("2.5.4.3", b" jack ")) is True
    assert verdict(Equality("name", b"DOE")) is True
    assert verdict(Not(Equality("nosuch", b"x"))) is None
    assert verdict(Not(Present("nosuch"))) is None


def test_row_dn_equal_names_hash_alike_and_spaces_order_and_hex_do_not_matter() -> None:
    assert len({DN.parse("CN=A"), DN.parse("cn = a"), DN.parse(r"cn=\61")}) == 1
    assert DN.parse("cn=a+sn=b") == DN.parse("sn=b+cn=a")
    assert DN.parse(r"cn=\C3\A4").rdns[0].pairs == DN.parse(r"cn=\c3\a4").rdns[0].pairs == (("cn", "ä"),)


def test_row_dn_a_trailing_backslash_is_an_invalid_name() -> None:
    with pytest.raises(InvalidName, match="after a backslash at character 5"):
        DN.parse("cn=a\\")


def test_row_dn_parts_of_names_have_no_order_that_could_recurse() -> None:
    with pytest.raises(TypeError):
        assert DN.parse("cn=a").rdns[0] > DN.parse("cn=b").rdns[0]  # type: ignore[operator]


def test_row_schema_what_real_files_contain_is_read_and_errors_are_errors_of_the_file() -> None:
    schema = Schema.parse(
        [
            ("small.schema", TEXT),
            (
                "real.schema",
                "objectidentifier r 2.999.9\n"
                "attributetype ( r:1 DESC 'o\\27clock' "
                "SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' name 'oddity' )\n"
                "objectclass ( r:2 NAME 'odd' X-NDS 'y' MUST(sn$cn) sup top )\n",
            ),
        ]
    )
    assert schema.attribute("oddity").syntax.description == "Directory String"
    assert schema.object_class("odd").must == {"objectclass", "sn", "cn"}
    assert "o\\27clock" in "".join(schema.definitions()["attributeTypes"])


def test_row_schema_entries_are_checked() -> None:
    assert code_of((DELETE, "sn", [])) is ResultCode.OBJECT_CLASS_VIOLATION


def test_row_many_values_are_not_quadratic() -> None:
    values = [b"value %d" % number for number in range(20_000)]
    seconds = timeit.timeit(
        lambda: modified(JACK, [(ADD, "description", values)], small(), "20260101000000Z", "cn=a"), number=1
    )
    assert seconds < 2
