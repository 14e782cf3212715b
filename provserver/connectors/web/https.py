"""A web service that sets passwords in its own way: one HTTPS call, made of a template."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import Enum
from typing import ClassVar, Final
from urllib.parse import urlsplit

from provserver.connectors.contract import (
    Account,
    Capabilities,
    NotSupported,
    PasswordOption,
    SettingsError,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.connectors.web import failures, login, meaning, place
from provserver.connectors.web.base import WebConnector
from provserver.connectors.web.calling import Call
from provserver.connectors.web.login import Auth, Session, read_login
from provserver.connectors.web.meaning import Meanings
from provserver.connectors.web.place import checked_url, read_place
from provserver.connectors.web.template import (
    CONTENT_TYPES,
    HTTPS_OWN,
    NO_SEGMENT,
    Body,
    Form,
    Text,
    Values,
    header_lines,
    in_url,
)
from provserver.https.signing import NONCE, SIGNATURE, TIME
from provserver.vault.secret import Secret

_OURS: Final = HTTPS_OWN | {
    name.lower() for name in ("Authorization", "Proxy-Authorization", NONCE, SIGNATURE, TIME)
}
"""Headers that the settings do not make."""


class Method(Enum):
    """How passwords are sent."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"


class HttpsConnector(WebConnector):
    """A line to one service."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "url": "what is called, with {name} or any {attribute} of the account in its path or after the ?; "
        "the password never stands there",
        "method": "POST (the default), PUT or PATCH",
        "form": "what the body is: json (the default), form, xml or raw",
        "body": 'the body, e.g. {"user": "{name}", "new": "{password}", "expire": {force_change}}; '
        "{password}, {name}, {attribute}, {force_change} and {unlock} are escaped for where they stand",
        "flag_words": "what {force_change} and {unlock} are, set and not set; true,false when not given",
        "headers": "more headers, e.g. X-Tenant: harbour | X-User: {name}",
        **place.SETTING_NAMES,
        **login.SETTING_NAMES,
        **meaning.SETTING_NAMES,
        "check": "a url that a GET answers with success when the service is well and knows us, tried when a "
        "line is opened; when not given, any answer to HEAD / will do",
    }
    secret_names: ClassVar[Mapping[str, str]] = login.SECRET_NAMES
    capabilities: ClassVar[Capabilities] = Capabilities(
        unlock="{unlock} in body", must_change="{force_change} in body", secure="url=https://…"
    )

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        self._url = _url(given)
        self._method = given.choice("method", Method.POST)
        form = given.choice("form", Form.JSON)
        self._body = Body("body", given.text("body"), form)
        self._flag_words = _flag_words(given)
        self._type = CONTENT_TYPES[form]
        self._headers = header_lines("headers", given.text("headers", ""), _OURS)
        places = {one for text in (self._url, *self._headers.values()) for one in text.places}
        if not places and set(self._body.places) <= {"password", "force_change", "unlock"}:
            raise SettingsError("body", "expected a place for the account, e.g. {name}, here or in the url")
        self._meanings = Meanings(given)
        self._check_url = checked_url("check", given.text("check")) if "check" in given else ""
        who = read_login(given, secrets, Auth.NONE, reactor, self.random)
        parts = urlsplit(given.text("url"))
        where = f"{parts.scheme}://{parts.netloc}"
        urls = [where, *who.urls, *([self._check_url] if self._check_url else [])]
        super().__init__(where, read_place(given, *urls), who, reactor)

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        call = self._call(Values(account, secret, options, self._flag_words))
        session = await self._opened()
        answer = await self._asked(session, call)
        failure = self._meanings.failure(answer, session.hidden(secret))
        if failure is not None:
            raise self._placed(failure)

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        raise NotSupported("the call of the settings has no place for the old password")

    def explore(self) -> AsyncIterator[Account]:
        raise NotSupported("the call of the settings sets passwords, and lists no accounts")

    # -- the steps

    def _call(self, values: Values) -> Call:
        """ObjectMissing, PasswordIllFormed."""
        headers = {"Content-Type": self._type, "Accept": "*/*"}
        for name, text in self._headers.items():
            headers = {known: it for known, it in headers.items() if known.lower() != name.lower()}
            headers[name] = text.fill(values)
        url, body = self._url.fill(values, in_url), self._body.fill(values)
        return Call(self._method.value, url, headers, body)

    async def _check(self, session: Session) -> None:
        """ConnectorFailure."""
        if not self._check_url:
            await self._asked(session, Call("HEAD", f"{self._where}/", {}))
            return
        answer = await self._asked(session, Call("GET", self._check_url, {"Accept": "*/*"}))
        if not answer.is_good:
            raise failures.placed(self._check_url, failures.of_status(answer, sending=False))


def _url(given: Settings) -> Text:
    """SettingsError."""
    text = given.text("url")
    host = text.partition("://")[2].partition("/")[0].partition("?")[0]
    if "{" in host:
        raise SettingsError("url", "expected no place in the host: it must be the same for every account")
    checked_url("url", text.replace("{", "").replace("}", ""))
    return Text("url", text, NO_SEGMENT, "a url")


def _flag_words(given: Settings) -> tuple[str, str]:
    words = [word.strip() for word in given.text("flag_words", "true,false").split(",")]
    if len(words) != 2:
        raise SettingsError("flag_words", f"expected two words, as 1,0, got {','.join(words)!r}")
    return words[0], words[1]
