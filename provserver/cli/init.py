"""`provserver init DIR`: a new instance."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance, new_instance
from provserver.cli.loading import Load, load_stream
from provserver.cli.offline import foundation_of, loading_of, make_store
from provserver.cli.passwords import ask_password, generated_password, read_password
from provserver.cli.running import at_once, run_until_done
from provserver.directory.names import DN
from provserver.foundation import Foundation
from provserver.imps.users import global_user_dn
from provserver.imps.views import domain_dn
from provserver.ldap.messages import ChangeKind
from provserver.operations.edits import Edits
from provserver.vault.secret import Secret

HELP = "make an instance: settings, keys, certificates, store, base tree, administrator"
ADMINISTRATOR = "etaadmin"
AUTHOR = "provserver init"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="a new or empty directory")
    parser.add_argument(
        "--domain",
        default="im",
        metavar="NAME",
        help="the domain of the tree; im (the default) means dc=im,dc=eta",
    )
    parser.add_argument(
        "--admin-password-file",
        metavar="FILE",
        help=f"first line: {ADMINISTRATOR}'s password; - is standard input. "
        "Without it you are asked, or one is made up and shown once",
    )
    parser.add_argument(
        "--from",
        dest="dump",
        metavar="FILE",
        help="LDIF in the place of the base tree: a dump of another instance's whole domain",
    )


def run(options: argparse.Namespace) -> int:
    password, shown = _administrator_password(options.admin_password_file)
    directory = Path(options.directory)
    dump = Path(options.dump) if options.dump is not None else None
    with new_instance(
        directory,
        domain=options.domain,
        host=socket.gethostname(),
        clock=time.time,
        overrides=options.overrides,
    ) as instance:
        if dump is None:
            run_until_done(lambda reactor: fill(instance, password, reactor))
        else:
            fill_from(dump, instance, password)
    print(f"{directory}: an instance for the domain {options.domain}")
    if shown is not None:
        print(f"{ADMINISTRATOR}'s password, shown this once: {shown}")
    print(f"next: provserver load {directory} FILE.ldif ; provserver serve {directory}")
    print(f"clients trust {directory / 'tls' / 'ca.pem'}")
    return 0


def _administrator_password(source: str | None) -> tuple[Secret, str | None]:
    """The password, and the text to show when we made it up."""
    if source is not None:
        return read_password(source), None
    if sys.stdin.isatty():
        return ask_password(ADMINISTRATOR), None
    made_up = generated_password()
    return Secret.of_text(made_up), made_up


async def fill(instance: Instance, password: Secret, reactor: Any) -> None:
    """The base tree and the administrator, into a store that is made here."""
    async with foundation_of(instance, reactor, create=True) as foundation:
        await load_base(foundation, password)


def fill_from(dump: Path, instance: Instance, password: Secret) -> None:
    """A domain as `provserver dump` wrote it (everything but the secrets, with its eTIDs) and the
    administrator, into a store that is made here. CommandFailed.
    """
    make_store(instance)
    with loading_of(instance) as (foundation, store):
        try:
            Load(instance, foundation, store, AUTHOR).run([dump])
        except CommandFailed as error:
            raise CommandFailed(f"{error}\nno instance was made") from None
        domain = foundation.views.domain
        if at_once(store.read(domain)) is None:
            raise CommandFailed(f"{dump}: expected a dump of the whole domain, found no '{domain}'")
        at_once(_let_in(foundation, password))
        store.keep()


async def _let_in(foundation: Foundation, password: Secret) -> None:
    """The administrator of a dumped domain, who came without a password, or did not come."""
    domain = foundation.views.domain
    edits = Edits(foundation.rooms, AUTHOR)
    administrator = global_user_dn(ADMINISTRATOR, domain)
    if await edits.read(administrator) is None:
        await add_administrator(edits, domain, password)
    else:
        await edits.modify(administrator, [(ChangeKind.REPLACE, "eTPassword", [password.reveal()])])
    await foundation.store.commit(edits.commit())


async def load_base(foundation: Foundation, password: Secret) -> None:
    """The tree that every domain has; base.ldif is written for dc=im, and renamed on the way in."""
    domain = foundation.views.domain
    text = (files("provserver.ldif") / "base.ldif").read_text("utf-8")
    renamed = text.replace(str(domain_dn("im")), str(domain)).encode()
    edits = Edits(foundation.rooms, AUTHOR)
    await load_stream(foundation, edits, "base.ldif", renamed.splitlines(keepends=True))
    await add_administrator(edits, domain, password)
    await foundation.store.commit(edits.commit())


async def add_administrator(edits: Edits, domain: DN, password: Secret) -> None:
    """etaadmin: a global user with the profile DomainAdministrator (facts/imps.md 3.2)."""
    common = f"eTNamespaceName=CommonObjects,{domain}"
    dn = global_user_dn(ADMINISTRATOR, domain)
    profile = f"eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles,{common}"
    await edits.add(
        dn,
        [
            ("objectClass", [b"eTGlobalUser"]),
            ("eTGlobalUserName", [ADMINISTRATOR.encode()]),
            ("eTFullName", [b"Administrator"]),
            ("eTUserAdminProfile", [profile.encode()]),
            ("eTPassword", [password.reveal()]),
        ],
    )
