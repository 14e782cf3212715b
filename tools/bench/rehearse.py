#!/usr/bin/env python
"""A thousand rehearsed agents, LDAPS, a new connection for each change: our server beside slapd.

    .venv/bin/python tools/bench/rehearse.py [--agents 1000] [--seconds 15] [--rounds 3] [--json FILE]

README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import machine
from certificates import KINDS, self_signed
from generator import HOST, BenchFailed
from our_home import AD, CHEAP_HASH, COMMON, USERS, VIEW, OurHome, OurServer
from our_side import FAST, domain_ldif
from report import OURS, RATIO, SIDE, SLAPD, Column, Figures, Table, with_ratio
from rules import FEW, profile_ldif
from side import HISTORY, MIN_LENGTH, user_name
from sites import write_ldif
from slapd_side import ACCESS, AGENT, PEOPLE, SUFFIX

from provserver.agents.conf import Server, Trust
from provserver.agents.line import Line
from provserver.agents.post import Post
from provserver.agents.rehearsal.cast import Part
from provserver.agents.rehearsal.conversation import Conversation, Door, Psync, found_and_told
from provserver.agents.rehearsal.pace import Pace
from provserver.agents.rehearsal.passwords import DEFAULT, Pattern
from provserver.agents.rehearsal.playing import Manner, Play
from provserver.agents.rehearsal.progress import Bar
from provserver.agents.rehearsal.stage import Stage
from provserver.agents.rehearsal.tally import Seen, Step, Tally
from provserver.agents.rehearsal.watching import Watch
from provserver.agents.wire import Deadline
from provserver.ldap.messages import CompareRequest, CompareResponse
from provserver.ldap.results import SUCCESS, Result, ResultCode
from provserver.testing.certificates import Certificates
from provserver.testing.slapd import PasswordPolicy, SlapdServer
from provserver.testing.slapd_configuration import ssha
from provserver.vault.secret import Secret

OUR_AGENT: Final = f"eTGlobalUserName=rehearsed-agent,{USERS}"
OUR_WATCHER: Final = f"eTGlobalUserName=rehearsal-watcher,{USERS}"
CONNECTING: Final = 10.0
SETTLE: Final = 120.0
FILES_EACH: Final = 3
"""Descriptors for each agent: its own line, the server's end, and room."""
COLUMNS: Final = (
    SIDE,
    Column("changes/s", "per_second", ",.0f"),
    RATIO,
    Column("p50 ms", "whole_p50", ",.0f"),
    Column("p95 ms", "whole_p95", ",.0f"),
    Column("p99 ms", "whole_p99", ",.0f"),
    Column("max ms", "whole_max", ",.0f"),
    Column("connection p50 ms", "connection_p50", ",.0f"),
    Column("test p50 ms", "test_p50", ",.0f"),
    Column("sync p50 ms", "sync_p50", ",.0f"),
    Column("server CPU ms each", "server_cpu_ms", ".2f"),
    Column("own CPU ms each", "own_cpu_ms", ".2f"),
    Column("own processors", "own_processors", ".2f"),
    Column("refused", "refused", "d"),
    Column("errors", "errors", "d"),
    Column("last account p50 s", "arrival_p50", ".2f"),
    Column("max s", "arrival_max", ".2f"),
    Column("not reached", "not_reached", "d"),
)


