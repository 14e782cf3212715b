"""What is written to a server, or only shown (`--dry-run`): the same calls, so that nothing else needs to
know which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provserver.etautil.requests import Values
from provserver.etautil.telling import Teller
from provserver.ldap.client import LdapClient
from provserver.ldap.messages import Change


class Writes(Protocol):
    """Raises LineError and Refusal."""

    async def add(self, dn: str, attributes: Values) -> None: ...

    async def modify(self, dn: str, changes: Sequence[Change]) -> str:
        """The server's message, which is mostly empty."""
        ...

    async def delete(self, dn: str) -> None: ...


class SentWrites:
    """They take place."""

    def __init__(self, client: LdapClient) -> None:
        self._client = client

    async def add(self, dn: str, attributes: Values) -> None:
        await self._client.add(dn, dict(attributes))

    async def modify(self, dn: str, changes: Sequence[Change]) -> str:
        return await self._client.modify(dn, changes)

    async def delete(self, dn: str) -> None:
        await self._client.delete(dn)


class ShownWrites:
    """They are told, and do not take place."""

    def __init__(self, teller: Teller, number: int) -> None:
        self._teller = teller
        self._number = number

    async def add(self, dn: str, attributes: Values) -> None:
        self._teller.would_add(self._number, dn, attributes)

    async def modify(self, dn: str, changes: Sequence[Change]) -> str:
        self._teller.would_modify(self._number, dn, changes)
        return ""

    async def delete(self, dn: str) -> None:
        self._teller.would_delete(self._number, dn)
