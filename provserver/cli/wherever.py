"""What is asked and done wherever the domain is: over LDAP of the server that runs, or in the store where
none does.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.offline import instance_at, schema_of, telling
from provserver.cli.passwords import read_password
from provserver.cli.places import Answer, Place, ServedPlace, StorePlace
from provserver.cli.running import run_until_done
from provserver.cli.whereabouts import place_of
from provserver.foundation import lay_foundation, open_store
from provserver.ldap.client import LdapClient, LineError, Trust
from provserver.ldap.extended import ExtendedValue
from provserver.ldap.results import Refusal
from provserver.storage.contract import StoreLocked
from provserver.vault.secret import Secret

T = TypeVar("T")

_URLS: Final = ("ldaps://", "ldap://")
_ANYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- as read
_OWN_NAME: Final = "localhost"
"""In every certificate that init makes."""
_PATIENCE: Final = 45.0
"""Seconds for each answer: an endpoint may be asked, or a large outbox gone through."""

Work = Callable[[Place], Coroutine[Any, Any, T]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """WHERE, and who asks there."""
    parser.add_argument(
        "where", metavar="WHERE", help="the instance's directory, or ldaps://HOST:PORT of a running server"
    )
    parser.add_argument("--json", action="store_true", help="all that is known, as JSON")
    parser.add_argument(
        "--as",
        default="etaadmin",
        dest="administrator",
        metavar="NAME",
        help="who asks a running server: an administrator's name or DN; etaadmin by default",
    )
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="first line: the password of who asks; - is standard input; else you are asked",
    )
    parser.add_argument(
        "--ca", metavar="FILE", help="whom to trust, in PEM form; of a directory its tls/ca.pem by default"
    )


def account_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "account", metavar="ACCOUNT", help="its DN in any view, or Namespace:Directory:name (logon name)"
    )


def answer_of(options: argparse.Namespace, request: ExtendedValue) -> Answer:
    """The answer to one extended operation of ours. CommandFailed."""
    return at_place(options, lambda place: place.ask(request))


def at_place(options: argparse.Namespace, work: Work[T]) -> T:
    """What `work` brings, done where the options say. CommandFailed."""
    try:
        if options.where.startswith(_URLS):
            trust = Trust(options.ca)
            return run_until_done(lambda reactor: _served(options, work, options.where, trust, reactor))
        instance = instance_at(options.where, options.overrides)
        return run_until_done(lambda reactor: _at_instance(options, work, instance, reactor))
    except Refusal as refusal:
        raise CommandFailed(refusal.result.diagnostic or refusal.code.name) from None


async def _at_instance(options: argparse.Namespace, work: Work[T], instance: Instance, reactor: Any) -> T:
    schema = schema_of(instance)
    with telling():
        try:
            store = await open_store(instance.store, schema, reactor)
        except StoreLocked:
            store = None
    if store is None:
        return await _instance_served(options, work, instance, reactor)
    try:
        foundation = lay_foundation(instance.settings, instance.keys, schema, store)
        words = ["provserver", options.command, getattr(options, "act", "")]
        return await work(StorePlace(foundation, " ".join(words).rstrip(), reactor))
    finally:
        await store.close()


async def _instance_served(options: argparse.Namespace, work: Work[T], instance: Instance, reactor: Any) -> T:
    """At the server that has the store: where it says that it is, or else where the settings do."""
    server = instance.settings.server
    url = _url(*(place_of(instance) or (server.ldaps_address, server.ldaps_port)))
    own = instance.certificate == instance.tls.server
    ca = options.ca or (str(instance.tls.ca) if own else None)
    trust = Trust(ca, _OWN_NAME if own and options.ca is None else None)
    try:
        return await _served(options, work, url, trust, reactor)
    except CommandFailed as failed:
        raise CommandFailed(
            f"{failed}; {options.where} is being served: if not at {url}, give ldaps://HOST:PORT in its place"
        ) from None


def _url(address: str, port: int) -> str:
    address = _ANYWHERE.get(address, address)
    return f"ldaps://[{address}]:{port}" if ":" in address else f"ldaps://{address}:{port}"


async def _served(options: argparse.Namespace, work: Work[T], url: str, trust: Trust, reactor: Any) -> T:
    secret = _password(options)
    try:
        patience: float = getattr(options, "patience", _PATIENCE)
        client = await LdapClient.connect(url, reactor=reactor, trust=trust, patience=patience)
    except (LineError, ValueError) as error:
        raise CommandFailed(f"{url}: {error}") from None
    try:
        await client.bind(options.administrator, secret)
        return await work(ServedPlace(client))
    except LineError as error:
        raise CommandFailed(f"{url}: {error}") from None
    finally:
        await client.close()


def _password(options: argparse.Namespace) -> Secret:
    if options.password_file is not None:
        return read_password(options.password_file)
    if not sys.stdin.isatty():
        raise CommandFailed(
            "standard input is no terminal: give --password-file FILE, or - for standard input"
        )
    return Secret.of_text(getpass.getpass(f"Password of {options.administrator}: "))