class Plain:
    """What stands in for the agent at slapd: search, compare (it has no test), search, modify."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._post = Post(PEOPLE, "inetOrgPerson", "uid")

    def open(self, deadline: Deadline) -> Line:
        return self._door.open(deadline)

    def ask(self, line: Line, step: Step, account: str, secret: Secret, deadline: Deadline) -> Result:
        def compared(dn: str) -> Result:
            number = line.send(CompareRequest(dn, "uid", account.encode()), (), deadline)
            answer = line.answer(number, deadline).operation
            if not isinstance(answer, CompareResponse):
                raise BenchFailed("slapd did not answer a compare")
            return SUCCESS if answer.result.code is ResultCode.COMPARE_TRUE else answer.result

        def modified(dn: str) -> Result:
            number = line.begin_setting(dn, "userPassword", secret, (), deadline)
            return line.ended_setting(number, deadline)

        told = compared if step is Step.TEST else modified
        return found_and_told(line, self._post, account, deadline, told)


class SlapdSide:
    name = SLAPD

    def __init__(self, users: int, parent: Path, certificates: Certificates, threads: int) -> None:
        password = Secret.of_text(secrets.token_urlsafe(18))
        self._slapd = SlapdServer(
            suffix=SUFFIX,
            policy=PasswordPolicy(min_length=MIN_LENGTH, in_history=HISTORY),
            access=ACCESS,
            certificates=certificates,
            global_extra=(f"threads {threads}",),
            ldif="".join(_people(users, ssha(password.reveal()))),
            parent_directory=parent,
        )
        self._slapd.start_blocking()
        door = Door.to(*_place(self._slapd.ldaps_port, certificates), AGENT, password, Deadline(CONNECTING))
        self.conversation: Conversation = Plain(door)

    def watch(self, tally: Tally, timeout: float) -> Watch | None:
        return None

    def pids(self) -> Sequence[int]:
        return machine.family(self._slapd.pid)

    def stop(self) -> None:
        self._slapd.stop()


class OurSide:
    name = OURS

    def __init__(self, users: int, parent: Path, certificates: Certificates, wait: float) -> None:
        agent, watcher = (Secret.of_text(secrets.token_urlsafe(18)) for _ in range(2))
        self._home = OurHome(parent, (CHEAP_HASH, FAST))
        self._users = users
        domain = self._home.directory / "domain.ldif"
        write_ldif(domain, [profile_ldif(FEW), *domain_ldif(users, _identities(agent, watcher))])
        self._home.load(domain)
        domain.unlink()
        self._server = OurServer(
            self._home,
            (
                f"passwords.propagation_wait={wait:g}",
                f"server.tls_certificate={certificates.certificate}",
                f"server.tls_key={certificates.key}",
            ),
        )
        door = Door.to(
            *_place(self._server.ldaps_port, certificates), OUR_AGENT + VIEW, agent, Deadline(CONNECTING)
        )
        self._watcher = door.of(OUR_WATCHER + VIEW, watcher)
        self.conversation: Conversation = Psync(door, Post(AD + VIEW, "eTADSAccount", "eTADSsAMAccountName"))

    def watch(self, tally: Tally, timeout: float) -> Watch | None:
        return Watch(self._watcher.open, tally, timeout)

    def pids(self) -> Sequence[int]:
        return self._server.pids()

    def stop(self) -> None:
        self._server.stop()
        self._home.remove()


class Bench:
    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self._options = options
        self._parts = [
            Part(user_name(user), "", f"eTGlobalUserName={user_name(user)},{USERS}{VIEW}")
            for user in range(options.users)
        ]
        certificates = self_signed(directory / "tls", KINDS["EC P-256"]())
        with contextlib.ExitStack() as started:
            slapd = SlapdSide(options.users, directory, certificates, options.slapd_threads)
            started.callback(slapd.stop)
            ours = OurSide(options.users, directory, certificates, options.wait)
            started.callback(ours.stop)
            self.sides = (slapd, ours)
            self.stop = started.pop_all().close

    def rounds(self) -> list[Figures]:
        """In turn, so that both have the same minutes; of each the round with the median rate."""
        found: dict[str, list[Figures]] = {side.name: [] for side in self.sides}
        for number in range(self._options.rounds):
            for side in self.sides:
                figures = self._played(side)
                found[side.name].append(figures)
                print(
                    f"  round {number + 1}, {side.name}: {figures['per_second']:,.0f}/s, "
                    f"{figures['errors']} errors",
                    file=sys.stderr,
                    flush=True,
                )
        return [sorted(rows, key=lambda row: row["per_second"])[len(rows) // 2] for rows in found.values()]

    def _played(self, side: SlapdSide | OurSide) -> Figures:
        options = self._options
        machine.wait_until_idle(side.pids())
        tally = Tally()
        watch = side.watch(tally, options.timeout)
        pace = Pace(
            len(self._parts),
            time.monotonic,
            gaps=None,
            again=0.0,
            changes=None,
            duration=options.seconds,
        )
        manner = Manner(options.agents, new_connection=True, timeout=options.timeout)

        def accepted(part: Part) -> None:
            if watch is not None:
                watch.accepted(part.user)

        draw = partial(Pattern(DEFAULT).draw, secrets.randbelow)
        play = Play(side.conversation, manner, self._parts, pace, draw, tally, accepted)
        stage = Stage(play, watch, tally, Bar(None), SETTLE)
        pids = side.pids()
        before = machine.cpu_seconds(pids)
        stage.run()
        spent = machine.cpu_seconds(pids) - before
        if stage.interrupted:
            raise KeyboardInterrupt
        return _figures(side.name, tally.seen(), stage, spent)


def _figures(side: str, seen: Seen, stage: Stage, spent: float) -> Figures:
    done = max(1, seen.accepted)
    figures = {
        "side": side,
        "per_second": seen.accepted / stage.seconds,
        "server_cpu_ms": spent / done * 1000,
        "own_cpu_ms": stage.own.processors * stage.seconds / done * 1000,
        "own_processors": stage.own.processors,
        "own_busy": stage.own.busy,
        "own_lag_p99_ms": stage.own.lag * 1000,
        "refused": seen.guarded + seen.refused.total(),
        "errors": seen.troubles.total(),
        "texts": dict(seen.texts),
        "reasons": list(seen.reasons.values()),
        "not_reached": seen.stuck.total() if seen.arrival.count or seen.stuck else None,
        "not_followed": seen.unknown,
        "arrival_p50": seen.arrival.quantile(0.5) if seen.arrival.count else None,
        "arrival_max": seen.arrival.longest if seen.arrival.count else None,
    }
    times = {
        "whole": seen.whole,
        "connection": seen.connection,
        "test": seen.steps[Step.TEST],
        "sync": seen.steps[Step.SYNC],
    }
    for name, spread in times.items():
        if spread.count:
            for label, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
                figures[f"{name}_{label}"] = spread.quantile(share) * 1000
    return figures


def _place(port: int, certificates: Certificates) -> tuple[Server, Trust]:
    return Server(HOST, port), Trust(certificates.authority, None, None, None)


def _identities(agent: Secret, watcher: Secret) -> str:
    """The agent, whose scope is the Active Directory endpoint, and who sees passwords arrive."""

    def one(dn: str, secret: Secret, profile: str, *more: str) -> str:
        name = f"eTAdminProfileName={profile},eTAdminProfileContainerName=Admin Profiles,{COMMON}"
        lines = [
            f"dn: {dn}",
            "objectClass: eTGlobalUser",
            f"eTPassword: {secret.reveal_text()}",
            f"eTUserAdminProfile: {name}",
            *more,
        ]
        return "\n".join([*lines, "", ""])

    return one(OUR_AGENT, agent, "PasswordAdministrator", f"provAgentScope: {AD}") + one(
        OUR_WATCHER, watcher, "DomainAdministrator"
    )


def _people(users: int, agent_hash: str) -> Iterator[str]:
    yield f"dn: {AGENT}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: agent\n"
    yield f"userPassword: {agent_hash}\n\n"
    yield f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
    for user in range(users):
        name = user_name(user)
        yield f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Rehearsed agents over LDAPS, a new connection each time.")
    parser.add_argument("--agents", type=int, default=1_000, help="at once")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--wait", type=float, default=2.0, help="our Propagation Wait, in seconds")
    parser.add_argument("--timeout", type=float, default=30.0, help="of a connection, and of each step")
    parser.add_argument("--slapd-threads", type=int, default=4 * (os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="a real disk")  # noqa: S108
    options = parser.parse_args(arguments)
    try:
        machine.allow_open_files(FILES_EACH * options.agents + 256)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as name:
            print("\n".join(machine.facts(Path(name)).lines()), flush=True)
            bench = Bench(options, Path(name))
            try:
                rows = with_ratio(bench.rounds(), "per_second")
            finally:
                bench.stop()
    except BenchFailed as failed:
        print(f"rehearse.py: {failed}", file=sys.stderr)
        return 1
    print(f"\n{Table('rehearse', COLUMNS, rows).text()}\nload average at the end: {os.getloadavg()[0]:.2f}")
    for row in rows:
        if row["own_busy"]:
            print(f"{row['side']}: the rehearsing process was busy itself: the figures may be its own")
        for text, count in row["texts"].items():
            print(f"{row['side']}: {count} times: {text}")
        for reason in row["reasons"]:
            print(f"{row['side']}: refused: {reason}")
    if options.json:
        options.json.write_text(json.dumps({"options": vars(options), "rows": rows}, indent=1, default=str))
    return 1 if any(row["errors"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
