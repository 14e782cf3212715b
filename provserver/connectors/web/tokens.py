"""Tokens of an authorization server, by client credentials (RFC 6749 4.4): each kept until it ends."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final
from urllib.parse import quote_plus, urlencode

from provserver.connectors.contract import BadServerCredentials, ConnectorError, ConnectorFailure
from provserver.connectors.hashes import text_of
from provserver.connectors.web import failures
from provserver.connectors.web.calling import Answer, Call, Calls, Unanswered
from provserver.vault.secret import Secret

MARGIN: Final = 30.0
"""Seconds before its end from which a token is not used any more; at most half of its time."""

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_OURS: Final = frozenset({"invalid_client", "invalid_grant", "unauthorized_client"})
_KNOWN: Final = _OURS | {"invalid_request", "unsupported_grant_type", "invalid_scope"}
"""RFC 6749 5.2. No other text of the server's is shown: it has seen our secret."""
_VISIBLE: Final = re.compile(rb"[\x21-\x7e]+")


class ClientAuth(Enum):
    """How a client says who it is (RFC 6749 2.3.1)."""

    BASIC = "basic"
    POST = "post"


class Tokens:
    """One client's. `seconds`: a clock."""

    def __init__(
        self,
        url: str,
        client: str,
        secret: Secret,
        scope: str,
        by: ClientAuth,
        seconds: Callable[[], float],
    ) -> None:
        self._url, self._client, self._secret, self._scope, self._by = url, client, secret, scope, by
        self._seconds = seconds
        self._token: Secret | None = None
        self._until: float | None = None

    async def token(self, calls: Calls) -> Secret:
        """One that has not ended. ConnectorFailure."""
        if self._token is not None and (self._until is None or self._seconds() < self._until):
            return self._token
        try:
            answer = await calls.call(self._call())
        except Unanswered as error:
            failure = failures.unanswered(error, opening=True)
        else:
            if answer.is_good:
                return self._taken(answer)
            failure = _refused(answer)
        raise failures.placed(self._url, failure)

    def forget(self) -> bool:
        """It is not accepted any more. False: there was none."""
        had, self._token = self._token is not None, None
        return had

    def secrets(self) -> list[Secret]:
        """What the service or its authorization server is shown."""
        return [self._secret] if self._token is None else [self._secret, self._token]

    def _call(self) -> Call:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        headers: Mapping[str, str] = _FORM
        if self._by is ClientAuth.BASIC:
            pair = f"{quote_plus(self._client)}:{quote_plus(text_of(self._secret))}"
            headers = {**_FORM, "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        else:
            form |= {"client_id": self._client, "client_secret": text_of(self._secret)}
        return Call("POST", self._url, headers, Secret.of_text(urlencode(form)))

    def _taken(self, answer: Answer) -> Secret:
        """RFC 6749 5.1."""
        token, kind, lasts = _read(answer)
        if token is None or kind.lower() != "bearer":
            raise ConnectorError(f"{self._url}: expected JSON with access_token, of token_type Bearer")
        self._until = None if lasts is None else self._seconds() + lasts - min(MARGIN, lasts / 2)
        self._token = token
        return token


def _read(answer: Answer) -> tuple[Secret | None, str, float | None]:
    """The token, its kind, and how long it lasts."""
    document = _document(answer)
    token = document.get("access_token")
    lasts = document.get("expires_in")
    if isinstance(lasts, str) and lasts.isdigit():
        lasts = int(lasts)  # as some servers write it
    good = isinstance(token, str) and _VISIBLE.fullmatch(token.encode(errors="replace")) is not None
    return (
        Secret.of_text(str(token)) if good else None,
        str(document.get("token_type", "")),
        float(lasts) if isinstance(lasts, int | float) and 0 <= lasts < 1e9 else None,
    )


def _refused(answer: Answer) -> ConnectorFailure:
    error = str(_document(answer).get("error", ""))
    detail = error if error in _KNOWN else ""
    if answer.code == 400 and error in _OURS:
        return BadServerCredentials(f"HTTP status 400: {error}")
    return failures.of_status(answer, sending=False, detail=detail)


def _document(answer: Answer) -> Mapping[str, object]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
