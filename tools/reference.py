"""Makes docs/reference/*.md from the code, and docs/fidelity.md from the tests: `make docs`. `--check` says
which pages are not what the code says.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import fidelity

from provserver.agents.decisions import MEANINGS as ENDINGS
from provserver.agents.keys import KEYS
from provserver.agents.options import COMMANDS as AGENT_COMMANDS
from provserver.agents.options import ENVIRONMENT as AGENT_ENVIRONMENT
from provserver.agents.pam import CONF as PAM_CONF
from provserver.agents.pam import form as pam_form
from provserver.agents.rehearsal.command import MEANINGS as REHEARSAL_ENDINGS
from provserver.agents.rehearsal.options import rehearse_arguments
from provserver.agents.samba import FLAVOUR as SAMBA
from provserver.cli.main import COMMANDS, command_of, parser
from provserver.connectors.contract import ENCODINGS, Ability, Capabilities, ConnectorKind
from provserver.connectors.registry import ConnectorKinds, capabilities_of
from provserver.delivery.declared import DECLARED
from provserver.delivery.events import MEANINGS
from provserver.directory.schematext import Macros, read_definitions
from provserver.etautil.command import EXIT_CODES
from provserver.etautil.options import ENVIRONMENT
from provserver.etautil.options import parser as etautil_parser
from provserver.foundation import shipped_schema_texts
from provserver.imps.messages import Message, Reason
from provserver.journal.declared import Field
from provserver.journal.events import Event
from provserver.journal.metrics.declared import METRICS
from provserver.journal.schema import schema_of
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
            f"{command_of(name).HELP[0].upper()}{command_of(name).HELP[1:]}.",
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


def etautil() -> str:
    """With no environment, so that its defaults are the command's."""
    lines = [
        "# etautil",
        "",
        MADE,
        "",
        "`etautil [options] STATEMENT [; STATEMENT]...`, or `etautil [options] -f FILE`. Options come first.",
        "What statements are: [use etautil](../use-etautil.md#statements).",
        "",
        "## Options",
        "",
        "| option | |",
        "|---|---|",
    ]
    for action in etautil_parser({})._actions:
        if action.option_strings and action.dest != "help":
            value = f" {action.metavar}" if action.metavar else ""
            lines.append(f"| `{', '.join(action.option_strings)}{value}` | {action.help} |")
    lines += ["", "## Environment", "", "| variable | |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in ENVIRONMENT.items()]
    lines += ["", "## Exit codes", "", "| code | |", "|---|---|"]
    lines += [f"| {code} | {text} |" for code, text in EXIT_CODES.items()]
    return "\n".join(lines) + "\n"


def rehearsal() -> list[str]:
    """The options of `psync-agent rehearse`, and its exit codes."""
    parser = argparse.ArgumentParser(add_help=False)
    rehearse_arguments(parser)
    lines = ["", "## rehearse", "", "How it is used: [rehearse a site](../rehearse-a-site.md).", ""]
    lines += ["| option | |", "|---|---|"]
    for action in parser._actions:
        value = f" {action.metavar or action.dest.upper()}" if action.nargs is None else ""
        text = (action.help or "") % {"default": action.default}
        lines.append(f"| `{action.option_strings[0]}{value}` | {text} |")
    lines += ["", "| exit code | |", "|---|---|"]
    lines += [f"| {code} | {text} |" for code, text in REHEARSAL_ENDINGS.items()]
    return lines


def psync_agent() -> str:
    lines = [
        "# psync-agent",
        "",
        MADE,
        "",
        "`psync-agent [--conf FILE] COMMAND`. How it is used: [run an agent](../run-an-agent.md).",
        "",
        "## Commands",
        "",
        "| command | |",
        "|---|---|",
    ]
    arguments = {"test": " ACCOUNT", "sync": " ACCOUNT", "change": " ACCOUNT", "spool": " list\\|flush"}
    lines += [f"| `{name}{arguments.get(name, '')}` | {text} |" for name, text in AGENT_COMMANDS.items()]
    lines += ["", "## Exit codes", "", "| code | |", "|---|---|"]
    lines += [f"| {int(ending)} | {meaning} |" for ending, meaning in ENDINGS.items()]
    lines += [
        "",
        "`check` ends with 1 when something does not work, `spool flush` with 3 when a server was not",
    ]
    lines += ["reached.", "", "## Environment", "", "| variable | |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in AGENT_ENVIRONMENT.items()]
    lines += rehearsal()
    lines += ["", "## pam-agent", ""]
    lines += [
        "The same commands but `sample` and `rehearse`; ACCOUNT is `PAM_USER` where it is not given. The "
        "conf file is",
    ]
    lines += [
        f"`--conf`, else `{PAM_CONF}`; its defaults are other ones for:",
        "",
        "| key | default |",
        "|---|---|",
    ]
    lines += [
        f"| `{name}` | {'this host' if name == 'endpoint_name' else f'`{value}`'} |"
        for name, value in pam_form().defaults.items()
    ]
    lines += ["", "## samba-agent", ""]
    lines += [
        "The same commands but `change`, `sample` and `rehearse`, and of its own:",
        "",
        "| command | |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in SAMBA.own.items()),
        "",
        f"ACCOUNT of `test` is `{SAMBA.account}` where it is not given; `samba-agent-sync` is",
        f"`samba-agent sync`. The conf file is `--conf`, else `{SAMBA.variable}`, else",
        f"`{SAMBA.conf}`; its defaults are other ones for:",
        "",
        "| key | default |",
        "|---|---|",
        *(f"| `{name}` | `{value}` |" for name, value in SAMBA.form.defaults.items()),
    ]
    lines += ["", "## Keys of the conf file", ""]
    lines += ["How sure we are that CA's agent has the key: documented, remembered; or it is ours."]
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines += ["", f"### [{section}]", "", "| key | default | expected | | |", "|---|---|---|---|---|"]
        names = ", ".join(f"`{name}`" for name in (key.name, *key.spellings))
        default = f"`{key.default}`" if key.default else ""
        lines.append(f"| {names} | {default} | {key.expected} | {key.help} | {key.source.value} |")
    return "\n".join(lines) + "\n"


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


def capabilities(kinds: Mapping[str, ConnectorKind]) -> list[str]:
    """Connector x capability, as the kinds declare it, and the kit tests it."""
    fields = [field.name for field in dataclasses.fields(Capabilities)]
    lines = [
        "How an endpoint says which one serves it: [connect an endpoint](../connect-an-endpoint.md). How one",
        "is made: [write a connector](../write-a-connector.md).",
        "",
        "## What each can do",
        "",
        "Instead of yes: on which settings it depends. – is no: where `unlock` and `must-change` are no, the",
        f"wish is passed over. Hashes are of the schemes {', '.join(ENCODINGS)}, those of them that the",
        "endpoint's settings name. The kit tests each connector on what this table says of it.",
        "",
        f"| connector | {' | '.join(field.replace('_', '-') for field in fields)} |",
        f"|---|{'---|' * len(fields)}",
    ]
    for name, kind in kinds.items():
        told = capabilities_of(kind)
        cells = [ability(getattr(told, field)) for field in fields]
        lines.append(f"| [{name}](#{name}) | {' | '.join(cells)} |")
    return [*lines, ""]


def ability(told: Ability) -> str:
    if isinstance(told, str):
        return told
    return "yes" if told else "–"


def connectors() -> str:
    lines = ["# Connectors", "", MADE, ""]
    installed = ConnectorKinds()
    ours = [name for name in installed.names() if installed.package(name) == "provserver"]
    lines += capabilities({name: installed.kind(name) for name in ours})
    for name in ours:
        kind = installed.kind(name)
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


def journal() -> str:
    lines = [
        "# The journal",
        "",
        MADE,
        "",
        "Every event, with its fields. How to have them in a file, and how its lines are made:",
        "[watch it](../watch-it.md#the-journal-as-a-file). As a JSON Schema, for programs:",
        "[journal.schema.json](journal.schema.json).",
        "",
        "A field that is not always there is marked with *. Names are those in the file; in the store an",
        "underscore is a space.",
    ]
    for kind in DECLARED.values():
        lines += ["", f"## {kind.event} {kind.name}", "", f"{kind.severity.value}. {kind.text}"]
        for number, form in enumerate(kind.forms):
            if number:
                lines += ["", "Or, where it is not about a delivery:"]
            if form:
                lines += ["", "| field | type | |", "|---|---|---|", *_fields(form)]
    return "\n".join(lines) + "\n"


def _fields(form: tuple[Field, ...]) -> list[str]:
    return [
        f"| `{field.key}`{'' if field.always else ' *'} | {field.type.value} | {field.meaning} |"
        for field in form
    ]


def journal_schema() -> str:
    return json.dumps(schema_of(DECLARED), indent=2) + "\n"


def metrics() -> str:
    lines = [
        "# Metrics",
        "",
        MADE,
        "",
        "All of them count from the start of the process. How to scrape them, and what to alert on:",
        "[watch it](../watch-it.md#metrics).",
        "",
        "| metric | kind | labels | |",
        "|---|---|---|---|",
    ]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        bounds = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.bounds)}." if metric.bounds else ""
        lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help}{bounds} |")
    lines += ["", "And `process_…` of Prometheus' own client: memory, processor time, open files, start."]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page that is made, by its place below docs/."""
    return {
        "reference/settings.md": settings_reference(),
        "reference/commands.md": commands(),
        "reference/etautil.md": etautil(),
        "reference/psync-agent.md": psync_agent(),
        "reference/messages.md": messages(),
        "reference/connectors.md": connectors(),
        "reference/journal.md": journal(),
        "reference/journal.schema.json": journal_schema(),
        "reference/metrics.md": metrics(),
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
