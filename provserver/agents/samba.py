"""`samba-agent`: the agent of a Samba Active Directory domain controller (docs/hook-a-samba-dc.md).

`test` is its `check password script`: the account is in a variable, the password on standard input
(smb.conf(5)). Samba compares with its own history only after that, so what is accepted there may still not be
changed: the sync comes after the commit, as the script of `samba-tool user syncpasswords`, which takes no
arguments: `samba-agent-sync`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from provserver.agents import command
from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.decisions import Ending
from provserver.agents.options import Flavour
from provserver.agents.reading import PSYNC

ENVIRONMENT: Final = "SAMBA_AGENT_CONF"
"""May name the conf file: the script of samba-tool is called without arguments."""
CONF: Final = "/etc/samba-agent/eta_pwdsync.conf"
OWN: Final = MappingProxyType(
    {
        "sync": "the script of `samba-tool user syncpasswords`: an account as it is now is on standard input",
        "setup": "print what Samba and systemd have to be told, ready for this conf file",
    }
)
"""Its own commands, or its own way of one, and what they do."""
DEFAULTS: Final = MappingProxyType(
    {
        "out_of_sync": "yes",
        "profile_enable": "yes",
        "search_acct_dn_timeout": "3",
        "pwd_quality_check_timeout": "4",
        "log_file": "samba-agent.log",
    }
)
"""Of its conf file, where they are others: without `out_of_sync` nobody could be added here, or set a
password while no server is there; and the controller changes no other password while it waits for a test.
"""
LONGEST_TEST: Final = 8.0
"""Seconds: after ten Samba gives up, and refuses."""
DONE: Final = "DONE-EXIT: "
"""What samba-tool has to read first, or it ends (samba-tool(8))."""
_ACCOUNT: Final = "SAMBA_CPS_ACCOUNT_NAME"
_LARGEST: Final = 1_048_576
"""Octets of an account: its meta data are some thousand."""

FLAVOUR: Final = Flavour(
    "samba-agent",
    replace(PSYNC, defaults=DEFAULTS),
    CONF,
    variable=ENVIRONMENT,
    account=_ACCOUNT,
    own=OWN,
    without=frozenset({"change", "sample", "rehearse"}),
)


def in_time(conf: Conf) -> Conf:
    """The same, with what a test may take cut to what Samba waits for."""
    times = conf.times
    asked = times.search + times.check
    if asked <= LONGEST_TEST:
        return conf
    part = LONGEST_TEST / asked
    remark = (
        f"search_acct_dn_timeout and pwd_quality_check_timeout are {asked:.0f} s: Samba waits for ten, so a "
        f"test takes {LONGEST_TEST:.0f} at most"
    )
    return replace(
        conf,
        times=replace(times, search=times.search * part, check=times.check * part),
        remarks=(*conf.remarks, remark),
    )


def _test(options: argparse.Namespace) -> int:
    read = options.read
    options.read = lambda: in_time(read())
    return command.told(options)


def _check(options: argparse.Namespace) -> int:
    read = options.read
    options.read = lambda: in_time(read())
    return command.check(options)


def _sync(options: argparse.Namespace) -> int:
    """Ends with 0, and says so, where samba-tool may go on; else it ends, and comes again with the same."""
    from provserver.agents.sambachange import NotExpected, read_change
    from provserver.agents.sambasync import ComesAgain, tell

    conf: Conf = options.read()
    book = Book(conf.logging)
    try:
        change = read_change(sys.stdin.buffer.read(_LARGEST))
        text = "nothing to tell" if change is None else tell(conf, change, book, time.time)
    except (NotExpected, ComesAgain) as error:
        book.wrong(f"sync: {error}")
        print(f"samba-agent: {error}")
        return Ending.REFUSE
    print(f"{DONE}{text}")
    return Ending.ACCEPT


def _setup(options: argparse.Namespace) -> int:
    from provserver.agents.sambasetup import instructions

    options.read()
    print(instructions(options.conf), end="")
    return Ending.ACCEPT


_COMMANDS: Final = MappingProxyType({"test": _test, "check": _check, "sync": _sync, "setup": _setup})


def main(arguments: Sequence[str] | None = None) -> int:
    """The installed command."""
    return command.main(arguments, FLAVOUR, _COMMANDS)


def sync() -> int:
    """`samba-agent-sync`: the installed command that samba-tool calls, without arguments."""
    return main(["sync"])


if __name__ == "__main__":
    sys.exit(main())
