"""The `scim` connector: its settings, and a service that fails in every way."""

from __future__ import annotations

import datetime
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from plugins.web_services import Cut, FakeScim, Reply, Said, Seen, Silence, TurnedReactor, refusal
from twisted.internet.defer import Deferred
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
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.registry import ConnectorKinds
from provserver.connectors.web import failures, scimwords
from provserver.connectors.web.scim import ScimConnector
from provserver.directory.names import DN
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
NEW = Secret.of_text("Sluice-Compass-86")
GOOD = {"url": "https://app.example.com/scim/v2"}
TOKEN = {"token": Secret.of_text(FakeScim.token)}
CLIENT = {"client_secret": Secret.of_text(FakeScim.client[1])}


def make(changes: Mapping[str, str], secrets: Mapping[str, Secret] = TOKEN) -> ScimConnector:
    return ScimConnector({**GOOD, **changes}, secrets, Clock())


def account(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def test_it_is_found_by_its_name() -> None:
    assert ConnectorKinds().kind("scim") is ScimConnector


@pytest.mark.parametrize(
    ("changes", "security"),
    [
        ({}, Security.SECURE),
        ({"url": "http://app.example.com/scim"}, Security.NOT_SECURE),
        ({"url": "http://127.0.0.1:8080/scim"}, Security.SECURE),
        ({"url": "http://[::1]:8080/scim"}, Security.SECURE),
        ({"url": "http://localhost/scim"}, Security.SECURE),
    ],
)
def test_a_line_is_secure_by_tls_or_when_it_stays_on_this_machine(
    changes: Mapping[str, str], security: Security
) -> None:
    assert make(changes).security is security


def test_a_line_to_the_authorization_server_must_be_secure_too() -> None:
    changes = {"auth": "oauth", "client_id": "p", "token_url": "http://login.example.com/token"}
    assert make(changes, CLIENT).security is Security.NOT_SECURE


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"url": "app.example.com"}, "url", "expected https://host"),
        ({"url": "ftp://app.example.com"}, "url", "expected https://host"),
        ({"url": "https://u:Hush-1@app.example.com/"}, "url", "expected no name or password"),
        ({"url": "https://app.example.com/?tenant=1"}, "url", "expected no ?"),
        ({"url": "https://app.example.com/#x"}, "url", "expected no #"),
        ({"url": "https://app.example.com:x/"}, "url", "expected https://host"),
        ({"url": "https://app.example.com/a b"}, "url", "expected https://host"),
        ({"attribute": 'userName eq "x"'}, "attribute", "an attribute's path"),
        ({"value": "kit"}, "value", "a place for the account"),
        ({"value": "{password}"}, "value", "expected no {password}"),
        ({"id": "7"}, "id", "a place for the account"),
        ({"id": "{password}"}, "id", "expected no {password}"),
        ({"must_change": "true"}, "must_change", "expected PATH=VALUE"),
        ({"unlock": "password=x"}, "unlock", "expected PATH=VALUE"),
        ({"patch": "put"}, "patch", "one of path, value"),
        ({"page": "0"}, "page", "a whole number from 1"),
        ({"timeout": "0"}, "timeout", "a number from 0.1"),
        ({"client_certificate": "/x.pem"}, "client_key", "belong together"),
        ({"client_key": "/x.pem"}, "client_certificate", "belong together"),
        ({"auth": "magic"}, "auth", "one of none, bearer"),
        ({"auth": "none"}, "token", "expected none with auth=none"),
        ({"user": "x"}, "user", "expected none with auth=bearer"),
        ({"auth": "oauth"}, "token", "expected none with auth=oauth"),
        ({"colour": "red"}, "colour", "unknown setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(changes: Mapping[str, str], key: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make(changes)
    assert refused.value.key == key
    assert expected in str(refused.value)
    assert "Hush-1" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "secrets", "key", "expected"),
    [
        ({}, {}, "token", "must be given with auth=bearer"),
        ({}, {"token": "Bad\r\nX-Evil: 1"}, "token", "visible ASCII"),
        ({}, {"token": "Grün"}, "token", "visible ASCII"),
        ({"auth": "oauth"}, {"client_secret": "s"}, "token_url", "must be given"),
        (
            {"auth": "oauth", "token_url": "https://x.example"},
            {"client_secret": "s"},
            "client_id",
            "be given",
        ),
        ({"auth": "oauth", "token_url": "x", "client_id": "p"}, {"client_secret": "s"}, "token_url", "https"),
        ({"auth": "basic", "user": "a:b"}, {"password": "s"}, "user", "without a colon"),
        ({"auth": "basic"}, {"password": "s"}, "user", "must be given"),
        ({"auth": "header", "header": "Host"}, {"token": "s"}, "header", "the name of a header"),
        ({"auth": "header", "header": "X: y"}, {"token": "s"}, "header", "the name of a header"),
        ({"auth": "hmac"}, {"hmac_key": "short"}, "hmac_key", "at least 32 octets"),
        ({}, {"pin": "4711"}, "pin", "unknown secret"),
    ],
)
def test_who_we_are_must_be_said_whole(
    changes: Mapping[str, str], secrets: Mapping[str, str], key: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        make(changes, {name: Secret.of_text(text) for name, text in secrets.items()})
    assert refused.value.key == key
    assert expected in str(refused.value)
    assert not any(text in str(refused.value) for text in secrets.values() if len(text) > 1)


@given(st.text())
def test_a_value_in_a_filter_is_one_value_whatever_is_in_it(value: str) -> None:
    attribute, operator, quoted = scimwords.equals("userName", value).split(" ", 2)
    assert (attribute, operator, json.loads(quoted)) == ("userName", "eq", value)


@given(st.text(min_size=1).filter(lambda text: text.isprintable() and text.strip() == text), st.text())
def test_what_is_passed_on_never_holds_a_secret(password: str, around: str) -> None:
    said = failures.said(f"{around}{password}{around}", [Secret.of_text(password)])
    assert password.casefold() not in said.casefold()


def test_what_is_passed_on_holds_no_part_of_a_secret_either() -> None:
    secret = Secret.of_text("Sluice-Compass-86")
    assert failures.said("input_value='Sluice-...', too weak", [secret]) == ""
    assert (
        failures.said("Use at least 20 characters.\nPlease.", [secret])
        == "Use at least 20 characters. Please."
    )


# -- a service


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


class WithFake(ConnectorContract):
    kind = ScimConnector
    changes_passwords = False

    @pytest.fixture(autouse=True)
    def _service(self, certificates: Certificates) -> Iterator[None]:
        self.service = FakeScim(certificates, certificates.authority)
        self.service.add("kit")
        self.authority = certificates.authority
        self.settings = {
            "url": self.service.url,
            "ca_file": str(certificates.authority),
            "timeout": "5",
            **self.more(),
        }
        yield
        pytest_twisted.blockon(Deferred.fromCoroutine(self.service.stop()))

    def more(self) -> Mapping[str, str]:
        return {}

    def missing_account(self) -> Account | None:
        return account("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.service.lets_in(account.name, secret.reveal_text())

    def saying(self, said: Said, method: str = "PATCH") -> None:
        self.service.instead = lambda seen: said if seen.method == method else None

    def connector(self, **more: str) -> Any:
        return self.make(**more)


class TestFakeScim(WithFake):
    secrets: ClassVar[Mapping[str, Secret]] = TOKEN
    weak = Secret.of_text("Kit-1")
    refuses_old_ones = PasswordOption.NONE
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"token": Secret.of_text("Some-Token-Of-Others")}
    obeys = PasswordOption.UNLOCK_ACCOUNT | PasswordOption.FORCE_CHANGE_AT_LOGON

    def more(self) -> Mapping[str, str]:
        return {"unlock": "active=true", "must_change": "urn:example:User:mustChange=true"}

    async def must_change(self, account: Account) -> bool | None:
        user = next(user for user in self.service.users.values() if user["userName"] == account.name)
        return user.pop("urn:example:User:mustChange", False) is True

    async def lock(self, account: Account) -> bool:
        user = next(user for user in self.service.users.values() if user["userName"] == account.name)
        user["active"] = False
        return True

    async def is_locked(self, account: Account) -> bool:
        user = next(user for user in self.service.users.values() if user["userName"] == account.name)
        return user["active"] is False

    async def populate(self, count: int) -> bool:
        for number in range(count):
            self.service.add(f"user{number}")
        return True

    async def take_down(self) -> bool:
        await self.service.stop()
        return True

    def troubles(self) -> Mapping[type[ConnectorFailure], Callable[[], Awaitable[object]]]:
        def bring(said: Said, method: str = "PATCH") -> Callable[[], Awaitable[object]]:
            async def brought() -> None:
                self.saying(said, method)

            return brought

        return {
            AccessDenied: bring(refusal(403)),
            Busy: bring(refusal(429, **{"Retry-After": "7"})),
            ServerDown: bring(refusal(500)),
            NotSupported: bring(refusal(501)),
            ObjectMissing: bring(refusal(404)),
            DroppedConnection: bring(Cut()),
            ConnectorError: bring(refusal(400, "invalidSyntax")),
            PasswordInHistory: bring(refusal(400, "", "You used this before.")),
        }

    async def mend(self) -> None:
        self.service.instead = lambda seen: None

    async def stall(self) -> bool:
        self.saying(Silence())
        return True

    async def cut_idle_lines(self) -> bool:
        await self.service.cut()
        return True

    async def open_lines(self) -> int | None:
        return await self.service.lines()

    # -- what the kit does not ask

    @pytest.mark.parametrize(
        ("said", "kind", "unknown"),
        [
            (refusal(400, "invalidValue", "Too weak."), PasswordPolicyViolation, False),
            (refusal(422, "invalidValue"), PasswordPolicyViolation, False),
            (refusal(400, "", "violates the password policy"), PasswordPolicyViolation, False),
            (refusal(400, "", "Password must contain a digit"), PasswordPolicyViolation, False),
            (refusal(400, "invalidValue", "Password is in history"), PasswordInHistory, False),
            (refusal(400, "invalidValue", "was recently used"), PasswordInHistory, False),
            (refusal(400), ConnectorError, False),
            (refusal(400, "invalidSyntax", "Your policy is bad JSON"), ConnectorError, False),
            (refusal(400, "mutability", "password is readOnly"), NotSupported, False),
            (refusal(400, "invalidPath"), NotSupported, False),
            (refusal(401), BadServerCredentials, False),
            (refusal(403), AccessDenied, False),
            (refusal(404), ObjectMissing, False),
            (refusal(405), NotSupported, False),
            (refusal(408), Busy, False),
            (refusal(409), Busy, False),
            (refusal(412), Busy, False),
            (refusal(418), ConnectorError, False),
            (refusal(429), Busy, False),
            (refusal(500, "", "too weak"), ServerDown, True),
            (refusal(501), NotSupported, False),
            (refusal(502), ServerDown, True),
            (refusal(503), Busy, False),
            (refusal(504), ServerDown, True),
            (Reply(307, None, {"Location": "https://127.0.0.1:1/"}), ConnectorError, False),
            (Reply(400, b"<html>nonsense"), ConnectorError, False),
            (Reply(400, b"[" * 100_000), ConnectorError, False),
            (Cut(), DroppedConnection, True),
        ],
    )
    @test
    async def test_an_answer_to_a_password_is_told_by_its_failure(
        self, said: Said, kind: type[ConnectorFailure], unknown: bool
    ) -> None:
        self.saying(said)
        connector = self.connector()
        with pytest.raises(ConnectorFailure) as failed:
            await self.set(connector, NEW)
        assert type(failed.value) is kind
        assert failed.value.outcome_unknown is unknown
        assert self.service.url in str(failed.value)
        self.hides(failed.value, NEW)
        self.hides(failed.value, TOKEN["token"])

    @pytest.mark.parametrize("code", [401, 403, 429, 500, 503])
    @test
    async def test_a_lookup_that_fails_leaves_no_doubt(self, code: int) -> None:
        connector = self.connector()
        await connector.open()
        self.saying(refusal(code), "GET")
        with pytest.raises(ConnectorFailure) as failed:
            await self.set(connector, NEW)
        assert not failed.value.outcome_unknown
        assert not any(seen.method == "PATCH" for seen in self.service.seen)

    @test
    async def test_the_services_words_about_the_password_are_passed_on(self) -> None:
        self.saying(refusal(400, "invalidValue", "At least 12\ncharacters."))
        with pytest.raises(PasswordPolicyViolation, match=r"refuses the password: At least 12 characters\."):
            await self.set(self.connector(), NEW)

    @test
    async def test_how_long_a_busy_service_wants_to_be_left_alone_is_told(self) -> None:
        self.saying(refusal(429, **{"Retry-After": "17"}))
        with pytest.raises(Busy, match="asked again in 17 s"):
            await self.set(self.connector(), NEW)

    @test
    async def test_no_answer_in_time_leaves_the_outcome_unknown(self) -> None:
        self.saying(Silence())
        with pytest.raises(DroppedConnection, match=r"no answer in 0\.3 s") as failed:
            await self.set(self.connector(timeout="0.3"), NEW)
        assert failed.value.outcome_unknown

    @test
    async def test_a_lookup_without_an_answer_in_time_says_that_nothing_was_sent(self) -> None:
        connector = self.connector(timeout="0.3")
        await connector.open()
        self.saying(Silence(), "GET")
        with pytest.raises(DroppedConnection) as failed:
            await self.set(connector, NEW)
        assert not failed.value.outcome_unknown

    @test
    async def test_a_line_that_cannot_be_had_again_is_lost_and_nothing_was_sent(self) -> None:
        connector = self.connector(id="{eTUserID}")
        await connector.open()
        await self.service.stop()
        with pytest.raises(DroppedConnection, match="no connection") as failed:
            await connector.set_password(account("kit", etuserid=("1",)), NEW, PasswordOption.NONE)
        assert not failed.value.outcome_unknown

    @test
    async def test_opening_looks_again_when_the_connection_has_gone(self) -> None:
        connector = self.connector()
        await connector.open()
        await connector.open()
        assert len(self.service.seen) == 1
        await self.service.cut()
        await connector.open()
        assert [seen.path for seen in self.service.seen] == ["/scim/v2/ServiceProviderConfig"] * 2
        await self.service.stop()
        with pytest.raises(ServerDown):
            await connector.open()

    @test
    async def test_an_answer_without_end_is_not_read_to_it(self) -> None:
        self.saying(Reply(200, b"x" * 3_000_000))
        connector = self.connector()
        await self.set(connector, NEW)  # its status has said all
        self.saying(Reply(200, b'"' + b"x" * 3_000_000 + b'"'), "GET")
        with pytest.raises(ConnectorError, match="of a size that can be read"):
            await self.set(connector, NEW)

    @test
    async def test_a_redirection_is_not_followed_with_a_password(self) -> None:
        elsewhere = FakeScim(None)
        self.saying(Reply(308, None, {"Location": f"{elsewhere.origin}/"}))
        with pytest.raises(ConnectorError, match="redirections are not followed"):
            await self.set(self.connector(), NEW)
        assert elsewhere.seen == []
        await elsewhere.stop()

    @pytest.mark.parametrize(
        ("listed", "kind", "words"),
        [
            ({"totalResults": 2, "Resources": [{"id": "1"}, {"id": "2"}]}, ConnectorError, "2 users"),
            ({"totalResults": 9, "Resources": [{"id": "1", "userName": "kit"}]}, ConnectorError, "9 users"),
            (
                {"totalResults": 1, "Resources": [{"id": "1", "userName": "ruth"}]},
                ConnectorError,
                "is another one",
            ),
            ({"totalResults": 1, "Resources": [{"userName": "kit"}]}, ConnectorError, "with an id"),
            ({"totalResults": 1, "Resources": [{"id": ".."}]}, ConnectorError, "with an id"),
            ({"totalResults": 0}, ObjectMissing, "no user has the userName 'kit'"),
            ({"totalResults": 1, "Resources": []}, ObjectMissing, "no user has"),
            ({"Resources": []}, ConnectorError, "expected a list"),
            ([], ConnectorError, "in JSON, an object"),
        ],
    )
    @test
    async def test_only_a_user_that_is_the_accounts_gets_its_password(
        self, listed: object, kind: type[ConnectorFailure], words: str
    ) -> None:
        def instead(seen: Seen) -> Said | None:
            return Reply(200, listed) if seen.path.endswith("/Users") else None

        self.service.instead = instead
        with pytest.raises(kind, match=words) as failed:
            await self.set(self.connector(), NEW)
        assert type(failed.value) is kind
        assert not any(seen.method == "PATCH" for seen in self.service.seen)

    @test
    async def test_users_are_found_by_another_attribute_too(self) -> None:
        self.service.add("tide", externalId="E-77")
        connector = self.connector(attribute="externalId", value="E-{eTNumber}")
        await connector.set_password(account("ada", etnumber=("77",)), NEW, PasswordOption.NONE)
        assert self.service.lets_in("tide", "Sluice-Compass-86")
        with pytest.raises(ObjectMissing, match="account 'ada' has no attribute eTNumber"):
            await connector.set_password(account("ada"), NEW, PasswordOption.NONE)

    @test
    async def test_an_id_that_can_be_told_is_not_looked_up(self) -> None:
        found = self.service.add("tide")
        connector = self.connector(id="{eTUserID}")
        await connector.set_password(account("ada", etuserid=(found,)), NEW, PasswordOption.NONE)
        assert self.service.lets_in("tide", "Sluice-Compass-86")
        assert [seen.method for seen in self.service.seen] == ["GET", "PATCH"]
        assert self.service.last.target.endswith("/Users/id%2F1%20tid")
        with pytest.raises(ObjectMissing, match="cannot stand in a url"):
            await connector.set_password(account("ada", etuserid=("..",)), NEW, PasswordOption.NONE)
        with pytest.raises(ObjectMissing):
            await connector.locate(account("ada", etuserid=("gone",)))

    @pytest.mark.parametrize(
        ("config", "more", "found"),
        [
            ({}, {}, []),
            ({"patch": True}, {}, []),
            ({"patch": {"supported": True}, "filter": {"supported": True}}, {}, []),
            ({"patch": {"supported": False}}, {}, [("no PATCH", True)]),
            ({"filter": {"supported": False}}, {}, [("no filters", True)]),
            ({"filter": {"supported": False}}, {"id": "{eTUserID}"}, []),
            ({"changePassword": {"supported": False}}, {}, [("not changed", False)]),
            (None, {}, [("does not tell", False)]),
        ],
    )
    @test
    async def test_what_a_service_says_it_cannot_do_does_not_fit(
        self, config: dict[str, Any] | None, more: dict[str, str], found: list[tuple[str, bool]]
    ) -> None:
        self.service.config = config
        connector = self.connector(**more)
        misfits = await connector.misfits()
        assert [one.grave for one in misfits] == [grave for _, grave in found]
        assert all(words in one.what for one, (words, _) in zip(misfits, found, strict=True))
        assert all(one.advice for one in misfits)

    @pytest.mark.parametrize("code", [403, 404, 501])
    @test
    async def test_a_service_that_does_not_say_what_it_can_do_is_tried(self, code: int) -> None:
        self.service.instead = lambda seen: Reply(code) if seen.path.endswith("Config") else None
        await self.set(self.connector(), NEW)

    @test
    async def test_a_service_that_knows_no_pages_is_explored_no_further(self) -> None:
        listed = {"totalResults": 9, "Resources": [{"id": "1", "userName": "kit"}]}
        self.service.instead = lambda seen: Reply(200, listed) if seen.path.endswith("/Users") else None
        with pytest.raises(ConnectorError, match="the same page came twice"):
            [one async for one in self.connector().explore()]

    @test
    async def test_a_password_that_is_returned_is_no_attribute(self) -> None:
        self.service.add("tide", password="Copper-Bollard-27", emails=[{"value": "t@x.example"}], x=None)
        found = {one.name: one.attributes async for one in self.connector().explore()}
        assert found["tide"] == {
            "id": ("id/1 tid",),
            "userName": ("tide",),
            "active": ("true",),
            "emails": ("t@x.example",),
        }

    @test
    async def test_a_server_of_another_name_or_authority_gets_nothing(self, tmp_path: Path) -> None:
        others = make_certificates(tmp_path)
        for more in (
            {"ca_file": str(others.authority)},
            {"url": self.service.url.replace("127.0.0.1", "127.0.0.2")},
        ):
            with pytest.raises(ServerDown) as failed:
                await self.set(self.connector(**more), NEW)
            assert not failed.value.outcome_unknown
        assert self.service.seen == []

    @test
    async def test_a_file_that_cannot_be_used_is_named(self, tmp_path: Path) -> None:
        own = make_certificates(tmp_path)
        nothing = tmp_path / "nothing.pem"
        readable = tmp_path / "readable.key"
        readable.write_bytes(own.key.read_bytes())
        for certificate, key, words in (
            (nothing, own.key, "cannot be read"),
            (own.key, own.key, "expected a certificate"),
            (own.certificate, nothing, "there is no key"),
            (own.certificate, readable, "others than its owner"),
            (own.authority, own.key, "do not belong together"),
        ):
            more = {"client_certificate": str(certificate), "client_key": str(key)}
            with pytest.raises(ConnectorError, match=words):
                await self.connector(**more).open()
        with pytest.raises(ConnectorError, match=r"nothing\.pem cannot be read"):
            await self.connector(ca_file=str(nothing)).open()

    @test
    async def test_a_client_certificate_is_shown(self, tmp_path: Path, certificates: Certificates) -> None:
        certificate, key = client_certificate(tmp_path)
        service = FakeScim(certificates, certificate)
        service.add("kit")
        url, more = service.url, {"client_certificate": str(certificate), "client_key": str(key)}
        await self.set(self.connector(url=url, **more), NEW)
        assert service.last.certificate is not None
        await self.set(self.connector(url=url), NEW)
        assert service.last.certificate is None
        await service.stop()


class WithTokens(WithFake):
    secrets: ClassVar[Mapping[str, Secret]] = CLIENT
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"client_secret": Secret.of_text("Guess-Of-Others")}

    def more(self) -> Mapping[str, str]:
        url = f"{self.service.origin}/token?tenant=1"
        return {"auth": "oauth", "token_url": url, "client_id": FakeScim.client[0]}


