"""`provserver alerts test DIR`: tell everybody once, and say what came of it."""

from __future__ import annotations

import argparse
import time
from typing import Any

from twisted.internet.interfaces import IReactorTime

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.offline import instance_at
from provserver.cli.running import run_until_done
from provserver.journal.alerts.channel import Undelivered
from provserver.journal.alerts.forms import Alert
from provserver.journal.declared import Severity
from provserver.telling import ways_of

HELP = "send a test message by every webhook and mail that the settings name, and say what came of each"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=["test"], metavar="test", help="what to do with them")
    parser.add_argument("directory", metavar="DIR", help="the instance; its server may run meanwhile")


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.directory, options.overrides)
    failed = run_until_done(lambda reactor: _tried(instance, reactor))
    return 1 if failed else 0


async def _tried(instance: Instance, reactor: Any) -> int:
    """How many failed. CommandFailed: there is nobody to tell."""
    clock: IReactorTime = reactor
    ways = ways_of(instance.settings, instance.directory, reactor, clock, time.time)
    if not ways.channels:
        raise CommandFailed("nobody is told of anything: alerts.webhooks and alerts.mail_to name nobody")
    text = "This is a test: alerts of this server arrive here."
    alert = Alert("test", Severity.INFORMATION, time.time(), text)
    failed = 0
    for channel in ways.channels:
        try:
            await channel.send(alert)
        except Undelivered as undelivered:
            failed += 1
            print(f"{channel.name}: {undelivered}")
        else:
            print(f"{channel.name}: sent")
    return failed
