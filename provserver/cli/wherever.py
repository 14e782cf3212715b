"""What is asked about accounts, wherever the domain is: over LDAP of the server that runs, or of the store
where none does.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.offline import instance_at, schema_of, telling
from provserver.cli.passwords import read_password
from provserver.cli.running import run_until_done
from provserver.directory.names import DN
from provserver.foundation import Foundation, lay_foundation, open_store
from provserver.imps.accounts import account_of, read_account_name
from provserver.ldap.client import LdapClient, LineError, Trust
from provserver.ldap.extended import Explain, Explained, decode_response, encode_request
from provserver.ldap.results import Refusal
from provserver.passwords.explaining import Json
from provserver.storage.contract import StoreLocked
from provserver.vault.secret import Secret

_URLS: Final = ("ldaps://", "ldap://")
_ANYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- as read
_OWN_NAME: Final = "localhost"
"""In every certificate that init makes."""

Explanation = dict[str, Json]
Offline = Callable[[Foundation, DN], Awaitable[Explanation]]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "where", metavar="WHERE", help="the instance's directory, or ldaps://HOST:PORT of a running server"
    )
    parser.add_argument(
        "account", metavar="ACCOUNT", help="its DN in any view, or Namespace:Directory:name (logon name)"
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


def explanation_of(options: argparse.Namespace, request: Explain, offline: Offline) -> Explanation:
    """The answer to `request`, or what `offline` finds in the store of an instance that is not served.
    CommandFailed.
    """
    try:
        if options.where.startswith(_URLS):
            trust = Trust(options.ca)
            return run_until_done(lambda reactor: _asked(options, request, options.where, trust, reactor))
        instance = instance_at(options.where, options.overrides)
        return run_until_done(lambda reactor: _of_instance(options, request, offline, instance, reactor))
    except Refusal as refusal:
        raise CommandFailed(refusal.result.diagnostic or refusal.code.name) from None


async def _of_instance(
    options: argparse.Namespace, request: Explain, offline: Offline, instance: Instance, reactor: Any
) -> Explanation:
    schema = schema_of(instance)
    with telling():
        try:
            store = await open_store(instance.store, schema, reactor)
        except StoreLocked:
            store = None
    if store is None:
        return await _of_served(options, request, instance, reactor)
    try:
        foundation = lay_foundation(instance.settings, instance.keys, schema, store)
        views = foundation.views
        dn = await account_of(read_account_name(request.account, views), views, store)
        return await offline(foundation, dn)
    finally:
        await store.close()


async def _of_served(
    options: argparse.Namespace, request: Explain, instance: Instance, reactor: Any
) -> Explanation:
    """Of the server that has the store, where the settings say that it is."""
    server = instance.settings.server
    address = _ANYWHERE.get(server.ldaps_address, server.ldaps_address)
    url = (
        f"ldaps://[{address}]:{server.ldaps_port}"
        if ":" in address
        else f"ldaps://{address}:{server.ldaps_port}"
    )
    own = instance.certificate == instance.tls.server
    ca = options.ca or (str(instance.tls.ca) if own else None)
    trust = Trust(ca, _OWN_NAME if own and options.ca is None else None)
    try:
        return await _asked(options, request, url, trust, reactor)
    except CommandFailed as failed:
        raise CommandFailed(
            f"{failed}; {options.where} is being served: if not at {url}, give ldaps://HOST:PORT in its place"
        ) from None


async def _asked(
    options: argparse.Namespace, request: Explain, url: str, trust: Trust, reactor: Any
) -> Explanation:
    secret = _password(options)
    try:
        client = await LdapClient.connect(url, reactor=reactor, trust=trust)
    except (LineError, ValueError) as error:
        raise CommandFailed(f"{url}: {error}") from None
    try:
        await client.bind(options.administrator, secret)
        asked = encode_request(request)
        answer = await client.extended(asked.oid, asked.value)
    except LineError as error:
        raise CommandFailed(f"{url}: {error}") from None
    finally:
        await client.close()
    explained = decode_response(asked.oid, answer.value)
    assert isinstance(explained, Explained)  # noqa: S101 -- by its object identifier
    return json.loads(explained.explanation or "{}")  # type: ignore[no-any-return]  # what we have encoded


def _password(options: argparse.Namespace) -> Secret:
    if options.password_file is not None:
        return read_password(options.password_file)
    if not sys.stdin.isatty():
        raise CommandFailed(
            "standard input is no terminal: give --password-file FILE, or - for standard input"
        )
    return Secret.of_text(getpass.getpass(f"Password of {options.administrator}: "))
