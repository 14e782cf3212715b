"""Every command of facts/imps.md 4 as it stands there, `<…>` filled in: the shell's words, the request."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

USERS = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects"
ROLES = "eTRoleContainerName=Roles,eTNamespaceName=CommonObjects"
TEMPLATES = "eTDYNPolicyContainerName=DYN Policies,eTNamespaceName=UNIX v2"
SYNCHRONIZATION = (
    "eTConfigParamFolderName=Synchronization,eTConfigParamContainerName=Parameters,"
    "eTConfigContainerName=Configuration,eTNamespaceName=CommonObjects"
)
SUFFIX = "dc=im,dc=eta"


class Seen(NamedTuple):
    """A command, its source, and the DN that it is about."""

    source: str
    line: str
    dn: str

    def words(self) -> list[str]:
        """What a shell makes of it, without `etautil` and its options."""
        words = shlex.split(self.line)[1:]
        while words[0].startswith("-"):
            del words[: 1 if words[0] == "-DYN" else 2]
        return words


SEED_MASSCHANGE = Seen(
    "seed 000",
    "etautil -u USER -p PWD masschange 'eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects'"
    " eTGlobalUser eTGlobalUserName=* to eTPropagatePassword='1'",
    f"{USERS},{SUFFIX}",
)
SEED_UPDATE = Seen(
    "seed 000",
    "etautil -u USER -p PWD update 'eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects'"
    " eTGlobalUser eTGlobalUserName='my_user' to eTPropagatePassword='1'",
    f"eTGlobalUserName=my_user,{USERS},{SUFFIX}",
)
SEEN: Sequence[Seen] = (
    SEED_MASSCHANGE,
    SEED_UPDATE,
    Seen(
        "GH",
        "etautil -d im -u etaadmin -p PWD -DYN update"
        " 'eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im,dc=eta' eTGlobalUser"
        " eTGlobalUserName='U' to"
        " +eTRoleDN='eTRoleName=R,eTRoleContainerName=Roles,eTNamespaceName=CommonObjects,dc=im'"
        " eTSyncUsers='1'",
        f"eTGlobalUserName=U,{USERS},{SUFFIX}",
    ),
    Seen(
        "D6",
        f"etautil -u etaadmin -p PWD update '{SYNCHRONIZATION}' eTConfigParam"
        ' eTConfigParamName="Automatic Correlation" to eTConfigParamValue=yes',
        f"eTConfigParamName=Automatic Correlation,{SYNCHRONIZATION},{SUFFIX}",
    ),
    Seen(
        "D6",
        f"etautil -u etaadmin -p PWD select '{SYNCHRONIZATION}' eTConfigParam"
        ' eTConfigParamName="Automatic Correlation" list eTConfigParamValue',
        f"{SYNCHRONIZATION},{SUFFIX}",
    ),
    Seen(
        "K219916",
        "etautil -d im -u etaadmin -p PWD -DYN update"
        " \"'eTDYNPolicyContainerName=DYN Policies,eTNamespaceName=UNIX v2'\" eTDYNPolicy"
        ' eTDYNPolicyName="LINUX TEMPLATE" to eTSyncAccounts="1"',
        f"eTDYNPolicyName=LINUX TEMPLATE,{TEMPLATES},{SUFFIX}",
    ),
    Seen(
        "D7a",
        f"etautil -u etaadmin -p PWD add '{USERS}' eTGlobalUser globalusername=denro01"
        " in 'eTRoleContainerName=Roles,eTNamespaceName=CommonObjects' eTRole RoleName=TeamManager",
        f"eTGlobalUserName=denro01,{USERS},{SUFFIX}",
    ),
    Seen(
        "D7a",
        "etautil -u etaadmin -p PWD add 'eTNamespaceName=UNIX - etc' eTETCDirectory name=hpdevsrv"
        " eTETCHost=hpdevsrv eTETCUnicenterSec=0 eTETCUnicenterUser=0",
        f"eTETCDirectoryName=hpdevsrv,eTNamespaceName=UNIX - etc,{SUFFIX}",
    ),
    Seen(
        "D7a",
        f"etautil -u etaadmin -p PWD add '{USERS}' GlobalUserName=user14 eTCustomField01=v1"
        " eTPassword=Quay-Beacon-52 eTUserId=user14",
        f"eTGlobalUserName=user14,{USERS},{SUFFIX}",
    ),
    Seen(
        "D7a (cut after the name there)",
        f"etautil -u etaadmin -p PWD copy '{USERS}' eTGlobalUser globalusername=aokafor"
        " to globalusername=aokafor2",
        f"eTGlobalUserName=aokafor2,{USERS},{SUFFIX}",
    ),
    Seen(
        "D7a (cut after the name there)",
        f"etautil -u etaadmin -p PWD copyall '{USERS}' eTGlobalUser globalusername=bnovak"
        " to globalusername=bnovak2",
        f"eTGlobalUserName=bnovak2,{USERS},{SUFFIX}",
    ),
)

LDIF = f"""\
dn: eTGlobalUserName=my_user,{USERS},dc=im
objectClass: eTGlobalUser
eTGlobalUserName: my_user

dn: eTGlobalUserName=U,{USERS},dc=im
objectClass: eTGlobalUser
eTGlobalUserName: U

dn: eTRoleName=R,{ROLES},dc=im
objectClass: eTRole
eTRoleName: R

dn: eTRoleName=TeamManager,{ROLES},dc=im
objectClass: eTRole
eTRoleName: TeamManager

dn: eTDYNPolicyName=LINUX TEMPLATE,{TEMPLATES},dc=im
objectClass: eTDYNPolicy
eTDYNPolicyName: LINUX TEMPLATE
"""
"""What these commands presuppose, beside the demo domain."""
