"""The kit, against a real Redis; and what only this connector has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

import pytest
import pytest_twisted
from provserver_redis import RedisConnector
from redis_server import SERVICE, RedisServer
from twisted.internet.testing import MemoryReactorClock

from provserver.connectors import (
    DN,
    AccessDenied,
    Account,
    ConnectorFailure,
    PasswordOption,
    Secret,
    Security,
    SettingsError,
)
from provserver.testing.connector_contract import FIRST, ConnectorContract


class TestContract(ConnectorContract):
    kind = RedisConnector
    secrets: ClassVar[Mapping[str, Secret]] = {"password": Secret.of_text(SERVICE)}
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"password": Secret.of_text("No-Such-Pass-1")}

    @pytest.fixture(autouse=True)
    def _endpoint(self, redis: RedisServer) -> None:
        self.redis = redis
        self.settings = {
            "host": "localhost",
            "port": str(redis.port),
            "ca_file": str(redis.certificates.authority),
            "user": "provserver",
        }

    # How the kit asks the server itself.

    def missing_account(self) -> Account:
        return Account("nobody", DN.parse("cn=nobody,dc=im"))

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.redis.accepts(account.name, secret.reveal_text())

    async def accounts_there(self) -> frozenset[str]:
        return frozenset(("kit", "ada"))

    async def open_lines(self) -> int:
        return self.redis.ask("CLIENT", "LIST").count(" user=provserver ")

    # How the kit gives it trouble.

    async def populate(self, count: int) -> bool:
        self.redis.ask(stdin="".join(f"ACL SETUSER user-{number}\n" for number in range(count)))
        return True

    async def take_down(self) -> bool:
        self.redis.kill()
        return True

    async def cut_idle_lines(self) -> bool:
        self.redis.ask("CLIENT", "KILL", "USER", "provserver")
        return True

    async def stall(self) -> bool:
        self.redis.stop()
        return True

    def troubles(self) -> Mapping[type[ConnectorFailure], Callable[[], Awaitable[object]]]:
        async def deny() -> None:
            self.redis.ask("ACL", "SETUSER", "provserver", "-acl|setuser")

        return {AccessDenied: deny}

    async def mend(self) -> None:
        self.redis.go_on()
        self.redis.ask("ACL", "SETUSER", "provserver", "+acl|setuser")

    # What the kit does not ask.

    @pytest_twisted.ensureDeferred
    async def test_a_password_is_saved_where_the_settings_say_so(self) -> None:
        await self.set(self.make(save="yes"), FIRST)
        assert self.redis.ask("ACL", "LOAD").strip() == "OK"
        assert await self.has_password(self.account(), FIRST)

    @pytest_twisted.ensureDeferred
    async def test_a_server_that_a_stranger_vouches_for_is_not_spoken_to(self) -> None:
        connector = self.make(ca_file=str(self.redis.certificates.certificate))
        with pytest.raises(ConnectorFailure, match="certificate"):
            await connector.set_password(self.account(), FIRST, PasswordOption.NONE)


def test_a_line_in_clear_says_that_it_is_not_secure() -> None:
    settings = {"host": "localhost", "user": "provserver", "tls": "no"}
    secrets = {"password": Secret.of_text(SERVICE)}
    assert RedisConnector(settings, secrets, MemoryReactorClock()).security is Security.NOT_SECURE


@pytest.mark.parametrize(
    ("settings", "key"),
    [({}, "host"), ({"host": "x"}, "user"), ({"host": "x", "user": "y", "port": "0"}, "port")],
)
def test_a_setting_that_makes_no_sense_is_named(settings: Mapping[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        RedisConnector(settings, {"password": Secret.of_text(SERVICE)}, MemoryReactorClock())
    assert refused.value.key == key
