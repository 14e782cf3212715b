"""slapd's side: back-mdb, ppolicy, and an agent by ACL, so that ppolicy's checks apply to it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from fresh import former_password
from generator import BenchFailed
from hashing import Hashing
from machine import family
from prepared import PLACEHOLDER, Step, Template, bind_request, replace, search
from report import SLAPD
from side import HISTORY, MIN_LENGTH, TOO_SHORT, filling, user_name

from provserver.ldap.filters import And, Equality, Scope
from provserver.ldap.messages import CompareRequest, ModifyRequest, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.testing.slapd import PasswordPolicy, SlapdServer, find_slapd
from provserver.testing.slapd_configuration import ssha
from provserver.vault.secret import Secret

SUFFIX: Final = "dc=bench"
PEOPLE: Final = f"ou=people,{SUFFIX}"
AGENT: Final = f"cn=agent,{SUFFIX}"
ENDPOINTS: Final = ("ad", "unix", "mvs")
ACCESS: Final = (
    # write, not manage: with manage ppolicy would take the agent for a password administrator.
    f'access to dn.subtree="{PEOPLE}" attrs=userPassword'
    f' by dn.exact="{AGENT}" write by anonymous auth by * none',
    "access to attrs=userPassword by anonymous auth by * none",
    f'access to * by dn.exact="{AGENT}" read by * none',
)
CONFIGURATION: Final = "cn=config"


class SlapdSide:
    """A slapd with its users, who have no password yet: `fill` gives them one."""

    name = SLAPD
    steps: Sequence[Step] = (
        Step(SearchRequest, entries=1),
        Step(CompareRequest, ResultCode.COMPARE_TRUE),
        Step(SearchRequest, entries=1),
        Step(ModifyRequest),
    )

    def __init__(self, users: int, parent: Path, threads: int, hashing: Hashing) -> None:
        password = secrets.token_urlsafe(18)
        module = hashing.module_in(find_slapd().modules)
        self._server = SlapdServer(
            suffix=SUFFIX,
            policy=PasswordPolicy(min_length=MIN_LENGTH, in_history=HISTORY),
            access=ACCESS,
            global_extra=(
                f"threads {threads}",
                *([f"moduleload {module}"] if module else []),
                "database config",
                f"rootpw {ssha(password.encode())}",
            ),
            ldif="".join(_entries(users, ssha(password.encode()))),
            parent_directory=parent,
        )
        self._users = users
        try:
            self._server.start_blocking()
            self._hash_as(hashing.slapds, password)
        except BaseException:
            self._server.stop()
            raise
        self.port = self._server.ldap_port
        self.bind = bind_request(AGENT, Secret.of_text(password))
        self._templates: dict[int, tuple[Template, ...]] = {}

    def _hash_as(self, scheme: str, password: str) -> None:
        """While it runs, since its file names a scheme before it loads modules of ours."""
        change = (
            f"dn: olcDatabase={{-1}}frontend,{CONFIGURATION}\nchangetype: modify\n"
            f"replace: olcPasswordHash\nolcPasswordHash: {scheme}\n"
        )
        done = self._server.tool("ldapmodify", bind_dn=CONFIGURATION, password=password, stdin=change)
        if done.returncode:
            raise BenchFailed(f"slapd does not hash as {scheme}: {done.stderr.strip()}")

    def fill(self) -> Iterator[Sequence[Sequence[bytes]]]:
        for changes in filling(self._users):
            yield [[Template(2, _replace(user, password)).with_password(b"")] for user, password in changes]

    def cycle(self, user: int, password: bytes) -> Sequence[bytes]:
        templates = self._templates.get(user)
        if templates is None:
            name = user_name(user).encode()
            wanted = And((Equality("objectClass", b"inetOrgPerson"), Equality("uid", name)))
            person = search(PEOPLE, Scope.SUBTREE, wanted, ["1.1"])
            templates = self._templates[user] = (
                Template(2, person),
                Template(3, CompareRequest(_dn(user), "uid", name)),
                Template(4, person),
                Template(5, _replace(user, PLACEHOLDER)),
            )
        return [template.with_password(password) for template in templates]

    def check(self, user: int) -> Sequence[bytes]:
        return [
            Template(2, _replace(user, TOO_SHORT)).with_password(b""),
            Template(3, _replace(user, former_password(user, HISTORY))).with_password(b""),
        ]

    def pids(self) -> Sequence[int]:
        return family(self._server.pid)

    def stop(self) -> None:
        self._server.stop()


def _dn(user: int) -> str:
    return f"uid={user_name(user)},{PEOPLE}"


def _replace(user: int, password: bytes) -> ModifyRequest:
    return replace(_dn(user), "userPassword", password)


def _entries(users: int, agent_hash: str) -> Iterator[str]:
    """The agent; users without a password; three account entries each: both databases are as large."""
    yield f"dn: {AGENT}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: agent\n"
    yield f"userPassword: {agent_hash}\n\n"
    for unit in ("people", "accounts"):
        yield f"dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    for user in range(users):
        name = user_name(user)
        yield f"dn: {_dn(user)}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: User {name}\nsn: {name}\n\n"
    for endpoint in ENDPOINTS:
        above = f"ou={endpoint},ou=accounts,{SUFFIX}"
        yield f"dn: {above}\nobjectClass: organizationalUnit\nou: {endpoint}\n\n"
        for user in range(users):
            name = user_name(user)
            yield f"dn: cn={name},{above}\nobjectClass: organizationalRole\ncn: {name}\n"
            yield f"roleOccupant: {_dn(user)}\n\n"
