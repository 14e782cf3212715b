"""A small schema for tests of this room: one type of each kind that the rules treat differently."""

from __future__ import annotations

from functools import cache
from typing import Final

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import new_entry

STRING: Final = "1.3.6.1.4.1.1466.115.121.1.15"
IA5: Final = "1.3.6.1.4.1.1466.115.121.1.26"
INTEGER: Final = "1.3.6.1.4.1.1466.115.121.1.27"
NAME: Final = "1.3.6.1.4.1.1466.115.121.1.12"
TIME: Final = "1.3.6.1.4.1.1466.115.121.1.24"
BOOLEAN: Final = "1.3.6.1.4.1.1466.115.121.1.7"
OCTETS: Final = "1.3.6.1.4.1.1466.115.121.1.40"
OIDS: Final = "1.3.6.1.4.1.1466.115.121.1.38"
TELEPHONE: Final = "1.3.6.1.4.1.1466.115.121.1.50"
POSTAL: Final = "1.3.6.1.4.1.1466.115.121.1.41"
UUID: Final = "1.3.6.1.1.16.1"
IGNORE: Final = "EQUALITY caseIgnoreMatch ORDERING caseIgnoreOrderingMatch SUBSTR caseIgnoreSubstringsMatch"
TIMES: Final = "EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch"
SERVER: Final = "NO-USER-MODIFICATION SINGLE-VALUE USAGE directoryOperation"

