"""Where an agent stands, and how it finds the account whose password was changed there.

Base and filter of the search are [K/G] (facts/imps.md 5.1). A mainframe's LDS does not search: it makes the
account's DN of a template, `USERDNS` (facts/imps.md 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from provserver.directory.names import DN
from provserver.ldap.filters import And, Equality, Filter

PLACEHOLDERS: Final = ("{account}", "%L")
"""What stands for the logon name in a template; the second is LDS's."""


@dataclass(frozen=True, slots=True)
class Template:
    """How an account's DN is made of its logon name: `value`, with a placeholder in it, in `parent`."""

    type: str
    value: str
    parent: DN

    def dn(self, logon: str) -> str:
        """The name of that account, whatever signs it has. InvalidName: it has one that no name may have."""
        placeholder = next(one for one in PLACEHOLDERS if one in self.value)
        return self.parent.child(self.type, self.value.replace(placeholder, logon, 1)).text

    def __str__(self) -> str:
        return self.parent.child(self.type, self.value).text


@dataclass(frozen=True, slots=True)
class Post:
    """Where an agent stands: its endpoint, and how accounts are found there: by a search, or if there is a
    `template`, without one.
    """

    endpoint_dn: str
    account_class: str
    logon_attribute: str
    template: Template | None = None

    def account(self, logon: str) -> Filter:
        """What the account of that name is found by, below the endpoint."""
        return And(
            (
                Equality("objectClass", self.account_class.encode()),
                Equality(self.logon_attribute, logon.encode()),
            )
        )
