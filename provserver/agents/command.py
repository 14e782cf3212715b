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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
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


class _WrongUse(Exception):
    """A sentence; exit code WRONG."""


def main(arguments: Sequence[str] | None = None, flavour: Flavour = PSYNC_AGENT) -> int:
    """Run the command; its exit code."""
    options = parser(flavour).parse_args(arguments)
    options.read = partial(read_conf, options.conf, flavour.form)
    try:
        return int(_COMMANDS[options.command](options))
    except ConfError as error:
        for problem in error.problems:
            print(f"{flavour.name}: {options.conf}: {problem}", file=sys.stderr)
        return Ending.WRONG
    except _WrongUse as error:
        print(f"{flavour.name}: {error}", file=sys.stderr)
        return Ending.WRONG
    except KeyboardInterrupt:
        return 130


def _told(options: argparse.Namespace) -> int:
    """test, sync, change."""
    conf: Conf = options.read()
    account: str = options.account
    if not account:
        raise _WrongUse("ACCOUNT is empty")
    agent = Agent(conf, Book(conf.logging))
    decision = {"test": agent.test, "sync": agent.sync, "change": agent.change}[options.command](
        account, _password()
    )
    if conf.verbose or decision.ending is not Ending.ACCEPT:
        print(decision.text)
    return decision.ending


def _password() -> Secret:
    """The first line of standard input. _WrongUse: there is none, in time."""
    descriptor = sys.stdin.fileno()
    if os.isatty(descriptor):
        raise _WrongUse("the password is read from standard input, which is a terminal: use a pipe")
    got = b""
    end = time.monotonic() + _STDIN_PATIENCE
    while b"\n" not in got and len(got) <= _LONGEST:
        if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
            raise _WrongUse("the password was expected on standard input, and did not come")
        piece = os.read(descriptor, _LONGEST)
        if not piece:
            break
        got += piece
    # A filter may end it as C ends its texts.
    secret = Secret(got.split(b"\n", 1)[0].removesuffix(b"\r").removesuffix(b"\0"))
    if not secret:
        raise _WrongUse("the password was expected on standard input, and there is none")
    if len(got) > _LONGEST:
        raise _WrongUse(f"the password on standard input is longer than {_LONGEST} octets")
    return secret


def _check(options: argparse.Namespace) -> int:
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
        raise _WrongUse("there is no spool: spool_enable is no")
    with Spool(conf.waiting.directory) as spool:
        for held in spool.waiting():
            at = datetime.fromtimestamp(held.captured, UTC).isoformat(timespec="seconds")
            print("\t".join([at, held.account, held.id, held.trouble or "not tried yet"]))
    return Ending.ACCEPT


def _flushed(conf: Conf) -> int:
    from provserver.agents.flushing import flush
    from provserver.agents.spool import Spool

    if conf.waiting.directory is None:
        raise _WrongUse("there is no spool: spool_enable is no")
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


_COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "test": _told,
    "sync": _told,
    "change": _told,
    "check": _check,
    "spool": _spool,
    "run": _run,
    "sample": _sample,
}
