"""Who may do what, where: rules by admin profile, judged on names alone so that a refusal tells nothing
about existence.

DomainAdministrator: everything. PasswordAdministrator: searches and the two agent triggers, on what lies
below its `provAgentScope` (and sees the entries above it, which are the way there). A user: reads itself,
changes its own password. Who must change its password: that, and nothing else. Anonymous: root DSE and
schema. Secret attributes are beyond all of them:
`schema.is_secret` keeps them out of every answer and every filter. Source: facts/imps.md 3.2, design "The
exchange" 1; the scope is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from provserver.directory.entries import EntryId
from provserver.directory.names import DN


class Role(Enum):
    ANONYMOUS = "anonymous"
    USER = "user"
    MUST_CHANGE = "must change its password"
    """Whoever it is, until it has (draft-behera-ldap-password-policy 8.3)."""
    PASSWORD_ADMINISTRATOR = "PasswordAdministrator"
    DOMAIN_ADMINISTRATOR = "DomainAdministrator"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection speaks for."""

    role: Role
    dn: DN | None = None
    id: EntryId | None = None
    scope: tuple[DN, ...] = ()
    """What a PasswordAdministrator may act on; nothing when empty (least right by default)."""

    def name(self) -> str:
        """For logs: the leaf value of the DN, or `anonymous`."""
        return self.dn.rdns[0].pairs[0][1] if self.dn is not None else "anonymous"


ANONYMOUS = Identity(Role.ANONYMOUS)


def may_read(identity: Identity, dn: DN) -> bool:
    """Whether this entry's ordinary attributes may be seen."""
    role = identity.role
    if role is Role.DOMAIN_ADMINISTRATOR:
        return True
    if role is Role.PASSWORD_ADMINISTRATOR:
        for top in identity.scope:
            if dn.is_within(top) or top.is_within(dn):
                return True
        return dn == identity.dn
    return role is Role.USER and dn == identity.dn


def may_search(identity: Identity, base: DN) -> bool:
    """Whether there may be anything to see from this base downwards."""
    if may_read(identity, base):
        return True
    return identity.dn is not None and identity.dn.is_within(base)


def may_write(identity: Identity, dn: DN) -> bool:
    """Whether entries may be added, changed or deleted here (triggers have rules of their own)."""
    return identity.role is Role.DOMAIN_ADMINISTRATOR


def may_synchronise(identity: Identity, account: DN) -> bool:
    """Whether the agent triggers (test and sync) may be set on this account."""
    if identity.role is Role.DOMAIN_ADMINISTRATOR:
        return True
    return identity.role is Role.PASSWORD_ADMINISTRATOR and any(map(account.is_within, identity.scope))


def may_change_password(identity: Identity, user: DN) -> bool:
    """Whether this global user's password may be set: one's own, or any by a DomainAdministrator."""
    return identity.role is Role.DOMAIN_ADMINISTRATOR or (
        identity.role is not Role.ANONYMOUS and identity.dn == user
    )
