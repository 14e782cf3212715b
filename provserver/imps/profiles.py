"""From a global user's admin profiles to what it may do.

`eTUserAdminProfile` names profiles by DN; `DomainAdministrator` and `PasswordAdministrator` are the two the
documents show (facts/imps.md 1.2, 3.2). Several profiles: the strongest counts.
"""

from __future__ import annotations

from functools import lru_cache

from provserver.directory.access import Identity, Role
from provserver.directory.entries import Entry
from provserver.directory.names import DN, InvalidName

PROFILES_KEY = "etuseradminprofile"
SCOPE_KEY = "provagentscope"


def holds_admin_profile(user: Entry) -> bool:
    """Whether a global user has any admin profile: such users are never correlated automatically."""
    return bool(user.values(PROFILES_KEY))


@lru_cache(64)
def _profiles(common: DN) -> DN:
    return DN.parse(f"eTAdminProfileContainerName=Admin Profiles,{common}")


def profile_dn(role: Role, user: DN) -> DN | None:
    """The name of the profile that gives a global user this role; a name elsewhere gives none."""
    common = user.parent.parent if user.parent is not None else None
    return _profiles(common).child("eTAdminProfileName", role.value) if common is not None else None


def identity_of(user: Entry) -> Identity:
    """What a global user may do, by its profiles and its scope."""
    profiles = {dn for value in user.texts(PROFILES_KEY) if (dn := _name(value)) is not None}
    role = Role.USER
    for candidate in (Role.DOMAIN_ADMINISTRATOR, Role.PASSWORD_ADMINISTRATOR) if profiles else ():
        if profile_dn(candidate, user.dn) in profiles:
            role = candidate
            break
    scope = tuple(dn for value in user.texts(SCOPE_KEY) if (dn := _name(value)) is not None)
    return Identity(role, user.dn, user.id, scope)


def _name(text: str) -> DN | None:
    try:
        return DN.parse(text)
    except InvalidName:
        return None
