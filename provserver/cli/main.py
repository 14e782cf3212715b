"""The command line: one subcommand a module, one place for exit codes.

0 done, 1 the operation failed, 2 usage or settings. No password is ever an argument: others see command
lines. What a command expects to go wrong is a sentence; only what it does not expect shows a traceback, and
that says so before and after it.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn, Protocol, cast

from provserver import __version__
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import InstanceError, KeyRingError, SettingsError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2


class Command(Protocol):
    """A module of this folder: its help, its arguments, and what it does (returns the exit code)."""

    HELP: str

    def arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


COMMANDS: Final = (
    "init",
    "load",
    "dump",
    "serve",
    "passwd",
    "explain",
    "guard",
    "status",
    "outbox",
    "endpoints",
    "agent",
    "explore",
    "check",
    "alerts",
    "backup",
    "activate",
    "keys",
    "demo",
)
"""Each a module of this folder."""


def command_of(name: str) -> Command:
    """The command of this name, imported when it is first asked for: a start pays for what it uses."""
    return cast(Command, import_module(f"provserver.cli.{name}"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """These commands with their options; `docs/reference/commands.md` is made of all."""
    top = _Parser(
        prog="provserver",
        description="The open provisioning server for password synchronisation, fronted by LDAP.",
        epilog="Start with: provserver demo",
    )
    top.add_argument("--version", action="version", version=f"provserver {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        command = command_of(name)
        sub = commands.add_parser(name, help=command.HELP, description=command.HELP)
        command.arguments(sub)
        sub.add_argument(
            "--set",
            action="append",
            default=[],
            dest="overrides",
            metavar="SECTION.KEY=VALUE",
            help="override a setting of provserver.toml for this run; may be repeated",
        )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    known = [name for name in given[:1] if name in COMMANDS]
    options = parser(known or COMMANDS).parse_args(given)
    try:
        return command_of(options.command).run(options)
    except (SettingsError, InstanceError, KeyRingError) as error:
        print(f"provserver: {error}", file=sys.stderr)
        return USAGE
    except CommandFailed as error:
        print(f"provserver: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("provserver: interrupted", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader of our output went away (`provserver dump | head`): not a fault.
        sys.stderr.close()
        return FAILED
    except OSError as error:
        # A full disk, a file that may not be read: not a fault of ours, and no help from a traceback.
        place = f"{error.filename}: " if error.filename is not None else ""
        print(f"provserver: {place}{error.strerror or error}", file=sys.stderr)
        return FAILED
    except Exception:
        print(f"provserver: {options.command} met an error that it did not expect:\n", file=sys.stderr)
        traceback.print_exc()
        print(
            f"\nprovserver: {options.command} did not complete. This is a fault of provserver's: "
            "please report it with the lines above",
            file=sys.stderr,
        )
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
