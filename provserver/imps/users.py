"""Where global users live, and what is asked of their entries in more than one place (facts/imps.md 1.2,
2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from provserver.directory.entries import Entry
from provserver.directory.names import DN

MUST_CHANGE: Final = "provMustChangePassword"
"""On a global user whose password an administrator has set (ours)."""
MUST_CHANGE_KEY: Final = MUST_CHANGE.lower()


@lru_cache(16)
def global_users(domain: DN) -> DN:
    """The container of global users."""
    return DN.parse(f"eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,{domain}")


def global_user_dn(name: str, domain: DN) -> DN:
    """The DN of the global user of that name."""
    return global_users(domain).child("eTGlobalUserName", name)


def is_global_user(entry: Entry) -> bool:
    return makes_global_user(entry.values("objectclass"))


def makes_global_user(classes: Sequence[bytes]) -> bool:
    """Whether an entry of these object classes is a global user."""
    return any(value.lower() == b"etglobaluser" for value in classes)


def is_suspended(user: Entry) -> bool:
    """`eTSuspended` is the truth."""
    return user.text("etsuspended", "0") == "1"


def may_propagate(user: Entry) -> bool:
    """`eTPropagatePassword` = 1: agents may change this user's password (seed 000)."""
    return user.text("etpropagatepassword") == "1"


def must_change(user: Entry) -> bool:
    """Whether this user may do nothing before it has changed its password."""
    return user.text(MUST_CHANGE_KEY).upper() == "TRUE"
