"""The people of a real directory whom connectors set passwords for, and who may do it there."""

from __future__ import annotations

import secrets

from provserver.connectors.contract import Account
from provserver.directory.names import DN
from provserver.vault.secret import Secret

SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
SERVICE = f"uid=service,{PEOPLE}"
SERVICE_PASSWORD = "Service-Pass-1"


def person_ldif(name: str, password: str = "") -> str:
    secret = f"userPassword: {password}\n" if password else ""
    return (
        f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name.title()}\n"
        f"sn: {name.title()}\n{secret}\n"
    )


PEOPLE_LDIF = (
    f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n"
    + person_ldif("kit")
    + person_ldif("twin")
    + person_ldif("service", SERVICE_PASSWORD)
    + person_ldif("guest", "Guest-Pass-1")
)


def dn_of(name: str) -> str:
    return f"uid={name},{PEOPLE}"


def person(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def fresh() -> Secret:
    """A password that no test before has used: the server keeps a history."""
    return Secret.of_text(f"Fresh-{secrets.token_hex(8)}")
