"""The whole circle on a real Samba domain controller: its users change their passwords as they always do, the
hook asks and tells, and the passwords arrive in a real OpenLDAP server and in a file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from plugins.berths import endpoint_ldif
from plugins.real_endpoint import AD, AGENT_PASSWORD, LDAP_HQ, PEOPLE, SUFFIX, Person
from plugins.real_servers import not_here, program
from plugins.served_instance import REPOSITORY, ServedInstance, make_instance, serving, until, user_dn

from provserver.agents.sambasetup import initialise, smb_conf
from provserver.connectors.hashes import SETTING_NAMES, Keeping
from provserver.connectors.registry import Settings
from provserver.testing.samba_ad import REALM, DomainController, SambaFailed, require_samba, template_of
from provserver.testing.slapd import SlapdServer, require_slapd
from provserver.vault.secret import Secret

BEGIN = "Copper-Bollard-27"
NEW = "Sluice-Compass-86"
NEWER = "Dune-Beacon-17"
TOO_SHORT = "Ab1-short"
"""For our policy; Samba would take it."""
UNIX = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im,dc=eta"
UNIX_AGENT = user_dn("pam-hpdev01")
UNIX_AGENT_PASSWORD = "Seal-Ferry-Agent-22"
NAMES = ("ada", "boris", "claire", "dora", "elif", "franco", "gil", "hana", "ivo", "june")
HASH = "sha256-crypt"
REVERSIBLE = 0x80
"""ENCRYPTED_TEXT_PWD_ALLOWED (MS-ADTS 2.2.16)."""

Ran = subprocess.CompletedProcess[str]


@dataclass
class Dock:
    """The domain controller with its agent, the server, and where passwords arrive."""

    dc: DomainController
    served: ServedInstance
    slapd: SlapdServer
    file: Path
    folder: Path
    bin: Path

    # -- people

    def admit(self, name: str, at_dc: str = BEGIN) -> Person:
        """Somebody with an account everywhere."""
        person = Person(name, BEGIN)
        self.dc.create_user(name, at_dc)
        self.slapd.add(
            f"dn: {person.at_slapd}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
            f"userPassword: {BEGIN}\n"
        )
        added = self.served.client(
            "ldapadd",
            stdin=f"""\
dn: {person.dn}
objectClass: eTGlobalUser
eTGlobalUserName: {name}
eTPassword: {BEGIN}
eTPropagatePassword: 1

dn: {person.ad_account}
objectClass: eTADSAccount
eTADSAccountName: {name}, Test
eTADSsAMAccountName: {name}
provGlobalUser: {person.dn}

dn: {person.ldap_account}
objectClass: eTDYNAccount
eTDYNAccountName: {name}
provGlobalUser: {person.dn}

