"""From admin profiles to rights."""

from __future__ import annotations

import pytest

from provserver.directory.access import Role
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.profiles import holds_admin_profile, identity_of
from provserver.imps.users import global_user_dn, is_global_user, is_suspended, may_propagate

PROFILES = "eTAdminProfileContainerName=Admin Profiles,eTNamespaceName=CommonObjects,dc=im"
DOMAIN = DN.parse("dc=im")


def user(**attributes: list[str]) -> Entry:
    held = {
        name.lower(): Attribute(name, tuple(value.encode() for value in values))
        for name, values in attributes.items()
    }
    return Entry(EntryId("u"), global_user_dn("u", DOMAIN), held, 1)


def profile(*names: str) -> list[str]:
    return [f"eTAdminProfileName={name},{PROFILES}" for name in names]


@pytest.mark.parametrize(
    ("profiles", "role"),
    [
        ([], Role.USER),
        (profile("DomainAdministrator"), Role.DOMAIN_ADMINISTRATOR),
        (profile("DOMAINadministrator"), Role.DOMAIN_ADMINISTRATOR),
        (profile("PasswordAdministrator"), Role.PASSWORD_ADMINISTRATOR),
        (profile("PasswordAdministrator", "DomainAdministrator"), Role.DOMAIN_ADMINISTRATOR),
        (profile("ReadAdministrator"), Role.USER),
        (["not a name"], Role.USER),
    ],
)
def test_the_strongest_profile_counts(profiles: list[str], role: Role) -> None:
    found = user(eTUserAdminProfile=profiles) if profiles else user()
    identity = identity_of(found)
    assert identity.role is role
    assert identity.dn == found.dn
    assert holds_admin_profile(found) is bool(profiles)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "eTAdminProfileName=DomainAdministrator,eTRoleContainerName=Roles,eTNamespaceName=CommonObjects,dc=im",
        "cn=DomainAdministrator,dc=elsewhere",
    ],
)
def test_a_name_elsewhere_that_ends_like_a_profile_is_none(elsewhere: str) -> None:
    assert identity_of(user(eTUserAdminProfile=[elsewhere])).role is Role.USER


def test_the_scope_is_names_and_what_is_no_name_is_left_out() -> None:
    endpoint = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im"
    identity = identity_of(
        user(eTUserAdminProfile=profile("PasswordAdministrator"), provAgentScope=[endpoint, "?"])
    )
    assert identity.scope == (DN.parse(endpoint),)
    assert identity.name() == "u"


def test_flags_of_a_user() -> None:
    assert is_global_user(user(objectClass=["top", "ETGLOBALUSER"]))
    assert not is_global_user(user(objectClass=["eTADSAccount"]))
    assert is_suspended(user(eTSuspended=["1"]))
    assert not is_suspended(user(eTSuspended=["0"]))
    assert not is_suspended(user())
    assert may_propagate(user(eTPropagatePassword=["1"]))
    assert not may_propagate(user())
