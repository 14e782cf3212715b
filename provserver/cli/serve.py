"""`provserver serve DIR`: answer until told to stop."""

from __future__ import annotations

import argparse
import resource
import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from provserver.cli.collector import set_collector
from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.logs import start_logs
from provserver.cli.offline import instance_at, opened
from provserver.cli.running import run_until_done
from provserver.cli.whereabouts import told_where
from provserver.foundation import lists_of
from provserver.ldap.tls import PemFiles, ServerTls
from provserver.passwords.rules.listing import ListError
from provserver.service import ProvisioningServer

HELP = (
    "answer LDAP and LDAPS until stopped (SIGTERM or Ctrl-C); SIGHUP renews logs, keys, certificate and lists"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument(
        "--ldap-port", type=_port, metavar="N", help="instead of server.ldap_port; 0 is a free port"
    )
    parser.add_argument(
        "--ldaps-port", type=_port, metavar="N", help="instead of server.ldaps_port; 0 is a free port"
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    overrides = list(options.overrides)
    for key in ("ldap_port", "ldaps_port"):
        value = getattr(options, key)
        if value is not None:
            overrides.append(f"server.{key}={value}")
    instance = instance_at(options.directory, overrides)

    async def work(reactor: Any) -> None:
        stop = until_stopped(reactor)
        reopen_log = start_logs(instance)
        take_all_descriptors()
        server = await started(instance, reactor)
        try:
            set_collector()
            at_hangup(reactor, reopen_log, server.renew)
            with told_where(instance, server.addresses()):
                print(f"ready {server.addresses()}", flush=True)
                await stop
        finally:
            await server.stop()

    run_until_done(work)
    return 0


async def started(instance: Instance, reactor: Any) -> ProvisioningServer:
    """The instance's server, accepting connections. CommandFailed says what stands in the way."""
    try:
        pem = PemFiles(instance.certificate, instance.certificate_key, instance.client_authority)
        tls = ServerTls(pem, reactor, instance.settings.server.tls_ciphers)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"the certificate cannot be used: {error}") from None
    schema, store = await opened(instance, reactor)
    lists = lists_of(instance.settings, instance.directory)
    server = ProvisioningServer(
        instance.settings,
        instance.keys,
        schema,
        reactor,
        logs=instance.logs,
        lists=lists,
        directory=instance.directory,
        keys_file=instance.keys_file,
    )
    try:
        await server.start(store=store, tls=tls)
    except ListError as error:
        await server.stop()
        raise CommandFailed(f"a list of passwords cannot be used: {error}") from None
    except CannotListenError as error:
        await server.stop()
        raise CommandFailed(
            f"port {error.port} of {error.interface or 'any address'} cannot be used: {error.socketError}; "
            "another server may have it: --ldap-port and --ldaps-port choose others, 0 a free one"
        ) from None
    return server


def take_all_descriptors() -> None:
    """Let this process have as many open files, and so connections, as its administrator allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def at_hangup(reactor: Any, *tasks: Callable[[], None]) -> None:
    """Do this at each SIGHUP, in the reactor's own time."""

    def hung_up(number: int, frame: object) -> None:
        for task in tasks:
            reactor.callFromThread(task)

    signal.signal(signal.SIGHUP, hung_up)


def until_stopped(reactor: Any) -> Deferred[None]:
    """Fires at SIGTERM or SIGINT, which then do not end the loop: the store is closed first."""
    stop: Deferred[None] = Deferred()

    def stopped(number: int, frame: object) -> None:
        reactor.callFromThread(lambda: None if stop.called else stop.callback(None))

    # In the place of the reactor's own handlers.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    return stop