TEXT: Final = f"""
# types
objectidentifier t 2.999.1
objectidentifier c 2.999.2
attributetype ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch SYNTAX {OIDS} X-PROV-INDEX 'eq' )
attributetype ( 2.5.18.1 NAME 'createTimestamp' {TIMES} SYNTAX {TIME} {SERVER} )
attributetype ( 2.5.18.2 NAME 'modifyTimestamp' {TIMES} SYNTAX {TIME} {SERVER} )
attributetype ( 2.5.18.3 NAME 'creatorsName' EQUALITY distinguishedNameMatch SYNTAX {NAME} {SERVER} )
attributetype ( 2.5.18.4 NAME 'modifiersName' EQUALITY distinguishedNameMatch SYNTAX {NAME} {SERVER} )
attributetype ( 2.5.21.9 NAME 'structuralObjectClass' EQUALITY objectIdentifierMatch SYNTAX {OIDS} {SERVER} )
attributetype ( t:1 NAME 'eTID' EQUALITY caseIgnoreMatch SYNTAX {STRING} {SERVER} X-PROV-INDEX 'eq' )
attributetype ( 1.3.6.1.1.16.4 NAME 'entryUUID' EQUALITY uuidMatch ORDERING uuidOrderingMatch
  SYNTAX {UUID} {SERVER} )
attributetype ( 1.3.6.1.1.20 NAME 'entryDN' EQUALITY distinguishedNameMatch SYNTAX {NAME} {SERVER} )
attributetype ( 2.5.18.10 NAME 'subschemaSubentry' EQUALITY distinguishedNameMatch SYNTAX {NAME} {SERVER} )
attributetype ( 2.5.18.9 NAME 'hasSubordinates' EQUALITY booleanMatch SYNTAX {BOOLEAN} {SERVER} )
attributetype ( 1.3.6.1.4.1.453.16.2.103 NAME 'numSubordinates' EQUALITY integerMatch
  ORDERING integerOrderingMatch SYNTAX {INTEGER} {SERVER} )
attributetype ( 2.5.21.5 NAME 'attributeTypes' EQUALITY objectIdentifierFirstComponentMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.3 USAGE directoryOperation )
attributetype ( 2.5.4.41 NAME 'name' {IGNORE} SYNTAX {STRING} )
attributetype ( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name X-PROV-INDEX 'eq' )
attributetype ( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )
attributetype ( 2.5.4.11 NAME 'ou' SUP name )
attributetype ( t:2 NAME 'dc' {IGNORE} SYNTAX {STRING} SINGLE-VALUE )
attributetype ( t:3 NAME 'mail' EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch
  SYNTAX {IA5}{{256}} )
attributetype ( t:4 NAME 'uidNumber' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX {INTEGER} SINGLE-VALUE )
attributetype ( t:5 NAME 'flags' EQUALITY integerMatch SYNTAX {INTEGER} )
attributetype ( t:6 NAME 'manager' EQUALITY distinguishedNameMatch SYNTAX {NAME} )
attributetype ( t:7 NAME 'enabled' EQUALITY booleanMatch SYNTAX {BOOLEAN} SINGLE-VALUE )
attributetype ( t:8 NAME 'since' {TIMES} SYNTAX {TIME} )
attributetype ( t:9 NAME 'picture' SYNTAX 1.3.6.1.4.1.1466.115.121.1.28 )
attributetype ( t:10 NAME 'exact' EQUALITY caseExactMatch SUBSTR caseExactSubstringsMatch SYNTAX {STRING} )
attributetype ( t:11 NAME 'telephoneNumber' EQUALITY telephoneNumberMatch
  SUBSTR telephoneNumberSubstringsMatch SYNTAX {TELEPHONE} )
attributetype ( t:12 NAME 'secretKey' EQUALITY octetStringMatch SYNTAX {OCTETS} X-PROV-SECRET 'TRUE' )
attributetype ( t:13 NAME 'oldSecretKey' SUP secretKey )
attributetype ( t:14 NAME 'eTSyncPassword' EQUALITY octetStringMatch SYNTAX {OCTETS} SINGLE-VALUE
  X-PROV-TRIGGER 'sync' X-PROV-SECRET 'TRUE' )
attributetype ( t:15 NAME 'description' {IGNORE} SYNTAX {STRING} )
attributetype ( t:16 NAME 'note' EQUALITY certificateExactMatch SYNTAX {STRING} )
attributetype ( t:17 NAME 'postalAddress' EQUALITY caseIgnoreListMatch SUBSTR caseIgnoreListSubstringsMatch
  SYNTAX {POSTAL} )
attributetype ( t:18 NAME 'short' EQUALITY caseIgnoreMatch SYNTAX {STRING}{{4}} )
attributetype ( t:19 NAME 'shorter' SUP short )
attributetype ( t:20 NAME 'blob' SYNTAX {OCTETS}{{4}} )

# classes
objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
objectclass ( c:1 NAME 'domain' SUP top STRUCTURAL MUST dc MAY description )
objectclass ( 2.5.6.6 NAME 'person' STRUCTURAL MUST ( cn $ sn ) MAY ( description $ telephoneNumber $ flags
  $ uidNumber $ picture $ exact $ enabled $ since $ manager $ secretKey $ eTSyncPassword $ ou $ note
  $ postalAddress $ short $ shorter $ blob ) )
objectclass ( c:2 NAME 'employee' SUP person STRUCTURAL MAY mail )
objectclass ( c:3 NAME 'device' SUP top STRUCTURAL MUST cn )
objectclass ( c:4 NAME 'mailbox' AUXILIARY MUST mail )
objectclass ( 1.3.6.1.4.1.1466.101.120.111 NAME 'extensibleObject' AUXILIARY )
"""


@cache
def small() -> Schema:
    return Schema.parse([("small.schema", TEXT)])


def person(name: str = "cn=Jack,dc=im", **attributes: str | bytes | list[str] | list[bytes]) -> Entry:
    """An entry of class employee."""
    given: list[tuple[str, list[bytes]]] = [("objectClass", [b"employee"])]
    attributes.setdefault("sn", "Doe")
    for description, values in attributes.items():
        several = values if isinstance(values, list) else [values]
        given.append((description, [v if isinstance(v, bytes) else v.encode() for v in several]))
    return new_entry(
        DN.parse(name),
        given,
        small(),
        EntryId("00000000-0000-0000-0000-000000000001"),
        "20260101000000Z",
        "cn=admin",
    )


def raw(name: str = "cn=raw,dc=im", **attributes: list[bytes]) -> Entry:
    """An entry as a store could hold it, unchecked; `_` in a name stands for `;`."""
    return Entry(
        EntryId("x"),
        DN.parse(name),
        {
            key.lower().replace("_", ";", 1).replace("_", "-"): Attribute(key, tuple(values))
            for key, values in attributes.items()
        },
    )
