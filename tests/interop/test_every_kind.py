"""A domain with an account at an endpoint of every kind: one change that an agent reports works at all of
them, and `provserver status` says so.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from plugins import schemas
from plugins.real_endpoint import AD_USERS, AGENT, AGENT_PASSWORD
from plugins.real_servers import MariaDb, Postgres, UnixHost
from plugins.scim_servers import TOKEN, ScimServer
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    REPOSITORY,
    ServedInstance,
    command,
    make_instance,
    serving,
    user_dn,
)

from provserver.connectors.hashes import SETTING_NAMES, Keeping
from provserver.connectors.registry import ConnectorKinds, Settings
from provserver.testing.ds389 import Ds389Server, require_ds389
from provserver.testing.samba_ad import DomainController, require_samba, template_of
from provserver.testing.slapd import SlapdServer, require_slapd
from provserver.vault.secret import Secret

pytestmark = pytest.mark.slapd

OLD = "Copper-Bollard-27"
NEW = "Sluice-Compass-86"
SUFFIX = "dc=port,dc=example"
NAMESPACE = "eTNamespaceName=OpenLDAP,dc=im,dc=eta"
AD_ACCOUNT = f"eTADSAccountName=Moira\\, Test,{AD_USERS}"
PEOPLE = f"""\
dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people

