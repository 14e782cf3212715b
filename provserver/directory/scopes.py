"""What the scope of a search reaches (RFC 4511 4.5.1.2)."""

from __future__ import annotations

from provserver.directory.names import DN
from provserver.ldap.filters import Scope


def in_scope(dn: DN, base: DN, scope: Scope) -> bool:
    """Whether a search from `base` may find an entry of this name."""
    if scope is Scope.SUBTREE:
        return dn.is_within(base)
    if scope is Scope.BASE:
        return dn == base
    return dn.is_just_below(base)
