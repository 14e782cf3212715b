"""`provserver demo`: the main job on the demo domain, shown step by step, each claim checked at the
endpoint.

An instance in a temporary directory, a server on free ports, and a PSYNC agent over LDAPS. One of the
endpoints is a real OpenLDAP server where slapd is installed.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from provserver.cli.demo_acts import Play
from provserver.cli.demo_stage import Stage, set_stage
from provserver.cli.failure import CommandFailed
from provserver.cli.init import load_base
from provserver.cli.instance import Instance, new_instance
from provserver.cli.loading import load_stream
from provserver.cli.logs import start_logs
from provserver.cli.offline import foundation_of
from provserver.cli.passwords import generated_password
from provserver.cli.running import run_until_done
from provserver.cli.serve import started, until_stopped
from provserver.operations.edits import Edits
from provserver.vault.secret import Secret

HELP = "show the main job on a demo domain: agent in, checked, delivered, verified"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once",
        action="store_true",
        help="end after the acts; exit code 0 only if everything was as promised",
    )


def run(options: argparse.Namespace) -> int:
    administrator = generated_password()
    with tempfile.TemporaryDirectory(prefix="provserver-demo-") as parent:
        directory = Path(parent) / "instance"
        with new_instance(
            directory, domain="im", host=socket.gethostname(), clock=time.time, overrides=options.overrides
        ):
            pass
        overrides = ["server.ldap_port=0", "server.ldaps_port=0", *options.overrides]
        instance = Instance.load(directory, overrides)
        stay = sys.stdout.isatty() and not options.once
        return run_until_done(lambda reactor: _perform(instance, administrator, stay, reactor))


async def _perform(instance: Instance, administrator: str, stay: bool, reactor: Any) -> int:
    stop = until_stopped(reactor)
    start_logs(instance)
    stage = await set_stage(reactor)
    try:
        await _fill(instance, administrator, stage, reactor)
        server = await started(instance, reactor)
        try:
            play = Play(server, instance, stage, reactor)
            failures = await play.perform()
            if stay:
                play.invite(administrator)
                await stop
        finally:
            await server.stop()
    finally:
        stage.strike()
    if failures:
        raise CommandFailed(f"{len(failures)} of the promises above were not kept: {'; '.join(failures)}")
    return 0


async def _fill(instance: Instance, administrator: str, stage: Stage, reactor: Any) -> None:
    async with foundation_of(instance, reactor, create=True) as foundation:
        await load_base(foundation, Secret.of_text(administrator))
        edits = Edits(foundation.rooms, "provserver demo")
        for name, text in (
            ("demo.ldif", _shipped("demo.ldif")),
            ("the real endpoint", stage.endpoint_ldif()),
        ):
            await load_stream(foundation, edits, name, text.encode().splitlines(keepends=True))
        await foundation.store.commit(edits.commit())


def _shipped(name: str) -> str:
    return (files("provserver.ldif") / name).read_text("utf-8")
