"""Makes docs/reference/*.md from the code, and docs/fidelity.md from the tests: `make docs`. `--check` says
which pages are not what the code says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import fidelity

from provserver.cli.main import COMMANDS, parser
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.events import MEANINGS
from provserver.directory.schematext import Macros, read_definitions
from provserver.foundation import shipped_schema_texts
from provserver.imps.messages import Message, Reason
from provserver.journal.events import Event
from provserver.ldap.controls import PolicyError
from provserver.passwords.profile import NUMBERS
from provserver.passwords.reasons import PolicyRule
from provserver.settings import reference as settings_reference

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Made by `make docs` from the code: change it there. -->"
FROM_TABLE = "<!-- Made by `make docs` from tests/fidelity/behaviours.toml: change it there. -->"


def commands() -> str:
    lines = [
        "# Commands",
        "",
        MADE,
        "",
        "Exit codes: 0 done, 1 the operation failed, 2 usage or settings.",
        "",
    ]
    top = parser()
    subparsers = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    lines += [
        "A failure is a sentence on standard error that names what is wrong and where. Only an error that a",
        "command did not expect shows a traceback, between two sentences that say so; please report it.",
        "",
    ]
    for name in COMMANDS:
        sub = subparsers.choices[name]
        lines += [
            f"## provserver {name}",
            "",
            f"{COMMANDS[name].HELP[0].upper()}{COMMANDS[name].HELP[1:]}.",
            "",
        ]
        lines += ["| argument | |", "|---|---|"]
        for action in sub._actions:
            if action.dest == "help":
                continue
            names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            value = f" {action.metavar}" if action.option_strings and action.metavar else ""
            lines.append(f"| `{names}{value}` | {action.help} |")
        lines.append("")
    return "\n".join(lines)


def messages() -> str:
    lines = [
        "# Messages",
        "",
        MADE,
        "",
        "In the LDAP diagnosticMessage, in the journal and in the etatrans log.",
        "",
    ]
    lines += ["| message | source |", "|---|---|"]
    for message in Message:
        form = message.value
        text = f":ETA_{form.severity}_{form.number:04d}<{form.tag}>, {form.text}"
        lines.append(f"| `{text}` | {form.source} |")
    lines += ["", "## Reasons", "", "| reason | text |", "|---|---|"]
    lines += [f"| {reason.name} | `{reason.value}` |" for reason in Reason]
    lines += ["", "## Journal events", "", "| event | name |", "|---|---|"]
    lines += [f"| {int(event)} | {event.name} |" for event in Event]
    lines += ["", "## Deliveries", "", "| event | severity | outcome |", "|---|---|---|"]
    meanings = sorted(MEANINGS.items())
    lines += [
        f"| {int(outcome)} | {meaning.severity.value} | {meaning.text} |" for outcome, meaning in meanings
    ]
    return "\n".join(lines) + "\n"


def connectors() -> str:
    lines = ["# Connectors", "", MADE, ""]
    kinds = ConnectorKinds()
    for name in kinds.names():
        kind = kinds.kind(name)
        doc = (kind.__doc__ or "").strip().splitlines()[0]
        lines += [f"## {name}", "", doc, "", "| setting | |", "|---|---|"]
        lines += [f"| `{key}` | {text} |" for key, text in kind.setting_names.items()]
        secrets = getattr(kind, "secret_names", {})
        if secrets:
            lines += ["", "| secret (`provSecret`) | |", "|---|---|"]
            lines += [f"| `{key}` | {text} |" for key, text in secrets.items()]
        lines.append("")
    return "\n".join(lines)


def password_profile() -> str:
    described = {
        definition.name: definition.one("DESC") or ""
        for _, text in shipped_schema_texts()
        for definition in read_definitions("", text, Macros())
    }
    lines = [
        "# The Password Profile",
        "",
        MADE,
        "",
        "Attributes of the one entry `eTPasswordProfileName=Password Profile,…`. A rule without a value, or",
        "at 0, is not used. What they do, with examples: [set password rules](../set-password-rules.md).",
        "",
        "| attribute | | value |",
        "|---|---|---|",
    ]
    names = {"provProfileEnabled": "TRUE or FALSE", **{one.name: one.expected for one in NUMBERS}}
    lines += [f"| `{name}` | {described[name]} | {names[name]} |" for name in names]
    lines += ["", "## Refusals", ""]
    lines += ["The name that programs read, and the error of the password policy control.", ""]
    lines += ["| rule | error |", "|---|---|"]
    for rule in PolicyRule:
        error = PolicyError(rule.behera_error)
        lines.append(f"| `{rule.value}` | {int(error)}, {error.name.lower().replace('_', ' ')} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page that is made, by its place below docs/."""
    return {
        "reference/settings.md": settings_reference(),
        "reference/commands.md": commands(),
        "reference/messages.md": messages(),
        "reference/connectors.md": connectors(),
        "reference/password-profile.md": password_profile(),
        "fidelity.md": fidelity.page(FROM_TABLE),
    }


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = []
    for name, text in pages().items():
        page = DOCS / name
        if not page.exists() or page.read_text("utf-8") != text:
            stale.append(name)
            if not check:
                page.write_text(text, "utf-8")
    for name in stale:
        print(f"docs/{name}: {'is not what the code says' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
