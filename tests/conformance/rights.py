"""Who may do what, where: the rules said once more, on texts, for tests to compare the server with.

Nobody reads the root DSE and the subschema. A user sees itself and may change its own password. An agent sees
its endpoint, all below it, the way there, and itself; it may test and sync what is below its endpoint. A
domain administrator may do everything. Who may not is told so, whether or not there is such an entry. Source:
design "The exchange" 1, facts/imps.md 3.2.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from harbour import AD_CORP, ADA_AD, ADA_UNIX, COMMON, FRANCO_AD, HPDEV01, NOBODY_AD, ORACLE, SUFFIX, UNIX

from provserver.ldap.filters import Scope
from provserver.ldap.results import ResultCode
from provserver.testing.server import GLOBAL_USERS, user_dn

C = ResultCode
_TAILS: Final = (",dc=eta", ",dc=etadb")
TOP: Final = "dc=im"


def inside(dn: str) -> str:
    """A name as it is in every view, in lower case."""
    name = dn.lower()
    for tail in _TAILS:
        name = name.removesuffix(tail)
    return name


def is_below(name: str, top: str) -> bool:
    """Whether a name is another one, or below it."""
    return name == top or name.endswith(f",{top}")


def in_scope(name: str, base: str, scope: Scope) -> bool:
    if scope is Scope.BASE:
        return name == base
    if scope is Scope.SUBTREE:
        return is_below(name, base)
    # Only a comma that is escaped is no end of a level.
    leaf = name.removesuffix(f",{base}")
    return leaf != name and "," not in leaf.replace("\\,", "")


@dataclass(frozen=True)
class Rights:
    """What somebody may do. `own`: the name of its entry, empty for nobody; `endpoint`: of an agent."""

    own: str = ""
    endpoint: str = ""
    everything: bool = False

    def sees(self, name: str) -> bool:
        way = bool(self.endpoint) and (is_below(name, self.endpoint) or is_below(self.endpoint, name))
        return self.everything or way or (bool(self.own) and name == self.own)

    def searches(self, base: str) -> bool:
        """There may be something to see from there."""
        return self.sees(base) or (bool(self.own) and is_below(self.own, base))

    def synchronises(self, account: str) -> bool:
        return self.everything or (bool(self.endpoint) and is_below(account, self.endpoint))

    def changes_password_of(self, user: str) -> bool:
        return self.everything or (bool(self.own) and user == self.own)


def rights_of(user: str, endpoint: str = "") -> Rights:
    return Rights(inside(user_dn(user)), inside(endpoint))


NOBODY: Final = Rights()
EVERYTHING: Final = Rights(inside(user_dn("etaadmin")), everything=True)


@dataclass(frozen=True)
class Place:
    """A name that something is asked of."""

    what: str
    dn: str
    is_there: bool = True
    is_user: bool = False
    taken: ResultCode | None = None
    """Of an account: what becomes of a weak password that somebody may set; None: it is no account."""

    @property
    def name(self) -> str:
        return inside(self.dn)

    @property
    def is_ours(self) -> bool:
        """Whether it is a name of our tree at all."""
        return is_below(self.name, TOP)


NAMESPACE: Final = f"eTNamespaceName=ActiveDirectory,{SUFFIX}"
INCLUSIONS: Final = (
    "eTSubordinateClass=eTADSAccount,eTSuperiorClass=eTGlobalUser,"
    f"eTInclusionContainerName=Inclusions,{COMMON}"
)
CONFIGURATION: Final = f"eTConfigContainerName=Configuration,{COMMON}"

PLACES: Final = (
    Place("the domain", SUFFIX),
    Place("the common objects", COMMON),
    Place("a namespace with an agent", NAMESPACE),
    Place("another namespace", f"eTNamespaceName=UNIX - etc,{SUFFIX}"),
    Place("the container of users", GLOBAL_USERS),
    Place("a user", user_dn("aokafor"), is_user=True),
    Place("another user", user_dn("cmercier"), is_user=True),
    Place("a suspended user", user_dn("bnovak"), is_user=True),
    Place("the administrator", user_dn("etaadmin"), is_user=True),
    Place("an agent", user_dn("psync-ad-corp"), is_user=True),
    Place("another agent", user_dn("pam-hpdev01"), is_user=True),
    Place("an endpoint", AD_CORP),
    Place("another endpoint", HPDEV01),
    Place("a container at an endpoint", f"eTADSOrgUnitName=Staff,{AD_CORP}"),
    Place("a container at another endpoint", UNIX),
    Place("an account", ADA_AD, taken=C.CONSTRAINT_VIOLATION),
    Place("an account in the repository's view", f"{ADA_AD}db", taken=C.CONSTRAINT_VIOLATION),
    Place("an account in no view", ADA_AD.removesuffix(",dc=eta"), taken=C.CONSTRAINT_VIOLATION),
    Place("an account of who is not synchronised", FRANCO_AD, taken=C.UNWILLING_TO_PERFORM),
    Place("an account at another endpoint", ADA_UNIX, taken=C.CONSTRAINT_VIOLATION),
    Place("an account of nobody", ORACLE, taken=C.UNWILLING_TO_PERFORM),
    Place(
        "a config parameter",
        "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
        f"eTConfigParamContainerName=Parameters,{CONFIGURATION}",
    ),
    Place(
        "the password profile",
        "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
        f"{COMMON}",
    ),
    Place(
        "an admin profile",
        f"eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles,{COMMON}",
    ),
    Place("the inclusions of a class", INCLUSIONS),
    Place("no user", user_dn("ghost"), is_there=False),
    Place("no account", NOBODY_AD, is_there=False),
    Place("no account at another endpoint", f"eTETCAccountName=ghost,{UNIX}", is_there=False),
    Place("no endpoint", f"eTADSDirectoryName=ghost,{NAMESPACE}", is_there=False),
    Place("below what is not there", f"cn=x,{NOBODY_AD}", is_there=False),
    Place("elsewhere", "dc=elsewhere", is_there=False),
)  # fmt: skip


def nearest(place: Place, rights: Rights, tree: Collection[str]) -> str:
    """The matchedDN of a name that is not there (RFC 4511 4.1.9): nothing that is not for the caller."""
    name = place.name
    while "," in name:
        name = name.partition(",")[2]
        if name in tree and rights.sees(name):
            return name
    return ""
