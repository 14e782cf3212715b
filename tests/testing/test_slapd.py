"""The real slapd that other tests lean on: it starts, keeps its policy, goes down and comes back."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from provserver.testing import slapd as room
from provserver.testing.certificates import make_certificates
from provserver.testing.slapd import (
    PasswordPolicy,
    SlapdFailed,
    SlapdMissing,
    SlapdServer,
    find_slapd,
    require_slapd,
)

pytestmark = pytest.mark.slapd

ALICE = "uid=alice,ou=people,dc=example,dc=com"
PEOPLE = f"""\
dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: {ALICE}
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Example
userPassword: loaded as it is

"""


@pytest.fixture
def _slapd_here() -> None:
    require_slapd()


@pytest.fixture
def slapd(_slapd_here: None) -> Iterator[SlapdServer]:
    with SlapdServer(policy=PasswordPolicy(min_length=8, in_history=2), ldif=PEOPLE) as server:
        yield server


def change(
    slapd: SlapdServer, new: str, *, by: str = ALICE, password: str
) -> subprocess.CompletedProcess[str]:
    ldif = f"dn: {ALICE}\nchangetype: modify\nreplace: userPassword\nuserPassword: {new}\n"
    return slapd.tool("ldapmodify", stdin=ldif, bind_dn=by, password=password)


def test_loaded_people_can_bind_and_a_wrong_password_cannot(slapd: SlapdServer) -> None:
    assert slapd.accepts_password(ALICE, "loaded as it is")
    assert not slapd.accepts_password(ALICE, "something else")


def test_the_policy_refuses_short_and_repeated_passwords_and_stores_hashes_only(slapd: SlapdServer) -> None:
    first, second = "loaded as it is", "a second password"
    short = change(slapd, "short", password=first)
    assert short.returncode == 19
    assert "Password fails quality checking policy" in short.stderr
    assert change(slapd, second, password=first).returncode == 0
    again = change(slapd, first, password=second)
    assert again.returncode == 19
    assert "history" in again.stderr
    stored = slapd.tool("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", ALICE, "userPassword", "pwdHistory")
    assert second not in stored.stdout
    assert "userPassword:: e1NTSEF9" in stored.stdout  # base64 of {SSHA}


def test_nobody_but_the_root_dn_sees_a_password(slapd: SlapdServer) -> None:
    seen = slapd.tool("ldapsearch", "-LLL", "-b", ALICE, bind_dn=ALICE, password="loaded as it is")
    assert seen.returncode == 0
    assert "userPassword" not in seen.stdout


def test_after_a_kill_nobody_answers_and_a_start_brings_back_data_and_ports(slapd: SlapdServer) -> None:
    slapd.add("dn: ou=late,dc=example,dc=com\nobjectClass: organizationalUnit\nou: late\n")
    ports = (slapd.ldap_port, slapd.ldaps_port)
    slapd.kill()
    assert not slapd.running
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0])) != 0
    slapd.start_blocking()
    assert (slapd.ldap_port, slapd.ldaps_port) == ports
    assert slapd.tool("ldapsearch", "-b", "ou=late,dc=example,dc=com", "-s", "base").returncode == 0


def test_a_frozen_server_takes_connections_and_answers_nothing_until_thawed(slapd: SlapdServer) -> None:
    slapd.freeze()
    with socket.create_connection(("127.0.0.1", slapd.ldap_port)) as client:
        client.sendall(bytes.fromhex("300c020101600702010304008000"))  # an anonymous bind
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)
        slapd.thaw()
        client.settimeout(10)
        assert client.recv(100).startswith(bytes.fromhex("300c02010161"))


def test_its_certificate_is_good_for_the_loopback_names_and_only_under_its_own_authority(
    slapd: SlapdServer, tmp_path: Path
) -> None:
    good = ssl.create_default_context(cafile=slapd.certificates.authority)
    for name in ("localhost", "127.0.0.1"):
        with (
            socket.create_connection(("127.0.0.1", slapd.ldaps_port)) as plain,
            good.wrap_socket(plain, server_hostname=name),
        ):
            pass
    foreign = ssl.create_default_context(cafile=make_certificates(tmp_path).authority)
    with (
        socket.create_connection(("127.0.0.1", slapd.ldaps_port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        foreign.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.usefixtures("_slapd_here")
def test_an_expired_certificate_is_one_that_clients_notice(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path, expired=True)
    with SlapdServer(certificates=certificates) as slapd:
        context = ssl.create_default_context(cafile=certificates.authority)
        with (
            socket.create_connection(("127.0.0.1", slapd.ldaps_port)) as plain,
            pytest.raises(ssl.SSLCertVerificationError, match="expired"),
        ):
            context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.usefixtures("_slapd_here")
def test_a_server_that_demands_tls_refuses_a_bind_in_the_clear() -> None:
    with SlapdServer(demand_tls=True, ldif=PEOPLE) as slapd:
        assert slapd.accepts_password(ALICE, "loaded as it is")
        clear = slapd.tool("ldapwhoami", url=slapd.ldap_url, bind_dn=ALICE, password="loaded as it is")
        assert clear.returncode == 13  # confidentialityRequired


@pytest.mark.usefixtures("_slapd_here")
def test_stop_leaves_no_process_and_no_file_and_can_be_repeated() -> None:
    slapd = SlapdServer()
    slapd.start_blocking()
    pid, directory = slapd.pid, slapd.directory
    slapd.freeze()
    slapd.stop()
    slapd.stop()
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.usefixtures("_slapd_here")
def test_bad_ldif_is_reported_in_slapadds_words_and_nothing_is_left() -> None:
    slapd = SlapdServer(ldif="dn: uid=x,dc=example,dc=com\nobjectClass: noSuchClass\nuid: x\n")
    with pytest.raises(SlapdFailed, match="noSuchClass"), slapd:
        pass
    assert not slapd.directory.exists()


@pytest.mark.usefixtures("_slapd_here")
def test_a_bad_directive_is_reported_in_slapds_words() -> None:
    with pytest.raises(SlapdFailed, match="no-such-directive"), SlapdServer(extra=["no-such-directive"]):
        pass


@pytest.mark.usefixtures("_slapd_here")
def test_ports_that_somebody_took_in_the_meantime_are_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        choices = iter([[other.getsockname()[1], 1], room._free_ports(2)])
        monkeypatch.setattr(room, "_free_ports", lambda count: next(choices))
        with SlapdServer() as slapd:
            assert slapd.running
            assert slapd.ldap_port != other.getsockname()[1]


@pytest.mark.usefixtures("_slapd_here")
def test_a_killed_test_run_takes_its_slapd_with_it() -> None:
    script = (
        "import os, signal\n"
        "from provserver.testing.slapd import SlapdServer\n"
        "slapd = SlapdServer()\n"
        "slapd.start_blocking()\n"
        "print(slapd.pid, slapd.directory, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pid, directory = done.stdout.split()
    # A process that was told to die may need a moment; waiting for it is what pidfd is for.
    try:
        descriptor = os.pidfd_open(int(pid))
    except ProcessLookupError:
        pass
    else:
        import select

        assert select.select([descriptor], [], [], 10)[0], "slapd outlived the run that started it"
        os.close(descriptor)
    subprocess.run(["rm", "-r", directory], check=True)


@pytest.mark.usefixtures("_slapd_here")
@pytest_twisted.ensureDeferred
async def test_it_starts_under_twisted_without_stopping_the_reactor() -> None:
    from twisted.internet import reactor as running_reactor

    reactor: Any = running_reactor
    ticks = 0

    def tick() -> None:
        nonlocal ticks, call
        ticks += 1
        call = reactor.callLater(0.001, tick)

    call = reactor.callLater(0.001, tick)
    slapd = SlapdServer(ldif=PEOPLE)
    try:
        await slapd.start(reactor)
        assert slapd.running
        assert ticks > 3
        assert slapd.accepts_password(ALICE, "loaded as it is")
    finally:
        call.cancel()
        slapd.stop()


@pytest.fixture
def _no_slapd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(room, "_PROGRAMS", ())


@pytest.mark.usefixtures("_no_slapd")
def test_a_missing_slapd_names_the_command_that_installs_it() -> None:
    with pytest.raises(SlapdMissing, match="apt-get install -y slapd"):
        find_slapd()


@pytest.mark.usefixtures("_no_slapd")
def test_without_slapd_a_test_is_skipped_and_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install"):
        require_slapd()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install"):
        require_slapd()


def test_a_suffix_that_is_not_a_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with dc="):
        SlapdServer(suffix="o=example")
