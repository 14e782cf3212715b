"""The data of the front's benchmark: accounts in containers of 100, and users; the same on both sides.

Names and values are made from an account's number, so nothing is kept in memory: LDIF comes in a stream, and
whoever knows the number knows what the entry must hold. A dialect says how a side spells it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from our_home import AD, USERS, VIEW, container_ldif, endpoint_ldif
from report import OURS, SLAPD

from provserver.testing.slapd_configuration import ssha
from provserver.vault.secret import Secret

CONTAINER_SIZE: Final = 100
VALUE_LENGTH: Final = 20
HANDFUL: Final = 5
"""So many of an account's attributes does a search ask for."""
LABELS: Final = (
    *("account", "logon", "mail", "title", "display"),
    *(
        "principal",
        "description",
        "last",
        "first",
        "comment",
        "home",
        "drive",
        "profile",
        "allow",
        "distinct",
    ),
)
"""What the values of an account's attributes begin with, in the order of a dialect's `attributes`."""
NAME, LOGON, MAIL, TITLE = 0, 1, 2, 3
"""Places in `attributes`: the RDN, what is searched by, and what is modified (no index has it)."""
_SEED: Final = 20_389


@dataclass(frozen=True, slots=True)
class Size:
    accounts: int
    users: int

    @property
    def containers(self) -> int:
        return -(-self.accounts // CONTAINER_SIZE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a side spells the population. DNs are as they are stored; a client adds `view`."""

    side: str
    accounts: str
    """The DN above all containers."""
    users: str
    container_type: str
    user_type: str
    account_class: str
    attributes: tuple[str, ...]
    """Fifteen: four of them indexed by equality, on both sides."""
    view: str
    container: Callable[[str], str]
    """A container's LDIF by its name."""
    user: Callable[[str, str, Secret], str]
    """A user's LDIF by DN, name and password."""

    def container_dn(self, container: int) -> str:
        return f"{self.container_type}={container_name(container)},{self.accounts}"

    def account_dn(self, number: int) -> str:
        inner = self.container_dn(number // CONTAINER_SIZE)
        return f"{self.attributes[NAME]}={value(LABELS[NAME], number)},{inner}"

    def user_dn(self, user: int) -> str:
        return f"{self.user_type}={user_name(user)},{self.users}"

    def expected(self, number: int) -> Mapping[str, tuple[bytes, ...]]:
        """An account's values by attribute, in lower case, as it was loaded."""
        return {
            attribute.lower(): (value(label, number).encode(),)
            for attribute, label in zip(self.attributes, LABELS, strict=True)
        }

    def ldif(self, size: Size) -> Iterator[str]:
        """All containers, accounts and users."""
        for container in range(size.containers):
            yield self.container(container_name(container))
        for number in range(size.accounts):
            lines = [f"dn: {self.account_dn(number)}", f"objectClass: {self.account_class}"]
            for attribute, label in zip(self.attributes, LABELS, strict=True):
                lines.append(f"{attribute}: {value(label, number)}")
            yield "\n".join(lines) + "\n\n"
        for user in range(size.users):
            yield self.user(self.user_dn(user), user_name(user), user_password(user))


def value(label: str, number: int) -> str:
    """A value of 20 bytes that no other account has."""
    return f"{label}-{number:0{VALUE_LENGTH - len(label) - 1}d}"


def container_name(container: int) -> str:
    return f"c{container:06d}"


def user_name(user: int) -> str:
    return f"u{user:06d}"


def user_password(user: int) -> Secret:
    """Known to both sides and the generator, worth nothing outside."""
    return Secret(b"Bind-%06d-%09d" % (user, random.Random(_SEED + user).randrange(10**9)))  # noqa: S311


def _our_user(dn: str, name: str, password: Secret) -> str:
    return (
        f"dn: {dn}\nobjectClass: eTGlobalUser\neTGlobalUserName: {name}\n"
        f"eTPassword: {password.reveal_text()}\n\n"
    )


def _slapd_user(dn: str, name: str, password: Secret) -> str:
    return (
        f"dn: {dn}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        f"userPassword: {ssha(password.reveal())}\n\n"
    )


def _slapd_container(name: str) -> str:
    return f"dn: ou={name},{SLAPD_ACCOUNTS}\nobjectClass: organizationalUnit\nou: {name}\n\n"


SUFFIX: Final = "dc=bench"
SLAPD_ACCOUNTS: Final = f"ou=accounts,{SUFFIX}"
SLAPD_USERS: Final = f"ou=people,{SUFFIX}"

OUR_DIALECT: Final = Dialect(
    side=OURS,
    accounts=AD,
    users=USERS,
    container_type="eTADSContainerName",
    user_type="eTGlobalUserName",
    account_class="eTADSAccount",
    attributes=(
        *("eTADSAccountName", "eTADSsAMAccountName", "eTADSmail", "eTADSTitle", "eTADSdisplayName"),
        *("eTADSuserPrincipalName", "eTDescription", "eTLastName", "eTFirstName", "eTComments"),
        *("eTADSwtsHomeDir", "eTADSwtsHomeDirDrive", "eTADSwtsProfilePath", "eTADSwtsAllowLogon"),
        "eTADSdistinguishedName",
    ),
    view=VIEW,
    container=lambda name: container_ldif(AD, "eTADSContainer", name),
    user=_our_user,
)
SLAPD_DIALECT: Final = Dialect(
    side=SLAPD,
    accounts=SLAPD_ACCOUNTS,
    users=SLAPD_USERS,
    container_type="ou",
    user_type="uid",
    account_class="inetOrgPerson",
    attributes=(
        *("cn", "uid", "mail", "title", "displayName"),
        *("employeeNumber", "description", "sn", "givenName", "l"),
        *("street", "st", "roomNumber", "departmentNumber", "postalCode"),
    ),
    view="",
    container=_slapd_container,
    user=_slapd_user,
)
SLAPD_INDEXES: Final = ("objectClass eq", "cn eq", "uid eq", "mail eq", "employeeNumber eq")


def our_ldif(size: Size, agent: str) -> Iterator[str]:
    """Everything for `provserver load`: the endpoint, its agent's entry, the population."""
    yield endpoint_ldif(AD, "eTADS")
    yield agent
    yield from OUR_DIALECT.ldif(size)


def slapd_ldif(size: Size, agent: str) -> Iterator[str]:
    """The same for slapadd."""
    for dn in (SLAPD_ACCOUNTS, SLAPD_USERS):
        unit = dn.split(",", 1)[0].split("=", 1)[1]
        yield f"dn: {dn}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    yield agent
    yield from SLAPD_DIALECT.ldif(size)
