"""`provserver load DIR FILE...`: LDIF into an instance whose server is stopped."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from provserver.cli.failure import CommandFailed
from provserver.cli.loading import LoadFailed, lines_of, load_stream
from provserver.cli.offline import foundation_of, instance_at
from provserver.cli.running import run_until_done
from provserver.ldap.results import Refusal
from provserver.operations.edits import Edits

HELP = "load LDIF into an instance (its server must be stopped)"
STANDARD_INPUT = "-"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="LDIF, - is standard input; a record without changetype is an add",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    parser.add_argument(
        "--continue-on-error",
        action="store_true",
        help="leave out records that cannot be loaded, and say which (exit code 1); "
        "otherwise it is all or nothing",
    )


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.directory, options.overrides)
    paths = [Path(name) for name in options.files]
    for path in paths:
        if str(path) != STANDARD_INPUT and (path.is_dir() or not path.exists()):
            problem = "is a directory" if path.is_dir() else "no such file"
            raise CommandFailed(f"{path}: {problem}; nothing was loaded")
    failures: list[LoadFailed] = []

    def failed(failure: LoadFailed) -> None:
        failures.append(failure)
        print(failure, file=sys.stderr)

    async def work(reactor: Any) -> int:
        async with foundation_of(instance, reactor) as foundation:
            edits = Edits(foundation.rooms, "provserver load")
            count = 0
            with Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                disable=not sys.stderr.isatty(),
                transient=True,
            ) as progress:
                for path in paths:
                    task = progress.add_task(path.name, total=_size(path))
                    count += await load_stream(
                        foundation,
                        edits,
                        "<stdin>" if str(path) == STANDARD_INPUT else str(path),
                        _lines(path, progress, task),
                        failed=failed if options.continue_on_error else None,
                    )
            if not options.dry_run and len(edits):
                try:
                    await foundation.store.commit(edits.commit())
                except Refusal as refusal:
                    raise CommandFailed(f"nothing was loaded: {refusal}") from None
            return count

    try:
        count = run_until_done(work)
    except LoadFailed as error:
        raise CommandFailed(f"{error}\nnothing was loaded") from None
    would = "would be loaded" if options.dry_run else "loaded"
    left_out = f", {len(failures)} left out" if failures else ""
    print(f"{count} {'record' if count == 1 else 'records'} {would}{left_out}")
    return 1 if failures else 0


def _size(path: Path) -> int | None:
    """Octets to come; None for a pipe, which does not know."""
    return path.stat().st_size if path.is_file() else None


def _lines(path: Path, progress: Progress, task: TaskID) -> Iterator[bytes]:
    if str(path) == STANDARD_INPUT:
        yield from _counted(sys.stdin.buffer, progress, task)
    else:
        with path.open("rb") as file:
            yield from _counted(file, progress, task)


def _counted(file: BinaryIO, progress: Progress, task: TaskID) -> Iterator[bytes]:
    """Its lines, counted for the progress bar."""
    done = 0
    for number, line in enumerate(lines_of(file)):
        done += len(line)
        if number % 1000 == 0:
            progress.update(task, completed=done)
        yield line
    progress.update(task, completed=done)
