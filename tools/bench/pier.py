"""Real slapds as endpoints of our server: their accounts, and what our tree says of them.

An account is `uid=<user>` below `ou=people` there, with no password yet; `operation=replace`, so that what
our couriers send is byte for byte the modify that the load generator sends.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from our_home import AD, USERS
from prepared import bind_request, replace
from side import user_name

from provserver.ldap.messages import ModifyRequest
from provserver.testing.slapd import SlapdServer
from provserver.testing.slapd_configuration import ssha
from provserver.vault.secret import Secret

SUFFIX: Final = "dc=pier"
PEOPLE: Final = f"ou=people,{SUFFIX}"
SERVICE: Final = f"cn=service,{SUFFIX}"
NAMESPACE: Final = "eTNamespaceName=OpenLDAP,dc=im"
MAP_SIZE: Final = 8 * 2**30
"""Address space, not disk."""


class Pier:
    """A slapd that is endpoint `name`: back-mdb, durable; who writes is no root, but has the right."""

    def __init__(self, name: str, users: int, parent: Path, threads: int) -> None:
        self.name = name
        self.dn = f"eTDYNDirectoryName={name},{NAMESPACE}"
        self._password = Secret.of_text(secrets.token_urlsafe(18))
        self.slapd = SlapdServer(
            suffix=SUFFIX,
            access=(
                f'access to attrs=userPassword by dn.exact="{SERVICE}" write by anonymous auth by * none',
                f'access to * by dn.exact="{SERVICE}" read by * none',
            ),
            global_extra=(f"threads {threads}",),
            extra=(f"maxsize {MAP_SIZE}",),
            ldif="".join(_people(users, ssha(self._password.reveal()))),
            parent_directory=parent,
        )
        self.slapd.start_blocking()
        self.bind = bind_request(SERVICE, self._password)

    def ldif(self, port: int = 0, pipeline: int = 0, *more: str) -> str:
        """The endpoint's entry. `port`: another one than slapd's own, where something is in between."""
        lines = [
            f"dn: {self.dn}",
            "objectClass: eTDYNDirectory",
            "provConnector: ldap",
            f"provSetting: url=ldaps://127.0.0.1:{port or self.slapd.ldaps_port}",
            f"provSetting: ca_file={self.slapd.certificates.authority}",
            f"provSetting: bind_dn={SERVICE}",
            f"provSetting: dn=uid={{name}},{PEOPLE}",
            "provSetting: operation=replace",
            f"provSecret: bind_password={self._password.reveal_text()}",
            *more,
        ]
        if pipeline:
            lines.append(f"provSetting: pipeline={pipeline}")
        return "\n".join([*lines, "", ""])

    def accounts_ldif(self, users: int) -> Iterator[str]:
        for user in range(users):
            name = user_name(user)
            yield f"dn: {self.account(user)}\nobjectClass: eTDYNAccount\neTDYNAccountName: {name}\n"
            yield f"provGlobalUser: eTGlobalUserName={name},{USERS}\n\n"

    def account(self, user: int) -> str:
        return f"eTDYNAccountName={user_name(user)},{self.dn}"

    def stop(self) -> None:
        self.slapd.stop()


def modify(user: int, password: bytes) -> ModifyRequest:
    """What sets a user's password at a pier."""
    return replace(f"uid={user_name(user)},{PEOPLE}", "userPassword", password)


def domain_ldif(users: int, agent: str, piers: Sequence[Pier]) -> Iterator[str]:
    """Our side: users, their Active Directory account (an agent reports it), and those at the piers."""
    yield f"dn: {NAMESPACE}\nobjectClass: eTNamespace\neTNamespaceName: OpenLDAP\n\n"
    yield f"dn: {AD}\nobjectClass: eTADSDirectory\nprovConnector: emulated\n\n"
    yield agent
    for user in range(users):
        name = user_name(user)
        owner = f"eTGlobalUserName={name},{USERS}"
        yield f"dn: {owner}\nobjectClass: eTGlobalUser\neTGlobalUserName: {name}\neTPropagatePassword: 1\n\n"
        yield f"dn: {ad_account(user)}\nobjectClass: eTADSAccount\neTADSAccountName: {name}\n"
        yield f"eTADSsAMAccountName: {name}\nprovGlobalUser: {owner}\n\n"
    for pier in piers:
        yield from pier.accounts_ldif(users)


def ad_account(user: int) -> str:
    return f"eTADSAccountName={user_name(user)},{AD}"


def _people(users: int, service_hash: str) -> Iterator[str]:
    yield f"dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: service\n"
    yield f"userPassword: {service_hash}\n\n"
    yield f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
    for user in range(users):
        name = user_name(user)
        yield f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\n"
