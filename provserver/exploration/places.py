"""Where an endpoint's account stands in the tree, and what it is called there.

Namespaces whose endpoints are trees keep their accounts in containers like those of the endpoint
(facts/imps.md 1.3); all others have one container. Its name is [K]; accounts that stand in another one stay
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from provserver.connectors.contract import Account
from provserver.directory.names import DN
from provserver.exploration.mapping import ENTRY_DN
from provserver.imps.namespaces import Kind, Namespace

_ONLY_CONTAINER: Final = "Accounts"
_OF_NO_CONTAINER: Final = "Users"
"""In a tree, for accounts that do not say where they are: where a domain has its accounts to begin with."""
_DOMAIN: Final = "dc"


@dataclass(frozen=True, slots=True)
class Container:
    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class Place:
    """The account's name, and the containers above it, those just below the endpoint first."""

    dn: DN
    name: str
    """The value that the account is named by."""
    containers: tuple[Container, ...]
    binding: bool
    """The endpoint says that it is there: an account that stands elsewhere here has moved."""


_NESTED: Final[Mapping[str, Mapping[str, str]]] = {
    "activedirectory": {"ou": "eTADSOrgUnit", "cn": "eTADSContainer"}
}
"""Namespaces that are trees: the class of a container by the type in its name at the endpoint."""


class Places:
    """Of one endpoint."""

    def __init__(self, endpoint: DN, row: Namespace) -> None:
        self._endpoint = endpoint
        self._row = row
        kinds = {kind.object_class: kind for kind in row.containers}
        nested = _NESTED.get(row.name.lower(), {})
        self._kinds = {type: kinds[name] for type, name in nested.items()}
        self._parents: dict[tuple[Container, ...], DN] = {}

    @property
    def is_tree(self) -> bool:
        """Whether an account's place says something, so that it follows when the account moves."""
        return bool(self._kinds)

    def of(self, account: Account) -> Place:
        """ValueError: no entry can be called so."""
        there = self._there(account) if self._kinds else None
        leaf = there.rdns[0].pairs[0][1] if there is not None else account.name
        containers = self._containers(there)
        parent = self._parents.get(containers)
        if parent is None:
            parent = self._endpoint
            for container in containers:
                parent = parent.child(container.kind.rdn_type, container.value)
            self._parents[containers] = parent
        if not leaf.strip():
            raise ValueError("an account without a name")
        return Place(parent.child(self._row.account.rdn_type, leaf), leaf, containers, there is not None)

    def _there(self, account: Account) -> DN | None:
        """What the account is called at its endpoint. InvalidName."""
        for name, values in account.attributes.items():
            if values and name.lower() == ENTRY_DN:
                there = DN.parse(values[0])
                return there if there.rdns else None
        return None

    def _containers(self, there: DN | None) -> tuple[Container, ...]:
        if not self._kinds:
            return (Container(self._row.containers[0], _ONLY_CONTAINER),)
        if there is None:
            return (Container(self._row.containers[-1], _OF_NO_CONTAINER),)
        found: list[Container] = []
        for rdn in reversed(there.rdns[1:]):
            type, value = rdn.pairs[0]
            if type.lower() != _DOMAIN:
                found.append(Container(self._kinds.get(type.lower(), self._row.containers[-1]), value))
        return tuple(found)
