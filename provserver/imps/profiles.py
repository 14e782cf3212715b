"""From a global user's admin profiles to what it may do.

`eTUserAdminProfile` names profiles by DN; `DomainAdministrator` and `PasswordAdministrator` are the two the
documents show (facts/imps.md 1.2, 3.2). Several profiles: the strongest counts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from provserver.directory.access import Identity, Role
from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN, InvalidName
from provserver.imps.users import must_change
from provserver.recent import Recent

PROFILES_KEY = "etuseradminprofile"
SCOPE_KEY = "provagentscope"
_REMEMBERED: Final = 4_096
"""Users who bound lately."""


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
    """What a global user may do, by its profiles and its scope; next to nothing while it must change its
    password.
    """
    if must_change(user):
        return Identity(Role.MUST_CHANGE, user.dn, user.id)
    profiles = {dn for value in user.texts(PROFILES_KEY) if (dn := _name(value)) is not None}
    role = Role.USER
    for candidate in (Role.DOMAIN_ADMINISTRATOR, Role.PASSWORD_ADMINISTRATOR) if profiles else ():
        if profile_dn(candidate, user.dn) in profiles:
            role = candidate
            break
    scope = tuple(dn for value in user.texts(SCOPE_KEY) if (dn := _name(value)) is not None)
    return Identity(role, user.dn, user.id, scope)


class Identities:
    """What users may do, worked out once for each version of their entries: the same object for all
    connections of one user.
    """

    def __init__(self) -> None:
        self._known: Recent[EntryId, tuple[int, Identity]] = Recent(_REMEMBERED)

    def of(self, user: Entry) -> Identity:
        known = self._known.get(user.id)
        if known is not None and known[0] == user.version and known[1].dn == user.dn:
            return known[1]
        identity = identity_of(user)
        self._known.put(user.id, (user.version, identity))
        return identity


def _name(text: str) -> DN | None:
    try:
        return DN.parse(text)
    except InvalidName:
        return None
