"""The server of these tools, which can be killed, and where races are run: one user with an account for each
connection.

The accounts are on three endpoints: two that live in the server, and the ledger, which outlives it. An agent
reports for all of them.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.error import ConnectError

sys.path.append(str(Path(__file__).parents[1] / "bench"))

from generator import BenchFailed
from our_home import (
    CHEAP_HASH,
    COMMON,
    USERS,
    VIEW,
    OurHome,
    OurServer,
    container_ldif,
    endpoint_ldif,
)

from provserver.directory.names import DN
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.testing.wire import Hung, WireClient

__all__ = ["Account", "BenchFailed", "Track", "accounts", "on_wire"]

HOST: Final = "127.0.0.1"
DOMAIN: Final = DN.parse("dc=im")
SETTINGS: Final = (CHEAP_HASH, "binds.delay_after=0", "binds.address_delay_after=0", "logging.etatrans=false")
REMEMBERED: Final = 24
"""Passwords that the profile remembers."""
RACER: Final = f"eTGlobalUserName=racer,{USERS}"
AGENT: Final = f"eTGlobalUserName=race-agent,{USERS}"
ADMINISTRATOR: Final = f"eTGlobalUserName=race-admin,{USERS}"
FIRST_PASSWORD: Final = "Before-The-Race-0"
AD: Final = "eTADSDirectoryName=race-ad,eTNamespaceName=ActiveDirectory,dc=im"
UNIX: Final = "eTETCDirectoryName=race-unix,eTNamespaceName=UNIX - etc,dc=im"
LEDGER: Final = "eTDYNDirectoryName=race-ledger,eTNamespaceName=race,dc=im"


def on_wire(dn: str) -> str:
    """The name of an entry as clients say it."""
    return dn + VIEW


@dataclass(frozen=True, slots=True)
class Account:
    """One of the user's accounts; `dn` as it is stored."""

    name: str
    dn: str
    in_ledger: bool


def accounts(count: int) -> list[Account]:
    """As many, on one endpoint after the other."""
    places = (
        f"eTADSAccountName={{}},eTADSContainerName=Users,{AD}",
        f"eTETCAccountName={{}},eTETCAccountContainerName=Accounts,{UNIX}",
        f"eTDYNAccountName={{}},eTDYNAccountContainerName=Accounts,{LEDGER}",
    )
    return [
        Account(name := f"racer{number}", places[number % 3].format(name), number % 3 == 2)
        for number in range(count)
    ]


class Victim(OurServer):
    """A server that can be killed."""

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()
        self.stop()


class Track:
    """The instance, and who serves it. `start` and `stop` block; so does making one."""

    def __init__(self, folder: Path, domain: Callable[[str], str], settings: Sequence[str] = ()) -> None:
        """`domain`: its LDIF, given the password of the agent and of the administrator."""
        self._secret = secrets.token_urlsafe(18)
        self.home = OurHome(folder, (*SETTINGS, *settings))
        ldif = folder / "domain.ldif"
        ldif.touch(mode=0o600)
        ldif.write_text(domain(self._secret))
        self.home.load(ldif)
        self.victim: Victim | None = None

    def start(self) -> None:
        self.victim = Victim(self.home)

    def kill(self) -> None:
        victim, self.victim = self.victim, None
        if victim is not None:
            victim.kill()

    def stop(self) -> None:
        victim, self.victim = self.victim, None
        if victim is not None:
            victim.stop()

    async def line(self, reactor: Any, who: str = AGENT) -> WireClient | None:
        """A connection that is bound; None when the server has been killed meanwhile. BenchFailed."""
        victim = self.victim
        if victim is None:
            return None
        try:
            client = await WireClient.connect(reactor, HOST, victim.port)
            told = await client.bind(on_wire(who), self._secret)
        except (ConnectError, Hung):
            if self.victim is victim and victim.ended:
                raise BenchFailed(f"the server ended by itself: see {self.home.directory}") from None
            return None
        if told.code:
            raise BenchFailed(f"{who} cannot bind: {told.text}")
        return client


def race_ldif(riders: Sequence[Account], ledger_url: str, secret: str) -> str:
    """One user, who owns all accounts."""
    profile = "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile"
    return "".join(
        (
            without_guard(),
            _set(f"{profile},{COMMON}", "provProfileEnabled", "TRUE"),
            _set(f"{profile},{COMMON}", "provHistoryCount", str(REMEMBERED)),
            "dn: eTNamespaceName=race,dc=im\nobjectClass: eTNamespace\neTNamespaceName: race\n\n",
            endpoint_ldif(AD, "eTADS"),
            endpoint_ldif(UNIX, "eTETC"),
            ledger_ldif(LEDGER, ledger_url),
            container_ldif(AD, "eTADSContainer", "Users"),
            container_ldif(UNIX, "eTETCAccountContainer", "Accounts"),
            container_ldif(LEDGER, "eTDYNAccountContainer", "Accounts"),
            user_ldif(RACER, FIRST_PASSWORD),
            administrators_ldif((AD, UNIX, LEDGER), secret),
            *[account_ldif(rider.dn, RACER) for rider in riders],
        )
    )


def without_guard() -> str:
    return _set(str(AGENT_RESPONSE_THRESHOLD.dn(DOMAIN)), "eTConfigParamValue", "0")


def administrators_ldif(endpoints: Iterable[str], secret: str) -> str:
    """The agent of these endpoints, and a domain administrator."""
    scope = "".join(f"provAgentScope: {endpoint}\n" for endpoint in endpoints)
    return _person_ldif(AGENT, secret, _profile("PasswordAdministrator") + scope) + _person_ldif(
        ADMINISTRATOR, secret, _profile("DomainAdministrator")
    )


def user_ldif(dn: str, password: str) -> str:
    """A user whose passwords go to its accounts."""
    return _person_ldif(dn, password, "eTPropagatePassword: 1\n")


def _set(dn: str, attribute: str, value: str) -> str:
    return f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n"


def ledger_ldif(dn: str, url: str) -> str:
    """An endpoint behind LDAP. In clear, since both ends are in this machine; sent again soon, since the
    trouble passes soon.
    """
    settings = (f"url={url}", "starttls=no", "bind_dn=cn=race", "dn=uid={name},dc=race", "operation=replace")
    return (
        f"dn: {dn}\nobjectClass: eTDYNDirectory\nprovConnector: ldap\n"
        "provRequireSecureConnection: FALSE\nprovRetryInterval: 1\nprovRetryLimit: 1000\n"
        + "".join(f"provSetting: {setting}\n" for setting in settings)
        + "provSecret: bind_password=race\n\n"
    )


def _person_ldif(dn: str, password: str, more: str) -> str:
    return f"dn: {dn}\nobjectClass: eTGlobalUser\neTPassword: {password}\n{more}\n"


def _profile(name: str) -> str:
    return (
        f"eTUserAdminProfile: eTAdminProfileName={name},eTAdminProfileContainerName=Admin Profiles,{COMMON}\n"
    )


def account_ldif(dn: str, user: str) -> str:
    account_class = dn.partition("Name=")[0]
    return f"dn: {dn}\nobjectClass: {account_class}\nprovGlobalUser: {user}\n\n"
