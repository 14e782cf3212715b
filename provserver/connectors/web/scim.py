"""SCIM 2.0 services as endpoints (RFC 7643, RFC 7644): a user is found by a filter, its password replaced by
a PATCH."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import Enum
from typing import ClassVar, Final, TypeVar
from urllib.parse import quote

from provserver.connectors.contract import (
    Account,
    BadServerCredentials,
    Capabilities,
    ConnectorError,
    ConnectorFailure,
    Misfit,
    NotSupported,
    ObjectMissing,
    PasswordOption,
    SettingsError,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.connectors.web import failures, login, place, scimwords
from provserver.connectors.web.base import WebConnector
from provserver.connectors.web.calling import ANSWER_LIMIT, Answer, Call
from provserver.connectors.web.login import Auth, Session, read_login
from provserver.connectors.web.place import checked_url, read_place
from provserver.connectors.web.scimwords import Wish
from provserver.connectors.web.template import CONTROLS, NO_SEGMENT, Text, Values
from provserver.vault.secret import Secret

PAGE_LIMIT: Final = 32 * 1024 * 1024
"""Octets of a page of users."""
MOST_USERS: Final = 10_000_000
"""That are explored: a service that never ends would hold up an exploration for ever."""

_Read = TypeVar("_Read")
_CONFIG: Final = "/ServiceProviderConfig"
_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9:._$-]*")
_WISHES: Final = {
    "must_change": PasswordOption.FORCE_CHANGE_AT_LOGON,
    "unlock": PasswordOption.UNLOCK_ACCOUNT,
}


class Patch(Enum):
    """How a PATCH says what it replaces."""

    PATH = "path"
    VALUE = "value"


class ScimConnector(WebConnector):
    """A line to one service provider."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "url": "where the service begins, e.g. https://app.example.com/scim/v2; Users is below it",
        **place.SETTING_NAMES,
        **login.SETTING_NAMES,
        "attribute": "by which users are found, e.g. externalId, emails.value; userName when not given",
        "value": "what it is for an account, with {name} or any {attribute} of it; {name} when not given",
        "id": "the user's id for an account, e.g. {eTDYNUserID}, where it can be told: nobody is looked up",
        "patch": "path (the default): replaces the path password; value: the same without a path, for "
        "services that want an object",
        "must_change": "an attribute and its value for a reset that must be changed, as PATH=true; SCIM "
        "itself has none: the wish is passed over when not given",
        "unlock": "the same for one that unlocks, e.g. active=true",
        "page": "how many users are asked for at a time when exploring; 200 when not given",
    }
    secret_names: ClassVar[Mapping[str, str]] = login.SECRET_NAMES
    capabilities: ClassVar[Capabilities] = Capabilities(
        unlock="unlock", must_change="must_change", explore=True, secure="url=https://…", locate=True
    )

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        base = checked_url("url", given.text("url"), with_query=False).rstrip("/")
        who = read_login(given, secrets, Auth.BEARER, reactor, self.random)
        super().__init__(base, read_place(given, base, *who.urls), who, reactor)
        self._attribute = given.text("attribute", "userName")
        if _PATH.fullmatch(self._attribute) is None:
            raise SettingsError("attribute", f"expected an attribute's path, got {self._attribute!r}")
        self._value = Text("value", given.text("value", "{name}"), CONTROLS, "a filter")
        self._id = Text("id", given.text("id"), NO_SEGMENT, "a url") if "id" in given else None
        if self._id is not None and not self._id.places:
            raise SettingsError("id", "expected a place for the account, e.g. {eTDYNUserID}")
        if not self._value.places:
            raise SettingsError("value", "expected a place for the account, e.g. {name}")
        self._patch = given.choice("patch", Patch.PATH)
        self._wishes = {_WISHES[key]: _wish(key, given.text(key)) for key in _WISHES if key in given}
        self._page = given.count("page", 200, least=1, most=10_000)

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        session = await self._opened()
        found = await self._found(session, account)
        wishes = [wish for option, wish in self._wishes.items() if option in options]
        body = scimwords.patch(secret, wishes, with_path=self._patch is Patch.PATH)
        answer = await self._call(session, "PATCH", f"/Users/{quote(found, safe='')}", body)
        if not answer.is_good:
            raise self._placed(scimwords.refusal(answer, session.hidden(secret)))

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        raise NotSupported("SCIM has no way to check the old password")

    async def locate(self, account: Account) -> str:
        """The user's url."""
        session = await self._opened()
        found = await self._found(session, account)
        if self._id is not None:
            answer = await self._call(session, "GET", f"/Users/{quote(found, safe='')}")
            self._demand_good(session, answer)
        return f"{self._where}/Users/{found}"

    async def misfits(self) -> Sequence[Misfit]:
        """By the service's own configuration (RFC 7643 5)."""
        session = await self._opened()
        answer = await self._call(session, "GET", _CONFIG)
        if answer.code in (403, 404):
            return [
                Misfit("the service does not tell what it can do", "see whether a password arrives", False)
            ]
        self._demand_good(session, answer)
        return scimwords.misfits(self._read(scimwords.document, answer), filters=self._id is None)

    async def explore(self) -> AsyncIterator[Account]:
        """Users, page by page. One that has no name is passed over."""
        session = await self._opened()
        at, first = 1, None
        while at <= MOST_USERS:
            asked = {"startIndex": str(at), "count": str(self._page)}
            answer = await self._call(session, "GET", f"/Users{scimwords.query(asked)}", most=PAGE_LIMIT)
            self._demand_good(session, answer)
            listed, total = self._read(scimwords.resources, answer)
            if not listed:
                return
            before, first = first, str(listed[0].get("id"))
            if first == before:
                raise ConnectorError(f"{self._where}: the same page came twice: startIndex is ignored")
            for resource in listed:
                account = scimwords.account_of(resource, self._attribute)
                if account is not None:
                    yield account
            at += len(listed)
            if at > total:
                return
        raise ConnectorError(f"{self._where}: more than {MOST_USERS} users")

    # -- the steps

    async def _check(self, session: Session) -> None:
        """Whether we are let in. ConnectorFailure."""
        answer = await self._call(session, "GET", _CONFIG)
        if answer.is_good:
            return
        failure = failures.of_status(answer, sending=False)
        # RFC 7644 4 demands this document. Some have none, or show it to others only, and take passwords.
        if failure.transient or isinstance(failure, BadServerCredentials):
            raise self._placed(failure)

    async def _found(self, session: Session, account: Account) -> str:
        """The user's id. ObjectMissing."""
        values = Values(account)
        if self._id is not None:
            return self._id.fill(values)
        value = self._value.fill(values)
        asked = {
            "filter": scimwords.equals(self._attribute, value),
            "attributes": self._attribute,
            "count": "2",
        }
        answer = await self._call(session, "GET", f"/Users{scimwords.query(asked)}")
        if answer.code == 404:
            raise self._placed(ConnectorError("there is no Users below it: look at the url"))
        self._demand_good(session, answer)
        listed, total = self._read(scimwords.resources, answer)
        if not listed or total == 0:
            raise self._placed(ObjectMissing(f"no user has the {self._attribute} {value!r}"))
        if max(total, len(listed)) > 1:
            raise self._placed(ConnectorError(f"{total} users have the {self._attribute} {value!r}"))
        found, said = listed[0].get("id"), listed[0].get(self._attribute, value)
        if isinstance(said, str) and said.casefold() != value.casefold():
            # It would get the password of somebody else.
            raise self._placed(ConnectorError(f"a user was found whose {self._attribute} is another one"))
        if not isinstance(found, str) or NO_SEGMENT.search(found):
            raise self._placed(ConnectorError("expected a user with an id"))
        return found

    async def _call(
        self,
        session: Session,
        method: str,
        path: str,
        body: Secret | None = None,
        most: int = ANSWER_LIMIT,
    ) -> Answer:
        """ConnectorFailure: no answer."""
        headers = {"Accept": f"{scimwords.MEDIA_TYPE}, application/json"}
        if body is not None:
            headers["Content-Type"] = scimwords.MEDIA_TYPE
        return await self._asked(session, Call(method, self._where + path, headers, body), most)

    def _demand_good(self, session: Session, answer: Answer) -> None:
        if not answer.is_good:
            detail = scimwords.detail(answer, session.hidden())
            raise self._placed(failures.of_status(answer, sending=False, detail=detail))

    def _read(self, reading: Callable[[Answer], _Read], answer: Answer) -> _Read:
        try:
            return reading(answer)
        except ConnectorFailure as error:
            failure = error
        raise self._placed(failure)


def _wish(key: str, text: str) -> Wish:
    """`PATH=VALUE`; true and false are no texts. SettingsError."""
    path, equals, value = text.rpartition("=")
    if not equals or _PATH.fullmatch(path) is None or not value or path.casefold() == "password":
        raise SettingsError(key, f"expected PATH=VALUE, e.g. active=true, got {text!r}")
    return path, json.loads(value) if value in ("true", "false") else value
