"""Every account of a directory, page by page (RFC 2696), over a line of its own."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

from twisted.internet.defer import Deferred

from provserver.connectors.contract import Account, ConnectorError, ConnectorFailure, SettingsError
from provserver.connectors.directories.locating import Locator, check_dn, check_filter
from provserver.connectors.directories.meanings import Meanings, lost
from provserver.connectors.registry import Settings
from provserver.directory.names import DN, InvalidName
from provserver.ldap.client import Found, LdapClient, LineError
from provserver.ldap.controls.paging import PagedResults
from provserver.ldap.filters import Filter, Present, Scope, parse_filter
from provserver.ldap.messages import Control
from provserver.ldap.results import Refusal, ResultCode

SETTING_NAMES: Final[Mapping[str, str]] = {
    "explore_base": "below which entry accounts are explored; base, or what the dn template has after its "
    "last place, when not given",
    "explore_filter": "which entries below explore_base are accounts; those with the naming attribute when "
    "not given, e.g. (uid=*)",
    "explore_name": "the attribute that is an account's name; the one that {name} stands for in dn or filter "
    "when not given",
    "explore_attributes": "which attributes of an account exploring reads, e.g. cn,sn,mail; common ones of "
    "people when not given",
}

PAGE: Final = 500
"""Accounts on a page: one is read while another is used, and no more are in memory."""
UNPAGED: Final = 100_000
"""Accounts that are read at once from a server that knows no pages; for more, the filter must be narrower."""
PATIENCE: Final = 60.0
"""Seconds for a page, or for all accounts without pages: more than for an answer to one password."""
ENTRY_DN: Final = "entryDN"
"""RFC 5020's name for what the entry is called at the directory."""

_OF_PEOPLE: Final = (
    "cn", "sn", "givenName", "displayName", "initials", "uid", "mail", "employeeNumber", "employeeType",
    "title", "ou", "departmentNumber", "telephoneNumber", "mobile", "description",
)  # fmt: skip
_NEVER: Final = re.compile(r"\*|\+|.*(password|unicodepwd|pwdhistory).*", re.IGNORECASE)


class Exploring:
    """What is explored. SettingsError."""

    def __init__(self, given: Settings, locate: Locator) -> None:
        self._base = given.text("explore_base", "") or locate.above
        check_dn("explore_base", self._base)
        self._name = given.text("explore_name", "") or locate.naming_attribute
        text = given.text("explore_filter", "")
        check_filter("explore_filter", text or "(x=*)")
        self._filter: Filter = parse_filter(text) if text else Present(self._name or "objectClass")
        wanted = [name for name in re.split(r"[\s,]+", given.text("explore_attributes", "")) if name]
        for name in wanted:
            if _NEVER.fullmatch(name):
                raise SettingsError(
                    "explore_attributes", f"expected names of attributes, none of a password, got {name!r}"
                )
        self._attributes: Sequence[str] = tuple(dict.fromkeys([self._name, *(wanted or _OF_PEOPLE)]))

    async def accounts(self, client: LdapClient, meanings: Meanings) -> AsyncGenerator[Account, None]:
        """The accounts found over this line. ConnectorFailure."""
        if not self._name:
            raise ConnectorError(
                "explore_name must be given: the templates do not say what an account's name is"
            )
        try:
            async with aclosing(self._pages(client)) as pages:
                async for page in pages:
                    for found in page:
                        account = self._account(found)
                        if account is not None:
                            yield account
        except LineError as error:
            raise lost(error) from None
        except Refusal as refusal:
            raise self._failure(refusal, meanings) from None

    async def _pages(self, client: LdapClient) -> AsyncGenerator[Sequence[Found], None]:
        """Each page, while the next one is on its way."""
        waiting = self._asked(client, b"")
        try:
            while True:
                try:
                    page, cookie = await waiting
                except Refusal as refusal:
                    if refusal.code is not ResultCode.UNAVAILABLE_CRITICAL_EXTENSION:
                        raise
                    yield await self._search(client, size_limit=UNPAGED)
                    return
                if cookie:
                    waiting = self._asked(client, cookie)
                yield page
                if not cookie:
                    return
        finally:
            waiting.addErrback(lambda _: None)
            waiting.cancel()

    def _asked(self, client: LdapClient, cookie: bytes) -> Deferred[tuple[list[Found], bytes]]:
        """A page, and where the next one begins; empty: it was the last, or the server makes no pages."""

        async def page() -> tuple[list[Found], bytes]:
            told: list[Control] = []
            paged = Control(PagedResults.oid, True, PagedResults(PAGE, cookie).encode())
            return await self._search(client, controls=[paged], told=told.append), _cookie(told)

        return Deferred.fromCoroutine(page())

    async def _search(self, client: LdapClient, **more: Any) -> list[Found]:
        return await client.search(self._base, Scope.SUBTREE, self._filter, self._attributes, **more)

    def _account(self, found: Found) -> Account | None:
        """None for what has no name. Their DN is empty: a directory knows none of ours; what it calls them
        is the attribute entryDN."""
        attributes: dict[str, tuple[str, ...]] = {ENTRY_DN: (found.dn,)}
        for name, values in found.attributes.items():
            texts = tuple(text for value in values if (text := _text(value)) is not None)
            if texts:
                attributes[name] = texts
        names = next((values for key, values in attributes.items() if key.lower() == self._name.lower()), ())
        if not names:
            return None
        return Account(names[0] if len(names) == 1 else self._chosen(found.dn, names), _NOWHERE, attributes)

    def _chosen(self, dn: str, names: tuple[str, ...]) -> str:
        """Of several names the one that the entry is called by, else the first."""
        with suppress(InvalidName):
            for attribute, value in DN.parse(dn).rdns[0].pairs:
                if attribute.lower() == self._name.lower() and value in names:
                    return value
        return names[0]

    def _failure(self, refusal: Refusal, meanings: Meanings) -> ConnectorFailure:
        if refusal.code is ResultCode.SIZE_LIMIT_EXCEEDED:
            return ConnectorError(
                f"{self._base}: there are more accounts than the server lists for our login, or than the "
                f"{UNPAGED} that are read from a server without pages: raise its limit, or give a narrower "
                "explore_filter"
            )
        return meanings.of_set(refusal, self._base)


_NOWHERE: Final = DN.parse("")


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _cookie(told: Sequence[Control]) -> bytes:
    for control in told:
        if control.oid == PagedResults.oid:
            return PagedResults.decode(control.value).cookie
    return b""
