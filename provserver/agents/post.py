"""Where an agent stands, and how it looks up the account whose password was changed there.

Base and filter of the search are [K/G] (facts/imps.md 5.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from provserver.ldap.filters import And, Equality, Filter


@dataclass(frozen=True, slots=True)
class Post:
    """Where an agent stands: its endpoint, and how accounts are looked up there."""

    endpoint_dn: str
    account_class: str
    logon_attribute: str

    def account(self, logon: str) -> Filter:
        """What the account of that name is found by, below the endpoint."""
        return And(
            (
                Equality("objectClass", self.account_class.encode()),
                Equality(self.logon_attribute, logon.encode()),
            )
        )
