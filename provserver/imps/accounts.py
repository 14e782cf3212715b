"""Accounts as people name them: by DN under any suffix, or as `Namespace:Directory:name` (ours)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.imps.inclusions import account_class_of
from provserver.imps.namespaces import namespace
from provserver.imps.views import Views
from provserver.ldap.filters import Equality, Or, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import SearchLimits, Store

_SEPARATOR: Final = ":"


class ShortName(NamedTuple):
    """`ActiveDirectory:AD-Corp:aokafor`: the name in the account's RDN, or its logon name."""

    namespace: str
    endpoint: str
    name: str

    def __str__(self) -> str:
        return _SEPARATOR.join(self)


def read_account_name(text: str, views: Views) -> DN | ShortName:
    """What a name is; no entry is looked at. Refusal INVALID_DN_SYNTAX, NO_SUCH_OBJECT (of no suffix)."""
    parts = [part.strip() for part in text.split(_SEPARATOR, 2)]
    if len(parts) == 3 and "=" not in parts[0]:
        return ShortName(*parts)
    return views.resolve(text)[0]


async def account_of(name: DN | ShortName, views: Views, store: Store) -> DN:
    """The DN that a name means. Refusals of a short one: NO_SUCH_OBJECT, and UNWILLING_TO_PERFORM for
    several.
    """
    if isinstance(name, DN):
        return name
    found = [account.dn async for account in _accounts(name, views, store)]
    if not found:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"there is no account '{name}'")
    if len(found) > 1:
        names = "; ".join(sorted(str(dn) for dn in found))
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, f"several accounts are called '{name}': {names}")
    return found[0]


async def _accounts(short: ShortName, views: Views, store: Store) -> AsyncIterator[Entry]:
    row = namespace(short.namespace)
    top = views.domain.child("eTNamespaceName", short.namespace)
    endpoint = top.child(row.endpoint.rdn_type, short.endpoint)
    named = short.name.encode()
    called = Or(tuple([Equality(type, named) for type in (row.account.rdn_type, row.logon)]))
    async for batch in store.search(endpoint, Scope.SUBTREE, called, SearchLimits()):
        for entry in batch:
            if account_class_of(entry) is not None:
                yield entry
