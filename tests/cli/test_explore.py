"""`provserver explore`: of a store that nobody serves, of a running server, and of a real slapd."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    REPOSITORY,
    Ran,
    ServedInstance,
    command,
    make_instance,
    serving,
    until,
    user_dn,
)

from provserver.testing.slapd import SlapdServer, require_slapd

Serve = Callable[..., ServedInstance]
HPDEV01 = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im"
LDAP_HQ = "eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im"
UNIX = f"eTETCAccountContainerName=Accounts,{HPDEV01}"
LINES = "login,password,cn\naokafor,x,Ada Okafor\nnewcomer,x,New Comer\n"


def endpoint(dn: str, connector: str, settings: dict[str, str], secrets: dict[str, str]) -> str:
    """What makes an endpoint of the demo another one."""
    lines = [f"dn: {dn}", "changetype: modify", "replace: provConnector", f"provConnector: {connector}", "-"]
    for attribute, values in (("provSetting", settings), ("provSecret", secrets)):
        lines.append(f"replace: {attribute}")
        lines += [f"{attribute}: {key}={value}" for key, value in values.items()]
        lines.append("-")
    return "\n".join([*lines, ""])


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """The demo domain, whose hpdev01 is a file with two accounts."""
    people = tmp_path / "people.csv"
    people.write_text(LINES)
    settings = {"path": str(people), "account": "login", "password": "password", "hash": "sha512-crypt"}
    demo = REPOSITORY / "ldif" / "demo.ldif"
    return make_instance(tmp_path / "demo", demo, endpoint(HPDEV01, "delimited", settings, {}))


@pytest.fixture(params=["offline", "online"])
def asked(request: pytest.FixtureRequest, instance: Path) -> Iterator[Callable[..., Ran]]:
    """Commands at the instance's directory, or at the server that has it."""
    if request.param == "offline":
        yield lambda name, *words: command(name, instance, *words)
        return
    with serving() as serve:
        served = serve(instance)
        trust = ("--ca", str(served.authority), "--password-file", "-")
        yield lambda name, *words: command(
            name, served.url(), *words, *trust, stdin=ADMINISTRATOR_PASSWORD + "\n"
        )


def test_it_says_what_would_be_different_and_then_does_it(asked: Callable[..., Ran]) -> None:
    tried = asked("explore", "hpdev01", "--create", "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "2 accounts (a dry run: nothing was changed)" in tried.stdout
    assert f"eTETCAccountName=newcomer,{UNIX}: would be added" in tried.stdout
    done = asked("explore", "hpdev01", "--create")
    assert done.returncode == 0, done.stderr
    assert "global users created" in done.stdout
    again = asked("explore", "UNIX - etc:hpdev01", "--create", "--update", "--json")
    told: Any = json.loads(again.stdout)
    assert (told["accounts"], told["unchanged"], told["added"], told["created"]) == (2, 2, 0, 0)
    checked = asked("check", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["good"] is True


def test_an_endpoint_that_cannot_be_explored_is_a_failure(asked: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "people.csv").unlink()
    done = asked("explore", "hpdev01")
    assert done.returncode == 1
    assert "not to its end: exploring 'hpdev01' broke off" in done.stdout
    none = asked("explore", "ghost")
    assert none.returncode == 1
    assert "there is no endpoint 'ghost'" in none.stderr


PEOPLE = """\
dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

""" + "".join(
    f"dn: uid=user{n},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: user{n}\n"
    f"cn: User Number {n}\nsn: Number{n}\nmail: user{n}@example.com\nuserPassword: Old-Secret-{n}x\n\n"
    for n in range(1_200)
)


@pytest.mark.slapd
def test_the_whole_path_from_a_real_directory_to_a_password_there(tmp_path: Path, serve: Serve) -> None:
    """Explored, correlated, users made: then a user's new password is the account's."""
    require_slapd()
    with SlapdServer(ldif=PEOPLE) as slapd:
        settings = {
            "url": slapd.ldaps_url,
            "ca_file": str(slapd.certificates.authority),
            "server_name": "localhost",
            "bind_dn": slapd.root_dn,
            "dn": "uid={name},ou=people,dc=example,dc=com",
        }
        secrets = {"bind_password": slapd.root_password}
        default = (
            "dn: eTConfigParamName=Create Users Default Attributes,"
            "eTConfigParamFolderName=Explore and Correlate,eTConfigParamContainerName=Parameters,"
            "eTConfigContainerName=Configuration,eTNamespaceName=CommonObjects,dc=im\n"
            "changetype: modify\nadd: eTConfigParamValue\neTConfigParamValue: EnablePasswordSync=1\n"
        )
        demo = REPOSITORY / "ldif" / "demo.ldif"
        instance = make_instance(
            tmp_path / "demo", demo, endpoint(LDAP_HQ, "openldap", settings, secrets), default
        )
        served = serve(instance)
        triggers = ("eTExploreUpdateEtrust", "eTExploreCreateUsers")
        found = served.search(f"{LDAP_HQ},dc=eta", "(objectClass=*)", *triggers)
        assert found.returncode == 0, found.stderr
        unfolded = found.stdout.replace("\n ", "")
        assert "eTExploreCreateUsers: accounts: 1200, added: 1200" in unfolded
        assert "correlated: 1200, created: 1200" in unfolded
        changes = (
            "replace: eTPassword\neTPassword: Kelp-Compass-88\n-\n"
            "replace: eTSyncAccounts\neTSyncAccounts: 1\n"
        )
        reset = served.modify(f"dn: {user_dn('user7')}\nchangetype: modify\n{changes}")
        assert reset.returncode == 0, reset.stderr

        def works_there() -> bool:
            who = "uid=user7,ou=people,dc=example,dc=com"
            return slapd.tool("ldapwhoami", bind_dn=who, password="Kelp-Compass-88").returncode == 0

        assert until(works_there)
        slapd.tool("ldapmodify", stdin="dn: uid=user8,ou=people,dc=example,dc=com\nchangetype: delete\n")
        again = served.search(f"{LDAP_HQ},dc=eta", "(objectClass=*)", *triggers)
        assert "accounts: 1199, removed: 1, unchanged: 1199" in again.stdout.replace("\n ", "")
