"""`psync-agent rehearse`: from the options to a result. Exit codes: `MEANINGS`."""

from __future__ import annotations

import argparse
import json
import random
import resource
import secrets
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from rich.console import Console

from provserver.agents.conf import Conf
from provserver.agents.decisions import Ending
from provserver.agents.rehearsal import cast, picture, report
from provserver.agents.rehearsal.advice import advise
from provserver.agents.rehearsal.cast import NoCast, Part
from provserver.agents.rehearsal.conversation import Door, Psync
from provserver.agents.rehearsal.pace import Pace, arrivals
from provserver.agents.rehearsal.passwords import Pattern
from provserver.agents.rehearsal.picture import NoPicture
from provserver.agents.rehearsal.playing import Manner, Play
from provserver.agents.rehearsal.progress import Bar
from provserver.agents.rehearsal.reading import NotRead, one
from provserver.agents.rehearsal.stage import Stage
from provserver.agents.rehearsal.tally import Tally
from provserver.agents.rehearsal.watching import Watch
from provserver.agents.wire import Deadline, NoAnswer
from provserver.directory.names import DN
from provserver.ldap.filters import Filter, FilterSyntaxError, parse_filter
from provserver.vault.private import read_private
from provserver.vault.secret import Secret

MEANINGS: Final = {
    0: "every change was answered (refusals are answers)",
    1: "there were errors or time-outs, or the picture could not be written",
    2: "the command line or the conf file is wrong, or the confirmation is missing: nothing was changed",
    3: "the server could not be asked: nothing was changed",
    130: "interrupted; what was seen until then is shown",
}
_OTHER_FILES: Final = 64
"""Descriptors that a process needs besides its agents' lines."""
_USERS: Final = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects"
_THRESHOLD: Final = (
    "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,eTNamespaceName=CommonObjects"
)
_VALUE: Final = "eTConfigParamValue"


class CannotRehearse(Exception):
    """A sentence, and the exit code."""

    def __init__(self, text: str, code: int = Ending.WRONG) -> None:
        super().__init__(text)
        self.code = code


def rehearse(conf: Conf, options: argparse.Namespace) -> int:
    """The exit code. CannotRehearse."""
    try:
        return _Rehearsal(conf, options).result()
    except (NoCast, NoPicture) as error:
        raise CannotRehearse(str(error)) from None
    except NoAnswer as trouble:
        raise CannotRehearse(f"{conf.servers[0]}: {trouble}", Ending.COULD_NOT_ASK) from None


