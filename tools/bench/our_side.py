"""Our side of the password cycle: users with three accounts each, full histories, one Propagation Wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from fresh import former_password
from hashing import Hashing
from our_home import AD, COMMON, USERS, VIEW, OurHome, OurServer, container_ldif, endpoint_ldif
from prepared import PLACEHOLDER, Step, Template, replace, search
from rules import list_settings, profile_ldif
from side import HISTORY, TOO_SHORT, filling, user_name

from provserver.ldap.filters import And, Equality, Scope
from provserver.ldap.messages import ModifyRequest, SearchRequest

UNIX: Final = "eTETCDirectoryName=bench-unix,eTNamespaceName=UNIX - etc,dc=im"
ACF2: Final = "eTACFDirectoryName=bench-mvs,eTNamespaceName=CA-ACF2,dc=im"
TEST: Final = "eTTestPassword"
SYNC: Final = "eTSyncPassword"
FAST: Final = "passwords.tests_per_minute=1000000"
"""Few users, each changed many times a minute: an artefact of the benchmark. The check itself stays on."""


class Instance:
    """A home with the domain in it. Its users have no password yet: `fill` of the side gives them one."""

    def __init__(self, users: int, home: OurHome) -> None:
        self.users = users
        self.home = home

    @classmethod
    def made(cls, users: int, parent: Path, hashing: Hashing, rules: Mapping[str, int]) -> Instance:
        """By `init` and `load`."""
        home = OurHome(parent, (*hashing.ours, FAST, *list_settings(rules, parent)))
        domain = home.directory / "bench.ldif"
        with domain.open("w") as file:
            file.write(profile_ldif(rules))
            file.writelines(domain_ldif(users, home.agent_ldif()))
        home.load(domain)
        domain.unlink()
        return cls(users, home)

    def copy(self) -> Instance:
        """Another one with the same content. The server must be stopped."""
        return Instance(self.users, self.home.copy())

    def remove(self) -> None:
        self.home.remove()


class OurSide:
    """`provserver serve` on an instance, with one Propagation Wait."""

    steps: Sequence[Step] = (
        Step(SearchRequest, entries=1),
        Step(ModifyRequest),
        Step(SearchRequest, entries=1),
        Step(ModifyRequest),
    )

    def __init__(self, instance: Instance, wait: float, *, profile: Path | None = None) -> None:
        self.name = f"ours, wait {wait:g}"
        self.instance = instance
        self.bind = instance.home.agent
        self._templates: dict[int, tuple[Template, ...]] = {}
        settings = (f"passwords.propagation_wait={wait:g}",)
        self._server = OurServer(instance.home, settings, profile=profile)
        self.port = self._server.port

    def cycle(self, user: int, password: bytes) -> Sequence[bytes]:
        templates = self._templates.get(user)
        if templates is None:
            name = user_name(user).encode()
            wanted = And((Equality("objectClass", b"eTADSAccount"), Equality("eTADSsAMAccountName", name)))
            account = search(AD + VIEW, Scope.SUBTREE, wanted, ["1.1"])
            templates = self._templates[user] = (
                Template(2, account),
                Template(3, _replace(user, TEST, PLACEHOLDER)),
                Template(4, account),
                Template(5, _replace(user, SYNC, PLACEHOLDER)),
            )
        return [template.with_password(password) for template in templates]

    def fill(self) -> Iterator[Sequence[Sequence[bytes]]]:
        for changes in filling(self.instance.users):
            yield [
                [Template(2, _replace(user, SYNC, password)).with_password(b"")] for user, password in changes
            ]

    def check(self, user: int) -> Sequence[bytes]:
        return [
            Template(2, _replace(user, TEST, TOO_SHORT)).with_password(b""),
            Template(3, _replace(user, TEST, former_password(user, HISTORY))).with_password(b""),
        ]

    def pids(self) -> Sequence[int]:
        return self._server.pids()

    def stop(self) -> None:
        self._server.stop()


def account_names(user: int) -> dict[str, str]:
    """The DN (internal form) of each account of a user, by its endpoint's name. The first one originates."""
    name = user_name(user)
    return {
        "bench-ad": f"eTADSAccountName={name},eTADSContainerName=Users,{AD}",
        "bench-unix": f"eTETCAccountName={name},eTETCAccountContainerName=Accounts,{UNIX}",
        "bench-mvs": f"eTACFLidName={name},eTACFLidContainerName=Accounts,{ACF2}",
    }


def _replace(user: int, attribute: str, password: bytes) -> ModifyRequest:
    dn = account_names(user)["bench-ad"] + VIEW
    return replace(dn, attribute, password)


def domain_ldif(users: int, agent: str) -> Iterator[str]:
    """The domain: endpoints, agent, users, and three accounts each with their inclusion."""
    yield (
        "dn: eTConfigParamName=Use External Password Policies,"
        "eTConfigParamFolderName=Identity Manager Server,"
        f"eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,{COMMON}\n"
        "changetype: modify\nreplace: eTConfigParamValue\neTConfigParamValue: no\n-\n\n"
    )
    for endpoint, class_name, container_class, container in (
        (AD, "eTADS", "eTADSContainer", "Users"),
        (UNIX, "eTETC", "eTETCAccountContainer", "Accounts"),
        (ACF2, "eTACF", "eTACFLidContainer", "Accounts"),
    ):
        yield endpoint_ldif(endpoint, class_name)
        yield container_ldif(endpoint, container_class, container)
    yield agent
    for user in range(users):
        name = user_name(user)
        owner = f"eTGlobalUserName={name},{USERS}"
        yield f"dn: {owner}\nobjectClass: eTGlobalUser\neTGlobalUserName: {name}\neTFullName: User {name}\n"
        yield "eTPropagatePassword: 1\n\n"
        accounts = account_names(user)
        yield f"dn: {accounts['bench-ad']}\nobjectClass: eTADSAccount\neTADSAccountName: {name}\n"
        yield f"eTADSsAMAccountName: {name}\nprovGlobalUser: {owner}\n\n"
        yield f"dn: {accounts['bench-unix']}\nobjectClass: eTETCAccount\neTETCAccountName: {name}\n"
        yield f"provGlobalUser: {owner}\n\n"
        yield f"dn: {accounts['bench-mvs']}\nobjectClass: eTACFLid\neTACFLidName: {name}\n"
        yield f"provGlobalUser: {owner}\n\n"
