"""The one table of namespaces: what endpoints, containers and accounts of each kind are called.

A new namespace is a row here and a schema file. `mark` says how sure we are of a row's names (facts/imps.md
1.3): many are not public, so nothing else in the house spells them. A namespace that has no row is a dynamic
one (Connector Xpress names each type as its maker likes): it has the classes of `DYNAMIC`, and its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

COMMON_OBJECTS: Final = "CommonObjects"
"""The namespace of global users, roles and configuration: it has no endpoints."""


class Mark(Enum):
    """How sure we are that IMPS uses these names."""

    SEEN = "seen in a public document"
    KNOWN = "[K] general knowledge, not confirmed"
    INFERRED = "[G] made by the pattern of the seen ones"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entry: its structural class, and the attribute type that names it."""

    object_class: str
    rdn_type: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """One row: a kind of endpoint and what lives below it."""

    name: str
    """The value of `eTNamespaceName`."""
    display_name: str
    """What messages call the endpoint type: `<display name> Account '…' on '…'`."""
    endpoint: Kind
    account: Kind
    containers: tuple[Kind, ...]
    """Where accounts live below the endpoint; the usual one first."""
    logon: str
    """The account attribute with the name that its owner types, and that an agent searches."""
    mark: Mark
    """Of the row's least certain name."""
    source: str


DYNAMIC: Final = Namespace(
    name="UNIX v2",
    display_name="UNIX v2",
    endpoint=Kind("eTDYNDirectory", "eTDYNDirectoryName"),
    account=Kind("eTDYNAccount", "eTDYNAccountName"),
    containers=(
        Kind("eTDYNAccountContainer", "eTDYNAccountContainerName"),
        Kind("eTDYNContainer", "eTDYNContainerName"),
    ),
    logon="eTDYNAccountName",
    mark=Mark.KNOWN,
    source="CA docs 2009630, KB 20352, KB 219916; the RDN types of account and containers are [K]",
)
"""The row of `UNIX v2`, and the pattern of every namespace that has no row."""

NAMESPACES: Final[tuple[Namespace, ...]] = (
    Namespace(
        name="ActiveDirectory",
        display_name="Active Directory",
        endpoint=Kind("eTADSDirectory", "eTADSDirectoryName"),
        account=Kind("eTADSAccount", "eTADSAccountName"),
        containers=(
            Kind("eTADSOrgUnit", "eTADSOrgUnitName"),
            Kind("eTADSContainer", "eTADSContainerName"),
        ),
        logon="eTADSsAMAccountName",
        mark=Mark.INFERRED,
        source="CA docs 388224, KB 132472, KB 53148; eTADSDirectory is [K], the container classes [G]",
    ),
    Namespace(
        name="Windows NT",
        display_name="Windows NT",
        endpoint=Kind("eTN16Directory", "eTN16DirectoryName"),
        account=Kind("eTN16Account", "eTN16AccountName"),
        containers=(Kind("eTN16AccountContainer", "eTN16AccountContainerName"),),
        logon="eTN16AccountName",
        mark=Mark.INFERRED,
        source="label: CA docs 387480; names [K], classes [G]",
    ),
    Namespace(
        name="UNIX - etc",
        display_name="UNIX - etc",
        endpoint=Kind("eTETCDirectory", "eTETCDirectoryName"),
        account=Kind("eTETCAccount", "eTETCAccountName"),
        containers=(Kind("eTETCAccountContainer", "eTETCAccountContainerName"),),
        logon="eTETCAccountName",
        mark=Mark.INFERRED,
        source="namespace and eTETCDirectory: CA docs 237008; account names [K], account classes [G]",
    ),
    Namespace(
        name="UNIX - NIS-NIS plus Domains",
        display_name="UNIX - NIS",
        endpoint=Kind("eTNISDirectory", "eTNISDirectoryName"),
        account=Kind("eTNISAccount", "eTNISAccountName"),
        containers=(Kind("eTNISAccountContainer", "eTNISAccountContainerName"),),
        logon="eTNISAccountName",
        mark=Mark.INFERRED,
        source="names [K], classes and container [G]",
    ),
    Namespace(
        name="OS400",
        display_name="OS400",
        endpoint=Kind("eTAS4Directory", "eTAS4DirectoryName"),
        account=Kind("eTAS4Account", "eTAS4AccountName"),
        containers=(Kind("eTAS4AccountContainer", "eTAS4AccountContainerName"),),
        logon="eTAS4AccountName",
        mark=Mark.INFERRED,
        source="label: CA docs 387359; names [K], classes [G]",
    ),
    Namespace(
        name="CA-ACF2",
        display_name="CA-ACF2",
        endpoint=Kind("eTACFDirectory", "eTACFDirectoryName"),
        account=Kind("eTACFLid", "eTACFLidName"),
        containers=(Kind("eTACFLidContainer", "eTACFLidContainerName"),),
        logon="eTACFLidName",
        mark=Mark.INFERRED,
        source="DN types: CA docs 387557 (ACF2 LDS); classes [G]",
    ),
    Namespace(
        name="RACF",
        display_name="RACF",
        endpoint=Kind("eTRACDirectory", "eTRACDirectoryName"),
        account=Kind("eTRACUser", "eTRACUserid"),
        containers=(Kind("eTRACUserContainer", "eTRACUserContainerName"),),
        logon="eTRACUserid",
        mark=Mark.INFERRED,
        source="names [K], classes and container [G]",
    ),
    Namespace(
        name="CA-Top Secret",
        display_name="CA-Top Secret",
        endpoint=Kind("eTTSSDirectory", "eTTSSDirectoryName"),
        account=Kind("eTTSSAcid", "eTTSSAcidName"),
        containers=(Kind("eTTSSAcidContainer", "eTTSSAcidContainerName"),),
        logon="eTTSSAcidName",
        mark=Mark.INFERRED,
        source="names [K], classes [G]",
    ),
    DYNAMIC,
)

_BY_NAME: Final = {row.name.lower(): row for row in NAMESPACES}

ACCOUNT_CLASSES: Final[Mapping[bytes, str]] = MappingProxyType(
    {row.account.object_class.lower().encode(): row.account.object_class for row in NAMESPACES}
)
"""Account classes as the table spells them, by the lower-case octets of an `objectClass` value."""

ENDPOINT_CLASSES: Final[Mapping[bytes, str]] = MappingProxyType(
    {row.endpoint.object_class.lower().encode(): row.endpoint.object_class for row in NAMESPACES}
)
"""Endpoint (directory) classes, likewise."""


def namespace(name: str) -> Namespace:
    """The row of a namespace by its `eTNamespaceName`, in any case; no row: the dynamic one, renamed."""
    row = _BY_NAME.get(name.lower())
    return row if row is not None else replace(DYNAMIC, name=name, display_name=name)


def display_name(name: str) -> str:
    """What messages call endpoints of this namespace."""
    row = _BY_NAME.get(name.lower())
    return row.display_name if row is not None else name
