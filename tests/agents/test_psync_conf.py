"""`eta_pwdsync.conf`: read liberally, and each mistake told with its place."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.agents.conf import Conf, ConfError, Server
from provserver.agents.keys import BY_SPELLING, KEYS, squeezed
from provserver.agents.kinds import endpoint_kind
from provserver.agents.reading import parse_conf, read_conf
from provserver.agents.sample import sample
from provserver.imps.namespaces import DYNAMIC, NAMESPACES, namespace

PATH = Path("eta_pwdsync.conf")
LEAST = {"host": "imps", "admin": "psync", "password": "hunter-22", "endpoint_name": "AD-Corp"}
GLOBAL_USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im,dc=eta"
AD_CORP = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"


def conf(**keys: str) -> Conf:
    return parse_conf("\n".join(f"{name} = {value}" for name, value in {**LEAST, **keys}.items()), PATH)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfError) as caught:
        parse_conf(text, PATH)
    return caught.value.problems


def least(**keys: str) -> str:
    return "\n".join(f"{name} = {value}" for name, value in {**LEAST, **keys}.items())


def test_the_sample_is_a_conf_file_with_every_key_and_no_remark() -> None:
    text = sample()
    found = parse_conf(text, PATH)
    assert found.remarks == ()
    assert all(f"\n{key.name} = " in text or f"\n;{key.name} =" in text for key in KEYS)
    assert found.post.endpoint_dn == AD_CORP
    assert found.profile


def test_what_the_sample_has_in_comments_is_what_the_agent_does_without() -> None:
    spelled_out = "\n".join(
        line.removeprefix(";") if line.startswith(";") and line[1:2] != " " else line
        for line in sample().splitlines()
    )
    quiet, loud = parse_conf(sample(), PATH), parse_conf(spelled_out, PATH)
    assert [given.value for given in quiet.given] == [given.value for given in loud.given]
    assert (quiet.servers, quiet.times, quiet.waiting) == (loud.servers, loud.times, loud.waiting)


def test_the_sample_in_the_docs_is_the_one_that_is_printed() -> None:
    there = Path(__file__).resolve().parents[2] / "docs" / "examples" / "eta_pwdsync.conf"
    assert there.read_text("utf-8") == sample()


def test_spellings_are_told_apart() -> None:
    assert len(BY_SPELLING) == sum(1 + len(key.spellings) for key in KEYS)


@given(st.data())
def test_keys_and_sections_may_be_spelled_in_many_ways(data: st.DataObject) -> None:
    lines, section = [], ""
    for line in sample().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            lines.append("[" + data.draw(varied(section)) + "]")
        elif "=" in line and not line.startswith(";"):
            name, _, value = line.partition(" = ")
            key = BY_SPELLING[squeezed(name)]
            name = data.draw(st.sampled_from([key.name, *key.spellings]).flatmap(varied))
            sign = data.draw(st.sampled_from(["=", " = ", ":", "\t=  "]))
            quote = data.draw(st.sampled_from(["", '"', "'"]))
            lines.append(f"{name}{sign}{quote}{value}{quote}")
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    found, plain = parse_conf(ending.join(lines), PATH), parse_conf(sample(), PATH)
    assert [one.value for one in found.given] == [one.value for one in plain.given]
    assert (found.remarks, found.servers, found.identity, found.password) == (
        (),
        plain.servers,
        plain.identity,
        plain.password,
    )


def varied(name: str) -> st.SearchStrategy[str]:
    words = name.split("_")
    joined = st.sampled_from(["_", "-", " ", ""]).map(lambda sign: sign.join(words))
    return st.tuples(joined, st.sampled_from([str.upper, str.lower, str.title])).map(
        lambda two: two[1](two[0])
    )


@given(st.text())
def test_any_text_is_a_conf_or_an_error_that_says_where(text: str) -> None:
    with contextlib.suppress(ConfError):
        assert parse_conf(text, PATH).servers
    with pytest.raises(ConfError) as caught:
        parse_conf(text + "\nport = none", PATH)
    assert any("port: expected" in problem for problem in caught.value.problems)


@pytest.mark.parametrize("row", [*NAMESPACES, namespace("SAP R/3")], ids=lambda row: row.name)
def test_what_endpoints_are_called_is_what_the_server_calls_them(row: object) -> None:
    kind = endpoint_kind(row.name)  # type: ignore[attr-defined]  # a Namespace
    assert isinstance(row, type(DYNAMIC))
    assert (kind.namespace, kind.endpoint, kind.account_class, kind.logon_attribute) == (
        row.name,
        row.endpoint.rdn_type,
        row.account.object_class,
        row.logon,
    )


@pytest.mark.parametrize(
    ("name", "full"), [("ADS", "ActiveDirectory"), ("ETC", "UNIX - etc"), ("as/400", "OS400")]
)
def test_endpoint_types_may_be_given_in_short(name: str, full: str) -> None:
    assert endpoint_kind(name) == endpoint_kind(full)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("a", ["a:20390"]),
        ("a:636, b ;c:20390", ["a:636", "b:20390", "c:20390"]),
        ("a,a,a:20390", ["a:20390"]),
        ("[2001:db8::1]:636 10.0.0.1", ["[2001:db8::1]:636", "10.0.0.1:20390"]),
    ],
)
def test_there_may_be_several_servers(text: str, servers: list[str]) -> None:
    assert [str(one) for one in conf(host=text).servers] == servers


@pytest.mark.parametrize(
    ("keys", "identity"),
    [
        ({}, f"eTGlobalUserName=psync,{GLOBAL_USERS}"),
        ({"admin": "O'Neil, Ann"}, f"eTGlobalUserName=O'Neil\\, Ann,{GLOBAL_USERS}"),
        ({"admin_suffix": GLOBAL_USERS}, f"eTGlobalUserName=psync,{GLOBAL_USERS}"),
        ({"admin_suffix": "dc=im,dc=eta"}, f"eTGlobalUserName=psync,{GLOBAL_USERS}"),
        ({"admin": f"eTGlobalUserName=x,{GLOBAL_USERS}"}, f"eTGlobalUserName=x,{GLOBAL_USERS}"),
        ({"admin": "eTGlobalUserName=x,ou=y"}, "eTGlobalUserName=x,ou=y,dc=im,dc=eta"),
        ({"domain": "chicago"}, f"eTGlobalUserName=psync,{GLOBAL_USERS}".replace("dc=im", "dc=chicago")),
        ({"domain_suffix": "dc=chicago,dc=usa,dc=eta"}, None),
    ],
)
def test_who_the_agent_is(keys: dict[str, str], identity: str | None) -> None:
    expected = identity or f"eTGlobalUserName=psync,{GLOBAL_USERS}".replace("dc=im,", "dc=chicago,dc=usa,")
    assert conf(**keys).identity == expected


@pytest.mark.parametrize(
    ("keys", "base"),
    [
        ({}, AD_CORP),
        ({"endpoint_type": "ETC"}, "eTETCDirectoryName=AD-Corp,eTNamespaceName=UNIX - etc,dc=im,dc=eta"),
        ({"container_dn": AD_CORP}, AD_CORP),
        ({"container_dn": AD_CORP.removesuffix(",dc=im,dc=eta")}, AD_CORP),
        ({"container_dn": AD_CORP.upper()}, AD_CORP.upper()),
    ],
)
def test_where_accounts_are_searched(keys: dict[str, str], base: str) -> None:
    assert conf(**keys).post.endpoint_dn == base


def test_a_password_may_have_any_sign_in_it() -> None:
    for password in ("a;b#c=d:e", "=x=", "ä ö"):
        assert conf(password=password).password.reveal_text() == password
    assert conf(password="' lead and trail '").password.reveal_text() == " lead and trail "


def test_it_does_not_show_its_password() -> None:
    found = conf()
    assert "hunter-22" not in repr(found) + "".join(given.value for given in found.given)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (least(port="x"), "line 5: port: expected a whole number from 1 to 65535, found 'x'"),
        (least(use_tls="perhaps"), "line 5: use_tls: expected yes or no, found 'perhaps'"),
        (least(use_tls="no"), "line 5: use_tls: expected yes: passwords would go to imps:20390 unprotected"),
        (least(ack="most"), "line 5: ack: expected any or all, found 'most'"),
        (
            least(send="md5"),
            "line 5: send: expected clear or ssha or ssha256 or ssha384 or ssha512, found 'md5'",
        ),
        (least(password_update_timeout="-1"), "expected a whole number from 0 to 86400, found '-1'"),
        (least(container_dn="no name"), "line 5: container_dn: expected a DN ("),
        (least(host="http://x/"), "line 1: host: expected hosts, each with a port or without"),
        (
            least(password=""),
            "line 3: password: expected the agent's own password, or password_file, found nothing",
        ),
        (least() + "\nhunter-22", "line 5: [section], or key = value, was expected"),
        ("", "host is missing: expected the server, or several, separated by commas"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(text: str, problem: str) -> None:
    found = problems(text)
    assert any(problem in one for one in found), found
    assert "hunter-22" not in "".join(found)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems(least(port="x", ack="y", machine_account="z"))) == 3


def test_what_is_not_understood_or_stands_elsewhere_is_remarked() -> None:
    text = "[Server]\n" + least() + "\n[Logs]\nuse_tls = yes\ncolour = red\nhost = other\n"
    found = parse_conf(text, PATH)
    assert found.servers == (Server("other", 20390),)
    assert [remark.partition(":")[0] for remark in found.remarks] == [
        "line 5",
        "line 7",
        "line 8",
        "line 9",
        "line 9",
    ]
    assert "colour is no key that the agent knows: it is ignored" in found.remarks[2]


def test_a_profile_beside_a_hash_is_remarked() -> None:
    found = conf(send="ssha256", profile_enable="yes")
    assert not found.judged_first
    assert "of a hash nobody can judge the password" in "".join(found.remarks)


# -- the file


def write(path: Path, text: str = "", mode: int = 0o600) -> Path:
    path.write_text(text or least())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "x.conf", mode=mode)
    with pytest.raises(ConfError, match=r"others than its owner may use the conf file .*: chmod 600 "):
        read_conf(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.conf")
    os.chown(path, 4711, 4711)
    with pytest.raises(ConfError, match="the conf file belongs to another user"):
        read_conf(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfError, match="there is no conf file; psync-agent sample shows one"):
        read_conf(tmp_path / "x.conf")


def test_files_in_it_are_beside_it(tmp_path: Path) -> None:
    found = read_conf(write(tmp_path / "x.conf"))
    assert found.logging.file == tmp_path / "eta_pwdsync.log"
    assert found.waiting.directory == tmp_path / "spool"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_it_may_come_from_a_windows_editor(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "x.conf")
    path.write_bytes(least(password="Schlüssel-7").encode(encoding))
    assert read_conf(path).password.reveal_text() == "Schlüssel-7"


def test_the_password_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "from-a-file-9\n")
    path = write(tmp_path / "x.conf", least(password="", password_file="secret"))
    assert read_conf(path).password.reveal_text() == "from-a-file-9"
    secret.chmod(0o644)
    with pytest.raises(ConfError, match="others than its owner may use the password file"):
        read_conf(path)
