"""Statements: text that makes sense, text that does not and where, and that writing is reading's inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seen_commands import SEEN, Seen

from provserver.etautil.grammar import parse
from provserver.etautil.sources import Source
from provserver.etautil.statements import (
    VERBS,
    Add,
    Assignment,
    Copy,
    CopyAll,
    Delete,
    Explore,
    MassChange,
    Membership,
    Report,
    Select,
    Sign,
    Statement,
    Target,
    Update,
    written,
)
from provserver.etautil.words import Fault

BASE = "eTNamespaceName=CommonObjects"

# -- reading is writing's inverse

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)
WORDS = NAMES.filter(lambda name: name.lower() not in {"to", "in", "list", *VERBS})
VALUES = st.text(max_size=30)
BASES = st.text(max_size=30).filter(lambda base: base[:1] not in ("'", '"'))
PLAIN = st.builds(Assignment, NAMES, VALUES)
SIGNED = st.builds(Assignment, NAMES, VALUES, st.sampled_from(Sign))
TARGETS = st.builds(Target, BASES, st.none() | WORDS)


def some(of: st.SearchStrategy[Assignment], least: int = 1) -> st.SearchStrategy[tuple[Assignment, ...]]:
    return st.lists(of, min_size=least, max_size=4).map(tuple)


LISTED = st.lists(WORDS, max_size=3).map(tuple)
STATEMENTS: st.SearchStrategy[Statement] = st.one_of(
    st.builds(
        Add, TARGETS, some(PLAIN), st.lists(st.builds(Membership, TARGETS, PLAIN), max_size=2).map(tuple)
    ),
    st.builds(Update, TARGETS, PLAIN, some(SIGNED)),
    st.builds(Delete, TARGETS, PLAIN),
    st.builds(Select, TARGETS, some(PLAIN), LISTED),
    st.builds(Report, TARGETS, some(PLAIN), LISTED),
    st.builds(MassChange, TARGETS, some(PLAIN), some(SIGNED)),
    st.builds(Copy, TARGETS, PLAIN, some(PLAIN)),
    st.builds(CopyAll, TARGETS, PLAIN, some(PLAIN)),
    st.builds(Explore, TARGETS, PLAIN, some(PLAIN, 0)),
)


@given(st.lists(STATEMENTS, max_size=3))
def test_statements_that_are_written_are_read_again(statements: list[Statement]) -> None:
    assert parse(" ; ".join(map(written, statements))) == tuple(statements)


@given(st.lists(STATEMENTS, min_size=1, max_size=3))
def test_without_semicolons_each_line_that_begins_with_a_verb_is_a_statement(
    statements: list[Statement],
) -> None:
    assert parse("# a comment; add 'x'\n" + "\n".join(map(written, statements))) == tuple(statements)


@given(st.text(max_size=60))
def test_any_text_is_statements_or_a_fault_within_it(text: str) -> None:
    position = 0
    try:
        parse(text)
    except Fault as fault:
        position = fault.position
    assert 0 <= position <= len(text)


@given(STATEMENTS)
def test_no_repr_shows_a_value(statement: Statement) -> None:
    marked = parse(written(statement).replace("=''", "='Qm7#secret'"))
    assert "Qm7#secret" not in repr(marked)


# -- what is seen in the documents


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: f"{seen.source}: {seen.words()[0]}")
def test_every_command_of_the_documents_is_one_statement(seen: Seen) -> None:
    [statement] = parse(Source.of_arguments(seen.words()).text)
    assert statement.verb == seen.words()[0]


def test_signs_and_both_kinds_of_quotes_are_read() -> None:
    [statement] = parse(f"UPDATE '{BASE}' eTRole name='R' TO +a=\"it's\" -b='x y' c=1 d='' e='it''s'")
    assert isinstance(statement, Update)
    assert [(one.sign, one.name, one.value) for one in statement.changes] == [
        (Sign.ADD, "a", "it's"),
        (Sign.REMOVE, "b", "x y"),
        (Sign.REPLACE, "c", "1"),
        (Sign.REPLACE, "d", ""),
        (Sign.REPLACE, "e", "it's"),
    ]


def test_a_class_may_be_missing_and_a_base_without_spaces_needs_no_quotes() -> None:
    [statement] = parse(f"add {BASE} GlobalUserName=u")
    assert statement == Add(Target(BASE), (Assignment("GlobalUserName", "u"),))


# -- what makes no sense, where


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("updte 'b' c n=v to a=1", 0, "expected a verb"),
        ("update", 6, "expected the DN of the base"),
        ("update 'b' c to a=1", 13, "expected name=value"),
        ("update 'b' c n=v tu a=1", 17, "expected 'to', and then what is to change, found the word tu"),
        ("update 'b' c n=v to", 19, "expected attribute=value, +attribute=value"),
        ("update 'b' c n=v to a=1 b", 24, "expected ; or the end of the statement"),
        ("update 'b' c n=v to a=1; delete 'b' c", 37, "expected name=value"),
        ("delete 'b c n=v", 7, "expected a closing ' for the quote that opens here"),
        ("delete 'b' c n='v'x", 18, "expected a space, ; or the end after the closing '"),
        ("add 'b' c +n=v", 10, "expected attribute=value, the object's name first, found an assignment of n"),
        ("select 'b' c n=* list", 21, "expected names of attributes"),
        ("select 'b' c n=* list a b=1", 24, "expected names of attributes"),
        ("explore 'b' c n=v to 'a b'", 21, "expected an eTExplore… attribute"),
        ("copy 'b' c n=v", 14, "expected 'to', and then the name of the copy"),
        ("select 'b' 1c n=*", 11, "expected an object class"),
    ],
)
def test_a_fault_says_what_was_expected_and_where(text: str, position: int, said: str) -> None:
    with pytest.raises(Fault) as fault:
        parse(text)
    assert said in str(fault.value)
    assert fault.value.position == position


def test_a_fault_never_tells_the_rest_of_a_password_with_a_space_in_it() -> None:
    with pytest.raises(Fault) as fault:
        parse("add 'b' c n=v eTPassword=open sesame")
    assert "sesame" not in str(fault.value)
    with pytest.raises(Fault) as fault:
        parse("add 'b' c n=v eTTitle=open sesame")
    assert "found the word sesame" in str(fault.value)
