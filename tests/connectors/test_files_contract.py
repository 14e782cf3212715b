"""Every kind of file passes the kit, and what is the same for all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    Account,
    ConnectorError,
    ObjectMissing,
    PasswordIllFormed,
    PasswordOption,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.files.avp import AvpConnector
from provserver.connectors.files.connector import FileConnector
from provserver.connectors.files.delimited import DelimitedConnector
from provserver.connectors.files.dsml import DsmlConnector
from provserver.connectors.files.fixedwidth import FixedWidthConnector
from provserver.connectors.files.ldif import LdifConnector
from provserver.connectors.registry import ConnectorKinds
from provserver.directory.names import DN
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

PEOPLE = [("ada", "old-1", "Ada"), ("kit", "old-2", "Kit")]
CSV = 'login,password,name\nada,old-1,Ada Okafor\nkit,old-2,"Kit, Testing"\n'
FIXED = "".join(f"{name:8}{password:40}{full}\n" for name, password, full in PEOPLE)
AVP = "# people\nlogin: ada\npassword: old-1\n\nlogin: kit\npassword: old-2\nname: Kit\n"
LDIF = """\
version: 1

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=ada,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada
userPassword: old-1

dn: uid=kit,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: kit
userPassword:: b2xk
 LTI=
cn: Kit
"""
DSML = """\
<?xml version="1.0" encoding="UTF-8"?>
<dsml:dsml xmlns:dsml="http://www.dsml.org/DSML">
  <dsml:directory-entries>
    <dsml:entry dn="uid=ada,ou=people">
      <dsml:objectclass><dsml:oc-value>person</dsml:oc-value></dsml:objectclass>
      <dsml:attr name="uid"><dsml:value>ada</dsml:value></dsml:attr>
      <dsml:attr name="userPassword"><dsml:value encoding="base64">b2xkLTE=</dsml:value></dsml:attr>
    </dsml:entry>
    <dsml:entry dn="uid=kit,ou=people">
      <dsml:attr name="uid"><dsml:value>kit</dsml:value></dsml:attr>
      <dsml:attr name="userPassword"><dsml:value>old-2</dsml:value></dsml:attr>
      <dsml:attr name="cn"><dsml:value>Kit &amp; Tide</dsml:value></dsml:attr>
    </dsml:entry>
  </dsml:directory-entries>
