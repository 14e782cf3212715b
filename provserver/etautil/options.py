"""The command line of etautil. Options come first; what follows them is statements.

`-d -u -p -DYN` are IMPS's (facts/imps.md 4); everything else is ours.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import Final, NoReturn

from provserver import __version__
from provserver.etautil.passwords import VARIABLE

USAGE: Final = 2
DEFAULT_URL: Final = "ldaps://localhost:20390"
DEFAULT_USER: Final = "etaadmin"
DEFAULT_DOMAIN: Final = "im"
_MOST_IN_FLIGHT: Final = 1_000
_MOST_CONNECTIONS: Final = 32

ENVIRONMENT: Final = {
    "ETAUTIL_URL": "the server, where there is no --url",
    "ETAUTIL_CA": "whom to trust, where there is no --ca",
    VARIABLE: "the password, where there is neither -p nor -P",
}
"""Variables that are read, and what they are."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def parser(environment: Mapping[str, str] = os.environ) -> argparse.ArgumentParser:
    """All options; `docs/reference/etautil.md` is made of it."""
    top = _Parser(
        prog="etautil",
        usage="etautil [options] STATEMENT [; STATEMENT]... | etautil [options] -f FILE",
        description="Control statements for a provisioning server.",
        epilog="Example: etautil -u etaadmin select 'eTGlobalUserContainerName=Global Users,"
        "eTNamespaceName=CommonObjects' eTGlobalUser 'eTGlobalUserName=a*' list eTFullName",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"etautil of provserver {__version__}")
    top.add_argument(
        "-d", dest="domain", metavar="DOMAIN", default=DEFAULT_DOMAIN, help="the domain; im by default"
    )
    top.add_argument(
        "-u",
        dest="user",
        metavar="USER",
        default=DEFAULT_USER,
        help=f"who binds: a global user's name, or a DN; {DEFAULT_USER} by default",
    )
    top.add_argument(
        "-p",
        dest="password",
        metavar="PASSWORD",
        help="the password, as IMPS takes it. It is removed from the process list, but a shell may keep it: "
        "prefer -P",
    )
    top.add_argument(
        "-P",
        dest="password_file",
        metavar="FILE",
        help=f"first line: the password; - is standard input. Without -p and -P: {VARIABLE}, else you are "
        "asked",
    )
    top.add_argument(
        "-DYN",
        "-dyn",
        action="store_true",
        dest="dynamic",
        help="taken, as IMPS wants it for dynamic types; makes no difference here",
    )
    top.add_argument(
        "-f",
        dest="file",
        metavar="FILE",
        help="read the statements from a file; - is standard input, which is also read without any statement",
    )
    top.add_argument(
        "--url",
        metavar="URL",
        default=environment.get("ETAUTIL_URL") or DEFAULT_URL,
        help="the server: ldaps://host:port, or ldap://host:port (StartTLS); else ETAUTIL_URL, else "
        f"{DEFAULT_URL}",
    )
    top.add_argument(
        "--ca",
        metavar="FILE",
        default=environment.get("ETAUTIL_CA") or None,
        help="whom to trust, in PEM form (of an instance of provserver: its tls/ca.pem); else ETAUTIL_CA, "
        "else whom the system trusts",
    )
    top.add_argument(
        "--server-name", metavar="NAME", help="the name in the server's certificate, if not the URL's host"
    )
    top.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    top.add_argument(
        "--dry-run", action="store_true", help="show what would be written, as LDIF, and write nothing"
    )
    top.add_argument(
        "--continue-on-error",
        action="store_true",
        help="of several statements: go on after one that fails; otherwise the others are not done",
    )
    top.add_argument(
        "--resume",
        metavar="FILE",
        help="of one masschange: keep in this file how far it is, and go on where a run with it ended",
    )
    top.add_argument(
        "--page-size",
        type=_count(1, 100_000),
        default=500,
        metavar="N",
        help="entries that are asked for at once; 500 by default",
    )
    top.add_argument(
        "--in-flight",
        type=_count(1, _MOST_IN_FLIGHT),
        default=64,
        metavar="N",
        help="of a masschange: requests that wait for their answers at the same time; 64 by default",
    )
    top.add_argument(
        "--connections",
        type=_count(1, _MOST_CONNECTIONS),
        default=1,
        metavar="N",
        help="of a masschange: connections that they are spread over; 1 by default",
    )
    top.add_argument(
        "--patience",
        type=_count(1, 86_400),
        default=60,
        metavar="SECONDS",
        help="how long to wait for an answer; an exploration may need more than the 60 by default",
    )
    top.add_argument("statements", nargs=argparse.REMAINDER, metavar="STATEMENT", help="what to do")
    return top


class _count:  # noqa: N801 -- reads as a type in the parser's error: "invalid number from 1 to 32 value"
    """A whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self.__name__ = f"number from {least} to {most}"

    def __call__(self, text: str) -> int:
        value = int(text)
        if not self._least <= value <= self._most:
            raise ValueError
        return value
