"""ldapwhoami, ldappasswd and ldapmodify with controls, as OpenLDAP ships them, against `provserver serve`."""

from __future__ import annotations

import base64
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from operations.client_certificates import ClientAuthority
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    REPOSITORY,
    Ran,
    ServedInstance,
    make_instance,
    serving,
    user_dn,
)

pytestmark = pytest.mark.usefixtures("stock_clients")

OLD, NEW = "Copper-Bollard-27", "Sluice-Compass-86"
UNIX = "eTETCAccountContainerName=Accounts,eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im,dc=eta"

Serve = Callable[..., ServedInstance]


@dataclass(frozen=True)
class Person:
    """A global user with one account, at an emulated endpoint."""

    name: str

    @property
    def dn(self) -> str:
        return user_dn(self.name)

    @property
    def account(self) -> str:
        return f"eTETCAccountName={self.name},{UNIX}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedInstance]:
    """One server for the module: each test admits a person of its own."""
    directory = tmp_path_factory.mktemp("extensions") / "lab"
    with serving() as serve:
        yield serve(make_instance(directory, REPOSITORY / "ldif" / "demo.ldif"))


_NUMBERS = itertools.count(1)


@pytest.fixture
def ada(served: ServedInstance) -> Person:
    person = Person(f"ada{next(_NUMBERS)}")
    added = served.client(
        "ldapadd",
        stdin=f"""\
dn: {person.dn}
objectClass: eTGlobalUser
eTTitle: Berth planner
eTPassword: {OLD}
eTPropagatePassword: 1

dn: {person.account}
objectClass: eTETCAccount
provGlobalUser: {person.dn}
""",
    )
    assert added.returncode == 0, added.stderr
    return person


def titled(person: Person, title: str) -> str:
    return f"dn: {person.dn}\nchangetype: modify\nreplace: eTTitle\neTTitle: {title}\n"


def result(done: Ran) -> int:
    """The LDAP result code; some tools say it in words only, and exit with 1."""
    said = re.search(r"\((\d+)\)", done.stdout + done.stderr)
    return int(said[1]) if done.returncode == 1 and said else done.returncode


# ---------------------------------------------------------------- Who am I


def test_ldapwhoami_tells_who_is_bound(served: ServedInstance, ada: Person) -> None:
    assert served.client("ldapwhoami").stdout == f"dn:{user_dn('etaadmin')}\n"
    assert served.client("ldapwhoami", who="-").stdout == "anonymous\n"
    assert served.client("ldapwhoami", who=ada.name, password=OLD).stdout == f"dn:{ada.dn}\n"
    proxied = served.client("ldapwhoami", "-e", f"!authzid=u:{ada.name}")
    assert (proxied.returncode, proxied.stdout) == (0, f"dn:{ada.dn}\n")
    denied = served.client("ldapwhoami", "-e", "!authzid=u:etaadmin", who=ada.dn, password=OLD)
    assert result(denied) == 123


# ---------------------------------------------------------------- Password Modify


def held(served: ServedInstance, person: Person, password: str) -> bool:
    encoded = base64.b64encode(password.encode()).decode()
    return served.client("ldapcompare", person.account, f"provHeldPassword::{encoded}").returncode == 6


def test_ldappasswd_changes_ones_own_password(served: ServedInstance, ada: Person) -> None:
    done = served.client("ldappasswd", "-a", OLD, "-s", NEW, who=ada.dn, password=OLD)
    assert done.returncode == 0, done.stderr
    assert "(accounts updated: 1, unchanged: 0, failures: 0)" in done.stdout
    assert served.accepts_password(ada.name, NEW)
    assert not served.accepts_password(ada.name, OLD)
    assert held(served, ada, NEW)


@pytest.mark.parametrize("spelled", ["{dn}", "u:{name}", "{name}"])
def test_ldappasswd_resets_somebody_elses(served: ServedInstance, ada: Person, spelled: str) -> None:
    name = spelled.format(dn=ada.dn, name=ada.name)
    assert served.client("ldappasswd", "-s", NEW, name).returncode == 0
    assert served.accepts_password(ada.name, NEW)


