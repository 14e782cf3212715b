"""What is asked about endpoints and accounts while passwords are on their way, answered from the tree."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from provserver.connectors.contract import Account, Connector, Fold, keep_as_is
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.plan import account_for_connector
from provserver.directory.entries import EntryId
from provserver.foundation import Foundation, connector_of
from provserver.imps.endpoints import Endpoint
from provserver.passwords.committing import row_of
from provserver.storage.contract import Delivery
from provserver.vault.secret import Secret


class EndpointFacts:
    """What couriers and the exchange ask about endpoints and accounts, answered from the tree as it is
    now."""

    def __init__(self, foundation: Foundation, kinds: ConnectorKinds, reactor: Any) -> None:
        self._foundation = foundation
        self._kinds = kinds
        self._reactor = reactor
        self._folds: dict[EntryId, tuple[int, Fold]] = {}

    def fold_of(self, endpoint: Endpoint) -> Fold:
        """How the endpoint alters passwords before it compares; as they are, for an endpoint that cannot be
        made.
        """
        known = self._folds.get(endpoint.id)
        if known is None or known[0] != endpoint.version:
            try:
                fold = self.connector(endpoint).fold
            except (LookupError, ValueError):
                fold = keep_as_is
            known = self._folds[endpoint.id] = (endpoint.version, fold)
        return known[1]

    def schemes_of(self, endpoint: Endpoint) -> Container[str]:
        """In which schemes the endpoint takes passwords that came encoded; none, if it cannot be made."""
        try:
            return self.connector(endpoint).accepts.schemes
        except (LookupError, ValueError):
            return ()

    def connector(self, endpoint: Endpoint) -> Connector:
        """A closed connector. UnknownKind, SettingsError, SealBroken."""
        seal = self._foundation.seal
        return connector_of(endpoint, kinds=self._kinds, seal=seal, reactor=self._reactor)

    async def endpoint(self, endpoint: EntryId) -> Endpoint | None:
        return await self._foundation.endpoints.get(endpoint)

    async def account(self, account: EntryId) -> Account | None:
        entry = await self._foundation.store.read_id(account)
        return account_for_connector(entry) if entry is not None else None

    def open_seal(self, delivery: Delivery) -> Secret:
        """The password of a row of the outbox. SealBroken."""
        return self._foundation.seal.open(delivery.sealed, row_of(delivery.id, delivery.account))
