"""Endpoints as people name them: by DN under any suffix, as `Namespace:Name`, or by name alone where only one
is called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.imps.endpoints import Endpoint, Endpoints
from provserver.imps.namespaces import ENDPOINT_CLASSES
from provserver.ldap.filters import Equality, Or, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Rooms
from provserver.storage.contract import SearchLimits

_OF_ENDPOINTS: Final = Or(tuple([Equality("objectClass", name) for name in ENDPOINT_CLASSES]))
_SEPARATOR: Final = ":"


def name_of(endpoint: Endpoint) -> str:
    """`Namespace:Name`."""
    return f"{endpoint.namespace}{_SEPARATOR}{endpoint.name}"


async def all_endpoints(rooms: Rooms, endpoints: Endpoints) -> list[Endpoint]:
    """Every endpoint of the domain, in the order of their names."""
    found = []
    async for batch in rooms.store.search(rooms.views.domain, Scope.SUBTREE, _OF_ENDPOINTS, SearchLimits()):
        for entry in batch:
            endpoint = await endpoints.get(entry.id)
            if endpoint is not None:
                found.append(endpoint)
    return sorted(found, key=_key)


async def endpoint_named(text: str, rooms: Rooms, endpoints: Endpoints) -> Endpoint:
    """The endpoint that a name means. Refusal NO_SUCH_OBJECT, UNWILLING_TO_PERFORM (there are several)."""
    known = await all_endpoints(rooms, endpoints)
    wanted = text.strip().lower()
    if "=" in text:
        dn, _ = rooms.views.resolve(text)
        found = [one for one in known if one.dn == dn]
    else:
        found = [one for one in known if wanted in (one.name.lower(), name_of(one).lower())]
    if not found:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"there is no endpoint '{text}'; {_expected(known)}")
    if len(found) > 1:
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM, f"several endpoints are called '{text}'; {_expected(found)}"
        )
    return found[0]


_MOST_NAMED: Final = 20


def _expected(known: Sequence[Endpoint]) -> str:
    names = [name_of(one) for one in known[:_MOST_NAMED]]
    more = ", ..." if len(known) > _MOST_NAMED else ""
    return f"expected one of {', '.join(names)}{more}" if names else "the domain has none"


def _key(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.namespace.lower(), endpoint.name.lower()
