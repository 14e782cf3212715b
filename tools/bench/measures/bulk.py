"""`load` and `dump`: LDIF in bulk, into and out of a server that is down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from checks import sample
from generator import BenchFailed
from population import Dialect, Size
from report import OURS, SLAPD, Column, Figures, Table, with_ratio
from sites import Site
from spent import Spent
from stage import Stage

MIB: Final = 2**20
BASELINE: Final = "slapadd -q"
COMMANDS: Final = (
    # what it is called, whose it is, whether slapadd may skip checks
    (BASELINE, SLAPD, True),
    ("slapadd", SLAPD, False),
    ("provserver load", OURS, True),
)
COLUMNS: Final = (
    Column("command", "command"),
    Column("accounts", "accounts", ",d"),
    Column("seconds", "seconds", ",.1f"),
    Column("accounts/s", "per_second", ",.0f"),
    Column("CPU s", "cpu_s", ",.1f"),
    Column("peak MiB", "peak_mib", ",.0f"),
    Column("disk MiB", "stored_mib", ",.0f"),
    Column("ratio", "ratio", ".3f"),
)
SAMPLE: Final = 20


def load(stage: Stage) -> Sequence[Table]:
    """What was loaded is dumped, counted and compared, so both are measured."""
    return _both(stage)[:1]


def dump(stage: Stage) -> Sequence[Table]:
    return _both(stage)[1:]


def _both(stage: Stage) -> Sequence[Table]:
    if stage.bulk is None:
        stage.bulk = _measured(stage)
    return stage.bulk


def _measured(stage: Stage) -> Sequence[Table]:
    size = Size(stage.options.load_entries, users=0)
    loads: list[Figures] = []
    dumps: list[Figures] = []
    for command, side, quick in COMMANDS:
        if side not in stage.sides:
            continue
        with stage.site(side, quick=quick) as site:
            loaded = site.fill(size)
            stage.say(f"{command}: {size.accounts / loaded.seconds:,.0f}/s")
            stored = {"stored_mib": site.stored() / MIB}
            loads.append({"command": command, **_figures(side, size, loaded), **stored})
            dumped = _dumped(stage, site, size)
            if quick:
                name = "slapcat" if side == SLAPD else "provserver dump"
                dumps.append({"command": name, **_figures(side, size, dumped)})
    return [
        Table("load", COLUMNS, with_ratio(loads, "per_second", against=("command", BASELINE))),
        Table("dump", COLUMNS, with_ratio(dumps, "per_second")),
    ]


def _figures(side: str, size: Size, spent: Spent) -> Figures:
    return {
        "side": side,
        "accounts": size.accounts,
        "seconds": spent.seconds,
        "per_second": size.accounts / spent.seconds,
        "cpu_s": spent.cpu,
        "peak_mib": spent.peak / MIB,
    }


def _dumped(stage: Stage, site: Site, size: Size) -> Spent:
    path = stage.directory / "dump.ldif"
    spent = site.dump(path)
    check_dump(path, site.dialect, size, sample(stage.randomness("dump"), size.accounts, SAMPLE))
    path.unlink()
    return spent


def check_dump(path: Path, dialect: Dialect, size: Size, numbers: Sequence[int]) -> None:
    """Every account is in it, a sample of them whole. BenchFailed."""
    wanted = {dialect.account_dn(number).lower(): number for number in numbers}
    is_account = f"objectclass: {dialect.account_class}".lower()
    count = 0
    for lines in _records(path):
        count += is_account in lines
        number = wanted.pop(lines[0].removeprefix("dn: "), None)
        if number is not None:
            expected = {
                f"{attribute}: {values[0].decode()}" for attribute, values in dialect.expected(number).items()
            }
            if missing := expected - set(lines):
                raise BenchFailed(f"{dialect.side}: the dump of {dialect.account_dn(number)} lacks {missing}")
    if count != size.accounts or wanted:
        raise BenchFailed(
            f"{dialect.side}: the dump has {count} accounts of {size.accounts}, and lacks {sorted(wanted)}"
        )


def _records(path: Path) -> Iterator[list[str]]:
    """The records of an LDIF file as lines in lower case, folded ones joined."""
    lines: list[str] = []
    with path.open() as file:
        for line in file:
            text = line.rstrip("\n")
            if text.startswith(" ") and lines:
                lines[-1] += text[1:].lower()
            elif text:
                lines.append(text.lower())
            elif lines:
                yield lines
                lines = []
    if lines:
        yield lines
