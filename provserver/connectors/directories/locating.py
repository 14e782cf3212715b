"""Where a directory has an account: a DN template, or a base and a filter template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from provserver.connectors.contract import Account, ObjectMissing, SettingsError
from provserver.connectors.registry import Settings
from provserver.directory.names import DN, RDN, InvalidName
from provserver.ldap.filters import Filter, FilterSyntaxError, escape_value, parse_filter

SETTING_NAMES: Final[Mapping[str, str]] = {
    "dn": "an account's DN, e.g. uid={name},ou=people,dc=example,dc=com; {name} is the account's name, "
    "{attribute} any attribute of the account; instead of base and filter",
    "base": "where accounts are looked up, when their DN cannot be told from their name",
    "filter": "how an account is looked up below base, e.g. (uid={name}); must find exactly one entry",
}

_PLACE: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9-]*)\}")
_NAMING_RDN: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*\{name\}\s*(?:,|$)")
_NAMING_ASSERTION: Final = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]*)\s*=\{name\}\)")


class Locator:
    """SettingsError when the settings say neither a DN nor a base and a filter, or both."""

    def __init__(self, given: Settings) -> None:
        self.dn = given.text("dn", "")
        self.base = given.text("base", "")
        self._filter = given.text("filter", "")
        if bool(self.dn) == bool(self.base or self._filter):
            raise SettingsError("dn", "expected either dn, or base and filter")
        if self.dn:
            if not _PLACE.search(self.dn):
                raise SettingsError(
                    "dn", "expected a place for the account, e.g. uid={name},ou=people,dc=example"
                )
            check_dn("dn", self.dn)
            return
        if not (self.base and self._filter):
            raise SettingsError("filter" if self.base else "base", "expected both base and filter")
        check_dn("base", self.base)
        if not _PLACE.search(self._filter):
            raise SettingsError("filter", "expected a place for the account, e.g. (uid={name})")
        check_filter("filter", self._filter)

    def dn_of(self, account: Account) -> str:
        """RDN.of writes each value with RFC 4514's escapes. ObjectMissing: no name can be made."""
        try:
            return _PLACE.sub(lambda found: RDN.of("x", _value(account, found[1])).text[2:], self.dn)
        except InvalidName as error:
            raise ObjectMissing(f"{account.name!r} can be no name in a directory: {error}") from None

    def filter_of(self, account: Account) -> Filter:
        return parse_filter(
            _PLACE.sub(lambda found: escape_value(_value(account, found[1]).encode()), self._filter)
        )

    @property
    def naming_attribute(self) -> str:
        """The attribute that `{name}` is the value of; empty: the templates do not say it."""
        found = _NAMING_RDN.match(self.dn) if self.dn else _NAMING_ASSERTION.search(self._filter)
        return found[1] if found else ""

    @property
    def above(self) -> str:
        """The entry below which all accounts are; empty: the templates do not say it."""
        if not self.dn:
            return self.base
        above = DN.parse(_PLACE.sub(_MARK, self.dn)).parent
        while above is not None and _MARK in above.text:
            above = above.parent
        return above.text if above is not None else ""


_MARK: Final = "provserverplace"


def check_dn(key: str, text: str) -> None:
    """SettingsError for what is no DN once its places are filled."""
    try:
        DN.parse(_PLACE.sub("x", text))
    except InvalidName as error:
        raise SettingsError(key, str(error)) from None


def check_filter(key: str, text: str) -> None:
    try:
        parse_filter(_PLACE.sub("x", text))
    except FilterSyntaxError as error:
        raise SettingsError(key, str(error)) from None


def _value(account: Account, place: str) -> str:
    """What stands in a place of a template. ObjectMissing: the account does not say it."""
    if place == "name":
        return account.name
    wanted = place.lower()
    for description, values in account.attributes.items():
        if description.lower() == wanted and values:
            return values[0]
    raise ObjectMissing(f"account {account.name!r} has no attribute {place}, which its DN is made of")
