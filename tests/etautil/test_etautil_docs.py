"""What the pages say about etautil is what it takes."""

from __future__ import annotations

import re
import shlex

import pytest
from plugins.served_instance import REPOSITORY

from provserver.etautil.command import EXIT_CODES
from provserver.etautil.domains import Domain
from provserver.etautil.grammar import parse
from provserver.etautil.options import ENVIRONMENT, parser
from provserver.etautil.planning import Planner
from provserver.etautil.sources import Source
from provserver.etautil.statements import VERBS
from provserver.etautil.vocabulary import shipped_vocabulary

DOCS = REPOSITORY / "docs"
LINES = [
    line
    for page in sorted(DOCS.glob("*.md"))
    for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("etautil ")
]


def test_there_are_examples() -> None:
    assert len(LINES) >= 8


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_every_example_of_the_pages_makes_sense(line: str) -> None:
    options = parser({}).parse_args(shlex.split(line)[1:])
    planner = Planner(shipped_vocabulary(), Domain(options.domain))
    statements = parse(Source.of_arguments(options.statements).text)
    assert statements or options.file
    for statement in statements:
        planner.plan(statement)


def test_every_option_variable_and_exit_code_is_documented() -> None:
    text = (DOCS / "reference" / "etautil.md").read_text("utf-8")
    for action in parser({})._actions:
        if action.option_strings and action.dest != "help":
            assert f"| `{', '.join(action.option_strings)}" in text
    for name in ENVIRONMENT:
        assert f"| `{name}` |" in text
    for code in EXIT_CODES:
        assert f"| {code} |" in text


def test_every_verb_is_described() -> None:
    text = (DOCS / "use-etautil.md").read_text("utf-8")
    for verb in VERBS:
        assert f"| `{verb} " in text
