"""Names that people give to commands, found where the command asks; and what is shown of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Final

from provserver.cli.failure import CommandFailed
from provserver.cli.places import ANYTHING, Place
from provserver.directory.names import DN, InvalidName
from provserver.imps.accounts import ShortName
from provserver.imps.namespaces import namespace
from provserver.imps.users import global_user_dn
from provserver.imps.views import View
from provserver.ldap.client import Found
from provserver.ldap.filters import And, Equality, Or, Scope
from provserver.ldap.results import Refusal, ResultCode

OUTBOX: Final = "cn=outbox,cn=monitor"
ENDPOINTS: Final = "cn=endpoints,cn=monitor"
ALL: Final = ("*", "+")
A_USER: Final = Equality("objectClass", b"eTGlobalUser")
_MOST_NAMED: Final = 20
_OF_NO_INTEREST: Final = frozenset({"objectclass", "entrydn", "subschemasubentry", "hassubordinates"})


def text(found: Found, name: str) -> str:
    """The first value of an attribute; empty if there is none."""
    values = found.values(name)
    return values[0].decode() if values else ""


def when(found: Found, name: str) -> str:
    """A time, as UTC in ISO 8601; empty if there is none."""
    value = text(found, name)
    return f"{datetime.fromisoformat(f'{value[:8]}T{value[8:]}'):%Y-%m-%dT%H:%M:%SZ}" if value else ""


def leaf(dn: str) -> str:
    """The value of a name's first level, which is what people call the entry."""
    return DN.parse(dn).rdns[0].pairs[0][1] if dn else ""


def as_json(found: Found) -> dict[str, object]:
    """An entry for programs: its attributes as texts, those with one value without a list around it."""
    shown: dict[str, object] = {"dn": found.dn}
    for name, values in found.attributes.items():
        if name.lower() in _OF_NO_INTEREST:
            continue
        texts = [value.decode(errors="replace") for value in values]
        shown[name] = texts[0] if len(texts) == 1 else texts
    return shown


async def all_endpoints(place: Place) -> list[Found]:
    """What the monitor says of each endpoint, in the order of their names."""
    return [one async for one in place.search(ENDPOINTS, Scope.ONE_LEVEL, ANYTHING, ALL)]


async def endpoint_named(place: Place, name: str) -> Found:
    """What the monitor says of the one endpoint of that name: `Namespace:Name`, a name, or a DN.
    CommandFailed.
    """
    known = await all_endpoints(place)
    wanted = _inside(name).lower()
    found = [one for one in known if wanted in (leaf(one.dn).lower(), *_names(one))]
    if len(found) == 1:
        return found[0]
    names = [leaf(one.dn) for one in found or known]
    if len(names) > _MOST_NAMED:
        names = get_close_matches(name, names, _MOST_NAMED, cutoff=0.0)
    listed = ", ".join(names)
    more = ", ..." if len(found or known) > _MOST_NAMED else ""
    problem = f"several endpoints are called '{name}'" if found else f"there is no endpoint '{name}'"
    raise CommandFailed(f"{problem}: expected one of {listed}{more}" if listed else f"{problem}, nor any")


def _names(endpoint: Found) -> tuple[str, str]:
    return text(endpoint, "eTDirectoryName").lower(), text(endpoint, "provEndpointName").lower()


async def user_named(place: Place, name: str, attributes: Sequence[str] = ("1.1",)) -> Found:
    """The global user of that name or DN. CommandFailed."""
    try:
        dn = _inside(name) if "=" in name else str(global_user_dn(name, DN.parse(await place.domain())))
        found = [one async for one in place.search(dn, Scope.BASE, A_USER, attributes)]
    except InvalidName as error:
        raise CommandFailed(f"'{name}' is no name of a global user: {error}") from None
    except Refusal as refusal:
        if refusal.code is not ResultCode.NO_SUCH_OBJECT:
            raise
        found = []
    if not found:
        raise CommandFailed(f"there is no global user '{name}': expected an eTGlobalUserName, or a DN")
    return found[0]


async def account_named(place: Place, name: str) -> str:
    """The DN of the account that is called `Namespace:Directory:name`, or of that DN. CommandFailed."""
    parts = [part.strip() for part in name.split(":", 2)]
    if len(parts) != 3 or "=" in parts[0]:
        return _inside(name)
    short = ShortName(*parts)
    endpoint = await endpoint_named(place, f"{short.namespace}:{short.endpoint}")
    row, named = namespace(short.namespace), short.name.encode()
    called = Or((Equality(row.account.rdn_type, named), Equality(row.logon, named)))
    accounts = And((Equality("objectClass", row.account.object_class.encode()), called))
    base = text(endpoint, "provEndpointName")
    found = [one.dn async for one in place.search(base, Scope.SUBTREE, accounts, ["1.1"])]
    if not found:
        raise CommandFailed(f"there is no account '{name}': expected Namespace:Directory:name, or a DN")
    if len(found) > 1:
        raise CommandFailed(f"several accounts are called '{name}': {'; '.join(sorted(found))}")
    return found[0]


def _inside(name: str) -> str:
    """A DN as it ends inside; any other name as it is."""
    for view in View:
        if view is not View.BARE and name.lower().endswith(view.value):
            return name[: -len(view.value)]
    return name
