"""What a directory server says of itself: its root DSE (RFC 4512 5.1) and the attributes that it knows.

Read when the settings are checked, never for a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from provserver.ldap.client import LdapClient
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import PASSWORD_MODIFY, START_TLS
from provserver.ldap.results import Refusal

_ASKED: Final = (
    "*", "vendorName", "vendorVersion", "supportedExtension", "supportedControl", "supportedCapabilities",
    "subschemaSubentry", "namingContexts", "structuralObjectClass", "forestFunctionality",
)  # fmt: skip
_NAMES: Final = re.compile(r"\bNAME\s+(?:'([^']+)'|\(([^)]*)\))")
_SERVERS_OWN: Final = "NO-USER-MODIFICATION"


class Family(Enum):
    """Who made a server, as far as it matters to us; the text is how it is called to people."""

    OPENLDAP = "OpenLDAP"
    DS389 = "389-ds"
    ACTIVE_DIRECTORY = "Active Directory"
    OTHER = "another directory"
    UNTOLD = "a server that does not say what it is"


@dataclass(frozen=True, slots=True)
class Server:
    """A root DSE; attribute descriptions in lower case."""

    attributes: Mapping[str, tuple[str, ...]]

    def values(self, description: str) -> tuple[str, ...]:
        return self.attributes.get(description.lower(), ())

    @property
    def family(self) -> Family:
        vendor = " ".join((*self.values("vendorName"), *self.values("vendorVersion"))).lower()
        if self.values("forestFunctionality") or _AD_CAPABILITIES & set(self.values("supportedCapabilities")):
            return Family.ACTIVE_DIRECTORY
        if "389" in vendor or "red hat" in vendor or "fedora" in vendor:
            return Family.DS389
        classes = (*self.values("objectClass"), *self.values("structuralObjectClass"))
        if any(name.lower() == "openldaprootdse" for name in classes):
            return Family.OPENLDAP
        return Family.OTHER if vendor else Family.UNTOLD

    @property
    def name(self) -> str:
        """How it calls itself, else its family."""
        said = " ".join(self.values("vendorVersion") or self.values("vendorName"))
        return said.strip() or self.family.value

    @property
    def tells_extensions(self) -> bool:
        """Whether it says which extended operations it has; some hide it from who is not an administrator."""
        return bool(self.values("supportedExtension"))

    @property
    def modifies_passwords(self) -> bool:
        """RFC 3062."""
        return PASSWORD_MODIFY in self.values("supportedExtension")

    @property
    def offers_tls(self) -> bool:
        """StartTLS, RFC 4511 4.14."""
        return START_TLS in self.values("supportedExtension")


_AD_CAPABILITIES: Final = frozenset(
    # LDAP_CAP_ACTIVE_DIRECTORY_OID and LDAP_CAP_ACTIVE_DIRECTORY_ADAM_OID, MS-ADTS 3.1.1.3.4.3
    {"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1851"}
)


async def read_server(client: LdapClient) -> Server:
    """LineError, Refusal."""
    found = await client.search("", Scope.BASE, Present("objectClass"), _ASKED)
    attributes: dict[str, tuple[str, ...]] = {}
    for one in found:
        for description, values in one.attributes.items():
            attributes[description.lower()] = tuple(value.decode(errors="replace") for value in values)
    return Server(attributes)


async def writable_attributes(client: LdapClient, server: Server) -> frozenset[str]:
    """The attributes in its schema that a client may write, by all their names in lower case; none: it shows
    no schema. LineError."""
    names: set[str] = set()
    for subschema in server.values("subschemaSubentry")[:1]:
        try:
            found = await client.search(subschema, Scope.BASE, Present("objectClass"), ["attributeTypes"])
        except Refusal:
            return frozenset()
        for definition in found[0].values("attributeTypes") if found else ():
            text = definition.decode(errors="replace")
            named = _NAMES.search(text)
            if named is not None and _SERVERS_OWN not in text:
                names.update(name.lower() for name in (named[1] or named[2]).replace("'", " ").split())
    return frozenset(names)
