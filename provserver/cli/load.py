"""`provserver load DIR FILE...`: LDIF into an instance whose server is stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from provserver.cli.failure import CommandFailed
from provserver.cli.loading import STANDARD_INPUT, Load, LoadFailed, name_of
from provserver.cli.offline import instance_at, loading_of
from provserver.cli.progress import bar

HELP = "load LDIF into an instance (its server must be stopped)"
_MOST_WORKERS = 64


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="LDIF, - is standard input; a record without changetype is an add",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, keep nothing")
    parser.add_argument(
        "--continue-on-error",
        action="store_true",
        help="leave out records that cannot be loaded, and say which (exit code 1); "
        "otherwise it is all or nothing",
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="processes that read LDIF beside the one that writes the store; "
        "the default is one for each core (4 at most) when there is much to read, 0 is none",
    )


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {_MOST_WORKERS}, not {text}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.directory, options.overrides)
    paths = [Path(name) for name in options.files]
    for path in paths:
        if path != STANDARD_INPUT and (path.is_dir() or not path.exists()):
            problem = "is a directory" if path.is_dir() else "no such file"
            raise CommandFailed(f"{path}: {problem}; nothing was loaded")
    failures: list[LoadFailed] = []

    def failed(failure: LoadFailed) -> None:
        failures.append(failure)
        print(failure, file=sys.stderr)

    with loading_of(instance) as (foundation, store), bar() as progress:
        tasks = {path: progress.add_task(Path(name_of(path)).name, total=_size(path)) for path in paths}
        load = Load(
            instance,
            foundation,
            store,
            "provserver load",
            failed=failed if options.continue_on_error else None,
            done=lambda path, octets: progress.advance(tasks[path], octets),
            workers=options.workers,
        )
        try:
            count = load.run(paths)
        except CommandFailed as error:
            raise CommandFailed(f"{error}\nnothing was loaded") from None
        if not options.dry_run:
            progress.add_task("writing the index", total=None)
            store.keep()
    would = "would be loaded" if options.dry_run else "loaded"
    left_out = f", {len(failures)} left out" if failures else ""
    print(f"{count} {'record' if count == 1 else 'records'} {would}{left_out}")
    return 1 if failures else 0


def _size(path: Path) -> int | None:
    """Octets to come; None for a pipe, which does not know."""
    return path.stat().st_size if path.is_file() else None
