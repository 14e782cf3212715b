"""The `sql` connector without a server: its settings, what databases' errors mean, and SQLite."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_twisted
from sqlalchemy.exc import DBAPIError
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    NotSupported,
    ObjectMissing,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.hashes import Keeping
from provserver.connectors.registry import ConnectorKinds, Settings
from provserver.connectors.sql import SqlConnector
from provserver.connectors.sqlfailures import Meanings
from provserver.directory.names import DN
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
TABLE = {"table": "account", "account_column": "login", "password_column": "secret", "hash": "clear"}
GOOD = {"url": "postgresql://provserver@db.example.com/people", **TABLE}
NEW = Secret.of_text("Sluice-Compass-86")


def make(changes: Mapping[str, str | None], secrets: Mapping[str, Secret] | None = None) -> SqlConnector:
    settings = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return SqlConnector(settings, secrets or {}, Clock())


def account(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def test_it_is_found_by_its_name() -> None:
    assert ConnectorKinds().kind("sql") is SqlConnector


@pytest.mark.parametrize(
    ("changes", "security"),
    [
        ({}, Security.SECURE),
        ({"tls": "none"}, Security.NOT_SECURE),
        ({"url": "mysql://u@db.example.com/x"}, Security.SECURE),
        ({"url": "mariadb://u@db.example.com/x", "tls": "none"}, Security.NOT_SECURE),
        ({"url": "postgresql://u@127.0.0.1/x"}, Security.SECURE),
        ({"url": "postgresql://u@[::1]/x"}, Security.SECURE),
        ({"url": "postgresql://u@localhost/x"}, Security.SECURE),
        ({"url": "postgresql://u@/x?host=/run/postgresql"}, Security.SECURE),
        ({"url": "postgresql://u@/x?host=localhost,db.example.com", "tls": "none"}, Security.NOT_SECURE),
        ({"url": "postgresql://u@localhost/x?hostaddr=192.0.2.1", "tls": "none"}, Security.NOT_SECURE),
        ({"url": "mysql://u@localhost/x?unix_socket=/run/mysqld.sock"}, Security.SECURE),
        ({"url": "mysql://u@db.example.com/x?ssl_ca=/x", "tls": "own"}, Security.SECURE),
        ({"url": "sqlite:////srv/people.db"}, Security.SECURE),
    ],
)
def test_a_line_is_secure_when_its_tls_verifies_or_when_it_stays_on_this_machine(
    changes: Mapping[str, str | None], security: Security
) -> None:
    assert make(changes).security is security


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"url": None}, "url", "must be given"),
        ({"url": "db.example.com"}, "url", "expected dialect://"),
        ({"url": "postgresql://u:Hush-1@db.example.com/x"}, "url", "expected no password in it"),
        ({"url": "nosuch://u@db.example.com/x", "tls": "own"}, "url", "does not know the dialect 'nosuch'"),
        ({"url": "oracle://u@db.example.com/x", "tls": "own"}, "url", "driver of oracle+oracledb is not"),
        ({"url": "oracle://u@db.example.com/x"}, "tls", "put it in the url, and say tls=own"),
        ({"url": "postgresql://u@/x"}, "url", "expected a host"),
        ({"url": "postgresql://u@h.example/x?sslmode=disable"}, "url", "expected no sslmode in it"),
        ({"url": "sqlite:///people.db"}, "url", "an absolute path"),
        ({"url": "sqlite://"}, "url", "an absolute path"),
        ({"url": "sqlite:////x.db", "tls": "none"}, "tls", "only with a server"),
        ({"ca_file": "/x.pem", "tls": "none"}, "ca_file", "only with tls=verify"),
        ({"tls": "maybe"}, "tls", "one of verify, none, own"),
        ({"table": None}, "table", "a table with its columns, or a statement"),
        ({"table": "a.b.c"}, "table", "a name without"),
        ({"table": "a; drop table b"}, "table", "a name without"),
        ({"account_column": None}, "account_column", "must be given"),
        ({"password_column": "login"}, "password_column", "another column"),
        ({"password_column": 'x" = 1 --'}, "password_column", "a name without quotes"),
        ({"attributes": "team,secret"}, "attributes", "all but the password"),
        ({"statement": "UPDATE a SET b = :password WHERE c = :name"}, "table", "either a statement, or"),
        ({"confirm": "none"}, "confirm", "only with a statement"),
        ({"accounts": "SELECT 1"}, "accounts", "only with a statement"),
        ({"hash": None}, "hash", "must be given"),
        ({"policy_codes": "2351 4"}, "policy_codes", "expected codes"),
        ({"timeout": "0"}, "timeout", "a number from 0.5"),
        ({"colour": "red"}, "colour", "unknown setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    changes: Mapping[str, str | None], key: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        make(changes)
    assert refused.value.key == key
    assert expected in str(refused.value)
    assert "Hush-1" not in str(refused.value)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE a SET b = 1 WHERE c = :name", "expected the parameter :password"),
        ("UPDATE a SET b = :password", "expected :name, or an attribute"),
        ("UPDATE a SET b = '\\:password' WHERE c = :name", "expected the parameter :password"),
    ],
)
def test_a_statement_must_say_what_is_set_and_for_whom(statement: str, expected: str) -> None:
    without = {"table": None, "account_column": None, "password_column": None}
    with pytest.raises(SettingsError, match=expected) as refused:
        make({**without, "statement": statement})
    assert refused.value.key == "statement"


def test_a_query_for_accounts_has_no_parameters() -> None:
    without = {"table": None, "account_column": None, "password_column": None}
    statement = "UPDATE a SET b = :password WHERE c = :name"
    with pytest.raises(SettingsError, match="accounts: expected a query without parameters"):
        make({**without, "statement": statement, "accounts": "SELECT a FROM b WHERE c = :name"})


def test_secrets_are_the_login_password_only_and_a_file_has_none() -> None:
    with pytest.raises(SettingsError, match="pin: unknown secret; there are: password"):
        make({}, {"pin": Secret.of_text("4711")})
    with pytest.raises(SettingsError, match="password: expected none"):
        make({"url": "sqlite:////x.db"}, {"password": Secret.of_text("4711")})


def test_what_is_not_installed_is_told_when_the_endpoint_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_sqlalchemy(name: str, *more: Any, **others: Any) -> Any:
        if name.partition(".")[0] == "sqlalchemy":
            raise ImportError(name)
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", without_sqlalchemy)
    with pytest.raises(SettingsError, match=r"url: needs SQLAlchemy: pip install 'provserver\[sql\]'"):
        make({})


# -- what errors mean


class Refused(Exception):
    """As drivers raise them."""

    sqlstate: str | None = None


def error(*arguments: object, sqlstate: str | None = None, gone: bool = False) -> DBAPIError:
    original = Refused(*arguments)
    original.sqlstate = sqlstate
    made = DBAPIError("UPDATE", {"password": "x"}, original, hide_parameters=True)
    made.connection_invalidated = gone
    return made


def meanings(*, hashed: bool = False, **codes: str) -> Meanings:
    return Meanings(Settings(codes, SqlConnector.setting_names), hashed=hashed)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (error("x", sqlstate="23514"), PasswordPolicyViolation),
        (error("x", sqlstate="P0001"), PasswordPolicyViolation),
        (error(4025, "CONSTRAINT failed"), PasswordPolicyViolation),
        (error(1644, "At least 8"), PasswordPolicyViolation),
        (error("22001", "too long"), PasswordIllFormed),
        (error(1406, "Data too long"), PasswordIllFormed),
        (error("x", sqlstate="42501"), AccessDenied),
        (error(1142, "UPDATE command denied"), AccessDenied),
        (error("x", sqlstate="40P01"), Busy),
        (error("x", sqlstate="57014"), Busy),
        (error(1205, "Lock wait timeout"), Busy),
        (error("x", sqlstate="57P01"), ServerDown),
        (error("x", sqlstate="25006"), ServerDown),
        (error("x", sqlstate="42P01"), ConnectorError),
        (error("x"), ConnectorError),
        (error(), ConnectorError),
        (error("x", gone=True), DroppedConnection),
    ],
)
def test_an_error_while_setting_is_one_of_the_closed_set(
    raised: DBAPIError, kind: type[ConnectorFailure]
) -> None:
    failure = meanings().of_setting(raised, ())
    assert type(failure) is kind
    assert failure.outcome_unknown is (kind is DroppedConnection)


def test_codes_of_ones_own_say_policy_history_and_missing() -> None:
    own = meanings(policy_codes="PS002, 31002", history_codes="ps003", missing_codes="PS001")
    assert type(own.of_setting(error("x", sqlstate="PS001"), ())) is ObjectMissing
    assert type(own.of_setting(error("x", sqlstate="PS002"), ())) is PasswordPolicyViolation
    assert type(own.of_setting(error(31002, "x"), ())) is PasswordPolicyViolation
    assert type(own.of_setting(error("x", sqlstate="PS003"), ())) is PasswordInHistory
    assert type(own.of_setting(error("x", sqlstate="23514"), ())) is ConnectorError


def test_a_hash_that_does_not_fit_its_column_is_the_administrators_business() -> None:
    assert type(meanings(hashed=True).of_setting(error(1406, "x"), ())) is ConnectorError


def test_the_policys_words_are_passed_on_unless_the_password_is_in_them() -> None:
    told = meanings().of_setting(error(1644, "At  least\n8 characters"), ["Harbour-Light-21"])
    assert str(told) == "the database refuses it (1644): At least 8 characters"
    told = meanings().of_setting(error(1644, "not harbour-light-21"), ["Harbour-Light-21"])
    assert str(told) == "the database refuses it (1644)"
    told = meanings().of_setting(error(1366, "Incorrect value: 'Harbour'"), ["Harbour-Light-21"])
    assert "Harbour" not in str(told)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (error('FATAL:  password authentication failed for user "x"'), BadServerCredentials),
        (error('FATAL:  role "x" does not exist'), BadServerCredentials),
        (error("no pg_hba.conf entry for host"), AccessDenied),
        (error('FATAL:  database "x" does not exist'), ConnectorError),
        (error("FATAL:  sorry, too many clients already"), Busy),
        (error("Connection refused"), ServerDown),
        (error("certificate verify failed"), ServerDown),
        (error(1045, "Access denied for user"), BadServerCredentials),
        (error(1044, "Access denied to database"), AccessDenied),
        (error(1049, "Unknown database"), ConnectorError),
        (error(1040, "Too many connections"), Busy),
        (error(2003, "Can't connect"), ServerDown),
        (error("28000", "Login failed"), BadServerCredentials),
    ],
)
def test_an_error_while_connecting_is_about_the_server_or_our_login(
    raised: DBAPIError, kind: type[ConnectorFailure]
) -> None:
    failure = meanings().of_connecting(raised)
    assert type(failure) is kind
    assert not failure.outcome_unknown


# -- SQLite


class OnSqlite(ConnectorContract):
    kind = SqlConnector
    secrets: ClassVar[Mapping[str, Secret]] = {}
    weak = Secret.of_text("tiny-7")
    keeping: ClassVar[Mapping[str, str]] = {"hash": "clear"}

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = tmp_path / "people x.db"
        with sqlite3.connect(self.path) as database:
            database.execute(
                "CREATE TABLE account (login TEXT, secret TEXT CHECK (length(secret) >= 8), team TEXT)"
            )
            database.execute("INSERT INTO account VALUES ('kit', 'Old-Tide-1', 'tide'), ('ada', NULL, NULL)")
        database.close()
        self.settings = {
            "url": f"sqlite:///{self.path}",
            "table": "account",
            "account_column": "login",
            "password_column": "secret",
            **self.keeping,
        }

    def missing_account(self) -> Account:
        return account("nobody")

    def query(self, statement: str) -> list[Any]:
        database = sqlite3.connect(self.path)
        with database:
            found = database.execute(statement).fetchall()
        database.close()
        return found

    async def has_password(self, account: Account, secret: Secret) -> bool:
        [[stored]] = self.query(f"SELECT secret FROM account WHERE login = '{account.name}'")
        keeping = Keeping.of(Settings(self.keeping, SqlConnector.setting_names))
        return stored is not None and keeping.verify(secret, stored)

    async def take_down(self) -> bool:
        self.path.unlink()
        return True

    async def accounts_there(self) -> frozenset[str]:
        return frozenset(("kit", "ada"))

    async def populate(self, count: int) -> bool:
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        self.query(f"INSERT INTO account (login) {numbers} SELECT 'user' || i FROM n")
        return True


class TestClearColumn(OnSqlite):
    pass


class TestHashedColumn(OnSqlite):
    keeping: ClassVar[Mapping[str, str]] = {
        "hash": "pbkdf2-sha256",
        "cost": "1000",
        "schemes": "SSHA,PBKDF2-SHA256",
    }
    weak = None


class TestStatement(OnSqlite):
    changes_passwords = False
    obeys = PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT
    explores = False

    @pytest.fixture(autouse=True)
    def _statement(self, _database: None) -> None:
        self.query("ALTER TABLE account ADD COLUMN must_change INTEGER")
        self.query("ALTER TABLE account ADD COLUMN locked INTEGER")
        self.settings = {
            "url": self.settings["url"],
            "hash": "clear",
            "statement": "UPDATE account SET secret = :password, must_change = :must_change, "
            "locked = locked AND NOT :unlock WHERE login = :name",
        }

    async def must_change(self, account: Account) -> bool:
        return self.query(f"SELECT must_change FROM account WHERE login = '{account.name}'") == [(1,)]

    async def lock(self, account: Account) -> bool:
        self.query(f"UPDATE account SET locked = 1 WHERE login = '{account.name}'")
        return True

    async def is_locked(self, account: Account) -> bool:
        return self.query(f"SELECT locked FROM account WHERE login = '{account.name}'") == [(1,)]


class TestStatementThatExplores(TestStatement):
    explores = True

    @pytest.fixture(autouse=True)
    def _listing(self, _statement: None) -> None:
        self.settings = {**self.settings, "accounts": "SELECT login, team FROM account"}


class TestOnSqlite(OnSqlite):
    """What the kit does not ask."""

    def connector(self, **more: str) -> Any:
        return self.make(**more)

    @test
    async def test_a_name_is_bound_and_never_sql(self) -> None:
        evil = "x' OR '1'='1"
        with pytest.raises(ObjectMissing):
            await self.set(self.connector(), NEW, account(evil))
        assert self.query("SELECT login, secret FROM account") == [("kit", "Old-Tide-1"), ("ada", None)]

    @test
    async def test_a_password_that_is_sql_is_a_password(self) -> None:
        secret = Secret.of_text("'); DROP TABLE account; --")
        await self.set(self.connector(), secret)
        assert await self.has_password(self.account(), secret)

    @test
    async def test_more_than_one_row_is_changed_back(self) -> None:
        self.query("UPDATE account SET login = 'kit'")
        with pytest.raises(ConnectorError, match="expected one changed row for account 'kit', got 2"):
            await self.set(self.connector(), NEW)
        assert self.query("SELECT secret FROM account") == [("Old-Tide-1",), (None,)]

    @test
    async def test_wishes_and_attributes_are_parameters_of_a_statement(self) -> None:
        statement = "UPDATE account SET secret = :password || :must_change || :unlock WHERE team = :eTTeam"
        settings = {"url": self.settings["url"], "hash": "clear", "statement": statement}
        connector = SqlConnector(settings, {}, _reactor())
        wishes = PasswordOption.FORCE_CHANGE_AT_LOGON
        await connector.set_password(account("x", etteam=("tide",)), NEW, wishes)
        assert self.query("SELECT secret FROM account WHERE login = 'kit'") == [("Sluice-Compass-8610",)]
        with pytest.raises(ObjectMissing, match="account 'x' has no attribute eTTeam"):
            await connector.set_password(account("x"), NEW, wishes)
        await connector.close()

    @test
    async def test_accounts_are_explored_with_the_columns_that_were_asked_for(self) -> None:
        connector = self.connector(attributes="team")
        found = [one async for one in connector.explore()]
        assert [(one.name, dict(one.attributes)) for one in found] == [
            ("kit", {"team": ("tide",)}),
            ("ada", {}),
        ]

    @test
    async def test_many_accounts_come_in_pages(self) -> None:
        self.query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
            "INSERT INTO account (login) SELECT 'a' || i FROM n"
        )
        assert len([one async for one in self.connector().explore()]) == 2502

    @test
    async def test_a_statement_without_a_query_for_accounts_cannot_be_explored(self) -> None:
        statement = "UPDATE account SET secret = :password WHERE login = :name"
        settings = {"url": self.settings["url"], "hash": "clear", "statement": statement}
        connector = SqlConnector(settings, {}, _reactor())
        with pytest.raises(NotSupported, match="the setting `accounts`"):
            [one async for one in connector.explore()]

    @test
    async def test_a_database_that_is_locked_is_busy(self) -> None:
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(Busy, match="SQLITE_BUSY") as busy:
                await self.set(self.connector(timeout="0.5"), NEW)
        finally:
            other.close()
        assert not busy.value.outcome_unknown

    @test
    async def test_what_is_no_database_is_told_and_not_written(self) -> None:
        self.path.write_text("login,secret\n" * 100)
        connector = self.connector()
        with pytest.raises(ConnectorError):
            await self.set(connector, NEW)
        assert self.path.read_text() == "login,secret\n" * 100

    @test
    async def test_a_table_that_is_not_there_is_told_without_the_password(self) -> None:
        with pytest.raises(ConnectorError) as failed:
            await self.set(self.connector(table="nosuch"), NEW)
        self.hides(failed.value, NEW)

    @test
    async def test_a_password_that_is_no_text_is_ill_formed(self) -> None:
        with pytest.raises(PasswordIllFormed):
            await self.set(self.connector(), Secret(b"Harbour\xff\xfe"))


def _reactor() -> object:
    from twisted.internet import reactor

    return reactor
