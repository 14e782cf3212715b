"""A real OpenLDAP server that keeps a replica of our tree with `syncrepl`, in both its modes."""

from __future__ import annotations

import base64
import contextlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugins.served_instance import (
    ADMINISTRATOR_PASSWORD,
    GLOBAL_USERS,
    REPOSITORY,
    Ran,
    ServedInstance,
    until,
    user_dn,
)

from provserver.directory.computed import OF_DELIVERIES
from provserver.directory.names import DN, InvalidName
from provserver.testing.slapd import SlapdProgram, SlapdServer, require_slapd

pytestmark = pytest.mark.slapd

SUFFIX = "dc=im,dc=eta"
AD = f"eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,{SUFFIX}"
STAFF = f"eTADSOrgUnitName=Staff,{AD}"
CONTAINER = f"eTADSContainerName=Users,{AD}"
ADA, BORIS = user_dn("aokafor"), user_dn("bnovak")
MODES = pytest.mark.parametrize("mode", ["refreshOnly", "refreshAndPersist"])

Serve = Callable[..., ServedInstance]
Follow = Callable[..., "Replica"]
Entries = dict[str, dict[str, list[str]]]

THEIR_OWN = {
    *("contextcsn", "entrycsn", "entrydn", "entryuuid", "subschemasubentry", "hassubordinates"),
    *("numsubordinates", "creatorsname", "modifiersname", "provpasswordchangeid"),
    *OF_DELIVERIES,
}
"""What a server says of its own entries, and what is not replicated when it is no value of its type: an
author that is a command, the exchange that never set a password."""


