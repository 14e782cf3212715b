"""Who owns which account: the inclusion objects that join a global user and its accounts by eTID.

An inclusion's `eTPID` is the eTID of the global user, its `eTCID` that of the account; its name is
`<eTPID>@<eTCID>`. Source: facts/imps.md 1.5 (the containers above it are [K]: they are looked for in
base.ldif, not assumed elsewhere).
"""

from __future__ import annotations

from collections.abc import Sequence

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN, RDN
from provserver.imps.namespaces import ACCOUNT_CLASSES
from provserver.storage.contract import Store

SUPERIOR_KEY = "etpid"
SUBORDINATE_KEY = "etcid"
SHORTHAND_KEY = "provglobaluser"
"""`provGlobalUser` on an account that is added: shorthand for the inclusion entry (design "Contracts");
never stored.
"""


def inclusions_container(domain: DN, account_class: str) -> DN:
    """Where the inclusions of accounts of one class live."""
    return DN.parse(
        f"eTSubordinateClass={account_class},eTSuperiorClass=eTGlobalUser,"
        f"eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,{domain}"
    )


def account_class_of(entry: Entry) -> str | None:
    """The account class among an entry's object classes, as the namespace table spells it; None: it is no
    account.
    """
    return account_class_among(entry.values("objectclass"))


def account_class_among(classes: Sequence[bytes]) -> str | None:
    """The same of object classes."""
    for value in classes:
        known = ACCOUNT_CLASSES.get(value.lower())
        if known is not None:
            return known
    return None


def inclusion_of(
    user: tuple[EntryId, str], account: tuple[EntryId, str]
) -> tuple[RDN, list[tuple[str, list[bytes]]]]:
    """The name below its container, and the attributes, of the inclusion that joins a global user and an
    account: each by its eTID and the text of its name.
    """
    (user_id, user_name), (account_id, account_name) = user, account
    name = f"{user_id}@{account_id}"
    return RDN.of("eTInclusionID", name), [
        ("objectClass", [b"eTInclusionObject"]),
        ("eTInclusionID", [name.encode()]),
        ("eTPID", [user_id.encode()]),
        ("eTCID", [account_id.encode()]),
        ("eTSuperiorClassEntry", [user_name.encode()]),
        ("eTSubordinateClassEntry", [account_name.encode()]),
    ]


class Inclusions:
    """Reads the associations of global users and accounts."""

    def __init__(self, store: Store, domain: DN) -> None:
        self._store = store
        self._domain = domain

    async def owner(self, account: Entry) -> Entry | None:
        """The global user that an account is correlated to; a stale inclusion (the user is gone) counts as
        none.
        """
        store = self._store
        for inclusion_id in await store.find(SUBORDINATE_KEY, account.id.encode()):
            inclusion = await store.read_id(inclusion_id)
            if inclusion is None:
                continue
            owner = await store.read_id(_id(inclusion, SUPERIOR_KEY))
            if owner is not None:
                return owner
        return None

    async def accounts(self, user: Entry) -> Sequence[Entry]:
        """Every account of a global user, in the order of their names."""
        store = self._store
        found = []
        for inclusion_id in await store.find(SUPERIOR_KEY, user.id.encode()):
            inclusion = await store.read_id(inclusion_id)
            if inclusion is None:
                continue
            account = await store.read_id(_id(inclusion, SUBORDINATE_KEY))
            if account is not None:
                found.append(account)
        if len(found) > 1:
            found.sort(key=_key)
        return found

    def attributes(self, user: Entry, account: Entry) -> tuple[DN, list[tuple[str, list[bytes]]]]:
        """The name and attributes of the inclusion that joins the two."""
        account_class = account_class_of(account)
        if account_class is None:
            raise ValueError(f"{account.dn} is no account")
        rdn, attributes = inclusion_of((user.id, user.dn.text), (account.id, account.dn.text))
        container = inclusions_container(self._domain, account_class)
        return DN((rdn, *container.rdns)), attributes


def _id(inclusion: Entry, key: str) -> EntryId:
    return EntryId(inclusion.text(key))


def _key(entry: Entry) -> str:
    return entry.dn.key
