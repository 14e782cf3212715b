"""The command: options, statements, a password, a server; then the requests. Exit codes are ours.

Nothing is sent before every statement makes sense.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from provserver.directory.names import InvalidName
from provserver.etautil.checkpoints import ResumeError
from provserver.etautil.domains import Domain
from provserver.etautil.grammar import parse
from provserver.etautil.masschange import Stop
from provserver.etautil.options import USAGE, parser
from provserver.etautil.outcomes import Ending
from provserver.etautil.passwords import NoPassword, password_of
from provserver.etautil.performing import Manner, Performance
from provserver.etautil.planning import Planner
from provserver.etautil.progress import Bar
from provserver.etautil.requests import ModifyMatching, Request
from provserver.etautil.running import Interrupted, run
from provserver.etautil.sources import Source
from provserver.etautil.telling import Teller, TextTeller, shown
from provserver.etautil.telling_json import JsonTeller
from provserver.etautil.vocabulary import Vocabulary, shipped_vocabulary
from provserver.etautil.words import Fault
from provserver.ldap.client import LdapClient, LineError, NotTrusted, Trust
from provserver.ldap.results import Refusal
from provserver.vault.secret import Secret

DONE: Final = 0
FAILED: Final = 1
NOT_CONNECTED: Final = 3
INTERRUPTED: Final = 130

EXIT_CODES: Final = {
    DONE: "everything is done",
    FAILED: "something failed; what, and what was not done for it, is told",
    USAGE: "a wrong option or statement: nothing was sent",
    NOT_CONNECTED: "no connection to the server, no trust in it, or it does not take the password: nothing "
    "was done",
    INTERRUPTED: "interrupted (SIGINT, SIGTERM): what was in flight has ended",
}
"""What the command ends with."""

_CODES: Final = {Ending.DONE: DONE, Ending.FAILED: FAILED, Ending.INTERRUPTED: INTERRUPTED}


class _WrongUse(Exception):
    """A sentence; exit code USAGE."""


class _NotConnected(Exception):
    """A sentence; exit code NOT_CONNECTED."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code. Not for tests in a process that has a reactor: see `Performance`."""
    options = parser().parse_args(arguments)
    try:
        return _run(options)
    except _WrongUse as error:
        print(f"etautil: {error}", file=sys.stderr)
        return USAGE
    except _NotConnected as error:
        print(f"etautil: {options.url}: {error}", file=sys.stderr)
        return NOT_CONNECTED
    except (Interrupted, KeyboardInterrupt):
        print("etautil: interrupted; nothing was done", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output went away: not a fault
        return FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        print(f"etautil: {place}{error.strerror or error}", file=sys.stderr)
        return FAILED


def _run(options: argparse.Namespace) -> int:
    vocabulary = shipped_vocabulary()
    try:
        domain = Domain(options.domain)
    except ValueError as error:
        raise _WrongUse(f"-d {options.domain}: {error}") from None
    source = _source(options)
    try:
        planner = Planner(vocabulary, domain)
        requests = [planner.plan(statement) for statement in parse(source.text)]
        user = domain.user(options.user, vocabulary).text
    except Fault as fault:
        raise _WrongUse(f"{source.place(fault.position)}: {fault}; nothing was done") from None
    except InvalidName as error:
        raise _WrongUse(f"-u {options.user}: {error}") from None
    if not requests:
        raise _WrongUse("there is no statement")
    if options.resume is not None and not (len(requests) == 1 and isinstance(requests[0], ModifyMatching)):
        raise _WrongUse("--resume is for one masschange, and nothing else beside it")
    secret = _password(options)
    return _carry_out(options, requests, (user, secret), vocabulary)


def _source(options: argparse.Namespace) -> Source:
    if options.statements and options.file is not None:
        raise _WrongUse("statements, or -f FILE with statements, but not both")
    if options.statements:
        return Source.of_arguments(options.statements)
    if options.file is None and sys.stdin.isatty():
        raise _WrongUse("no statement; etautil --help says what there is")
    name = options.file if options.file not in (None, "-") else None
    if name is None and options.password_file == "-":
        raise _WrongUse("-P - and the statements both want standard input")
    try:
        octets = Path(name).read_bytes() if name is not None else sys.stdin.buffer.read()
        text = octets.decode("utf-8-sig")
    except OSError as error:
        raise _WrongUse(f"-f {name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _WrongUse(f"{name or 'standard input'}: expected UTF-8 text at octet {error.start}") from None
    return Source.of_text(text, name or "standard input")


def _password(options: argparse.Namespace) -> Secret:
    given, options.password = options.password, None
    if given is not None and options.password_file is not None:
        raise _WrongUse("-p or -P, but not both")
    try:
        return password_of(given, options.password_file, options.user)
    except NoPassword as error:
        raise _WrongUse(str(error)) from None


def _carry_out(
    options: argparse.Namespace,
    requests: Sequence[Request],
    identity: tuple[str, Secret],
    vocabulary: Vocabulary,
) -> int:
    stop = Stop()
    lines: list[LdapClient] = []
    begun: list[bool] = []
    manner = Manner(
        dry_run=options.dry_run,
        continue_on_error=options.continue_on_error,
        page_size=options.page_size,
        in_flight=options.in_flight,
        resume=None if options.resume is None else Path(options.resume),
    )
    many = any(isinstance(request, ModifyMatching) for request in requests)

    async def work(reactor: Any) -> Ending:
        try:
            for _ in range(options.connections if many else 1):
                await _connect(options, identity, reactor, lines)
            begun.append(True)
            with Bar(wanted=not options.dry_run) as bar:
                teller: Teller = TextTeller(sys.stdout, sys.stderr, vocabulary)
                if options.json:
                    teller = JsonTeller(sys.stdout, vocabulary)
                performance = Performance(lines, options.url, vocabulary, teller, manner, stop, bar.show)
                return await performance.run(requests)
        finally:
            for line in lines:
                await line.close()

    def interrupted() -> bool:
        """The first time, what is in flight ends; the second time it is given up."""
        if stop.asked or not begun:
            return False
        stop.asked = True
        return True

    try:
        ending = run(work, interrupted)
    except ResumeError as error:
        raise _WrongUse(str(error)) from None
    return _CODES[ending]


async def _connect(
    options: argparse.Namespace, identity: tuple[str, Secret], reactor: Any, lines: list[LdapClient]
) -> None:
    user, secret = identity
    try:
        trust = Trust(options.ca, options.server_name)
        line = await LdapClient.connect(
            options.url, reactor=reactor, trust=trust, patience=float(options.patience)
        )
        lines.append(line)
        await line.bind(user, secret)
    except ValueError as error:
        raise _WrongUse(str(error)) from None
    except NotTrusted as error:
        raise _NotConnected(
            f"the server's certificate is refused: {error}. If it is the right server, name whoever vouches "
            "for it: --ca FILE, or ETAUTIL_CA (of an instance of provserver: its tls/ca.pem)"
        ) from None
    except LineError as error:
        raise _NotConnected(str(error)) from None
    except Refusal as refusal:
        raise _NotConnected(f"{shown(user)} cannot bind: {shown(str(refusal))}") from None