def known_schema(program: SlapdProgram, folder: Path) -> Path:
    """What slapd has by itself, as `slapcat -b cn=schema,cn=config` writes it."""
    names = ("core", "cosine", "inetorgperson")
    configuration, known = folder / "plain.conf", folder / "known.ldif"
    configuration.write_text("".join([f'include "{program.schemas}/{name}.schema"\n' for name in names]))
    made = folder / "plain.d"
    made.mkdir()
    slapd = str(program.slapd)
    subprocess.run([slapd, "-T", "test", "-f", configuration, "-F", made], check=True, capture_output=True)
    command = [slapd, "-T", "cat", "-F", str(made), "-b", "cn=schema,cn=config"]
    known.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return known


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our schema as a replica takes it: made by the tool that users have."""
    program = require_slapd()
    folder = tmp_path_factory.mktemp("schema")
    tool = REPOSITORY / "tools" / "schema_for_slapd.py"
    command = [sys.executable, str(tool), "--known", str(known_schema(program, folder))]
    file = folder / "provserver.schema"
    file.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return file


class Replica(SlapdServer):
    """A slapd with nothing in it but what it gets from us."""

    def __init__(
        self,
        schema: Path,
        provider: str,
        mode: str,
        *,
        suffix: str = SUFFIX,
        base: str = "",
        more: str = "",
        who: str = "etaadmin",
        password: str = ADMINISTRATOR_PASSWORD,
        parent_directory: Path,
    ) -> None:
        self.mode = mode
        syncrepl = (
            f'syncrepl rid=001 provider={provider} type={mode} interval=00:00:00:01 retry="1 +"'
            f' searchbase="{base or suffix}" bindmethod=simple binddn="{user_dn(who)}"'
            f' credentials="{password}" {more}'
        )
        super().__init__(
            suffix=suffix,
            global_extra=(f'include "{schema}"',),
            indexes=("objectClass,entryUUID,entryCSN eq",),
            extra=(syncrepl,),
            log_level="sync",
            parent_directory=parent_directory,
        )

    def _slapadd(self, program: SlapdProgram, ldif: bytes) -> None:
        """Nothing: its first entries come from the provider."""

    def entries(self, *attributes: str) -> Entries:
        found = self.tool("ldapsearch", *SEARCH, "-b", self.suffix, "(objectClass=*)", *attributes)
        return parsed(found) if found.returncode == 0 else {}

    def received(self) -> int:
        """Entries that came since its last start."""
        return len(re.findall(r"LDAP_RES_SEARCH_ENTRY\(LDAP_SYNC_(?:ADD|MODIFY|DELETE)\)", self.log()))


SEARCH = ("-LLL", "-o", "ldif-wrap=no")


def parsed(found: Ran) -> Entries:
    """What ldapsearch wrote, by the keys of names: attributes, and their values as they are written."""
    entries: Entries = {}
    for block in found.stdout.split("\n\n"):
        held: dict[str, list[str]] = {}
        for line in block.splitlines():
            name, _, value = line.partition(":")
            held.setdefault(name.lower(), []).append(value)
        [dn] = held.pop("dn", [""])
        text = base64.b64decode(dn[1:]).decode() if dn.startswith(":") else dn
        if text:
            entries[DN.parse(text.strip()).key] = {
                name: sorted(map(comparable, values))
                for name, values in held.items()
                if name not in THEIR_OWN
            }
    return entries


def comparable(value: str) -> str:
    """slapd escapes a comma in a name as a number."""
    try:
        return DN.parse(value.strip()).key
    except InvalidName:
        return value


def ours(served: ServedInstance, base: str = SUFFIX, filter: str = "(objectClass=*)", **who: str) -> Entries:
    found = served.client("ldapsearch", *SEARCH, "-b", base, filter, "*", "+", **who)
    assert found.returncode == 0, found.stderr
    return parsed(found)


def in_step(replica: Replica, wanted: Entries) -> bool:
    return replica.entries("*", "+") == wanted


def demand_in_step(replica: Replica, served: ServedInstance, *where: str) -> None:
    """Wait until the replica has what we have."""
    wanted = ours(served, *where)
    if not until(lambda: in_step(replica, wanted)):
        found = replica.entries("*", "+")
        names = sorted(found.keys() ^ wanted.keys()) or [
            name for name in wanted if found[name] != wanted[name]
        ]
        pytest.fail(f"the replica differs in {names}\n{replica.log()[-4000:]}")


@pytest.fixture
def follow(schema: Path, tmp_path: Path) -> Iterator[Follow]:
    """Starts replicas; all end with the test."""
    with contextlib.ExitStack() as stack:

        def start(provider: str, mode: str, **more: str) -> Replica:
            replica = Replica(schema, provider, mode, parent_directory=tmp_path, **more)
            stack.callback(replica.stop)
            replica.start_blocking()
            return replica

        yield start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def succeeded(done: Ran) -> None:
    assert done.returncode == 0, done.stderr


def add_user(served: ServedInstance, name: str, title: str = "Sailor") -> str:
    dn = user_dn(name)
    ldif = f"dn: {dn}\nobjectClass: eTGlobalUser\neTGlobalUserName: {name}\neTTitle: {title}\n"
    succeeded(served.client("ldapadd", stdin=ldif))
    return dn


def rename(served: ServedInstance, dn: str, rdn: str, superior: str = "") -> None:
    ldif = f"dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n"
    succeeded(served.modify(ldif + (f"newsuperior: {superior}\n" if superior else "")))


def name_of(user: str) -> str:
    return f"eTGlobalUserName={user}"


@MODES
def test_a_replica_follows_whatever_happens(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None, mode: str
) -> None:
    served = serve(demo_instance)
    replica = follow(served.url("ldap"), mode)
    demand_in_step(replica, served)

    new = add_user(served, "new")
    succeeded(served.set(ADA, "eTTitle", "Admiral"))
    demand_in_step(replica, served)

    succeeded(served.set(new, "eTTitle", "Bosun"))
    ldif = f"dn: {new}\nchangetype: modify\nadd: eTEmailAddress\neTEmailAddress: n@port.example\n-\n"
    succeeded(served.modify(f"{ldif}delete: eTTitle\n-\n"))
    demand_in_step(replica, served)

    rename(served, new, name_of("newer"))
    rename(served, ADA, name_of("AOkafor"))
    rename(served, STAFF, "eTADSOrgUnitName=Crew", CONTAINER)
    demand_in_step(replica, served)

    succeeded(served.client("ldapdelete", user_dn("newer"), BORIS))
    demand_in_step(replica, served)

    crew = f"eTADSOrgUnitName=Crew,{CONTAINER}"
    succeeded(served.client("ldapdelete", "-r", crew))
    add_user(served, "new")
    demand_in_step(replica, served)
    assert "refreshing" not in replica.log()


@MODES
def test_a_replica_goes_on_where_it_was_when_either_side_was_away(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None, mode: str
) -> None:
    port = str(free_port())
    served = serve(demo_instance, "--ldap-port", port)
    replica = follow(served.url("ldap"), mode)
    demand_in_step(replica, served)
    first = replica.received()

    assert served.stop() == 0
    served.start("--ldap-port", port)
    succeeded(served.set(ADA, "eTTitle", "Admiral"))
    demand_in_step(replica, served)
    assert replica.received() == first + 1, "nothing but what has changed"

    replica.kill()
    add_user(served, "new")
    succeeded(served.client("ldapdelete", BORIS))
    rename(served, ADA, name_of("aking"))
    replica.start_blocking()
    demand_in_step(replica, served)
    assert replica.received() < 20, "nothing but what has changed"


def test_names_that_were_swapped_while_the_replica_was_away_are_swapped(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None
) -> None:
    served = serve(demo_instance)
    replica = follow(served.url("ldap"), "refreshAndPersist")
    demand_in_step(replica, served)
    replica.kill()
    rename(served, ADA, name_of("meanwhile"))
    rename(served, BORIS, name_of("aokafor"))
    rename(served, user_dn("meanwhile"), name_of("bnovak"))
    replica.start_blocking()
    demand_in_step(replica, served)


def test_a_container_that_came_and_went_while_the_replica_was_away_leaves_nothing(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None
) -> None:
    served = serve(demo_instance)
    replica = follow(served.url("ldap"), "refreshOnly")
    demand_in_step(replica, served)
    replica.kill()
    between = f"eTADSOrgUnitName=Between,{STAFF}"
    ldif = f"dn: {between}\nobjectClass: eTADSOrgUnit\neTADSOrgUnitName: Between\n"
    succeeded(served.client("ldapadd", stdin=ldif))
    quayside = f"eTADSOrgUnitName=Quayside,{STAFF}"
    rename(served, quayside, "eTADSOrgUnitName=Quayside", between)
    office = f"eTADSOrgUnitName=Head Office,{STAFF}"
    rename(served, office, "eTADSOrgUnitName=Quayside")
    rename(served, f"eTADSOrgUnitName=Quayside,{between}", "eTADSOrgUnitName=Head Office", STAFF)
    succeeded(served.client("ldapdelete", between))
    replica.start_blocking()
    demand_in_step(replica, served)


@MODES
def test_a_replica_of_some_loses_those_who_are_no_longer_among_them(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None, mode: str
) -> None:
    served = serve(demo_instance)
    keep = (
        "(|(objectClass=domain)(eTNamespaceName=CommonObjects)(eTGlobalUserContainerName=*)(eTTitle=Admiral))"
    )
    replica = follow(served.url("ldap"), mode, more=f'filter="{keep}"')
    succeeded(served.set(ADA, "eTTitle", "Admiral"))
    demand_in_step(replica, served, SUFFIX, keep)
    add_user(served, "new", "Admiral")
    succeeded(served.set(ADA, "eTTitle", "Captain"))
    demand_in_step(replica, served, SUFFIX, keep)
    rename(served, user_dn("new"), name_of("newer"))
    succeeded(served.set(user_dn("newer"), "eTTitle", "Captain"))
    demand_in_step(replica, served, SUFFIX, keep)


@MODES
def test_a_container_may_leave_a_replica_without_what_is_in_it(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None, mode: str
) -> None:
    served = serve(demo_instance)
    keep = "(!(eTDescription=hidden))"
    replica = follow(served.url("ldap"), mode, more=f'filter="{keep}"')
    demand_in_step(replica, served, SUFFIX, keep)
    hide = f"dn: {STAFF}\nchangetype: modify\nreplace: eTDescription\neTDescription: hidden\n"
    succeeded(served.modify(hide))
    demand_in_step(replica, served, SUFFIX, keep)
    succeeded(served.set(STAFF, "eTDescription", "shown"))
    demand_in_step(replica, served, SUFFIX, keep)
    succeeded(served.modify(hide))
    succeeded(served.client("ldapdelete", "-r", STAFF))
    demand_in_step(replica, served, SUFFIX, keep)


@MODES
def test_a_tree_that_is_moved_away_leaves_a_replica_of_a_part_and_comes_back(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None, mode: str
) -> None:
    served = serve(demo_instance)
    replica = follow(served.url("ldap"), mode, base=STAFF)
    demand_in_step(replica, served, STAFF)
    rename(served, f"eTADSOrgUnitName=Quayside,{STAFF}", "eTADSOrgUnitName=Quayside", CONTAINER)
    demand_in_step(replica, served, STAFF)
    rename(served, f"eTADSOrgUnitName=Quayside,{CONTAINER}", "eTADSOrgUnitName=Docks", STAFF)
    demand_in_step(replica, served, STAFF)


def test_a_replica_of_a_server_that_was_restored_goes_back_with_it(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None, tmp_path: Path
) -> None:
    port = str(free_port())
    served = serve(demo_instance, "--ldap-port", port)
    assert served.stop() == 0
    saved = shutil.copytree(demo_instance, tmp_path / "saved")
    served.start("--ldap-port", port)
    replica = follow(served.url("ldap"), "refreshAndPersist")
    add_user(served, "lost")
    for title in ("Captain", "Commodore", "Admiral"):
        succeeded(served.set(ADA, "eTTitle", title))
    demand_in_step(replica, served)

    assert served.stop() == 0
    shutil.rmtree(demo_instance)
    shutil.copytree(saved, demo_instance)
    served.start("--ldap-port", port)
    demand_in_step(replica, served)
    succeeded(served.set(BORIS, "eTTitle", "Bosun"))
    add_user(served, "found")
    demand_in_step(replica, served)


def test_a_replica_may_have_the_repositorys_view(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None
) -> None:
    served = serve(demo_instance)
    replica = follow(served.url("ldap"), "refreshAndPersist", suffix="dc=im,dc=etadb")
    demand_in_step(replica, served, "dc=im,dc=etadb")
    add_user(served, "new")
    demand_in_step(replica, served, "dc=im,dc=etadb")


def test_a_replica_gets_what_its_identity_may_read_and_no_secret(
    demo_instance: Path, serve: Serve, follow: Follow, stock_clients: None
) -> None:
    served = serve(demo_instance)
    who, password = "psync-ad-corp", "Gull-Ferry-Agent-11"
    replica = follow(served.url("ldap"), "refreshAndPersist", who=who, password=password)
    wanted = ours(served, who=user_dn(who), password=password)
    assert 1 < len(wanted) < len(ours(served))
    assert until(lambda: in_step(replica, wanted)), replica.log()[-4000:]
    told = {name for held in replica.entries("*", "+").values() for name in held}
    assert not {name for name in told if "hash" in name or "history" in name or "secret" in name}


def test_ldapsearch_shows_a_synchronisation(demo_instance: Path, serve: Serve, stock_clients: None) -> None:
    served = serve(demo_instance)
    found = served.client("ldapsearch", "-b", GLOBAL_USERS, "-E", "!sync=ro", "1.1")
    assert found.returncode == 0, found.stderr
    assert "SyncState control, UUID" in found.stdout
    assert found.stdout.count("added") == len(re.findall("^dn: ", found.stdout, re.MULTILINE))
