"""What is said on the wire, typed: one dataclass per protocolOp of RFC 4511.

Names, descriptions and texts are `str`; values are `bytes`, as they came. A message that can carry a password
does not show its values in its repr.
"""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum
from typing import Final

from provserver.ldap.filters import Filter, Scope
from provserver.ldap.results import Result
from provserver.records import record
from provserver.vault.secret import Secret


class DerefAliases(IntEnum):
    NEVER = 0
    IN_SEARCHING = 1
    FINDING_BASE = 2
    ALWAYS = 3


class ChangeKind(IntEnum):
    ADD = 0
    DELETE = 1
    REPLACE = 2
    INCREMENT = 3  # RFC 4525


@record
class Control:
    """A control as it came; its value is decoded by whoever knows the type."""

    oid: str
    critical: bool = False
    value: bytes | None = field(default=None, repr=False)


@record
class PartialAttribute:
    """A description with its values; the values are hidden from repr (they may be passwords)."""

    description: str
    values: tuple[bytes, ...] = field(default=(), repr=False)


@record
class Change:
    kind: ChangeKind
    attribute: PartialAttribute


@record
class SaslCredentials:
    mechanism: str
    credentials: Secret | None = None


@record
class BindRequest:
    version: int
    name: str
    authentication: Secret | SaslCredentials


@record
class UnbindRequest:
    pass


@record
class SearchRequest:
    base: str
    scope: Scope
    deref_aliases: DerefAliases
    size_limit: int
    time_limit: int
    types_only: bool
    filter: Filter
    attributes: tuple[str, ...]


@record
class ModifyRequest:
    dn: str
    changes: tuple[Change, ...]


@record
class AddRequest:
    dn: str
    attributes: tuple[PartialAttribute, ...]


@record
class DeleteRequest:
    dn: str


@record
class ModifyDNRequest:
    dn: str
    new_rdn: str
    delete_old_rdn: bool
    new_superior: str | None = None


@record
class CompareRequest:
    dn: str
    description: str
    value: bytes = field(repr=False)


@record
class AbandonRequest:
    message_id: int


@record
class ExtendedRequest:
    oid: str
    value: bytes | None = field(default=None, repr=False)


@record
class BindResponse:
    result: Result
    server_sasl_credentials: bytes | None = field(default=None, repr=False)


@record
class SearchResultEntry:
    dn: str
    attributes: tuple[PartialAttribute, ...]


@record
class SearchResultReference:
    uris: tuple[str, ...]


@record
class SearchResultDone:
    result: Result


@record
class ModifyResponse:
    result: Result


@record
class AddResponse:
    result: Result


@record
class DeleteResponse:
    result: Result


@record
class ModifyDNResponse:
    result: Result


@record
class CompareResponse:
    result: Result


@record
class ExtendedResponse:
    result: Result
    oid: str | None = None
    value: bytes | None = field(default=None, repr=False)


@record
class IntermediateResponse:
    oid: str | None = None
    value: bytes | None = field(default=None, repr=False)


Request = (
    BindRequest
    | UnbindRequest
    | SearchRequest
    | ModifyRequest
    | AddRequest
    | DeleteRequest
    | ModifyDNRequest
    | CompareRequest
    | AbandonRequest
    | ExtendedRequest
)

Response = (
    BindResponse
    | SearchResultEntry
    | SearchResultReference
    | SearchResultDone
    | ModifyResponse
    | AddResponse
    | DeleteResponse
    | ModifyDNResponse
    | CompareResponse
    | ExtendedResponse
    | IntermediateResponse
)


@record
class Message:
    """One LDAPMessage: an operation, the id that joins question and answer, and its controls."""

    id: int
    operation: Request | Response
    controls: tuple[Control, ...] = ()


NOTICE_OF_DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"
START_TLS: Final = "1.3.6.1.4.1.1466.20037"
PASSWORD_MODIFY: Final = "1.3.6.1.4.1.4203.1.11.1"
WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"
CANCEL: Final = "1.3.6.1.1.8"
EXPLAIN: Final = "2.25.237390618890613785184987807740677441781.3.1"
CLEAR_GUARD: Final = "2.25.237390618890613785184987807740677441781.3.2"
RETRY_DELIVERIES: Final = "2.25.237390618890613785184987807740677441781.3.3"
DROP_DELIVERIES: Final = "2.25.237390618890613785184987807740677441781.3.4"
CHECK_ENDPOINT: Final = "2.25.237390618890613785184987807740677441781.3.5"
EXPLORE_ENDPOINT: Final = "2.25.237390618890613785184987807740677441781.3.6"
CHECK_TREE: Final = "2.25.237390618890613785184987807740677441781.3.7"
"""Ours: they hang from the UUID that the schema's do."""