def test_ldappasswd_shows_the_password_that_was_made_up(served: ServedInstance, ada: Person) -> None:
    done = served.client("ldappasswd", ada.dn)
    assert done.returncode == 0, done.stderr
    made = re.match(r"New password: (\S{16})\n", done.stdout)
    assert made is not None, done.stdout
    assert served.accepts_password(ada.name, made[1])


def test_ldappasswd_resets_one_account_alone(served: ServedInstance, ada: Person) -> None:
    assert served.client("ldappasswd", "-s", NEW, ada.account).returncode == 0
    assert held(served, ada, NEW)
    assert served.accepts_password(ada.name, OLD)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("-a", OLD, "-s", "short"), 19, "Password is too short for policy"),
        (("-a", OLD, "-s", OLD), 19, "New password is in list of old passwords"),
        (("-a", "wrong", "-s", NEW), 53, "Policy requires old password in order to change password"),
        (("-s", NEW), 50, "Policy requires old password in order to change password"),
        (("-s", NEW, user_dn("bnovak")), 50, "Policy prevents password modification"),
    ],
)
def test_ldappasswd_explains_what_the_policy_control_says(
    served: ServedInstance, ada: Person, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = served.client("ldappasswd", "-e", "ppolicy", *arguments, who=ada.dn, password=OLD)
    assert result(done) == code
    assert told in done.stdout + done.stderr
    assert served.accepts_password(ada.name, OLD)


def test_a_suspended_user_is_told_so_by_the_policy_control(served: ServedInstance) -> None:
    elif_ = user_dn("eyilmaz")
    done = served.client("ldapwhoami", "-e", "ppolicy", who=elif_, password="Ledger-Anchor-35")
    assert result(done) == 53
    assert "Account locked" in done.stdout + done.stderr


# ---------------------------------------------------------------- controls of ldapmodify and its like


def test_ldapmodify_with_an_assertion(served: ServedInstance, ada: Person) -> None:
    failed = served.client("ldapmodify", "-e", "!assert=(eTTitle=captain)", stdin=titled(ada, "Admiral"))
    assert failed.returncode == 122
    done = served.client("ldapmodify", "-e", "!assert=(eTTitle=berth planner)", stdin=titled(ada, "Admiral"))
    assert done.returncode == 0, done.stderr
    found = served.client("ldapsearch", "-LLL", "-b", ada.dn, "-e", "!assert=(eTTitle=x)", "eTTitle")
    assert (found.returncode, "dn:" in found.stdout) == (122, False)


def test_ldapmodify_shows_the_entry_before_and_after(served: ServedInstance, ada: Person) -> None:
    done = served.client(
        "ldapmodify",
        "-e",
        "!preread=eTTitle",
        "-e",
        "!postread=eTTitle,modifiersName",
        stdin=titled(ada, "Admiral"),
    )
    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("# ==> postread")
    assert "eTTitle: Berth planner" in before
    assert "eTTitle: Admiral" in after
    assert "modifiersName: eTGlobalUserName=etaadmin," in after.replace("\n ", "")


def test_ldapmodify_acts_as_somebody_else_with_that_ones_rights(served: ServedInstance, ada: Person) -> None:
    done = served.client("ldapmodify", "-e", f"!authzid=dn:{ada.dn}", stdin=titled(ada, "Admiral"))
    assert done.returncode == 50
    password = f"dn: {ada.dn}\nchangetype: modify\nreplace: eTPassword\neTPassword: {NEW}\n"
    assert served.client("ldapmodify", "-e", f"!authzid=dn:{ada.dn}", stdin=password).returncode == 0
    assert served.accepts_password(ada.name, NEW)
    unknown = served.client("ldapmodify", "-e", "!authzid=u:ghost", stdin=titled(ada, "Admiral"))
    assert unknown.returncode == 123


def test_ldapmodify_increments(served: ServedInstance, ada: Person) -> None:
    number = f"dn: {ada.dn}\nchangetype: modify\nincrement: eTPropagatePassword\neTPropagatePassword: 41\n"
    done = served.client("ldapmodify", stdin=number)
    assert done.returncode == 0, done.stderr
    found = served.search(ada.dn, "(objectClass=*)", "eTPropagatePassword")
    assert "eTPropagatePassword: 42\n" in found.stdout


def test_ldapdelete_takes_a_tree_and_managedsait(served: ServedInstance) -> None:
    tree = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
    assert served.client("ldapdelete", tree).returncode == 66
    done = served.client("ldapdelete", "-M", "-e", "!1.2.840.113556.1.4.805", tree)
    assert done.returncode == 0, done.stderr
    assert served.client("ldapsearch", "-b", tree).returncode == 32


def test_ldapmodrdn_with_an_assertion_and_a_read_entry_control(served: ServedInstance, ada: Person) -> None:
    arguments = ("-r", "-e", "!postread=eTETCAccountName", ada.account, f"eTETCAccountName={ada.name}-x")
    failed = served.client("ldapmodrdn", "-e", "!assert=(eTETCAccountName=x)", *arguments)
    assert failed.returncode == 122
    done = served.client("ldapmodrdn", "-e", f"!assert=(eTETCAccountName={ada.name})", *arguments)
    assert done.returncode == 0, done.stderr
    assert f"eTETCAccountName: {ada.name}-x\n" in done.stdout


# ---------------------------------------------------------------- SASL


def sasl(served: ServedInstance, *arguments: str, environment: dict[str, str] | None = None) -> Ran:
    return subprocess.run(
        ["ldapwhoami", "-Q", "-H", served.url(), *arguments],
        env={
            **os.environ,
            "LDAPTLS_CACERT": str(served.authority),
            "LDAPTLS_REQCERT": "demand",
            "HOME": str(served.directory),
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_plain_over_ldaps(served: ServedInstance, ada: Person) -> None:
    done = sasl(served, "-Y", "PLAIN", "-U", ada.name, "-w", OLD)
    if "No worthy mechs" in done.stderr:
        pytest.skip("OpenLDAP's clients have no SASL PLAIN here; install libsasl2-modules")
    assert (done.returncode, done.stdout) == (0, f"dn:{ada.dn}\n"), done.stderr
    proxied = sasl(
        served, "-Y", "PLAIN", "-U", "etaadmin", "-w", ADMINISTRATOR_PASSWORD, "-X", f"u:{ada.name}"
    )
    assert (proxied.returncode, proxied.stdout) == (0, f"dn:{ada.dn}\n"), proxied.stderr
    assert result(sasl(served, "-Y", "PLAIN", "-U", ada.name, "-w", "wrong")) == 49


def test_external_over_ldaps(demo_instance: Path, serve: Serve, tmp_path: Path) -> None:
    authority = ClientAuthority(tmp_path)
    shutil.copy(authority.file, demo_instance / "tls" / "clients.pem")
    served = serve(demo_instance, "--set", "server.tls_client_authority=tls/clients.pem")
    shown = authority.vouches_for((NameOID.COMMON_NAME, "aokafor"))
    certificate, key = tmp_path / "ada.pem", tmp_path / "ada.key"
    certificate.write_bytes(shown.certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        shown.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    own = {"LDAPTLS_CERT": str(certificate), "LDAPTLS_KEY": str(key)}
    done = sasl(served, "-Y", "EXTERNAL", environment=own)
    assert (done.returncode, done.stdout) == (0, f"dn:{user_dn('aokafor')}\n"), done.stderr
    assert result(sasl(served, "-Y", "EXTERNAL", "-X", "u:etaadmin", environment=own)) == 123
    assert served.client("ldapwhoami").returncode == 0, "a certificate is nobody's duty"