dn: uid=moira,ou=people,{SUFFIX}
objectClass: inetOrgPerson
uid: moira
cn: Moira
sn: Quay
userPassword: {OLD}
"""
FILES = {
    "delimited": ("login,password\nmoira,x\n", {"account": "login", "password": "password"}),
    "fixedwidth": (
        f"{'moira':8}{'x':40}\n",
        {"width": "48", "columns": "login:1-8,password:9-48", "account": "login", "password": "password"},
    ),
    "avp": ("login: moira\npassword: x\n", {"account": "login", "password": "password"}),
    "ldif": (f"{PEOPLE}", {}),
    "dsml": (
        '<dsml:dsml xmlns:dsml="http://www.dsml.org/DSML"><dsml:directory-entries>'
        '<dsml:entry dn="uid=moira"><dsml:attr name="uid"><dsml:value>moira</dsml:value></dsml:attr>'
        '<dsml:attr name="userPassword"><dsml:value>x</dsml:value></dsml:attr>'
        "</dsml:entry></dsml:directory-entries></dsml:dsml>\n",
        {},
    ),
}


@dataclass
class Endpoint:
    """An endpoint where moira has an account: how we reach it, and whether she can log in there."""

    kind: str
    settings: Mapping[str, str]
    accepts: Callable[[str], bool]
    secrets: Mapping[str, str] = field(default_factory=dict)
    account: str = "moira"
    name: str = ""

    @property
    def dn(self) -> str:
        return f"eTDYNDirectoryName=real-{self.name or self.kind},{NAMESPACE}"

    @property
    def ldif(self) -> str:
        lines = [
            f"dn: {self.dn}",
            "objectClass: eTDYNDirectory",
            f"provConnector: {self.kind}",
            *(f"provSetting: {key}={value}" for key, value in self.settings.items()),
            *(f"provSecret: {key}={value}" for key, value in self.secrets.items()),
        ]
        container = f"eTDYNAccountContainerName=Accounts,{self.dn}"
        lines += ["", f"dn: {container}", "objectClass: eTDYNAccountContainer"]
        lines += ["", f"dn: eTDYNAccountName={self.account},{container}", "objectClass: eTDYNAccount"]
        return "\n".join([*lines, f"provGlobalUser: {user_dn('moira')}", ""])


def directories(stack: ExitStack, factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    slapd = stack.enter_context(SlapdServer(suffix=SUFFIX, ldif=PEOPLE))
    uid = f"uid=moira,ou=people,{SUFFIX}"
    for kind in ("ldap", "openldap"):
        yield Endpoint(
            kind,
            {
                "url": slapd.ldaps_url,
                "ca_file": str(slapd.certificates.authority),
                "bind_dn": slapd.root_dn,
                "dn": f"uid={{name}},ou=people,{SUFFIX}",
            },
            lambda password: slapd.accepts_password(uid, password),
            {"bind_password": slapd.root_password},
        )
    ds389 = stack.enter_context(Ds389Server(suffix=SUFFIX, ldif=PEOPLE))
    yield Endpoint(
        "389ds",
        {
            "url": ds389.ldaps_url,
            "ca_file": str(ds389.certificates.authority),
            "bind_dn": ds389.root_dn,
            "dn": f"uid={{name}},ou=people,{SUFFIX}",
        },
        lambda password: ds389.accepts_password(uid, password),
        {"bind_password": ds389.root_password},
    )
    samba = stack.enter_context(DomainController(template=template_of(factory)))
    samba.create_user("moira", OLD)
    yield Endpoint(
        "ad",
        {
            "url": samba.ldaps_url,
            "ca_file": str(samba.certificates.authority),
            "bind_dn": samba.bind_dn,
        },
        lambda password: samba.accepts_password("moira", password),
        {"bind_password": samba.password},
    )


def databases(stack: ExitStack) -> Iterator[Endpoint]:
    postgres, mariadb = stack.enter_context(Postgres()), stack.enter_context(MariaDb())
    postgres.admin(*schemas.POSTGRES_SERVER, database="postgres")
    postgres.admin(*schemas.POSTGRES, "INSERT INTO account (login) VALUES ('moira')")
    mariadb.admin(*schemas.MARIA, database=None)
    mariadb.admin("INSERT INTO account (login) VALUES ('moira')")
    yield Endpoint(
        "sql",
        {
            "url": postgres.url(),
            "tls": "verify",
            "ca_file": str(postgres.certificates.authority),
            **schemas.POSTGRES_STATEMENT,
        },
        lambda password: (
            postgres.admin(
                "SELECT hash = crypt(%s, hash) FROM account WHERE login = 'moira'", values=[password]
            )
            == [(True,)]
        ),
        {"password": schemas.LOGIN_PASSWORD},
        name="postgresql",
    )
    yield Endpoint(
        "sql",
        {
            "url": mariadb.url(),
            "tls": "verify",
            "ca_file": str(mariadb.certificates.authority),
            **schemas.MARIA_STATEMENT,
        },
        lambda password: (
            mariadb.admin("SELECT secret = %s FROM account WHERE login = 'moira'", values=[password])
            == [(1,)]
        ),
        {"password": schemas.LOGIN_PASSWORD},
        name="mariadb",
    )


def files(folder: Path) -> Iterator[Endpoint]:
    for kind, (content, shape) in FILES.items():
        path = folder / f"people.{kind}"
        path.write_text(content)
        settings = {"path": str(path), "hash": "clear", **shape}
        # Where in it the password stands is for tests/connectors.
        yield Endpoint(kind, settings, partial(stands_in, path))


def stands_in(path: Path, password: str) -> bool:
    return password in path.read_text() or b64encode(password.encode()) in path.read_bytes()


def hosts(stack: ExitStack) -> Iterator[Endpoint]:
    host = stack.enter_context(UnixHost())
    keeping = Keeping.of(Settings({"hash": "yescrypt", "cost": "1"}, SETTING_NAMES))
    host.begin_with("kit", keeping.stored(Secret.of_text(OLD)))
    yield Endpoint(
        "unix", host.settings, lambda password: host.accepts_password("kit", password), account="kit"
    )


def services(stack: ExitStack) -> Iterator[Endpoint]:
    scim = stack.enter_context(ScimServer())
    scim.add("moira")
    trust = {"ca_file": str(scim.certificates.authority)}
    yield Endpoint(
        "scim", {"url": scim.url, **trust}, lambda password: scim.lets_in("moira", password), {"token": TOKEN}
    )
    # Another user of the same service, reached by a call that somebody wrote down.
    other = scim.add("moira-2")
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "password", "value": "{password}"}],
    }
    call = {
        "url": f"{scim.url}/Users/{{name}}",
        "method": "PATCH",
        "headers": "Content-Type: application/scim+json",
        "body": json.dumps(patch),
        "auth": "bearer",
    }
    yield Endpoint(
        "https",
        {**call, **trust},
        lambda password: scim.lets_in("moira-2", password),
        {"token": TOKEN},
        account=other,
    )


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Endpoint]]:
    require_slapd()
    require_ds389()
    require_samba()
    with ExitStack() as stack:
        yield [
            *directories(stack, tmp_path_factory),
            *databases(stack),
            *files(tmp_path_factory.mktemp("files")),
            *hosts(stack),
            *services(stack),
        ]


@pytest.fixture(scope="module")
def served(
    endpoints: list[Endpoint], tmp_path_factory: pytest.TempPathFactory, stock_clients: None
) -> Iterator[ServedInstance]:
    moira = (
        f"dn: {user_dn('moira')}\nobjectClass: eTGlobalUser\neTGlobalUserName: moira\n"
        f"eTPassword: {OLD}\neTPropagatePassword: 1\n\n"
        f"dn: {AD_ACCOUNT}\nobjectClass: eTADSAccount\nprovGlobalUser: {user_dn('moira')}\n"
    )
    domain = "\n".join([moira, *(endpoint.ldif for endpoint in endpoints)])
    demo = REPOSITORY / "ldif" / "demo.ldif"
    directory = make_instance(tmp_path_factory.mktemp("every") / "lab", demo, domain)
    with serving() as serve:
        yield serve(directory, "--set", "passwords.propagation_wait=60")


def test_one_change_works_everywhere_and_status_says_so(
    served: ServedInstance, endpoints: list[Endpoint]
) -> None:
    unserved = set(ConnectorKinds().names()) - {endpoint.kind for endpoint in endpoints} - {"emulated"}
    assert not unserved, "a kind of endpoint that this domain does not have"

    for attribute in ("eTTestPassword", "eTSyncPassword"):
        done = served.set(AD_ACCOUNT, attribute, NEW, who=AGENT, password=AGENT_PASSWORD)
        assert done.returncode == 0, done.stderr
    for endpoint in endpoints:
        assert endpoint.accepts(NEW), endpoint.dn
        assert not endpoint.accepts(OLD), endpoint.dn
    words = ["status", served.url(), "moira", "--ca", served.authority, "--password-file", "-"]
    told = command(*words, stdin=ADMINISTRATOR_PASSWORD)
    assert told.returncode == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if "real-" in line]
    assert len(lines) == len(endpoints), told.stdout
    assert all(" updated " in line for line in lines), told.stdout
