"""No password shows anywhere: not in the store's files, the logs, a dump, the journal, or what is printed.

A session with many exchanges on a real instance, served by the real command, its log at debug and its
transaction log at level 7 (the one for support); then every password that was used is looked for in every
form that it could have taken.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    COMMON,
    REPOSITORY,
    Ran,
    ServedInstance,
    command,
    make_instance,
    user_dn,
)
from plugins.stuck_delivery import ENDPOINT_SECRET, make_unreachable, sync

AD = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
ADA = f"eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD}"
FRANCO = f"eTADSAccountName=Franco Greco,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD}"
UNIX = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im,dc=eta"
ADA_ON_UNIX = f"eTETCAccountName=aokafor,eTETCAccountContainerName=Accounts,{UNIX}"
LDAP_HQ = "eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im,dc=eta"
TRANSACTION_LOG_LEVEL = (
    "eTConfigParamName=Level,eTConfigParamFolderName=Transaction Log,"
    f"eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,{COMMON}"
)
AGENT = ("psync-ad-corp", "Gull-Ferry-Agent-11")
UNIX_AGENT = ("pam-hpdev01", "Seal-Ferry-Agent-22")


def forms(password: str) -> Iterator[tuple[str, bytes]]:
    """How a password could stand in a file: itself, and what is worked out without a key."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
        clear = password.encode(encoding)
        yield encoding, clear
        yield f"{encoding} backwards", clear[::-1]
        yield f"{encoding} hex", clear.hex().encode()
        yield f"{encoding} HEX", clear.hex().upper().encode()
        yield f"{encoding} hex with blanks", clear.hex(" ").encode()
        for lead in range(3):  # base64 of something longer: at each alignment, without the ends
            inside = base64.b64encode(b"\0" * lead + clear)[4 if lead else 0 :]
            whole = inside[: len(inside) // 4 * 4 - 4]
            yield f"{encoding} base64 at {lead}", whole
            yield f"{encoding} base64url at {lead}", whole.translate(bytes.maketrans(b"+/", b"-_"))
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, password.encode(), usedforsecurity=False).digest()
        yield f"{name} without salt", digest
        yield f"{name} without salt, hex", digest.hex().encode()
        yield f"{name} without salt, base64", base64.b64encode(digest).rstrip(b"=")
    nt = password.encode("utf-16-le")
    yield "NT hash material", nt
    yield "escaped", password.encode("unicode_escape")
    yield "as JSON", password.encode("ascii", "backslashreplace")


def shown(passwords: set[str], places: dict[str, bytes]) -> list[str]:
    """Where a password stands, and in which form; the password itself is not told."""
    found = []
    for number, password in enumerate(sorted(passwords)):
        for form, octets in forms(password):
            found += [
                f"password {number} ({form}) in {place}" for place, text in places.items() if octets in text
            ]
    return found


@pytest.mark.parametrize("form", [name for name, _ in forms("Plänted-Secret-01")])
def test_the_search_finds_what_is_planted(form: str) -> None:
    octets = dict(forms("Plänted-Secret-01"))[form]
    assert shown({"Plänted-Secret-01"}, {"a file": b"before " + octets + b" after"})


@dataclass
class Session:
    """What somebody did with an instance, and which passwords that took."""

    served: ServedInstance
    passwords: set[str] = field(default_factory=set)
    printed: list[str] = field(default_factory=list)

    def noted(self, done: Ran, code: int) -> None:
        """The answer must be the one that this session is about."""
        assert done.returncode == code, (code, done.returncode, done.stderr)
        self.printed += [done.stdout, done.stderr]

    def set(self, code: int, dn: str, attribute: str, password: str, who: tuple[str, str] = AGENT) -> None:
        self.passwords |= {password, who[1]}
        done = self.served.set(dn, attribute, password, who=user_dn(who[0]), password=who[1])
        self.noted(done, code)

    def bind(self, code: int, name: str, password: str) -> None:
        self.passwords.add(password)
        who = user_dn(name)
        self.noted(self.served.client("ldapsearch", "-s", "base", "-b", "", who=who, password=password), code)


