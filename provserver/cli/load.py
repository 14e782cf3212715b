"""`provserver load DIR FILE...`: LDIF into an instance whose server is stopped."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from provserver.cli.failure import CommandFailed
from provserver.cli.loading import LoadFailed, load_stream
from provserver.cli.offline import foundation_of, instance_at
from provserver.cli.running import run_until_done
from provserver.ldap.results import Refusal
from provserver.operations.edits import Edits

HELP = "load LDIF into an instance (its server must be stopped)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="LDIF; a record without changetype is an add"
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
        if not path.is_file():
            raise CommandFailed(f"{path}: no such file; nothing was loaded")
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
                    task = progress.add_task(path.name, total=path.stat().st_size)
                    count += await load_stream(
                        foundation,
                        edits,
                        str(path),
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


def _lines(path: Path, progress: Progress, task: TaskID) -> Iterator[bytes]:
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number % 1000 == 0:
                progress.update(task, completed=file.tell())
            yield line
    progress.update(task, completed=path.stat().st_size)
