"""The `https` connector: its templates, its settings, and a service that fails in every way."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from plugins.web_services import Cut, FakeDoor, FakeScim, Reply, Said, Silence
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
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.registry import ConnectorKinds
from provserver.connectors.web.https import HttpsConnector
from provserver.connectors.web.template import NO_SEGMENT, Body, Form, Text, Values, in_url
from provserver.directory.names import DN
from provserver.https.signing import NONCE, SIGNATURE, TIME, SharedSecret
from provserver.testing.certificates import Certificates, make_certificates
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
NEW = Secret.of_text("Sluice-Compass-86")
BODY = '{"new": "{password}", "expire": {force_change}, "unlock": {unlock}}'
GOOD = {"url": "https://door.example.com/people/{name}/password", "body": BODY}
KEY = {"token": Secret.of_text(FakeDoor.key)}
BOTH = PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT


def account(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def make(changes: Mapping[str, str], secrets: Mapping[str, Secret] | None = None) -> HttpsConnector:
    return HttpsConnector({**GOOD, **changes}, secrets or {}, Clock())


def test_it_is_found_by_its_name() -> None:
    assert ConnectorKinds().kind("https") is HttpsConnector


def test_a_line_is_secure_by_tls_or_when_it_stays_on_this_machine() -> None:
    assert make({}).security is Security.SECURE
    assert make({"url": "http://door.example.com/{name}"}).security is Security.NOT_SECURE
    assert make({"url": "http://127.0.0.1:8080/{name}"}).security is Security.SECURE
    assert make({"check": "http://door.example.com/health"}).security is Security.NOT_SECURE


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"url": "https://door.example.com/{name}/{password}"}, "url", "expected no {password}"),
        ({"url": "https://door.example.com/?new={password}"}, "url", "expected no {password}"),
        ({"url": "https://door.example.com/{unlock}"}, "url", "belongs in the body"),
        ({"url": "https://{name}.example.com/"}, "url", "expected no place in the host"),
        ({"url": "https://u:Hush-1@door.example.com/{name}"}, "url", "expected no name or password"),
        ({"url": "door.example.com/{name}"}, "url", "expected https://host"),
        ({"headers": "X-New: {password}"}, "headers", "expected no {password}"),
        ({"headers": "X-Tenant"}, "headers", "expected Name: value"),
        ({"headers": "X Tenant: harbour"}, "headers", "expected Name: value"),
        ({"headers": "X-Tenant: a\r\nX-Evil: b"}, "headers", "expected Name: value"),
        ({"headers": "X-Tenant: Häfen"}, "headers", "expected Name: value"),
        ({"headers": "Content-Length: 7"}, "headers", "that is ours to say"),
        ({"headers": "authorization: Bearer x"}, "headers", "that is ours to say"),
        ({"method": "GET"}, "method", "one of POST, PUT, PATCH"),
        ({"form": "yaml"}, "form", "one of json, form, xml, raw"),
        ({"body": '{"new": "x"}'}, "body", "a place for the password"),
        ({"body": '{"new": {password}}'}, "body", "expected JSON, with places inside of strings"),
        ({"body": '{"new": "{password}"'}, "body", "expected JSON"),
        ({"url": "https://door.example.com/"}, "body", "a place for the account"),
        ({"flag_words": "yes"}, "flag_words", "expected two words"),
        ({"success": "2xx"}, "success", "expected statuses"),
        ({"policy": "299-200"}, "policy", "expected statuses"),
        ({"check": "https://u:Hush-1@x.example/"}, "check", "expected no name or password"),
        ({"auth": "bearer"}, "token", "must be given"),
        ({"colour": "red"}, "colour", "unknown setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(changes: Mapping[str, str], key: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make(changes)
    assert refused.value.key == key
    assert expected in str(refused.value)
    assert "Hush-1" not in str(refused.value)


# -- templates: what was put in comes out again, whatever it is

UTF8 = st.text(st.characters(exclude_categories=("Cs",)))
XML = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")) | st.sampled_from("\t\n\r<>&\"']"))


def body(text: str, form: Form, values: Values) -> str:
    return Body("body", text, form).fill(values).reveal_text()


@given(UTF8, UTF8, st.sampled_from([PasswordOption.NONE, BOTH]))
def test_json_holds_what_was_put_in(name: str, password: str, options: PasswordOption) -> None:
    text = '{"u {name}": ["\\"{name}\\"", "{password}"], "f": {force_change}, "w": "{unlock}"}'
    filled = body(text, Form.JSON, Values(account(name), Secret.of_text(password), options))
    on = options is BOTH
    expected = {f"u {name}": [f'"{name}"', password], "f": on, "w": "true" if on else "false"}
    assert json.loads(filled) == expected


@given(UTF8, UTF8)
def test_a_form_holds_what_was_put_in(name: str, password: str) -> None:
    values = Values(account(name), Secret.of_text(password), BOTH, ("1", "0"))
    filled = body("user={name}&new={password}&expire={force_change}", Form.FORM, values)
    assert parse_qsl(filled, keep_blank_values=True) == [("user", name), ("new", password), ("expire", "1")]


@given(XML, XML)
def test_xml_holds_what_was_put_in(name: str, password: str) -> None:
    values = Values(account(name), Secret.of_text(password))
    filled = body('<set user="{name}"><new>{password}</new></set>', Form.XML, values)
    read = ElementTree.fromstring(filled)
    assert (read.get("user"), read.findtext("new")) == (name, password)


@given(UTF8.filter(lambda text: NO_SEGMENT.search(text) is None))
def test_a_url_holds_what_was_put_in_and_nothing_more(name: str) -> None:
    filled = Text("url", "https://x.example/a/{name}/b?c={name}&d", NO_SEGMENT, "a url").fill(
        Values(account(name)), in_url
    )
    parts = urlsplit(filled)
    assert [unquote(part) for part in parts.path.split("/")] == ["", "a", name, "b"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("c", name), ("d", "")]
    assert parts.fragment == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b", "a\nb"])
def test_a_name_that_would_lead_elsewhere_is_no_part_of_a_url(name: str) -> None:
    with pytest.raises(ObjectMissing, match="cannot stand in a url"):
        Text("url", "https://x.example/{name}", NO_SEGMENT, "a url").fill(Values(account(name)), in_url)


@pytest.mark.parametrize(
    ("form", "password"),
    [(Form.RAW, "Two\nlines-12"), (Form.RAW, "Nul\0-12"), (Form.XML, "Bell\a-12"), (Form.XML, "\ufffe-12")],
)
def test_a_password_that_a_body_cannot_hold_is_ill_formed(form: Form, password: str) -> None:
    secret = Secret.of_text(password)
    with pytest.raises(PasswordIllFormed, match=f"cannot stand in a body in {form.value}") as failed:
        body("{name}:{password}", form, Values(account("kit"), secret))
    assert password not in str(failed.value)


def test_places_in_values_are_no_places() -> None:
    values = Values(account("{password}", eteam=("{name}",)), Secret.of_text("{unlock}"))
    filled = body('["{name}", "{password}", "{eTeam}"]', Form.JSON, values)
    assert json.loads(filled) == ["{password}", "{unlock}", "{name}"]


# -- a service


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


class TestDoor(ConnectorContract):
    kind = HttpsConnector
    secrets: ClassVar[Mapping[str, Secret]] = KEY
    wrong_secrets: ClassVar[Mapping[str, Secret]] = {"token": Secret.of_text("Some-Key-Of-Others")}
    weak = Secret.of_text("Kit-1")
    refuses_old_ones = PasswordOption.NONE
    changes_passwords = False
    obeys = BOTH

    @pytest.fixture(autouse=True)
    def _service(self, certificates: Certificates) -> Iterator[None]:
        self.service = FakeDoor(certificates)
        self.service.people["kit"] = []
        self.settings = {
            "url": f"{self.service.origin}/people/{{name}}/password",
            "method": "PUT",
            "body": BODY,
            "auth": "header",
            "header": "X-Api-Key",
            "policy": "422",
            "history_words": "reused",
            "ca_file": str(certificates.authority),
            "timeout": "5",
        }
        yield
        pytest_twisted.blockon(Deferred.fromCoroutine(self.service.stop()))

    def missing_account(self) -> Account | None:
        return account("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.service.lets_in(account.name, secret.reveal_text())

    async def must_change(self, account: Account) -> bool | None:
        return account.name in self.service.must_change

    async def lock(self, account: Account) -> bool:
        self.service.locked.add(account.name)
        return True

    async def is_locked(self, account: Account) -> bool:
        return account.name in self.service.locked

    async def take_down(self) -> bool:
        await self.service.stop()
        return True

    def saying(self, said: Said) -> None:
        self.service.instead = lambda seen: said if seen.method == "PUT" else None

    def troubles(self) -> Mapping[type[ConnectorFailure], Callable[[], Awaitable[object]]]:
        def bring(said: Said) -> Callable[[], Awaitable[object]]:
            async def brought() -> None:
                self.saying(said)

            return brought

        return {
            AccessDenied: bring(Reply(403)),
            Busy: bring(Reply(503)),
            ServerDown: bring(Reply(500)),
            DroppedConnection: bring(Cut()),
            ConnectorError: bring(Reply(400)),
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

    def connector(self, **more: str) -> Any:
        return self.make(**more)

    # -- what the kit does not ask

    @pytest.mark.parametrize(
        ("more", "said", "kind"),
        [
            ({}, Reply(200), None),
            ({}, Reply(204), None),
            ({"success": "202"}, Reply(202), None),
            ({"success": "202"}, Reply(200), ConnectorError),
            ({"success_words": "done | changed"}, Reply(200, b"Changed."), None),
            ({"success_words": "done"}, Reply(200, b"Queued."), ConnectorError),
            ({"policy_words": "too weak"}, Reply(200, b'{"error": "Too weak!"}'), PasswordPolicyViolation),
            ({"policy": "400-409"}, Reply(406), PasswordPolicyViolation),
            ({"missing_words": "no such"}, Reply(400, b"No such user"), ObjectMissing),
            ({"missing": "418"}, Reply(418), ObjectMissing),
            ({"missing": "418"}, Reply(404), ObjectMissing),
            ({"busy_words": "later"}, Reply(500, b"try later"), Busy),
            ({"busy": "599"}, Reply(599), Busy),
            ({}, Reply(401), BadServerCredentials),
            ({}, Reply(403), AccessDenied),
            ({}, Reply(404), ObjectMissing),
            ({}, Reply(429), Busy),
            ({}, Reply(500), ServerDown),
            ({}, Reply(501), NotSupported),
            ({}, Reply(502), ServerDown),
            ({}, Reply(422, b"was reused"), PasswordInHistory),
            ({}, Reply(303, None, {"Location": "/"}), ConnectorError),
            ({}, Cut(), DroppedConnection),
        ],
    )
    @test
    async def test_an_answer_means_what_the_settings_say(
        self, more: dict[str, str], said: Said, kind: type[ConnectorFailure] | None
    ) -> None:
        self.saying(said)
        connector = self.connector(**more)
        failed = await self.ended(self.set(connector, NEW))
        assert (None if failed is None else type(failed)) is kind
        if isinstance(failed, ConnectorFailure):
            assert failed.outcome_unknown is (kind in (ServerDown, DroppedConnection))
            self.hides(failed, NEW)
            self.hides(failed, KEY["token"])

    @test
    async def test_an_attribute_may_name_the_account_and_headers_may_say_it_too(self) -> None:
        self.service.people["E/7 ü"] = []
        connector = self.connector(
            url=f"{self.service.origin}/people/{{eTNumber}}/password?by={{name}}",
            headers="X-Tenant: harbour | X-User: {name} | Content-Type: application/vnd.door+json",
        )
        person = account("ada", etnumber=("E/7 ü",))
        await connector.open()
        await connector.set_password(person, NEW, PasswordOption.NONE)
        seen = self.service.last
        assert seen.target == "/people/E%2F7%20%C3%BC/password?by=ada"
        assert (seen.headers["x-user"], seen.headers["x-tenant"]) == ("ada", "harbour")
        assert seen.headers["content-type"] == "application/vnd.door+json"
        assert self.service.lets_in("E/7 ü", "Sluice-Compass-86")

    @pytest.mark.parametrize("name", ["a\r\nX-Evil: 1", "a\nb", "a\0", "Häfen", " a"])
    @test
    async def test_a_name_never_becomes_another_header(self, name: str) -> None:
        connector = self.connector(url=f"{self.service.origin}/people/kit/password", headers="X-User: {name}")
        with pytest.raises(ObjectMissing, match="cannot stand in a header"):
            await connector.set_password(account(name), NEW, PasswordOption.NONE)
        assert self.service.seen == []

    @test
    async def test_a_redirection_is_not_followed_with_a_password(self) -> None:
        elsewhere = FakeScim(None)
        self.saying(Reply(307, None, {"Location": f"{elsewhere.origin}/"}))
        with pytest.raises(ConnectorError, match="redirections are not followed"):
            await self.set(self.connector(), NEW)
        assert elsewhere.seen == []
        await elsewhere.stop()

    @test
    async def test_what_a_service_repeats_of_a_password_is_not_shown(self) -> None:
        self.saying(Reply(422, b"'Sluice-Compass-86' is too common"))
        with pytest.raises(PasswordPolicyViolation) as failed:
            await self.set(self.connector(), NEW)
        assert str(failed.value) == f"{self.service.origin}: the service refuses it (HTTP status 422)"
        self.saying(Reply(422, b"It is too common."))
        with pytest.raises(PasswordPolicyViolation, match="It is too common"):
            await self.set(self.connector(), NEW)

    @test
    async def test_no_answer_in_time_leaves_the_outcome_unknown(self) -> None:
        self.saying(Silence())
        with pytest.raises(DroppedConnection, match=r"no answer in 0\.3 s") as failed:
            await self.set(self.connector(timeout="0.3"), NEW)
        assert failed.value.outcome_unknown

    @pytest.mark.parametrize(
        ("code", "kind"), [(200, None), (401, BadServerCredentials), (404, ObjectMissing), (503, Busy)]
    )
    @test
    async def test_a_check_is_asked_before_a_password_goes(
        self, code: int, kind: type[ConnectorFailure] | None
    ) -> None:
        self.service.instead = lambda seen: Reply(code) if seen.path == "/health" else None
        connector = self.connector(check=f"{self.service.origin}/health")
        failed = await self.ended(connector.open())
        assert (None if failed is None else type(failed)) is kind
        assert [(seen.method, seen.path) for seen in self.service.seen] == [("GET", "/health")]

    @test
    async def test_without_a_check_any_answer_will_do(self) -> None:
        self.service.instead = lambda seen: Reply(404) if seen.method == "HEAD" else None
        await self.set(self.connector(), NEW)
        assert [seen.method for seen in self.service.seen] == ["HEAD", "PUT"]


@test
async def test_a_call_can_be_signed(certificates: Certificates) -> None:
    from twisted.internet import reactor

    key = b"Mooring-Lines-And-Fenders-0123456789"
    service = FakeDoor(certificates)
    service.instead = lambda seen: Reply(200)
    settings = {
        "url": f"{service.origin}/people/{{name}}",
        "body": '{"new": "{password}"}',
        "auth": "hmac",
        "ca_file": str(certificates.authority),
    }
    connector = HttpsConnector(settings, {"hmac_key": Secret(key)}, reactor)
    nonces = set()
    for _ in range(2):
        await connector.set_password(account("kit"), NEW, PasswordOption.NONE)
        seen = service.last
        time, nonce, signature = (seen.headers[name.lower()] for name in (TIME, NONCE, SIGNATURE))
        assert SharedSecret(key).of_password(time, nonce, f"POST {service.origin}/people/kit", seen.body) == (
            signature
        )
        nonces.add(nonce)
    assert len(nonces) == 2
    await connector.close()
    await service.stop()


@pytest.mark.parametrize(
    ("more", "secrets", "expected"),
    [
        ({"auth": "basic", "user": "prov"}, {"password": "Hüsh:1"}, "Basic cHJvdjpIw7xzaDox"),
        ({"auth": "bearer"}, {"token": "abc"}, "Bearer abc"),
        ({"auth": "header", "header": "Authorization"}, {"token": "SSWS abc"}, "SSWS abc"),
    ],
)
@test
async def test_who_we_are_stands_in_the_header(
    certificates: Certificates, more: dict[str, str], secrets: dict[str, str], expected: str
) -> None:
    from twisted.internet import reactor

    service = FakeDoor(certificates)
    service.instead = lambda seen: Reply(200)
    settings = {
        "url": f"{service.origin}/{{name}}",
        "form": "form",
        "body": "p={password}",
        "ca_file": str(certificates.authority),
        **more,
    }
    given = {name: Secret.of_text(text) for name, text in secrets.items()}
    connector = HttpsConnector(settings, given, reactor)
    await connector.set_password(account("kit"), NEW, PasswordOption.NONE)
    assert service.last.headers["authorization"] == expected
    assert service.last.headers["content-type"] == "application/x-www-form-urlencoded"
    await connector.close()
    await service.stop()
