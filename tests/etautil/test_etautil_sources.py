"""What a shell made of a command line, and what places are called."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seen_commands import SEEN, Seen

from provserver.etautil.grammar import parse
from provserver.etautil.options import parser
from provserver.etautil.sources import Source
from provserver.etautil.statements import Update
from provserver.etautil.words import Fault

STATEMENT = "update 'eTNamespaceName=UNIX - etc' eTETCDirectory name='a b' to eTDescription='x; y'"


def statements_of(*arguments: str) -> int:
    return len(parse(Source.of_arguments(arguments).text))


@pytest.mark.parametrize(
    "line",
    [
        STATEMENT,
        shlex.quote(STATEMENT),
        "update \"'eTNamespaceName=UNIX - etc'\" eTETCDirectory name=\"'a b'\" to eTDescription=\"'x; y'\"",
        STATEMENT + " \\;",
        STATEMENT + "\\;",
    ],
)
def test_however_it_is_quoted_for_the_shell_it_is_the_same_statement(line: str) -> None:
    assert parse(Source.of_arguments(shlex.split(line)).text) == parse(STATEMENT)


def test_statements_are_separated_by_semicolons_or_are_an_argument_each() -> None:
    words = shlex.split(STATEMENT)
    assert statements_of(*words, ";", *words) == 2
    assert statements_of(*words[:-1], words[-1] + ";", *words) == 2
    assert statements_of(STATEMENT, STATEMENT) == 2
    assert statements_of(f"{STATEMENT}; {STATEMENT}", *words) == 3


@given(st.text(max_size=40))
def test_a_value_of_the_shell_is_the_value(value: str) -> None:
    if value.endswith(";") or value[:1] in ("'", '"'):
        return
    [statement] = parse(Source.of_arguments(["update", "dc=x", "c", "n=v", "to", f"a={value}"]).text)
    assert isinstance(statement, Update)
    assert statement.changes[0].value == value


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: f"{seen.source}: {seen.words()[0]}")
def test_the_options_of_the_documents_are_taken_before_the_statement(seen: Seen) -> None:
    options = parser({}).parse_args(shlex.split(seen.line)[1:])
    assert options.statements == seen.words()
    assert options.dynamic == ("-DYN" in seen.line)
    assert options.domain == "im"
    assert options.user in ("USER", "etaadmin")


def place_of_fault(source: Source) -> str:
    with pytest.raises(Fault) as fault:
        parse(source.text)
    return source.place(fault.value.position)


def test_a_fault_on_a_command_line_has_the_number_of_its_argument() -> None:
    assert place_of_fault(Source.of_arguments(["update", "b x", "c", "n=v", "tu", "a=1"])) == "argument 5"
    assert place_of_fault(Source.of_arguments(["update 'b' c n=v tu a=1"])) == "argument 1, character 18"
    assert place_of_fault(Source.of_arguments(["update", "b"])) == "the end of the command line"


def test_a_fault_in_a_file_has_its_line_and_column() -> None:
    source = Source.of_text("# first\ndelete 'b' c n=v\n\nupdate 'b' c n=v\n  tu a=1\n", "moves.txt")
    assert place_of_fault(source) == "moves.txt:5:3"
