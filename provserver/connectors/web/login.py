"""Who we are at a web service, and calls that say so."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Protocol

from provserver.connectors.contract import SettingsError
from provserver.connectors.hashes import text_of
from provserver.connectors.registry import Settings
from provserver.connectors.web.calling import ANSWER_LIMIT, Answer, Call, Calls
from provserver.connectors.web.place import checked_url
from provserver.connectors.web.template import HEADER_NAME, HTTPS_OWN, NO_HEADER
from provserver.connectors.web.tokens import ClientAuth, Tokens
from provserver.https.signing import NONCE, NONCE_SIZE, SHORTEST, SIGNATURE, TIME, SharedSecret
from provserver.vault.secret import Secret

SETTING_NAMES: Final[Mapping[str, str]] = {
    "auth": "who we are: bearer, a token that is a secret (for scim when not given); oauth, tokens by client "
    "credentials; basic, a user and a password; header, a secret in a header; hmac, each call signed; none, "
    "or the client certificate alone (for https when not given)",
    "user": "with auth=basic: the user",
    "header": "with auth=header: the header's name, e.g. X-Api-Key",
    "token_url": "with auth=oauth: where tokens are had",
    "client_id": "with auth=oauth: our name there",
    "client_auth": "with auth=oauth: basic (the default) or post, how the client's secret is sent",
    "scope": "with auth=oauth: what a token is asked for; nothing when not given",
}
SECRET_NAMES: Final[Mapping[str, str]] = {
    "token": "with auth=bearer or header",
    "password": "with auth=basic",
    "client_secret": "with auth=oauth",
    "hmac_key": f"with auth=hmac, at least {SHORTEST} octets",
}


class Auth(Enum):
    NONE = "none"
    BEARER = "bearer"
    OAUTH = "oauth"
    BASIC = "basic"
    HEADER = "header"
    HMAC = "hmac"


_NEEDS: Final[Mapping[Auth, tuple[tuple[str, ...], tuple[str, ...], str]]] = {
    Auth.NONE: ((), (), ""),
    Auth.BEARER: ((), (), "token"),
    Auth.OAUTH: (("token_url", "client_id"), ("scope", "client_auth"), "client_secret"),
    Auth.BASIC: (("user",), (), "password"),
    Auth.HEADER: (("header",), (), "token"),
    Auth.HMAC: ((), (), "hmac_key"),
}
"""Settings that must be given, that may be given, and the secret."""


class Login(Protocol):
    """Says who we are."""

    @property
    def urls(self) -> tuple[str, ...]:
        """What else is called for it."""

    async def signed(self, call: Call, calls: Calls) -> Call:
        """The call as we may make it. ConnectorFailure."""

    def renew(self) -> bool:
        """We were not accepted. True: it can be tried once more, with something new."""

    def secrets(self) -> Sequence[Secret]:
        """What is sent, and may not be repeated to anybody."""


class _Fixed:
    """The same headers each time. `headers` makes them of the secret, and is called for each call."""

    urls: tuple[str, ...] = ()

    def __init__(self, headers: Callable[[], Mapping[str, str]], *secrets: Secret) -> None:
        self._headers, self._secrets = headers, secrets

    async def signed(self, call: Call, calls: Calls) -> Call:
        return call.with_headers(self._headers())

    def renew(self) -> bool:
        return False

    def secrets(self) -> Sequence[Secret]:
        return self._secrets


class _ByTokens:
    def __init__(self, url: str, tokens: Tokens) -> None:
        self.urls: tuple[str, ...] = (url,)
        self._tokens = tokens

    async def signed(self, call: Call, calls: Calls) -> Call:
        return call.with_headers(_bearer(await self._tokens.token(calls)))

    def renew(self) -> bool:
        return self._tokens.forget()

    def secrets(self) -> Sequence[Secret]:
        return self._tokens.secrets()


class _Signed:
    """`wall`: seconds since the epoch; `random`: so many octets."""

    urls: tuple[str, ...] = ()

    def __init__(
        self, secret: SharedSecret, wall: Callable[[], float], random: Callable[[int], bytes]
    ) -> None:
        self._secret, self._wall, self._random = secret, wall, random

    async def signed(self, call: Call, calls: Calls) -> Call:
        time, nonce = str(int(self._wall())), self._random(NONCE_SIZE).hex()
        target = f"{call.method} {call.url}"
        signature = self._secret.of_password(
            time, nonce, target, b"" if call.body is None else call.body.reveal()
        )
        return call.with_headers({TIME: time, NONCE: nonce, SIGNATURE: signature})

    def renew(self) -> bool:
        return False

    def secrets(self) -> Sequence[Secret]:
        return ()


class Session:
    """Calls that say who we are. When a token is not accepted, another one is had, once."""

    def __init__(self, login: Login, calls: Calls) -> None:
        self._login, self._calls = login, calls

    async def call(self, call: Call, most: int = ANSWER_LIMIT) -> Answer:
        """Unanswered, and ConnectorFailure of the login."""
        answer = await self._calls.call(await self._login.signed(call, self._calls), most)
        if answer.code == 401 and self._login.renew():
            answer = await self._calls.call(await self._login.signed(call, self._calls), most)
        return answer

    @property
    def is_connected(self) -> bool:
        """Whether the connection is still there, as far as can be known."""
        return self._calls.is_connected

    def hidden(self, *more: Secret) -> Sequence[Secret]:
        """What may not be repeated to anybody."""
        return [*self._login.secrets(), *more]

    async def close(self) -> None:
        await self._calls.close()


def read_login(
    given: Settings,
    secrets: Mapping[str, Secret],
    default: Auth,
    reactor: Any,
    random: Callable[[int], bytes],
) -> Login:
    """SettingsError."""
    auth = given.choice("auth", default)
    must, may, name = _NEEDS[auth]
    for key in SETTING_NAMES:
        if key != "auth" and key in given and key not in (*must, *may):
            raise SettingsError(key, f"expected none with auth={auth.value}")
    for key in secrets:
        if key != name:
            raise SettingsError(key, f"expected none with auth={auth.value}")
    for key in must:
        given.text(key)
    if not name:
        return _Fixed(dict)
    secret = secrets.get(name)
    if not secret:
        raise SettingsError(name, f"must be given with auth={auth.value}, and not be empty")
    return _login_by(auth, given, secret, name, reactor, random)


def _login_by(
    auth: Auth, given: Settings, secret: Secret, name: str, reactor: Any, random: Callable[[int], bytes]
) -> Login:
    if auth is Auth.HMAC:
        if len(secret.reveal()) < SHORTEST:
            raise SettingsError(name, f"expected at least {SHORTEST} octets")
        return _Signed(SharedSecret(secret.reveal()), reactor.seconds, random)
    if auth is Auth.OAUTH:
        url = checked_url("token_url", given.text("token_url"))
        by = given.choice("client_auth", ClientAuth.BASIC)
        _checked_text(name, secret)
        tokens = Tokens(
            url,
            given.text("client_id"),
            secret,
            given.text("scope", ""),
            by,
            lambda: float(reactor.seconds()),
        )
        return _ByTokens(url, tokens)
    if auth is Auth.BASIC:
        user = given.text("user")
        if ":" in user or not user.isprintable():
            raise SettingsError("user", "expected a name without a colon (RFC 7617 2)")
        return _Fixed(lambda: _basic(user, secret), secret)
    _checked_text(name, secret)
    if NO_HEADER.search(text_of(secret)):
        raise SettingsError(name, "expected visible ASCII characters: it stands in a header")
    if auth is Auth.BEARER:
        return _Fixed(lambda: _bearer(secret), secret)
    header = given.text("header")
    if HEADER_NAME.fullmatch(header) is None or header.lower() in HTTPS_OWN:
        raise SettingsError("header", f"expected the name of a header, e.g. X-Api-Key, got {header!r}")
    return _Fixed(lambda: {header: text_of(secret)}, secret)


def _checked_text(name: str, secret: Secret) -> None:
    try:
        secret.reveal_text()
    except ValueError:
        raise SettingsError(name, "expected UTF-8 text") from None


def _bearer(token: Secret) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {text_of(token)}"}


def _basic(user: str, password: Secret) -> Mapping[str, str]:
    pair = base64.b64encode(b"%b:%b" % (user.encode(), password.reveal()))
    return {"Authorization": f"Basic {pair.decode()}"}
