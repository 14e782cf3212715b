"""The command: options, a conf file, a password on standard input; then what a filter, a person or a service
wants of the agent. Exit codes: `decisions.MEANINGS`.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from provserver.agents.agent import Agent
from provserver.agents.book import Book
from provserver.agents.conf import Conf, ConfError
from provserver.agents.decisions import Ending
from provserver.agents.options import PSYNC_AGENT, Flavour, parser
from provserver.agents.reading import read_conf
from provserver.vault.secret import Secret

_LONGEST: Final = 4_096
"""Octets of a password."""
_STDIN_PATIENCE: Final = 10.0
"""Seconds in which whoever calls us gives the password."""


class WrongUse(Exception):
    """A sentence; exit code WRONG."""


Command = Callable[[argparse.Namespace], int]
"""What carries one out: `read` of its options reads the conf file; the exit code."""


def main(
    arguments: Sequence[str] | None = None,
    flavour: Flavour = PSYNC_AGENT,
    own: Mapping[str, Command] = MappingProxyType({}),
) -> int:
    """Run the command; its exit code. `own`: what carries out a command in another way than here."""
    options = parser(flavour).parse_args(arguments)
    options.read = partial(read_conf, options.conf, flavour.form)
    try:
        return int((own.get(options.command) or _COMMANDS[options.command])(options))
    except ConfError as error:
        for problem in error.problems:
            print(f"{flavour.name}: {options.conf}: {problem}", file=sys.stderr)
        return Ending.WRONG
    except WrongUse as error:
        print(f"{flavour.name}: {error}", file=sys.stderr)
        return Ending.WRONG
    except KeyboardInterrupt:
        return 130


def told(options: argparse.Namespace) -> int:
    """test, sync, change."""
    conf: Conf = options.read()
    # An exit program of OS/400 has names that are filled up with blanks.
    account: str = options.account.rstrip(" ")
    if not account:
        raise WrongUse("ACCOUNT is empty")
    if any("\ud800" <= sign <= "\udfff" for sign in account):
        raise WrongUse("ACCOUNT is not UTF-8")
    secret = _password(options.password_fd)
    agent = Agent(conf, Book(conf.logging))
    decision = {"test": agent.test, "sync": agent.sync, "change": agent.change}[options.command](
        account, secret
    )
    if conf.verbose or decision.ending is not Ending.ACCEPT:
        print(decision.text)
    return decision.ending


def _password(number: int | None) -> Secret:
    """The first line of that file descriptor; None: of standard input. WrongUse: there is none, in time."""
    place = "standard input" if number is None else f"file descriptor {number}"
    try:
        got = _line_of(sys.stdin.fileno() if number is None else number, place)
    except OSError as error:
        raise WrongUse(f"the password was expected on {place}: {error.strerror}") from None
    # A filter may end it as C ends its texts.
    secret = Secret(got.split(b"\n", 1)[0].removesuffix(b"\r").removesuffix(b"\0"))
    if not secret:
        raise WrongUse(f"the password was expected on {place}, and there is none")
    if len(got) > _LONGEST:
        raise WrongUse(f"the password on {place} is longer than {_LONGEST} octets")
    return secret


def _line_of(descriptor: int, place: str) -> bytes:
    """What comes there until a line has ended, and perhaps more; no more than is too long. OSError."""
    if os.isatty(descriptor):
        raise WrongUse(f"the password is read from {place}, which is a terminal: use a pipe")
    got = b""
    coming = select.poll()
    coming.register(descriptor, select.POLLIN)
    end = time.monotonic() + _STDIN_PATIENCE
    while b"\n" not in got and len(got) <= _LONGEST:
        if not coming.poll(max(0.0, end - time.monotonic()) * 1000):
            raise WrongUse(f"the password was expected on {place}, and did not come")
        piece = os.read(descriptor, _LONGEST)
        if not piece:
            break
        got += piece
    return got


def check(options: argparse.Namespace) -> int:
    """What the conf file says, and whether that works."""
    from provserver.agents.checking import tried, understood

    conf: Conf = options.read()
    print("\n".join(understood(conf)), flush=True)
    book = Book(conf.logging)
    works = True
    for fine, text in tried(conf, book):
        print(f"{'ok' if fine else 'NOT OK'}: {text}", flush=True)
        if not fine:
            book.wrong(f"check: {text}")
        works = works and fine
    return Ending.ACCEPT if works else Ending.REFUSE


def _spool(options: argparse.Namespace) -> int:
    from provserver.agents.spool import SpoolError

    conf: Conf = options.read()
    try:
        return _listed(conf) if options.act == "list" else _flushed(conf)
    except SpoolError as error:
        print(f"psync-agent: {error}", file=sys.stderr)
        return Ending.REFUSE


def _listed(conf: Conf) -> int:
    from provserver.agents.spool import Spool

    if conf.waiting.directory is None:
        raise WrongUse("there is no spool: spool_enable is no")
    with Spool(conf.waiting.directory) as spool:
        for held in spool.waiting():
            at = datetime.fromtimestamp(held.captured, UTC).isoformat(timespec="seconds")
            print("\t".join([at, held.account, held.id, held.trouble or "not tried yet"]))
    return Ending.ACCEPT


def _flushed(conf: Conf) -> int:
    from provserver.agents.flushing import flush
    from provserver.agents.spool import Spool

    if conf.waiting.directory is None:
        raise WrongUse("there is no spool: spool_enable is no")
    with Spool(conf.waiting.directory) as spool:
        flushed = flush(conf, spool, Book(conf.logging), time.time)
    if flushed is None:
        print("somebody else is delivering at the moment")
        return Ending.ACCEPT
    print(
        f"delivered {flushed.delivered}, refused {flushed.refused}, given up {flushed.given_up}, "
        f"waiting {flushed.waiting}"
    )
    for trouble in flushed.troubles:
        print(trouble)
    return Ending.COULD_NOT_ASK if flushed.troubles else Ending.ACCEPT


def _run(options: argparse.Namespace) -> int:
    from provserver.agents.running import Runner

    runner = Runner(options.read, time.time)
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: enough.set())
    runner.run(enough.wait)
    return Ending.ACCEPT


def _sample(options: argparse.Namespace) -> int:
    from provserver.agents.sample import sample

    print(sample(), end="")
    return Ending.ACCEPT


def _rehearse(options: argparse.Namespace) -> int:
    from provserver.agents.rehearsal.command import CannotRehearse, rehearse

    try:
        return rehearse(options.read(), options)
    except CannotRehearse as error:
        print(f"psync-agent: {error}", file=sys.stderr)
        return error.code


_COMMANDS: Final[dict[str, Command]] = {
    "test": told,
    "sync": told,
    "change": told,
    "check": check,
    "spool": _spool,
    "run": _run,
    "sample": _sample,
    "rehearse": _rehearse,
}