def everything(session: Session) -> None:
    """Every way in which a password reaches the server: taken, refused, held, misplaced."""
    admin = ("etaadmin", ADMINISTRATOR_PASSWORD)
    set_, bind = session.set, session.bind
    session.noted(session.served.set(TRANSACTION_LOG_LEVEL, "eTConfigParamValue", "7"), 0)

    bind(0, "aokafor", "Quay-Lantern-41")
    bind(49, "aokafor", "Wrong-Lantern-41")
    bind(49, "nobody", "Wrong-Nobody-42")
    bind(53, "eyilmaz", "Ledger-Anchor-35")  # suspended
    bind(49, "eyilmaz", "Wrong-Anchor-35")

    set_(0, ADA, "eTTestPassword", "Tested-Only-51")
    set_(19, ADA, "eTTestPassword", "weak-weak-weak")
    set_(0, ADA, "eTTestPassword", "Accepted-First-61")
    set_(0, ADA, "eTSyncPassword", "Accepted-First-61")
    set_(0, ADA_ON_UNIX, "eTSyncPassword", "Accepted-First-61", UNIX_AGENT)  # an echo
    set_(53, ADA_ON_UNIX, "eTTestPassword", "Inside-Threshold-62", UNIX_AGENT)
    set_(0, ADA, "eTSyncPassword", "Accepted-Sécond-63")
    set_(19, ADA, "eTSyncPassword", "Accepted-First-61")  # in the history
    set_(53, FRANCO, "eTSyncPassword", "Without-Consent-64")
    set_(50, ADA_ON_UNIX, "eTSyncPassword", "Not-My-Endpoint-65")
    set_(32, f"eTADSAccountName=Nobody,{AD}", "eTSyncPassword", "No-Such-Account-66")
    bind(0, "aokafor", "Accepted-Sécond-63")

    # By the user itself, and by the administrator.
    own = "Changed-Myself-71"
    session.passwords |= {own}
    old = "Accepted-Sécond-63"
    ldif = (
        f"dn: {user_dn('aokafor')}\nchangetype: modify\ndelete: eTPassword\n"
        f"eTPassword:: {base64.b64encode(old.encode()).decode()}\n-\nadd: eTPassword\neTPassword: {own}\n-\n"
    )
    session.noted(session.served.modify(ldif, who=user_dn("aokafor"), password=old), 0)
    set_(0, user_dn("bnovak"), "eTPassword", "Reset-By-Admin-72", admin)
    added = f"dn: {user_dn('loaded')}\nobjectClass: eTGlobalUser\neTPassword: Added-Online-73\n"
    session.passwords.add("Added-Online-73")
    session.noted(session.served.client("ldapadd", stdin=added), 0)

    # In places where no password belongs.
    for code, dn, attribute in (
        (50, ADA, "eTSyncPasword"),
        (50, ADA, "userPassword"),
        (50, ADA, "eTPassword"),
        (50, user_dn("aokafor"), "eTPassword"),
    ):
        set_(code, dn, attribute, f"Misplaced-{attribute}-81", AGENT)
    for attribute in ("eTSyncPasword", "unicodePwd", "userPassword", "eTTestPassword;x-old", "provHash"):
        secret = f"Misplaced-Admin-{attribute[:12]}-82"
        session.passwords.add(secret)
        done = session.served.set(ADA, attribute, secret)
        assert done.returncode != 0, f"{attribute} was taken"
        session.printed += [done.stdout, done.stderr]
    session.passwords.add("Searched-For-83")
    session.noted(session.served.search(AD, "(eTSyncPassword=Searched-For-83)", "1.1"), 0)
    session.passwords.add("Compared-With-84")
    compared = session.served.client("ldapcompare", user_dn("aokafor"), "eTPassword:Compared-With-84")
    session.printed += [compared.stdout, compared.stderr]
    assert compared.returncode not in (5, 6), "a secret is not compared"

    for held, answer in (("Accepted-Sécond-63", 6), ("Not-Held-There-85", 5)):
        session.passwords.add(held)
        asked = session.served.client("ldapcompare", ADA_ON_UNIX, f"provHeldPassword:{held}")
        session.noted(asked, answer)

    # Held: the endpoint's connector cannot be made, or nobody answers there.
    secret = "bind_password=Endpoint-Secret-91"
    session.passwords.add("Endpoint-Secret-91")
    ldif = (
        f"dn: {LDAP_HQ}\nchangetype: modify\nreplace: provConnector\nprovConnector: ldap\n-\n"
        "replace: provSetting\nprovSetting: url=ldaps://127.0.0.1:1\nprovSetting: bind_dn=cn=a\n"
        f"provSetting: dn=uid={{name}}\n-\nreplace: provSecret\nprovSecret: {secret}\n-\n"
    )
    session.noted(session.served.modify(ldif), 0)
    set_(0, ADA, "eTSyncPassword", "Waits-In-The-Outbox-93")


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_session_leaves_no_password_anywhere(
    tmp_path: Path, serve: Callable[..., ServedInstance], stock_clients: None, end: str
) -> None:
    directory = make_instance(tmp_path / "lab", REPOSITORY / "ldif" / "demo.ldif")
    served = serve(directory, "--set", "logging.level=debug")
    session = Session(served, {ADMINISTRATOR_PASSWORD, "Copper-Bollard-27", "Tern-Ferry-Agent-33"})
    everything(session)

    running = shutil.copytree(directory, tmp_path / "as it was while it ran")
    if end == "killed":
        served.kill()
    else:
        assert served.stop() == 0
    places = {f"{end}: {name}": text for name, text in files_of(directory).items()}
    places |= {f"running: {name}": text for name, text in files_of(running).items()}
    assert "running: store.db-wal" in places
    assert any("etatrans" in name and b"eTSyncPassword:  ********" in text for name, text in places.items())

    dumped = command("dump", directory)
    assert dumped.returncode == 0
    assert "dn: eTGlobalUserName=aokafor," in dumped.stdout
    places |= {"dump": dumped.stdout.encode(), "dump's errors": dumped.stderr.encode()}
    with sqlite3.connect(directory / "store.db") as store:
        journal = store.execute("SELECT * FROM journal").fetchall()
        waiting = store.execute("SELECT count(*) FROM delivery WHERE length(sealed) > 0").fetchone()[0]
    store.close()
    assert journal
    assert waiting == 1, "one password still waits for its endpoint, sealed"
    places["journal"] = repr(journal).encode()
    places["the server's output"] = served.said.encode()
    places["the clients' output"] = "\n".join(session.printed).encode()

    assert shown(session.passwords, places) == []


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_stolen_store_without_its_key_file_reveals_nothing(
    tmp_path: Path, serve: Callable[..., ServedInstance], stock_clients: None, end: str
) -> None:
    """Of passwords that wait or are held, before and after a rotation: the store, its log, backups."""
    directory = make_instance(tmp_path / "lab", REPOSITORY / "ldif" / "demo.ldif")
    served = serve(directory)
    make_unreachable(served)
    sync(served, "Waits-Or-Is-Held-94")
    places = {"first": _stolen(directory, tmp_path / "first")}
    said = [command("backup", directory, tmp_path / "waiting"), command("keys", "rotate", directory)]
    sync(served, "Waits-After-Rotation-95")
    places["rotated"] = _stolen(directory, tmp_path / "rotated")
    if end == "killed":
        served.kill()
    else:
        assert served.stop() == 0
    places[end] = _stolen(directory, tmp_path / end)

    shutil.copy(directory / "keys.json", tmp_path / "waiting")
    said.append(command("activate", tmp_path / "waiting"))
    places["held"] = _stolen(tmp_path / "waiting", tmp_path / "held")
    said.append(command("backup", tmp_path / "waiting", tmp_path / "of held"))
    places["backup of held"] = _stolen(tmp_path / "of held", tmp_path / "again")
    assert [done.returncode for done in said] == [0] * len(said)
    places["printed"] = {"": "".join([done.stdout + done.stderr for done in said]).encode()}

    states = [_open_states(tmp_path / name) for name in ("first", "rotated", end, "held", "again")]
    assert all(states), "in each of them there is a password, sealed"
    assert states[3:] == [[2], [2]], "held"
    passwords = {"Waits-Or-Is-Held-94", "Waits-After-Rotation-95", ENDPOINT_SECRET}
    stolen = {f"{name}: {file}": text for name, files in places.items() for file, text in files.items()}
    assert "first: store.db-wal" in stolen
    assert not any("keys.json" in name for name in stolen)
    assert shown(passwords, stolen) == []