dn: {unix_account(name)}
objectClass: eTETCAccount
eTETCAccountName: {name}
provGlobalUser: {person.dn}
""",
        )
        assert added.returncode == 0, added.stderr
        return person

    def everywhere(self, person: Person, password: str) -> bool:
        """Whether the password has arrived in both endpoints."""
        return self.in_file(person, password) and self.slapd.accepts_password(person.at_slapd, password)

    def in_file(self, person: Person, password: str) -> bool:
        keeping = Keeping.of(Settings({"hash": HASH}, SETTING_NAMES))
        rows = dict(line.split(",")[:2] for line in self.file.read_text().splitlines())
        return keeping.verify(Secret.of_text(password), rows[person.name])

    def deliveries(self, person: Person) -> list[str]:
        """All that the accounts' entries say of deliveries, when none is on its way."""
        accounts = (person.ad_account, person.ldap_account, unix_account(person.name))
        found: list[str] = []

        def settled() -> bool:
            shown = "".join(self.served.search(dn, "(objectClass=*)", "+").stdout for dn in accounts)
            found[:] = sorted(line for line in shown.splitlines() if "Delivery" in line)
            return not {"provDeliveryState: pending", "provDeliveryState: claimed"} & set(found)

        assert until(settled), found
        return found

    # -- the agent

    @property
    def conf(self) -> Path:
        return self.folder / "eta_pwdsync.conf"

    def configure(self) -> None:
        self.conf.touch(mode=0o600)
        self.conf.write_text(
            f"host = {self.served.url().removeprefix('ldaps://')}\nca_file = {self.served.authority}\n"
            f"admin = psync-ad-corp\npassword = {AGENT_PASSWORD}\nendpoint_name = AD-Corp\n"
            "ldap_logging_enabled = yes\n"
        )

    def agent(self, *words: str) -> Ran:
        command = [self.bin / "samba-agent", "--conf", self.conf, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def log(self) -> str:
        return (self.folder / "samba-agent.log").read_text()

    def sync(self, *options: str) -> str:
        """What the service does, once."""
        return self.dc.samba_tool("user", "syncpasswords", "--no-wait", *options)

    @contextmanager
    def syncing(self) -> Iterator[None]:
        """As the service does it: until it is stopped."""
        command = ["samba-tool", "user", "syncpasswords", "-s", str(self.dc.directory / "smb.conf")]
        with (self.folder / "syncpasswords.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def unix_account(name: str) -> str:
    return f"eTETCAccountName={name},eTETCAccountContainerName=Accounts,{UNIX}"


def kpasswd(dock: Dock, name: str, old: str, new: str) -> bool:
    """As somebody on a UNIX machine does it, by Kerberos."""
    conf = dock.folder / "krb5.conf"
    conf.write_text(
        f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\n"
        f"[realms]\n{REALM} = {{\nkdc = {dock.dc.address}\nkpasswd_server = {dock.dc.address}\n}}\n"
    )
    done = subprocess.run(
        ["kpasswd", name],
        input=f"{old}\n{new}\n{new}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "KRB5_CONFIG": str(conf)},
    )
    assert done.returncode in (0, 2), done.stderr  # 2: refused, with a reason
    return done.returncode == 0


def own_change(dock: Dock, name: str, old: str, new: str) -> bool:
    """The user's own, over LDAPS."""
    return accepted(lambda: dock.dc.change_password(name, old, new))


def reset(dock: Dock, name: str, _: str, new: str) -> bool:
    """An administrator's."""
    return accepted(lambda: dock.dc.set_password(name, new))


def accepted(change: Callable[[], None]) -> bool:
    try:
        change()
    except SambaFailed as failed:
        if "check_password_restrictions" not in str(failed):
            raise
        return False
    return True


Way = Callable[[Dock, str, str, str], bool]
WAYS: Sequence[tuple[str, Way]] = (("ada", kpasswd), ("boris", own_change), ("claire", reset))


@pytest.fixture(scope="module")
def keyring() -> Iterator[Path]:
    """A key that passwords are encrypted to. Its path is short: there are sockets in it."""
    gpg = program("gpg", "gnupg")
    if subprocess.run(["/usr/bin/python3", "-c", "import gpg"], capture_output=True, check=False).returncode:
        not_here("the system's gpg for Python", "python3-gpg")
    folder = Path(tempfile.mkdtemp(prefix="gpg-"))
    words = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "hook", "rsa2048", "encr"]
    environment = {**os.environ, "GNUPGHOME": str(folder)}
    try:
        subprocess.run([gpg, *words, "never"], check=True, capture_output=True, env=environment)
        yield folder
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)
        shutil.rmtree(folder, ignore_errors=True)


