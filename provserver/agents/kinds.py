"""What an endpoint and its accounts are called, by the kind of endpoint: what a conf file leaves out.

The client's half of `imps.namespaces`, which agents may not import; a test holds one against the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EndpointKind:
    """`namespace`: the value of `eTNamespaceName`; `endpoint`: the type that names an endpoint there."""

    namespace: str
    endpoint: str
    account_class: str
    logon_attribute: str


_AD: Final = EndpointKind("ActiveDirectory", "eTADSDirectoryName", "eTADSAccount", "eTADSsAMAccountName")
_NT: Final = EndpointKind("Windows NT", "eTN16DirectoryName", "eTN16Account", "eTN16AccountName")
_ETC: Final = EndpointKind("UNIX - etc", "eTETCDirectoryName", "eTETCAccount", "eTETCAccountName")
_NIS: Final = EndpointKind(
    "UNIX - NIS-NIS plus Domains", "eTNISDirectoryName", "eTNISAccount", "eTNISAccountName"
)
_AS400: Final = EndpointKind("OS400", "eTAS4DirectoryName", "eTAS4Account", "eTAS4AccountName")
_ACF2: Final = EndpointKind("CA-ACF2", "eTACFDirectoryName", "eTACFLid", "eTACFLidName")
_RACF: Final = EndpointKind("RACF", "eTRACDirectoryName", "eTRACUser", "eTRACUserid")
_TSS: Final = EndpointKind("CA-Top Secret", "eTTSSDirectoryName", "eTTSSAcid", "eTTSSAcidName")

_SPELLINGS: Final = {
    "activedirectory": _AD,
    "ads": _AD,
    "windowsnt": _NT,
    "nt": _NT,
    "n16": _NT,
    "unixetc": _ETC,
    "etc": _ETC,
    "unixnisnisplusdomains": _NIS,
    "nis": _NIS,
    "os400": _AS400,
    "as400": _AS400,
    "caacf2": _ACF2,
    "acf2": _ACF2,
    "racf": _RACF,
    "catopsecret": _TSS,
    "tss": _TSS,
}


def endpoint_kind(name: str) -> EndpointKind:
    """The kind of a conf file's endpoint type, however it is spelled. Any other name is a dynamic type's."""
    known = _SPELLINGS.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    return known or EndpointKind(name, "eTDYNDirectoryName", "eTDYNAccount", "eTDYNAccountName")
