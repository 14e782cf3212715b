"""Forms that values have beyond their syntax: named in a schema, demanded of every value that is written."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.definitions import SchemaError
from provserver.directory.forms import as_century_day, century_day
from provserver.directory.schema import Schema
from provserver.directory.values import check_values
from provserver.ldap.results import Refusal, ResultCode

STRING = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
NEVER = b"0000000000"


def schema(*definitions: str) -> Schema:
    return Schema.parse([("site.schema", "".join(f"attributetype ( {one} )\n" for one in definitions))])


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2021, 12, 31), b"0000121365"),
        (date(2022, 1, 1), b"0000122001"),
        (date(2024, 12, 31), b"0000124366"),
        (date(1999, 12, 31), b"0000099365"),
        (date(1900, 1, 1), b"0000000001"),
        (date(2099, 12, 31), b"0000199365"),
    ],
)
def test_days_are_written_as_the_documents_show_them(day: date, text: bytes) -> None:
    """KB 229325: 121365, 122001, 124366, padded to ten."""
    assert as_century_day(day) == text
    assert century_day(text) == day
    assert century_day(text.lstrip(b"0")) == day


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_what_is_written_is_read_again(day: date) -> None:
    text = as_century_day(day)
    assert len(text) == 10
    assert century_day(text) == day


@pytest.mark.parametrize("text", [b"0", b"000000", NEVER])
def test_zeros_are_no_day(text: bytes) -> None:
    assert century_day(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"never",
        b"2024-12-31",
        b"-1",
        b"124000",
        b"124367",
        b"123366",
        b"224001",
        b"00000124366",
        b"1 24366",
    ],
)
def test_what_is_no_day_says_what_was_expected(text: bytes) -> None:
    with pytest.raises(ValueError, match="a day as CYYDDD"):
        century_day(text)


# ---------------------------------------------------------------- in a schema


def test_a_value_of_another_form_is_refused_by_name_and_place() -> None:
    type = schema(f"1.2.3 NAME 'until' {STRING} X-PROV-FORM 'CYYDDD'").attribute("until")
    check_values(type, [b"0000124366", NEVER])
    with pytest.raises(Refusal) as caught:
        check_values(type, [NEVER, b"tomorrow"])
    assert caught.value.code is ResultCode.CONSTRAINT_VIOLATION
    assert caught.value.result.diagnostic.startswith("until, value 2: expected a day as CYYDDD")
    assert "tomorrow" not in caught.value.result.diagnostic


def test_a_subtype_has_the_form_of_its_supertype() -> None:
    below = schema(f"1.2.3 NAME 'until' {STRING} X-PROV-FORM 'CYYDDD'", "1.2.4 NAME 'paidUntil' SUP until")
    with pytest.raises(Refusal):
        check_values(below.attribute("paidUntil"), [b"tomorrow"])


def test_a_form_that_is_not_known_is_an_error_of_the_schema() -> None:
    with pytest.raises(SchemaError, match=r"site.schema:1: until: expected X-PROV-FORM to be one of CYYDDD"):
        schema(f"1.2.3 NAME 'until' {STRING} X-PROV-FORM 'YYYYMMDD'")