def key_of(folder: Path) -> str:
    shown = subprocess.run(
        ["gpg", "--homedir", folder, "--list-keys", "--with-colons"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:"))


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory, stock_clients: None, keyring: Path) -> Iterator[Dock]:
    """One for all tests: each admits people of its own."""
    require_samba()
    require_slapd()
    program("kpasswd", "krb5-user")
    folder = tmp_path_factory.mktemp("dock")
    folder.chmod(0o700)
    conf, bin, file = folder / "eta_pwdsync.conf", Path(sys.executable).parent, folder / "people.csv"
    file.write_text("login,secret\n" + "".join(f"{name},*\n" for name in NAMES))
    lines = smb_conf(conf, bin).replace("PUT-THE-KEY-ID-HERE", key_of(keyring)).splitlines()
    extra = [line for line in lines if line and not line.startswith("#")]
    with (
        pytest.MonkeyPatch.context() as patch,
        SlapdServer(suffix=SUFFIX, ldif=PEOPLE) as slapd,
        serving() as serve,
    ):
        patch.setenv("GNUPGHOME", str(keyring))
        patch.setenv("SAMBA_AGENT_CONF", str(conf))
        with DomainController(template=template_of(tmp_path_factory), extra=extra) as dc:
            instance = make_instance(
                folder / "lab", REPOSITORY / "ldif" / "demo.ldif", *endpoints(dc, slapd, file)
            )
            dock = Dock(dc, serve(instance), slapd, file, folder, bin)
            dock.configure()
            dc.password_settings(min_pwd_age=0)
            assert "ok: " in dock.agent("check").stdout
            dc.samba_tool(*initialise(bin)[1:])
            yield dock


def endpoints(dc: DomainController, slapd: SlapdServer, file: Path) -> list[str]:
    of_slapd = {
        "url": slapd.ldaps_url,
        "ca_file": str(slapd.certificates.authority),
        "bind_dn": slapd.root_dn,
        "dn": f"uid={{name}},ou=people,{SUFFIX}",
    }
    of_dc = {
        "url": dc.ldaps_url,
        "ca_file": str(dc.certificates.authority),
        "bind_dn": dc.bind_dn,
        "filter": "(sAMAccountName={eTADSsAMAccountName})",
    }
    of_file = {"path": str(file), "account": "login", "password": "secret", "hash": HASH}
    made = [
        (LDAP_HQ, endpoint_ldif("ldap", of_slapd, {"bind_password": slapd.root_password})),
        (AD, endpoint_ldif("ad", of_dc, {"bind_password": dc.password})),
        (UNIX, endpoint_ldif("delimited", of_file, {})),
    ]
    return [ldif.replace(f"dn: {LDAP_HQ}", f"dn: {dn}") for dn, ldif in made]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_what_our_policy_refuses_is_not_changed_and_what_it_accepts_arrives(
    dock: Dock, name: str, way: Way
) -> None:
    person = dock.admit(name)
    assert not way(dock, name, BEGIN, TOO_SHORT)
    assert dock.dc.accepts_password(name, BEGIN)
    assert not dock.dc.accepts_password(name, TOO_SHORT)

    assert way(dock, name, BEGIN, NEW)
    assert dock.dc.accepts_password(name, NEW)
    assert not dock.everywhere(person, NEW), "a test tells nobody"
    dock.sync()
    assert until(lambda: dock.everywhere(person, NEW)), dock.log()
    assert dock.served.accepts_password(name, NEW)
    assert NEW not in dock.log()


def test_what_samba_refuses_after_us_reaches_nobody(dock: Dock) -> None:
    """A password of its history that we have never seen."""
    forgotten = "Harbour-Only-31"
    person = dock.admit("dora", at_dc=forgotten)
    assert kpasswd(dock, "dora", forgotten, NEW)
    dock.sync()
    assert until(lambda: dock.everywhere(person, NEW)), dock.log()
    settled, before = dock.deliveries(person), len(dock.log())
    assert not kpasswd(dock, "dora", NEW, forgotten)
    assert " INFO dora: test: " in dock.log()[before:], "we had accepted it"
    assert "Call Popen" not in dock.sync()
    assert dock.deliveries(person) == settled


def test_our_own_delivery_comes_back_as_an_echo_and_goes_no_further(dock: Dock) -> None:
    person = dock.admit("elif")
    before = len(dock.log())
    done = dock.served.set(
        unix_account("elif"), "eTSyncPassword", NEW, who=UNIX_AGENT, password=UNIX_AGENT_PASSWORD
    )
    assert done.returncode == 0, done.stderr
    assert until(lambda: dock.dc.accepts_password("elif", NEW)), dock.deliveries(person)
    assert until(lambda: dock.slapd.accepts_password(person.at_slapd, NEW))
    settled = dock.deliveries(person)
    assert settled.count("provDeliveryState: updated") == 2
    assert "elif: test: " in dock.log()[before:], "Samba asks of what we send, too"

    for _ in range(2):
        told = dock.sync()
    assert "Call Popen" not in told, "it is told once"
    lines = [line for line in dock.log()[before:].splitlines() if " INFO elif: " in line]
    assert ["test" in line for line in lines] == [True, False]
    assert all("was set by this server: nothing to do" in line for line in lines), lines
    assert dock.deliveries(person) == settled
    assert not dock.in_file(person, NEW), "where it came from it is not sent"
    assert dock.dc.accepts_password("elif", NEW)


def test_an_account_that_is_disabled_is_told_of_and_nothing_is_sent(dock: Dock) -> None:
    person = dock.admit("franco")
    assert reset(dock, "franco", BEGIN, NEW)
    dock.sync()
    assert until(lambda: dock.everywhere(person, NEW))
    settled = dock.deliveries(person)
    dock.dc.samba_tool("user", "disable", "franco")
    assert "DONE-EXIT: franco: change " in dock.sync()
    assert dock.deliveries(person) == settled


def test_without_a_server_the_change_waits_and_arrives_later(dock: Dock) -> None:
    person = dock.admit("gil")
    port = dock.served.url().rpartition(":")[2]
    assert dock.served.stop() == 0
    try:
        assert kpasswd(dock, "gil", BEGIN, NEW), dock.log()
        assert "gil: change " in (told := dock.sync())
        assert "it waits in the spool" in told
        assert kpasswd(dock, "gil", NEW, NEWER), dock.log()
        dock.sync()
        waiting = dock.agent("spool", "list").stdout
        assert waiting.count("\tgil\t") == 1, waiting
    finally:
        dock.served.start("--ldaps-port", port)
    assert dock.agent("spool", "flush").stdout.startswith("delivered 1, refused 0, "), dock.log()
    assert until(lambda: dock.everywhere(person, NEWER)), dock.log()


def test_the_service_tells_of_changes_as_they_are_made(dock: Dock) -> None:
    person = dock.admit("hana")
    with dock.syncing():
        assert kpasswd(dock, "hana", BEGIN, NEW)
        assert until(lambda: dock.everywhere(person, NEW)), (dock.folder / "syncpasswords.log").read_text()


def test_reversible_encryption_will_do_in_the_place_of_a_key(dock: Dock) -> None:
    person = dock.admit("ivo")
    dock.dc.password_settings(store_plaintext="on")
    try:
        dn = dock.dc.attribute("ivo", "dn")
        flags = f"replace: userAccountControl\nuserAccountControl: {512 | REVERSIBLE}\n"
        dock.dc.modify(f"dn: {dn}\nchangetype: modify\n{flags}")
        assert kpasswd(dock, "ivo", BEGIN, NEW)
    finally:
        dock.dc.password_settings(store_plaintext="off")
    cache = "--cache-ldb=reversible.ldb"
    dock.dc.samba_tool(*initialise(dock.bin, decrypt=False)[1:], cache, "--filter=(sAMAccountName=ivo)")
    assert "DONE-EXIT: ivo: change " in dock.sync(cache)
    assert until(lambda: dock.everywhere(person, NEW)), dock.log()


def test_where_the_key_is_missing_the_change_is_not_lost(
    dock: Dock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = dock.admit("june")
    assert kpasswd(dock, "june", BEGIN, NEW)
    with monkeypatch.context() as patch:
        patch.setenv("GNUPGHOME", str(tmp_path / "elsewhere"))
        with pytest.raises(SambaFailed, match="is the secret key in GNUPGHOME"):
            dock.sync()
    dock.sync()
    assert until(lambda: dock.everywhere(person, NEW)), dock.log()
