"""`provserver init`: an instance that can be served, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from plugins.served_instance import REPOSITORY, ServedInstance, command, make_instance, user_dn

from provserver.cli.failure import CommandFailed
from provserver.cli.passwords import generated_password, read_password

PASSWORD = "Choose-Your-Own-1"
Serve = Callable[..., ServedInstance]


def test_it_says_what_it_made_and_what_comes_next(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    made = command("init", "lab", "--admin-password-file", "password", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert made.stdout.splitlines() == [
        "lab: an instance for the domain im",
        "next: provserver load lab FILE.ldif ; provserver serve lab",
        "clients trust lab/tls/ca.pem",
    ]
    assert {path.name for path in (tmp_path / "lab").iterdir()} == {
        "provserver.toml",
        "keys.json",
        "tls",
        "logs",
        "store.db",
        "store.db.lock",
    }


def test_without_a_terminal_or_a_file_it_makes_a_password_up_and_shows_it_once(
    tmp_path: Path, serve: Serve, stock_clients: None
) -> None:
    made = command("init", tmp_path / "lab")
    shown = re.search(r"^etaadmin's password, shown this once: (\S+)$", made.stdout, re.MULTILINE)
    assert shown
    assert serve(tmp_path / "lab").accepts_password("etaadmin", shown[1])


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refused = command("init", tmp_path, "--admin-password-file", "-", stdin=PASSWORD)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"provserver: {tmp_path} is not empty (notes.txt): name a new directory or an empty one\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_instance_is_not_made_twice(demo_instance: Path) -> None:
    before = (demo_instance / "keys.json").read_bytes()
    refused = command("init", demo_instance, "--admin-password-file", "-", stdin=PASSWORD)
    assert refused.returncode == 2
    assert "is an instance already; nothing was changed" in refused.stderr
    assert (demo_instance / "keys.json").read_bytes() == before


@pytest.mark.parametrize("domain", ["", "a..b", "dc=im", "umlä.ut"])
def test_a_domain_that_is_none_is_a_bad_setting(domain: str, tmp_path: Path) -> None:
    refused = command(
        "init", tmp_path / "lab", "--domain", domain, "--admin-password-file", "-", stdin=PASSWORD
    )
    assert refused.returncode == 2
    assert "server.domain: expected a domain name: letters, digits and hyphens" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_domain_of_several_parts_is_served_under_its_own_suffix(
    tmp_path: Path, serve: Serve, stock_clients: None
) -> None:
    """facts/imps.md 1.1: suffix = domain RDN, parent domain RDNs, then dc=eta."""
    served = serve(make_instance(tmp_path / "lab", options=("--domain", "chicago.usa")))
    domain = "dc=chicago,dc=usa,dc=eta"
    etaadmin = user_dn("etaadmin").replace("dc=im,dc=eta", domain)
    who = {"who": etaadmin, "password": "Harbour-Master-99"}
    found = served.search(domain, "(objectClass=eTNamespace)", "1.1", **who)
    assert f"dn: eTNamespaceName=ActiveDirectory,{domain}\n" in found.stdout
    assert (
        served.search(domain, "(objectClass=domain)", "dc", **who).stdout == f"dn: {domain}\ndc: chicago\n\n"
    )
    assert served.search("dc=im,dc=eta", "(objectClass=*)", "1.1", **who).returncode == 32


def test_a_dump_makes_an_instance_again_with_every_eTID(demo_instance: Path, tmp_path: Path) -> None:
    dump = command("dump", demo_instance)
    (tmp_path / "dump.ldif").write_text(dump.stdout)
    again = tmp_path / "again"
    made = command(
        "init", again, "--from", tmp_path / "dump.ldif", "--admin-password-file", "-", stdin=PASSWORD
    )
    assert made.returncode == 0, made.stderr
    assert command("dump", again).stdout == dump.stdout
    assert dump.stdout.count("\neTID: ") == dump.stdout.count("\ndn:")


def test_what_is_no_dump_of_a_domain_makes_nothing(tmp_path: Path) -> None:
    for source, said in (
        (REPOSITORY / "README.md", "README.md:3: expected 'dn:'"),
        (REPOSITORY / "ldif" / "demo.ldif", "demo.ldif:26: "),
        (tmp_path / "missing", "missing: No such file or directory"),
    ):
        lab = tmp_path / "lab"
        refused = command("init", lab, "--from", source, "--admin-password-file", "-", stdin=PASSWORD)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"Grue\xc3\x9fe-1\n",
        b"Grue\xc3\x9fe-1",
        b"Grue\xc3\x9fe-1\r\nsecond line\n",
        b"\xef\xbb\xbfGrue\xc3\x9fe-1\r\n",
    ],
)
def test_a_password_is_the_first_line_of_its_file_whoever_wrote_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(content)
    assert read_password(str(tmp_path / "password")).reveal_text() == "Grueße-1"


def test_blanks_belong_to_a_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b" two words \n")
    assert read_password(str(tmp_path / "password")).reveal_text() == " two words "


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no password"),
        (b"\nsecond line", "holds no password"),
        (b"ge\xffheim", "expected UTF-8 text"),
    ],
)
def test_a_file_without_a_password_is_told_and_not_shown(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(CommandFailed, match=said) as failed:
        read_password(str(tmp_path / "password"))
    assert "ff" not in str(failed.value).replace(str(tmp_path), "")
    with pytest.raises(CommandFailed, match="No such file"):
        read_password(str(tmp_path / "nowhere"))


def test_an_empty_standard_input_makes_nothing(tmp_path: Path) -> None:
    refused = command("init", tmp_path / "lab", "--admin-password-file", "-")
    assert refused.returncode == 1
    assert refused.stderr == "provserver: standard input holds no password: expected it on the first line\n"
    assert list(tmp_path.iterdir()) == []


def test_a_made_up_password_passes_any_profile_of_ours_and_is_never_the_same() -> None:
    made = {generated_password() for _ in range(50)}
    assert len(made) == 50
    for text in made:
        assert len(text) == 23
        assert re.search(r"\d", text)
        assert text != text.lower()
        assert text != text.upper()