</dsml:dsml>
"""
KINDS: list[tuple[str, type[FileConnector], str, dict[str, str]]] = [
    ("delimited", DelimitedConnector, CSV, {"account": "login", "password": "password"}),
    (
        "fixedwidth",
        FixedWidthConnector,
        FIXED,
        {
            "width": "51",
            "columns": "login:1-8,password:9-48,name:49-51",
            "account": "login",
            "password": "password",
        },
    ),
    ("avp", AvpConnector, AVP, {"account": "login", "password": "password"}),
    ("ldif", LdifConnector, LDIF, {}),
    ("dsml", DsmlConnector, DSML, {}),
]


def account(name: str) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"))


def stored(connector: FileConnector, name: str) -> str | None:
    """What the file has in the place of the password, read by the layout."""
    _, text = connector._text(Path(connector._path).read_bytes())
    [row] = [row for row in connector._layout.rows(text) if name in row.names]
    return row.stored


class OnAFile(ConnectorContract):
    secrets: ClassVar[Mapping[str, Secret]] = {}
    content: ClassVar[str]
    shape: ClassVar[Mapping[str, str]]
    keeping: ClassVar[Mapping[str, str]] = {"hash": "clear"}

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "people"
        self.path.write_text(self.content, newline="")
        self.settings = {"path": str(self.path), **self.shape, **self.keeping}

    def missing_account(self) -> Account:
        return account("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        connector = self.make()
        assert isinstance(connector, FileConnector)
        kept = stored(connector, account.name)
        return kept is not None and connector._keeping.verify(secret, kept)

    async def accounts_there(self) -> frozenset[str]:
        return frozenset(("kit", "ada"))

    async def take_down(self) -> bool:
        self.path.unlink()
        return True


class TestDelimited(OnAFile):
    _, kind, content, shape = KINDS[0]

    async def populate(self, count: int) -> bool:
        with self.path.open("a") as people:
            people.writelines(f"user{n},,\n" for n in range(count))
        return True


class TestFixedWidth(OnAFile):
    _, kind, content, shape = KINDS[1]


class TestAvp(OnAFile):
    _, kind, content, shape = KINDS[2]


class TestLdif(OnAFile):
    _, kind, content, shape = KINDS[3]


class TestDsml(OnAFile):
    _, kind, content, shape = KINDS[4]


class TestDelimitedWithCrypt(OnAFile):
    _, kind, content, shape = KINDS[0]
    keeping: ClassVar[Mapping[str, str]] = {"hash": "sha512-crypt", "cost": "1000"}


class TestLdifThatTakesHashes(OnAFile):
    _, kind, content, shape = KINDS[3]
    keeping: ClassVar[Mapping[str, str]] = {"hash": "ssha", "schemes": "SSHA,SSHA512,PBKDF2-SHA256,ARGON2"}


def make(
    kind: type[FileConnector], folder: Path, content: str | bytes, settings: Mapping[str, str], **more: str
) -> FileConnector:
    from twisted.internet import reactor

    path = folder / "people"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return kind({"path": str(path), "hash": "clear", **settings, **more}, {}, reactor)


async def set_password(connector: FileConnector, name: str, password: str) -> None:
    try:
        await connector.open()
        await connector.set_password(account(name), Secret.of_text(password), PasswordOption.NONE)
    finally:
        await connector.close()


every_kind = pytest.mark.parametrize(
    ("kind", "content", "shape"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS]
)


@pytest.mark.parametrize(("name", "kind"), [row[:2] for row in KINDS])
def test_the_kinds_of_file_are_found_by_name(name: str, kind: type[FileConnector]) -> None:
    assert ConnectorKinds().kind(name) is kind


@every_kind
@test
async def test_every_account_is_explored_without_its_password(
    kind: type[FileConnector], content: str, shape: dict[str, str], tmp_path: Path
) -> None:
    connector = make(kind, tmp_path, content, shape)
    found = [one async for one in connector.explore()]
    await connector.close()
    assert [one.name for one in found] == ["ada", "kit"]
    assert "old-" not in repr(found)
    names = {name for one in found for name in one.attributes}
    assert "login" in names or "uid" in names


@every_kind
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@test
async def test_all_but_the_password_stays_byte_for_byte(
    kind: type[FileConnector], content: str, shape: dict[str, str], line_end: str, tmp_path: Path
) -> None:
    """Also without an end of the last line."""
    before = content.replace("\n", line_end).rstrip()
    connector = make(kind, tmp_path, before, shape)
    await set_password(connector, "ada", "New-Tide-1")
    after = (tmp_path / "people").read_bytes().decode()
    at = before.index("ada")
    assert after[: at + 3] == before[: at + 3]
    end = next(n for n in range(1, len(before)) if before[-n] != after[-n]) - 1
    assert len(before) - end < before.index("kit"), "everything from the next record on is the same"
    assert after.count("\r") == before.count("\r")
    assert stored(connector, "ada") == "New-Tide-1"
    assert stored(connector, "kit") == "old-2"


@every_kind
@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", "\ufeff"), ("utf-16", ""), ("iso-8859-15", ""), ("cp1252", "")]
)
@test
async def test_encodings_and_byte_order_marks_are_kept(
    kind: type[FileConnector], content: str, shape: dict[str, str], encoding: str, mark: str, tmp_path: Path
) -> None:
    text = mark + content.replace("UTF-8", encoding).replace("Kit", "Kßt")
    connector = make(kind, tmp_path, text.encode(encoding), shape, encoding=encoding)
    await set_password(connector, "ada", "Straße-12")
    after = (tmp_path / "people").read_bytes()
    assert after[:2] == text.encode(encoding)[:2]
    assert "Kßt" in after.decode(encoding)
    assert stored(connector, "ada") == "Straße-12"


@every_kind
@test
async def test_a_file_that_is_not_in_the_encoding_is_never_written(
    kind: type[FileConnector], content: str, shape: dict[str, str], tmp_path: Path
) -> None:
    broken = content.replace("Kit", "Kit\xff").encode("latin-1") + b"\xff"
    connector = make(kind, tmp_path, broken, shape)
    with pytest.raises(ConnectorError, match="is not utf-8"):
        await connector.open()
    with pytest.raises(ConnectorError, match="is not utf-8"):
        await connector.set_password(account("ada"), Secret.of_text("New-Tide-1"), PasswordOption.NONE)
    await connector.close()
    assert (tmp_path / "people").read_bytes() == broken


@every_kind
@pytest.mark.parametrize(
    "password", ["two\nlines", "nul\0", "bell\x07", "cr\r", "next\x85line", "esc\x1b[2J"]
)
@test
async def test_a_password_with_control_characters_cannot_be_kept_and_changes_nothing(
    kind: type[FileConnector], content: str, shape: dict[str, str], password: str, tmp_path: Path
) -> None:
    connector = make(kind, tmp_path, content, shape)
    with pytest.raises(PasswordIllFormed) as refused:
        await set_password(connector, "ada", password)
    assert password not in str(refused.value)
    assert (tmp_path / "people").read_text() == content


@every_kind
@test
async def test_a_password_that_the_encoding_cannot_hold_is_refused_without_being_shown(
    kind: type[FileConnector], content: str, shape: dict[str, str], tmp_path: Path
) -> None:
    connector = make(kind, tmp_path, content.replace("UTF-8", "latin-1"), shape, encoding="latin-1")
    if kind is LdifConnector:
        pytest.skip("LDIF writes it in base64")
    secret = Secret.of_text("漢字-12")
    with pytest.raises(PasswordIllFormed) as refused:
        await connector.set_password(account("ada"), secret, PasswordOption.NONE)
    await connector.close()
    ConnectorContract().hides(refused.value, secret)


@every_kind
@test
async def test_two_accounts_of_one_name_are_a_persons_business(
    kind: type[FileConnector], content: str, shape: dict[str, str], tmp_path: Path
) -> None:
    connector = make(kind, tmp_path, content.replace("kit", "ada"), shape)
    with pytest.raises(ConnectorError, match=r"lines \d+ and \d+ are both account 'ada'"):
        await set_password(connector, "ada", "New-Tide-1")


@every_kind
@test
async def test_names_are_compared_exactly_unless_told_otherwise(
    kind: type[FileConnector], content: str, shape: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ObjectMissing):
        await set_password(make(kind, tmp_path, content, shape), "ADA", "New-Tide-1")
    connector = make(kind, tmp_path, content, shape, ignore_case="yes")
    await set_password(connector, "ADA", "New-Tide-1")
    assert stored(connector, "ada") == "New-Tide-1"


@test
async def test_a_name_of_nothing_is_no_account(tmp_path: Path) -> None:
    connector = make(DelimitedConnector, tmp_path, CSV + ",x,y\n", KINDS[0][3])
    with pytest.raises(ObjectMissing):
        await set_password(connector, "", "New-Tide-1")
    assert [one.name async for one in connector.explore()] == ["ada", "kit"]


@test
async def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    from twisted.internet import reactor

    def at(path: Path) -> DelimitedConnector:
        return DelimitedConnector({"path": str(path), "hash": "clear", **KINDS[0][3]}, {}, reactor)

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConnectorError, match="pipe: expected a regular file"):
        await at(tmp_path / "pipe").open()
    with pytest.raises(ConnectorError, match="expected a regular file"):
        await at(tmp_path).open()
    with pytest.raises(ServerDown, match="No such file"):
        await at(tmp_path / "none" / "people").open()


GOOD = {"path": "/srv/people.csv", "hash": "clear", "account": "login", "password": "password"}


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"path": None}, "path", "must be given"),
        ({"path": "people.csv"}, "path", "an absolute path"),
        ({"lock_file": "x"}, "lock_file", "an absolute path"),
        ({"lock": "dot"}, "lock", "one of fcntl, flock"),
        ({"encoding": "ebcdic"}, "encoding", "an encoding such as"),
        ({"encoding": "rot13"}, "encoding", "an encoding such as"),
        ({"encoding": "idna"}, "encoding", "an encoding such as"),
        ({"hash": None}, "hash", "must be given"),
        ({"hash": "md5"}, "hash", "expected one of clear, sha512-crypt"),
        ({"cost": "5"}, "cost", "expected only with a hash that has one"),
        ({"hash": "bcrypt", "cost": "31"}, "cost", "a whole number from 4 to 20"),
        ({"schemes": "MD5"}, "schemes", "expected some of"),
        ({"timeout": "0"}, "timeout", "a number from 0.1"),
        ({"colour": "red"}, "colour", "unknown setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    changes: Mapping[str, str | None], key: str, expected: str
) -> None:
    settings = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(SettingsError) as refused:
        DelimitedConnector(settings, {}, Clock())
    assert refused.value.key == key
    assert expected in str(refused.value)


def test_a_secret_is_refused_since_a_file_has_no_use_for_one() -> None:
    with pytest.raises(SettingsError, match="pin: unknown secret; there are: none"):
        DelimitedConnector(GOOD, {"pin": Secret.of_text("4711")}, Clock())


def test_a_file_is_as_secure_as_the_machine_it_is_on() -> None:
    assert DelimitedConnector(GOOD, {}, Clock()).security is Security.SECURE
