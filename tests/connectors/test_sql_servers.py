"""The `sql` connector at real servers: PostgreSQL and MariaDB, over TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_twisted
from plugins import schemas
from plugins.real_servers import MariaDb, Postgres, RealServer, served

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    DroppedConnection,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
)
from provserver.connectors.hashes import Keeping
from provserver.connectors.registry import Settings
from provserver.connectors.sql import SqlConnector
from provserver.directory.names import DN
from provserver.testing.certificates import make_certificates
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
NEW = Secret.of_text("Sluice-Compass-86")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    for server in served(Postgres):
        server.admin(*schemas.POSTGRES_SERVER, database="postgres")
        server.admin(*schemas.POSTGRES)
        yield server


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaDb]:
    for server in served(MariaDb):
        server.admin(*schemas.MARIA, database=None)
        yield server


def account(name: str) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"))


class OnAServer(ConnectorContract):
    kind = SqlConnector
    secrets: ClassVar[Mapping[str, Secret]] = {"password": Secret.of_text(schemas.LOGIN_PASSWORD)}
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"password": Secret.of_text("Wrong-Pass-9")}
    wording: ClassVar[Mapping[str, str]]
    server: Any

    def on(self, server: Any) -> Iterator[None]:
        self.server: RealServer = server
        self.settings = {
            "url": server.url(),
            "tls": "verify",
            "ca_file": str(server.certificates.authority),
            **self.wording,
        }
        yield
        if not server.running:
            server.start()

    def missing_account(self) -> Account:
        return account("nobody")

    async def take_down(self) -> bool:
        self.server.kill()
        return True

    def connector(self, *, password: str = schemas.LOGIN_PASSWORD, **changes: str) -> Any:
        from twisted.internet import reactor

        settings = {**self.settings, **changes}
        made = SqlConnector(settings, {"password": Secret.of_text(password)}, reactor)
        self._made.append(made)
        return made


THEIR_LINES = "FROM pg_stat_activity WHERE usename = 'provserver'"


class OnPostgres(OnAServer):
    @pytest.fixture(autouse=True)
    def _endpoint(self, postgres: Postgres) -> Iterator[None]:
        postgres.admin("UPDATE account SET hash = NULL")
        yield from self.on(postgres)

    async def open_lines(self) -> int:
        [[count]] = self.server.admin(f"SELECT count(*) {THEIR_LINES}")
        return int(count)

    async def cut_idle_lines(self) -> bool:
        self.server.admin(f"SELECT pg_terminate_backend(pid) {THEIR_LINES}")
        return True


class OnMaria(OnAServer):
    @pytest.fixture(autouse=True)
    def _endpoint(self, maria: MariaDb) -> Iterator[None]:
        maria.admin("UPDATE account SET secret = NULL")
        yield from self.on(maria)

    async def has_password(self, account: Account, secret: Secret) -> bool:
        found = self.server.admin("SELECT secret FROM account WHERE login = %s", values=[account.name])
        return bool(found == [(secret.reveal_text(),)])


class TestPostgresTable(OnPostgres):
    wording: ClassVar[Mapping[str, str]] = {
        "table": "public.account",
        "account_column": "login",
        "password_column": "hash",
        "attributes": "team",
        "hash": "bcrypt",
        "cost": "4",
        "schemes": "SSHA,ARGON2",
    }

    async def has_password(self, account: Account, secret: Secret) -> bool:
        [[stored]] = self.server.admin("SELECT hash FROM account WHERE login = %s", values=[account.name])
        keeping = Keeping.of(Settings({"hash": "bcrypt", "cost": "4"}, SqlConnector.setting_names))
        return stored is not None and keeping.verify(secret, stored)


class TestPostgresFunction(OnPostgres):
    wording: ClassVar[Mapping[str, str]] = schemas.POSTGRES_STATEMENT
    weak = Secret.of_text("tiny-7")
    changes_passwords = False

    async def has_password(self, account: Account, secret: Secret) -> bool:
        query = "SELECT hash = crypt(%s, hash) FROM account WHERE login = %s"
        found = self.server.admin(query, values=[secret.reveal_text(), account.name])
        return bool(found == [(True,)])


class TestMariaTable(OnMaria):
    wording: ClassVar[Mapping[str, str]] = {
        "table": "account",
        "account_column": "login",
        "password_column": "secret",
        "hash": "clear",
    }
    weak = Secret.of_text("tiny-7")


class TestMariaProcedure(OnMaria):
    wording: ClassVar[Mapping[str, str]] = schemas.MARIA_STATEMENT
    weak = Secret.of_text("tiny-7")
    changes_passwords = False


class AnyServer(OnAServer):
    """What the kit does not ask, of every server."""

    @test
    async def test_the_line_is_tls_and_the_server_is_verified(self, tmp_path: Path) -> None:
        stranger = make_certificates(tmp_path)
        assert self.connector().security is Security.SECURE
        for changes in ({"ca_file": str(stranger.authority)}, {"url": self.named("localhost.localdomain")}):
            with pytest.raises(ServerDown) as down:
                await self.connector(**changes).open()
            assert schemas.LOGIN_PASSWORD not in str(down.value)

    def named(self, host: str) -> str:
        return str(self.settings["url"]).replace("127.0.0.1", host)

    @test
    async def test_a_wrong_login_is_told_apart_from_a_server_that_is_down(self) -> None:
        with pytest.raises(BadServerCredentials) as refused:
            await self.connector(password="Wrong-Pass-9").open()
        assert "Wrong-Pass-9" not in str(refused.value)
        with pytest.raises((ConnectorError, AccessDenied), match="nosuch"):
            await self.connector(url=self.server.url("nosuch")).open()

    @test
    async def test_a_login_without_the_right_is_access_denied(self) -> None:
        url = self.server.url().replace("provserver@", "guest@")
        with pytest.raises(AccessDenied) as denied:
            await self.set(self.connector(password="Guest-Pass-1", url=url), NEW)
        self.hides(denied.value, NEW)
        assert not denied.value.outcome_unknown

    @test
    async def test_a_line_that_the_server_lost_is_told_and_then_opened_anew(self) -> None:
        connector = self.connector()
        await self.set(connector, NEW)
        self.server.kill()
        with pytest.raises(DroppedConnection) as dropped:
            await connector.set_password(self.account(), NEW, PasswordOption.NONE)
        assert dropped.value.outcome_unknown
        self.hides(dropped.value, NEW)
        self.server.start()
        await self.set(connector, NEW)
        assert await self.has_password(self.account(), NEW)

    @test
    async def test_a_server_that_hangs_is_given_up_and_the_outcome_is_unknown(self) -> None:
        connector = self.connector(timeout="0.6")
        await connector.open()
        self.server.freeze()
        try:
            with pytest.raises(DroppedConnection, match=r"no answer within 0.6 s") as dropped:
                await connector.set_password(self.account(), NEW, PasswordOption.NONE)
            with pytest.raises(ServerDown) as down:
                await self.connector(timeout="0.5").open()
        finally:
            self.server.thaw()
        assert dropped.value.outcome_unknown
        assert not down.value.outcome_unknown
        newer = Secret.of_text("Harbour-Compass-87")
        await self.set(self.connector(), newer)
        assert await self.has_password(self.account(), newer), "what was given up does not come back"

    @test
    async def test_a_ca_file_that_is_none_is_told(self, tmp_path: Path) -> None:
        for file, content in ((tmp_path / "none", None), (tmp_path / "empty", "")):
            if content is not None:
                file.write_text(content)
            with pytest.raises(ConnectorError) as failed:
                await self.connector(ca_file=str(file)).open()
            assert str(file) in str(failed.value)

    @test
    async def test_accounts_are_explored(self) -> None:
        found = {one.name: dict(one.attributes) async for one in self.connector().explore()}
        assert set(found) == {"ada", "kit"}
        assert found["kit"] in ({"team": ("tide",)}, {})


class TestPostgresOtherwise(AnyServer, OnPostgres):
    wording = TestPostgresTable.wording
    has_password = TestPostgresTable.has_password

    @test
    async def test_the_policys_words_reach_the_administrator_unless_they_quote_the_password(self) -> None:
        connector = self.connector(**schemas.POSTGRES_STATEMENT) if False else self.function()
        with pytest.raises(
            ConnectorError.__base__ or Exception, match="At least 8 characters, please"
        ) as weak:
            await self.set(connector, Secret.of_text("tiny-7"))
        assert "PS002" in str(weak.value)
        loud = Secret.of_text("SHOUTING-AT-42")
        with pytest.raises(PasswordPolicyViolation, match=r"refuses it \(PS002\)$") as quoted:
            await self.set(connector, loud)
        self.hides(quoted.value, loud)

    @test
    async def test_a_password_that_the_account_has_is_told_apart(self) -> None:
        connector = self.function()
        await self.set(connector, NEW)
        with pytest.raises(PasswordInHistory):
            await self.set(connector, NEW)

    @test
    async def test_a_wish_goes_to_the_function(self) -> None:
        connector = self.function()
        await connector.open()
        await connector.set_password(self.account(), NEW, PasswordOption.FORCE_CHANGE_AT_LOGON)
        assert self.server.admin("SELECT must_change FROM account WHERE login = 'kit'") == [(True,)]

    @test
    async def test_a_row_that_somebody_else_holds_is_busy_and_nothing_was_set(self) -> None:
        import psycopg

        connector = self.connector(timeout="0.5")
        where = f"host={self.server.folder} port={self.server.port} user=harbour dbname=people"
        with psycopg.connect(where) as other:
            other.execute("SELECT 1 FROM account WHERE login = 'kit' FOR UPDATE")
            with pytest.raises(Busy, match="57014") as busy:
                await self.set(connector, NEW)
        assert not busy.value.outcome_unknown
        assert not await self.has_password(self.account(), NEW)

    @test
    async def test_a_column_that_is_too_narrow_refuses_clear_text_and_blames_the_table_for_a_hash(
        self,
    ) -> None:
        short = {"table": "short", "account_column": "login", "password_column": "secret"}
        without = {key: value for key, value in self.settings.items() if key not in self.wording}
        self.settings = {**without, **short}
        with pytest.raises(PasswordIllFormed, match="does not fit its column"):
            await self.set(self.connector(hash="clear"), NEW)
        with pytest.raises(ConnectorError, match="does not fit its column"):
            await self.set(self.connector(hash="ssha"), NEW)
        with pytest.raises(ConnectorError, match="got 2; nothing was changed"):
            await self.set(self.connector(hash="clear"), Secret.of_text("short"), account("twin"))
        assert self.server.admin("SELECT DISTINCT secret FROM short") == [("x",)]

    def function(self) -> Any:
        self.settings = {
            **{key: value for key, value in self.settings.items() if key not in self.wording},
            **schemas.POSTGRES_STATEMENT,
        }
        return self.connector()


class TestMariaOtherwise(AnyServer, OnMaria):
    wording = TestMariaTable.wording

    @test
    async def test_the_same_password_again_is_no_missing_account(self) -> None:
        connector = self.connector()
        await self.set(connector, NEW)
        await self.set(connector, NEW)
        assert await self.has_password(self.account(), NEW)

    @test
    async def test_the_socket_of_this_machine_is_secure(self) -> None:
        url = f"mariadb://provserver@localhost/people?unix_socket={self.server.socket}"
        without = {key: value for key, value in self.settings.items() if key not in ("tls", "ca_file")}
        self.settings = without
        connector = self.connector(url=url)
        assert connector.security is Security.SECURE
        await self.set(connector, NEW)
        assert await self.has_password(self.account(), NEW)
