"""To act as somebody else, with that one's rights and no more: by a control (RFC 4370), or by the authzid of
a SASL bind (RFC 4513 5.2.1.8).

Only a DomainAdministrator may (ours). What is done so is the other one's doing; logs and journal name both.
"""

from __future__ import annotations

from dataclasses import dataclass

from provserver.directory.access import ANONYMOUS, Identity, Role
from provserver.directory.names import DN
from provserver.ldap.results import Refusal, ResultCode


@dataclass(frozen=True, slots=True)
class StandIn(Identity):
    """An identity that somebody else acts as."""

    asker: Identity = ANONYMOUS

    @classmethod
    def of(cls, identity: Identity, asker: Identity) -> StandIn:
        return cls(identity.role, identity.dn, identity.id, identity.scope, asker)

    def name(self) -> str:
        """`etaadmin for aokafor`."""
        return f"{self.asker.name()} for {Identity.name(self)}"


def may_stand_in(identity: Identity) -> bool:
    """Whether this identity may act as others."""
    return identity.role is Role.DOMAIN_ADMINISTRATOR


def asker_of(identity: Identity) -> DN | None:
    """Who really asks, when it is not the identity itself."""
    return identity.asker.dn if isinstance(identity, StandIn) else None


def authorization_denied(why: str) -> Refusal:
    """RFC 4370 3: the requester may not, or there is no such identity."""
    return Refusal(ResultCode.AUTHORIZATION_DENIED, why)
