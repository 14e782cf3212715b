"""A tree with entries that do not stand for themselves, and one that leads to everywhere."""

from __future__ import annotations

from typing import Final

from harbour import AD_CORP, COMMON, HPDEV01, LDAP_HQ

BEYOND: Final = f"ou=Beyond,{COMMON}"
"""A referral."""
BLANK: Final = f"ou=Blank,{COMMON}"
"""A referral that leads nowhere."""
DANGLING: Final = f"cn=dangling,{COMMON}"
UNNAMED: Final = f"cn=unnamed,{COMMON}"
LOOPING: Final = f"cn=looping,{COMMON}"
OUT_OF_SIGHT: Final = f"cn=elsewhere,{AD_CORP}"
PHOTOGRAPHED: Final = f"cn=photographed,eTRoleContainerName=Roles,{COMMON}"
EXTENDED: Final = f"cn=extended,{COMMON}"
"""It has what only its class extensibleObject allows."""
MADE_ROLE: Final = f"eTRoleName=made,eTRoleContainerName=Roles,{COMMON}"

_PLACES: Final = 1_001


def _alias(dn: str, target: str) -> str:
    return f"dn: {dn}\nobjectClass: alias\nobjectClass: extensibleObject\naliasedObjectName: {target}\n\n"


def signposted() -> str:
    """LDIF: a referral, aliases that lead nowhere, and a person with a photo."""
    return "".join(
        [
            f"dn: {BEYOND}\nobjectClass: referral\nobjectClass: extensibleObject\nou: Beyond\n"
            "ref: ldap://other.example/ou=Beyond,dc=example\n\n",
            f"dn: {BLANK}\nobjectClass: referral\nobjectClass: extensibleObject\nou: Blank\nref:: IA==\n\n",
            _alias(DANGLING, f"cn=nothing,{COMMON}"),
            _alias(UNNAMED, "dc=elsewhere"),
            _alias(LOOPING, f"cn=deeper,{LOOPING}"),
            _alias(OUT_OF_SIGHT, HPDEV01),
            f"dn: {PHOTOGRAPHED}\nobjectClass: inetOrgPerson\nsn: x\njpegPhoto:: /9j/4AAQSkZJRg==\n\n",
            f"dn: {EXTENDED}\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nsn: x\n"
            "provMinLength: 1\n\n",
            f"dn: {MADE_ROLE}\nobjectClass: eTRole\n\n",
        ]
    )


def crossroads() -> str:
    """LDIF: aliases to more places than one search may go to."""
    made = [f"dn: ou=far,{LDAP_HQ}\nobjectClass: organizationalUnit\n\n"]
    for number in range(_PLACES):
        target = f"ou=place {number},ou=far,{LDAP_HQ}"
        made.append(f"dn: {target}\nobjectClass: organizationalUnit\n\n")
        made.append(_alias(f"cn=way {number},{COMMON}", target))
    return "".join(made)