class _Rehearsal:
    def __init__(self, conf: Conf, options: argparse.Namespace) -> None:
        self._conf = conf
        self._options = options
        self._remarks: list[str] = []
        self._tally = Tally()
        self._randomness = random.Random(secrets.randbits(64) if options.seed is None else options.seed)  # noqa: S311  order and arrival, nothing secret

    def result(self) -> int:
        options = self._options
        pattern = self._pattern()
        wanted = self._wanted()
        watching = self._watching()
        names = None if options.accounts is None else cast.listed(options.accounts)
        if options.picture is not None:
            picture.checked()
        _allow_lines(options.agents)
        conf = self._conf
        door = Door.to(conf.servers[0], conf.trust, conf.identity, conf.password, Deadline(options.timeout))
        suffix = cast.suffix_of(conf.post)
        watch_door = door if watching is None else door.of(self._identity(suffix), watching)
        parts = self._parts(door, names, wanted)
        if not options.test_only:
            self._confirmed(parts)
        watch, current = None, None
        if not options.test_only:
            parts, watched, current = self._owners(watch_door, suffix, parts)
            watch = Watch(watch_door.open, self._tally, options.timeout) if watched else None
        self._randomness.shuffle(parts)
        stage = self._stage(door, parts, pattern, watch)
        stage.run()
        return self._told(stage, watch is not None, current)

    # -- what was asked for

    def _pattern(self) -> Pattern:
        try:
            return Pattern(self._options.pattern)
        except ValueError as error:
            raise CannotRehearse(f"--pattern: {error}") from None

    def _wanted(self) -> Filter | None:
        options = self._options
        if options.accounts is not None and (options.base or options.filter):
            raise CannotRehearse("--accounts names the accounts: --base and --filter are for a search")
        if options.filter is None:
            return None
        try:
            return parse_filter(options.filter)
        except FilterSyntaxError as error:
            raise CannotRehearse(f"--filter: {error}") from None

    def _watching(self) -> Secret | None:
        """The password of who watches; None: it is the agent."""
        options = self._options
        if (options.watch_as is None) != (options.watch_password_file is None):
            raise CannotRehearse("--watch-as and --watch-password-file go together")
        if options.watch_as is None:
            return None
        file = options.watch_password_file
        content, problem = read_private(file, "password file", f"{file} was expected")
        secret = Secret(content.split(b"\n", 1)[0].removesuffix(b"\r"))
        if problem or not secret:
            raise CannotRehearse(f"--watch-password-file: {problem or 'its first line is empty'}")
        return secret

    def _identity(self, suffix: DN) -> str:
        name: str = self._options.watch_as
        if "=" in name:
            return name
        return DN.parse(f"{_USERS},{suffix.text}").child("eTGlobalUserName", name).text

    def _parts(self, door: Door, names: list[str] | None, wanted: Filter | None) -> list[Part]:
        options, post = self._options, self._conf.post
        with door.open(Deadline(options.timeout)) as line:
            if names is not None:
                return cast.named(line, post, names, options.timeout)
            parts = cast.searched(line, post, options.base or post.endpoint_dn, wanted, options.timeout)
        if not parts:
            raise NoCast(f"no account was found below {options.base or post.endpoint_dn}")
        return parts

    def _confirmed(self, parts: Sequence[Part]) -> None:
        post = self._conf.post
        endpoint = DN.parse(post.endpoint_dn).rdns[0].pairs[0][1]
        given = self._options.yes_change_passwords_of
        if given is not None and given.lower() == endpoint.lower():
            return
        some = ", ".join(part.account for part in parts[:3]) + (", ..." if len(parts) > 3 else "")
        problem = "" if given is None else f"--yes-change-passwords-of names {given}, not {endpoint}. "
        raise CannotRehearse(
            f"{problem}This would give new passwords, which nobody knows, to {len(parts):,} accounts "
            f"({some}) below {post.endpoint_dn} on {self._conf.servers[0]}, and to every other account of "
            f"their users. If you mean it: --yes-change-passwords-of {endpoint}. --test-only changes nothing"
        )

    def _owners(self, door: Door, suffix: DN, parts: list[Part]) -> tuple[list[Part], bool, float | None]:
        """The parts with their users, whether these can be watched, and the server's threshold."""
        options = self._options
        current: float | None = None
        with door.open(Deadline(options.timeout)) as line:
            try:
                owned = cast.with_owners(line, suffix, parts, options.timeout)
                value = one(line, f"{_THRESHOLD},{suffix.text}", (_VALUE,), options.timeout).first(_VALUE)
                current = float(value) if value.isdigit() else None
            except NotRead as error:
                self._remarks.append(
                    f"when passwords arrive is not known: {door.identity} may not see it ({error}); give an "
                    "administrator with --watch-as"
                )
                return parts, False, None
        if len(owned) < len(parts):
            self._remarks.append(
                f"{len(parts) - len(owned)} accounts were left out: another account of their user plays"
            )
        return owned, True, current

    # -- the play

    def _stage(self, door: Door, parts: list[Part], pattern: Pattern, watch: Watch | None) -> Stage:
        options = self._options
        changes = options.changes
        if changes is None and options.duration is None:
            changes = len(parts)
        again = 0.0 if options.test_only else options.again
        if changes is not None and changes > len(parts) and again:
            self._remarks.append(
                f"{changes:,} changes of {len(parts):,} accounts: each changes again after {again:g} s at "
                "the earliest (--again)"
            )
        pace = Pace(
            len(parts),
            time.monotonic,
            gaps=None if options.rate is None else arrivals(options.rate, self._randomness),
            again=again,
            changes=changes,
            duration=options.duration,
        )
        manner = Manner(options.agents, options.test_only, options.new_connection, options.timeout)
        accepted = (lambda part: None) if watch is None else partial(_watched, watch)
        conversation = Psync(door, self._conf.post)
        password = partial(pattern.draw, secrets.randbelow)
        play = Play(conversation, manner, parts, pace, password, self._tally, accepted)
        return Stage(play, watch, self._tally, Bar(changes), options.settle)

    def _told(self, stage: Stage, watched: bool, current: float | None) -> int:
        options, seen = self._options, self._tally.seen()
        if stage.agents < options.agents:
            self._remarks.append(
                f"only {stage.agents:,} of {options.agents:,} agents played: the system gives no more threads"
            )
        advice = advise(seen.arrival, seen.stuck.total(), seen.unknown, current) if watched else None
        ended = report.Ended(seen, stage.seconds, stage.own, advice, stage.interrupted, self._remarks)
        if options.json:
            print(json.dumps(report.for_programs(ended), indent=2, ensure_ascii=False))
        else:
            report.show(ended, Console(highlight=False))
        spreads, drawn = report.spreads(seen), True
        if options.picture is not None and spreads:
            title = f"{seen.accepted:,} changes, {options.agents:,} agents"
            threshold = advice.threshold if advice is not None else None
            try:
                picture.draw(options.picture, title, spreads, threshold)
            except NoPicture as error:
                print(f"psync-agent: {error}", file=sys.stderr)
                drawn = False
        if stage.interrupted:
            return 130
        return Ending.ACCEPT if seen.clean and drawn else Ending.REFUSE


def _watched(watch: Watch, part: Part) -> None:
    watch.accepted(part.user)


def _allow_lines(agents: int) -> None:
    """Raise this process's limit of open files. CannotRehearse."""
    wanted = agents + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CannotRehearse(f"--agents {agents}: only {hard} files may be open here (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