def _stolen(directory: Path, place: Path) -> dict[str, bytes]:
    """What a thief has who does not get the key file."""
    shutil.copytree(directory, place, ignore=shutil.ignore_patterns("keys.json"))
    return files_of(place)


def _open_states(directory: Path) -> list[int]:
    with sqlite3.connect(directory / "store.db") as store:
        rows = store.execute("SELECT state FROM delivery WHERE length(sealed) > 0").fetchall()
    store.close()
    return [state for (state,) in rows]


def test_a_command_that_fails_does_not_show_the_password_that_it_failed_with(tmp_path: Path) -> None:
    directory = make_instance(tmp_path / "lab")
    user = (
        "dn: eTGlobalUserName=x,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im\n"
    )
    secret = "Failing-Secret-77"
    printed = []
    refused = (
        f"objectClass: eTGlobalUser\neTPassword: {secret}\neTPassword: {secret}2\n",
        f"objectClass: eTGlobalUser\neTPasswort: {secret}\n",
        f"objectClass: eTNamespace\neTPassword: {secret}\n",
        f"changetype: modify\nreplace: eTPassword\neTPassword: {secret}\n-\n",
    )
    no_ldif = (
        f"{user}objectClass: eTGlobalUser\neTPassword {secret}\n",
        f"{user}objectClass: eTGlobalUser\neTPassword:: {secret}\n",
        f"{user}changetype: modify\nreplace: eTPassword\neTPasword: {secret}\n-\n",
        f"{secret}\n",
    )
    for text in ("\n".join(user + record for record in refused), *no_ldif):
        failed = command("load", directory, "-", "--continue-on-error", stdin=text)
        assert failed.returncode == 1, text
        assert "<stdin>:" in failed.stderr
        printed += [failed.stdout, failed.stderr]
    for arguments in (
        ["passwd", directory, "nobody"],
        ["passwd", directory, "etaadmin", "--set", "passwords.scheme=x"],
    ):
        failed = command(*arguments, "--password-file", "-", stdin=secret + "\n")
        assert failed.returncode in (1, 2)
        printed += [failed.stdout, failed.stderr]
    places = {"printed": "\n".join(printed).encode(), **files_of(directory)}
    assert shown({secret}, places) == []
