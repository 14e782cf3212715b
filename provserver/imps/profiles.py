"""From a global user's admin profiles to what it may do.

`eTUserAdminProfile` names profiles by DN; `DomainAdministrator` and `PasswordAdministrator` are the two the
documents show (facts/imps.md 1.2, 3.2). Several profiles: the strongest counts.
"""

from __future__ import annotations

from provserver.directory.access import Identity, Role
from provserver.directory.entries import Entry
from provserver.directory.names import DN, InvalidName

PROFILES_KEY = "etuseradminprofile"
SCOPE_KEY = "provagentscope"


def holds_admin_profile(user: Entry) -> bool:
    """Whether a global user has any admin profile: such users are never correlated automatically."""
    return bool(user.values(PROFILES_KEY))


def identity_of(user: Entry) -> Identity:
    """What a global user may do, by its profiles and its scope."""
    names = {name for value in user.texts(PROFILES_KEY) if (name := _leaf(value)) is not None}
    role = Role.USER
    for candidate in (Role.DOMAIN_ADMINISTRATOR, Role.PASSWORD_ADMINISTRATOR):
        if candidate.value.lower() in names:
            role = candidate
            break
    scope = tuple(dn for value in user.texts(SCOPE_KEY) if (dn := _name(value)) is not None)
    return Identity(role, user.dn, user.id, scope)


def _name(text: str) -> DN | None:
    try:
        return DN.parse(text)
    except InvalidName:
        return None


def _leaf(text: str) -> str | None:
    dn = _name(text)
    return dn.rdns[0].pairs[0][1].lower() if dn is not None and dn.rdns else None