class TestTokens(WithTokens):
    def turned(self, **more: str) -> tuple[Any, TurnedReactor]:
        reactor = TurnedReactor()
        connector = ScimConnector({**self.settings, **more}, self.secrets, reactor)
        self._made.append(connector)
        return connector, reactor

    def token_calls(self) -> list[Seen]:
        return [seen for seen in self.service.seen if seen.path == "/token"]

    @test
    async def test_a_token_is_used_until_shortly_before_its_end(self) -> None:
        connector, reactor = self.turned(scope="users.write")
        await self.set(connector, NEW)
        await self.set(connector, NEW)
        assert self.service.tokens == ["token-0"]
        assert b"scope=users.write" in self.token_calls()[0].body
        reactor.ahead = 265.0  # of 300, and 30 are left as a margin
        await self.set(connector, NEW)
        assert self.service.tokens == ["token-0"]
        reactor.ahead = 271.0
        await self.set(connector, NEW)
        assert self.service.tokens == ["token-0", "token-1"]

    @test
    async def test_a_token_that_lasts_no_longer_than_the_margin_is_used_half_of_its_time(self) -> None:
        self.service.token_answer["expires_in"] = "20"
        connector, reactor = self.turned()
        await connector.open()
        reactor.ahead = 8.0
        await self.set(connector, NEW)
        assert len(self.service.tokens) == 1
        reactor.ahead = 11.0
        await self.set(connector, NEW)
        assert len(self.service.tokens) == 2

    @test
    async def test_a_token_without_an_end_is_used_until_it_is_refused(self) -> None:
        del self.service.token_answer["expires_in"]
        connector, reactor = self.turned()
        await self.set(connector, NEW)
        reactor.ahead = 1e8
        await self.set(connector, NEW)
        assert len(self.service.tokens) == 1

    @test
    async def test_a_token_that_is_refused_is_renewed_once_and_the_password_arrives(self) -> None:
        connector, _ = self.turned(id="{eTUserID}")
        person = account("kit", etuserid=(next(iter(self.service.users)),))
        await connector.open()
        self.service.good_tokens = set()
        await connector.set_password(person, NEW, PasswordOption.NONE)
        assert await self.has_password(person, NEW)
        assert len(self.service.tokens) == 2

    @test
    async def test_a_second_refusal_is_final(self) -> None:
        connector, _ = self.turned()
        await connector.open()
        self.saying(refusal(401))
        with pytest.raises(BadServerCredentials) as failed:
            await self.set(connector, NEW)
        assert not failed.value.outcome_unknown
        assert [seen.method for seen in self.service.seen].count("PATCH") == 2
        self.hides(failed.value, Secret.of_text("token-"))

    @test
    async def test_the_clients_secret_may_go_in_the_body(self) -> None:
        connector, _ = self.turned(client_auth="post")
        await self.set(connector, NEW)
        [call] = self.token_calls()
        assert b"client_id=provserver&client_secret=Client-Hush%3A94+%25" in call.body
        assert "authorization" not in call.headers

    @pytest.mark.parametrize(
        ("said", "kind"),
        [
            (Reply(400, {"error": "invalid_client"}), BadServerCredentials),
            (Reply(401, {"error": "invalid_client"}), BadServerCredentials),
            (Reply(400, {"error": "invalid_scope"}), ConnectorError),
            (Reply(400, {"error": "Client-Hush:94 %"}), ConnectorError),
            (Reply(429), Busy),
            (Reply(503), Busy),
            (Reply(500), ServerDown),
            (Cut(), ServerDown),
            (Reply(302, None, {"Location": "/"}), ConnectorError),
            (Reply(200, b"token"), ConnectorError),
            (Reply(200, {"access_token": "x", "token_type": "mac"}), ConnectorError),
            (Reply(200, {"access_token": "x\r\nX-Evil: 1", "token_type": "Bearer"}), ConnectorError),
            (Reply(200, {"access_token": 7, "token_type": "Bearer"}), ConnectorError),
        ],
    )
    @test
    async def test_no_token_is_told_by_its_failure(self, said: Said, kind: type[ConnectorFailure]) -> None:
        self.service.instead = lambda seen: said if seen.path == "/token" else None
        with pytest.raises(ConnectorFailure) as failed:
            await self.set(self.connector(), NEW)
        assert type(failed.value) is kind
        assert not failed.value.outcome_unknown
        assert FakeScim.client[1] not in str(failed.value)


def client_certificate(folder: Path) -> tuple[Path, Path]:
    """Our own, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provserver")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
    builder = builder.public_key(private.public_key()).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate, key = folder / "client.pem", folder / "client.key"
    certificate.write_bytes(builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM))
    key.touch(mode=0o600)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key
