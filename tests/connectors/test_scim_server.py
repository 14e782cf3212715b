"""The `scim` connector against `scim2-server`, a SCIM server that others make."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
import pytest_twisted
from plugins.scim_servers import TOKEN, ScimServer

from provserver.connectors.contract import Account, PasswordOption
from provserver.connectors.web.scim import ScimConnector
from provserver.directory.names import DN
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred


@pytest.fixture(scope="module")
def served() -> Iterator[ScimServer]:
    with ScimServer() as server:
        yield server


def account(name: str) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), {})


class TestScimServer(ConnectorContract):
    kind = ScimConnector
    secrets: ClassVar[Mapping[str, Secret]] = {"token": Secret.of_text(TOKEN)}
    weak = Secret.of_text("Kit-1")
    refuses_old_ones = PasswordOption.NONE
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"token": Secret.of_text("Some-Token-Of-Others")}
    changes_passwords = False

    @pytest.fixture(autouse=True)
    def _server(self, served: ScimServer) -> None:
        self.server = served
        if not served.running:
            served.start()
        self.name = f"kit-{secrets.token_hex(4)}"
        served.add(self.name, name={"familyName": "Light"}, active=True)
        self.settings = {"url": served.url, "ca_file": str(served.certificates.authority)}

    def account(self) -> Account:
        return account(self.name)

    def missing_account(self) -> Account | None:
        return account("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.server.lets_in(account.name, secret.reveal_text())

    async def take_down(self) -> bool:
        self.server.kill()
        return True

    @test
    async def test_users_are_explored_page_by_page_with_their_attributes(self) -> None:
        names = [f"{self.name}-{number}" for number in range(5)]
        for name in names:
            self.server.add(name, active=name != names[1])
        connector: Any = self.make(page="2")
        found = {one.name: one.attributes async for one in connector.explore()}
        assert {self.name, *names} <= set(found)
        assert found[self.name]["name.familyName"] == ("Light",)
        assert [found[name]["active"] for name in names[:2]] == [("true",), ("false",)]

    @test
    async def test_an_account_is_located_by_its_name_whatever_is_in_it(self) -> None:
        name = 'O\'Quay "Pier" \\ 12 %20 & ü'
        found = self.server.add(name)
        connector: Any = self.make()
        assert await connector.locate(account(name)) == f"{self.server.url}/Users/{found}"

    @test
    async def test_the_service_fits(self) -> None:
        connector: Any = self.make()
        assert await connector.misfits() == []

    @test
    async def test_a_wish_goes_with_the_password(self) -> None:
        name = f"{self.name}-ada"
        self.server.add(name, active=False)
        connector: Any = self.make(unlock="active=true")
        secret = Secret.of_text("Lantern-Reef-55")
        await connector.open()
        await connector.set_password(account(name), secret, PasswordOption.UNLOCK_ACCOUNT)
        users = self.server.ask("GET", "/v2/Users")["Resources"]
        assert [user["active"] for user in users if user["userName"] == name] == [True]
        assert self.server.lets_in(name, secret.reveal_text())

    @test
    async def test_a_service_that_wants_an_object_gets_one(self) -> None:
        connector: Any = self.make(patch="value")
        secret = Secret.of_text("Lantern-Reef-55")
        await self.set(connector, secret)
        assert await self.has_password(self.account(), secret)
