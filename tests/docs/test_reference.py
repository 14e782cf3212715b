"""Documentation is a promise: everything that can be named is documented, and the reference is what the code
says.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from provserver.cli.main import COMMANDS, parser
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.events import MEANINGS
from provserver.directory.ldif import read_ldif
from provserver.foundation import load_schema
from provserver.imps.messages import Message, Reason
from provserver.journal.events import Event
from provserver.settings import Settings, describe

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PROSE = [page for page in PAGES if page.parent.name not in {"reference", "decisions"}]
UNREAD_SETTINGS = {"storage.engine"}
"""It has one value only."""


def page(name: str) -> str:
    return (REPOSITORY / "docs" / "reference" / f"{name}.md").read_text("utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """tools/reference.py, which is no package and imports what is beside it."""
    sys.path.append(str(REPOSITORY / "tools"))
    return importlib.import_module("reference")


def test_the_reference_is_what_the_code_says(generator: ModuleType) -> None:
    docs = REPOSITORY / "docs"
    made = [docs / "fidelity.md", *(docs / "reference").glob("*.md"), *(docs / "reference").glob("*.json")]
    written = {str(path.relative_to(docs)): path.read_text("utf-8") for path in made}
    assert written == generator.pages(), "run: make docs"


def test_every_setting_is_documented() -> None:
    text = page("settings")
    for one in describe():
        assert f"## [{one.section}]" in text
        assert f"| `{one.key}` | `{one.default}` | {one.expected} | {one.help} |" in text


def test_every_setting_is_obeyed_somewhere() -> None:
    """Limits are handed on as a whole: `provserver.ldap.limits` reads them."""
    code = "\n".join(
        path.read_text("utf-8")
        for path in (REPOSITORY / "provserver").rglob("*.py")
        if path.name != "settings.py"
    )
    unread = {f"{one.section}.{one.key}" for one in describe() if not re.search(rf"\.{one.key}\b", code)}
    assert unread <= UNREAD_SETTINGS


def test_every_command_and_each_of_its_arguments_is_documented() -> None:
    text = page("commands")
    sections = dict(re.findall(r"^## provserver (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(COMMANDS)
    commands = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name in COMMANDS:
        for action in commands.choices[name]._actions:
            if action.dest != "help":
                said = action.option_strings[0] if action.option_strings else action.metavar
                assert f"| `{said}" in sections[name]
                assert f"| {action.help} |" in sections[name]


def test_every_message_reason_and_event_is_documented() -> None:
    text = page("messages")
    for message in Message:
        assert message.value.text in text
        assert f"{message.value.number:04d}<{message.value.tag}>" in text
    for reason in Reason:
        assert f"| {reason.name} | `{reason.value}` |" in text
    for event in Event:
        assert f"| {int(event)} | {event.name} |" in text
    for outcome, meaning in MEANINGS.items():
        assert f"| {int(outcome)} | {meaning.severity.value} | {meaning.text} |" in text


def test_every_connector_with_each_of_its_settings_and_secrets_is_documented() -> None:
    text = page("connectors")
    kinds = ConnectorKinds()
    for name in kinds.names():
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section
        kind = kinds.kind(name)
        for key, help in {**kind.setting_names, **getattr(kind, "secret_names", {})}.items():
            assert f"| `{key}` | {help} |" in section


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+://", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file) if file else path
        assert there.exists(), f"{path.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in anchors, f"{path.name}: {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    linked = (REPOSITORY / "README.md").read_text("utf-8")
    linked += "".join(path.read_text("utf-8") for path in PROSE)
    for path in PAGES[1:]:
        folder = path.parent.name
        assert path.name in linked or (folder == "decisions" and "docs/decisions/" in linked), path


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_command_line_of_a_page_is_one_that_we_have(path: Path) -> None:
    for block in blocks(path, "sh"):
        for line in block.splitlines():
            if line.startswith("provserver "):
                words = line.partition(" > ")[0].replace("'", "").split()
                parser().parse_args(words[1:])


def test_every_ldif_example_is_ldif_with_names_that_the_schema_has() -> None:
    schema = load_schema()
    records = []
    for path in PROSE:
        for block in blocks(path, "ldif"):
            records += list(read_ldif(block.encode().splitlines(keepends=True)))
    assert len(records) >= 4
    for record in records:
        for description, values in record.attributes:
            assert schema.known_key(description) is not None, description
            if description.lower() == "objectclass":
                for value in values:
                    assert schema.known_class(value.decode()) is not None, value


def test_every_settings_example_is_taken() -> None:
    found = [block for path in PROSE for block in blocks(path, "toml")]
    assert found
    for block in found:
        Settings.parse(block)
        assert tomllib.loads(block)
