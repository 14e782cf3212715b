"""Values against their type: bounds, repetition, and which of several values a diagnostic means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from small_schema import small

from provserver.directory.values import check_distinct, check_single, check_values, holds, without
from provserver.ldap.results import Refusal, ResultCode

SYNTAX = ResultCode.INVALID_ATTRIBUTE_SYNTAX
CONSTRAINT = ResultCode.CONSTRAINT_VIOLATION


def said(check: Callable[[], object]) -> tuple[ResultCode, str]:
    with pytest.raises(Refusal) as caught:
        check()
    return caught.value.code, caught.value.result.diagnostic


@pytest.mark.parametrize(
    ("description", "values", "code", "text"),
    [
        ("flags", [b"x"], SYNTAX, "flags: expected an integer"),
        ("flags", [b"1", b"2", b"x"], SYNTAX, "flags, value 3: expected an integer"),
        ("short", [b"12345"], CONSTRAINT, "short: expected at most 4 characters"),
        ("short", [b"1", b"12345"], CONSTRAINT, "short, value 2: expected at most 4 characters"),
        ("shorter", [b"12345"], CONSTRAINT, "shorter: expected at most 4 characters"),
        ("blob", [b"12345"], CONSTRAINT, "blob: expected at most 4 octets"),
        ("blob", ["äöü".encode()], CONSTRAINT, "blob: expected at most 4 octets"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_told_by_its_place(
    description: str, values: Sequence[bytes], code: ResultCode, text: str
) -> None:
    assert said(lambda: check_values(small().attribute(description), values)) == (code, text)


def test_a_bound_counts_characters_of_texts_and_is_itself_allowed() -> None:
    check_values(small().attribute("short"), ["äöüß".encode(), b"1234"])
    check_values(small().attribute("blob"), [b"1234", b""])
    check_values(small().attribute("description"), [b"x" * 100_000])


def test_equal_values_are_told_by_their_places() -> None:
    type = small().attribute("description")
    exists = ResultCode.ATTRIBUTE_OR_VALUE_EXISTS
    assert said(lambda: check_distinct(type, [b"a", b"b", b" B"])) == (
        exists,
        "description, value 3: the same as value 2",
    )
    assert said(lambda: check_distinct(type, [b"a", b"B"], [b"b"])) == (
        exists,
        "description, value 2: the entry has this value already",
    )
    assert said(lambda: check_distinct(type, [b"B"], [b"a", b"b"])) == (
        exists,
        "description: the entry has this value already",
    )
    check_distinct(type, [b"a", b"b"], [b"c"])


def test_values_without_an_equality_rule_are_the_same_only_octet_by_octet() -> None:
    type = small().attribute("picture")
    check_distinct(type, [b"a", b"A"])
    assert said(lambda: check_distinct(type, [b"a", b"a"]))[0] is ResultCode.ATTRIBUTE_OR_VALUE_EXISTS


def test_secret_values_are_never_compared() -> None:
    check_distinct(small().attribute("secretKey"), [b"x", b"x"], [b"x"])


def test_values_that_go_must_have_been_there() -> None:
    type = small().attribute("description")
    assert without(type, [b"a", b"B", b"c"], [b"b", b" C "]) == (b"a",)
    assert said(lambda: without(type, [b"a", b"b"], [b"a", b"c"])) == (
        ResultCode.NO_SUCH_ATTRIBUTE,
        "description, value 2: the entry does not have this value",
    )


def test_a_single_value_is_one() -> None:
    check_single(small().attribute("uidNumber"), [b"1"])
    assert said(lambda: check_single(small().attribute("uidNumber"), [b"1", b"2"])) == (
        ResultCode.CONSTRAINT_VIOLATION,
        "uidNumber: expected a single value",
    )


def test_a_value_is_held_whatever_its_spelling_and_beside_values_that_are_none() -> None:
    assert holds(small().attribute("manager"), [b"odd", b"CN=Boss,DC=im"], b"cn=boss, dc=im")
    assert not holds(small().attribute("manager"), [b"odd"], b"cn=boss, dc=im")
    assert not holds(small().attribute("manager"), [], b"cn=boss")


def test_many_values_one_of_them_twice_take_no_quadratic_time() -> None:
    values = [str(number).encode() for number in range(50_000)]
    code, text = said(lambda: check_distinct(small().attribute("description"), [*values, b"49999"]))
    assert (code, text) == (
        ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
        "description, value 50001: the same as value 50000",
    )
