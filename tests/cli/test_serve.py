"""`provserver serve`: one line when it is ready, one process a store, a clean end."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from plugins.served_instance import NotServed, ServedInstance, command, until

from provserver.testing.certificates import make_certificates

Serve = Callable[..., ServedInstance]


def test_it_prints_one_line_when_it_accepts_and_ends_with_0_on_sigterm(
    demo_instance: Path, serve: Serve
) -> None:
    served = serve(demo_instance)
    ready = re.fullmatch(r"ready ldap=127\.0\.0\.1:(\d+) ldaps=127\.0\.0\.1:(\d+)\n", served.ready)
    assert ready
    for port in ready.groups():
        socket.create_connection(("127.0.0.1", int(port)), 5).close()
    assert served.stop() == 0
    assert served.said == ""
    assert command("dump", demo_instance).returncode == 0, "the store is free again"


def test_ctrl_c_ends_it_as_well(demo_instance: Path, serve: Serve) -> None:
    served = serve(demo_instance)
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 0


def test_a_client_that_stays_connected_is_told_and_holds_nothing_up(
    demo_instance: Path, serve: Serve
) -> None:
    served = serve(demo_instance)
    host, _, port = served.url("ldap").removeprefix("ldap://").partition(":")
    with socket.create_connection((host, int(port)), 30) as idle:
        idle.sendall(bytes.fromhex("300c020101600702010304008000"))
        assert idle.recv(4096).startswith(b"\x30\x0c\x02\x01\x01\x61")
        served.process.terminate()
        rest = b"".join(iter(lambda: idle.recv(4096), b""))
        assert b"1.3.6.1.4.1.1466.20036" in rest, "Notice of Disconnection (RFC 4511 4.4.1)"
    assert served.process.wait(60) == 0


def test_malformed_octets_get_a_notice_of_disconnection_and_the_end_of_the_line(
    demo_instance: Path, serve: Serve
) -> None:
    served = serve(demo_instance)
    host, _, port = served.url("ldap").removeprefix("ldap://").partition(":")
    for octets in (
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x30\x84\x7f\xff\xff\xff",
        b"\x30\x03\x02\x01\x01",
        b"\xff" * 100,
    ):
        with socket.create_connection((host, int(port)), 30) as line:
            line.sendall(octets)
            answer = b"".join(iter(lambda: line.recv(4096), b""))
            assert b"1.3.6.1.4.1.1466.20036" in answer, octets
    assert served.stop() == 0


def test_a_second_server_on_a_store_is_told_who_has_it(demo_instance: Path, serve: Serve) -> None:
    first = serve(demo_instance)
    with pytest.raises(NotServed, match=f"is in use by process {first.process.pid} on .* since "):
        serve(demo_instance)
    assert first.stop() == 0


def test_a_port_that_is_taken_is_named_and_the_store_is_free_afterwards(
    demo_instance: Path, serve: Serve
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = command("serve", demo_instance, "--ldap-port", "0", "--ldaps-port", str(port))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert f"port {port} of 127.0.0.1 cannot be used: " in refused.stderr
    assert "--ldaps-port choose others, 0 a free one" in refused.stderr
    assert "Traceback" not in refused.stderr
    serve(demo_instance)


def test_one_port_is_enough(demo_instance: Path, serve: Serve) -> None:
    served = serve(demo_instance, "--set", "server.ldap_enabled=false")
    assert re.fullmatch(r"ready ldaps=127\.0\.0\.1:\d+\n", served.ready)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tls/server.pem", None, "the certificate cannot be used: "),
        ("tls/server.pem", b"no certificate", "the certificate cannot be used: "),
        ("tls/server.key", b"no key", "the certificate cannot be used: "),
        ("store.db", None, "the store cannot be opened: there is no store at "),
        ("store.db", b"no store" * 1000, "the store cannot be opened: "),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_a_sentence(
    demo_instance: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is None:
        (demo_instance / name).unlink()
    else:
        (demo_instance / name).write_bytes(content)
    refused = command("serve", demo_instance, "--ldap-port", "0", "--ldaps-port", "0")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"provserver: {said}")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("setting", ["dictionary", "breached"])
def test_a_list_of_passwords_that_is_missing_is_a_sentence(demo_instance: Path, setting: str) -> None:
    """Where the setting says, from the instance."""
    refused = command("serve", demo_instance, "--set", f"passwords.{setting}=lists/none")
    assert refused.returncode == 1
    place = demo_instance / "lists" / "none"
    said = f"a list of passwords cannot be used: {place}: cannot be read: No such file or directory"
    assert refused.stderr == f"provserver: {said}\n"


def test_a_site_schema_that_cannot_be_read_is_told_by_file_and_line(demo_instance: Path) -> None:
    missing = command("serve", demo_instance, "--set", "schema.files=site.schema")
    assert missing.returncode == 1
    assert missing.stderr.endswith("/site.schema: No such file or directory\n")
    (demo_instance / "site.schema").write_text("# ours\nattributetype ( 1.2.3 NAME )\n")
    refused = command("serve", demo_instance, "--set", "schema.files=site.schema")
    assert refused.returncode == 1
    assert re.match(r"provserver: the schema cannot be read: .*site\.schema.*2", refused.stderr)


def test_sighup_renews_the_certificate_and_goes_on_in_new_logs(
    demo_instance: Path, serve: Serve, tmp_path: Path
) -> None:
    served = serve(demo_instance, "--set", "logging.access=true")
    logs = demo_instance / "logs"
    kept = sorted(log.name for log in logs.iterdir())
    assert [name.partition("2")[0] for name in kept] == ["access.log", "etatrans", "provserver.log"]
    for name in kept:
        (logs / name).rename(logs / f"{name}.1")
    renewed = make_certificates(tmp_path)
    shutil.copy(renewed.certificate, demo_instance / "tls" / "server.pem")
    shutil.copy(renewed.key, demo_instance / "tls" / "server.key")
    served.process.send_signal(signal.SIGHUP)
    assert until(lambda: all((logs / name).exists() for name in kept))

    host, _, port = served.url("ldaps").removeprefix("ldaps://").partition(":")
    trusting = ssl.create_default_context(cafile=str(renewed.authority))
    with socket.create_connection((host, int(port)), 30) as line:
        trusting.wrap_socket(line, server_hostname="localhost").close()
    assert until(lambda: '"event":"closed"' in (logs / "access.log").read_text())
    assert "was renewed" in (logs / "provserver.log").read_text()
    assert served.stop() == 0
    assert served.said == ""
