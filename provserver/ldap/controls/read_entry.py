"""The entry before or after an update, returned with its result: RFC 4527."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from provserver.ldap.ber_writing import SEQUENCE
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.decoding import RESPONSE_DECODERS
from provserver.ldap.encoding import encode_entry
from provserver.ldap.limits import Limits
from provserver.ldap.messages import SearchResultEntry
from provserver.ldap.values import Parts, sequence, text
from provserver.records import record

_PRE_READ: Final = "1.3.6.1.1.13.1"
_POST_READ: Final = "1.3.6.1.1.13.2"
_ENTRY: Final = 0x64


@record
class _Selection(ControlValue):
    """The shape of both requests: an AttributeSelection, as in a search (RFC 4511 4.5.1.8, RFC 3673)."""

    attributes: tuple[str, ...] = ()

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "AttributeSelection")
        return cls(parts.every(lambda: parts.text("selector"), limits.values))

    def encode(self) -> bytes:
        return sequence(*[text(attribute) for attribute in self.attributes])


@record
class _Entry(ControlValue):
    """The shape of both responses: a SearchResultEntry."""

    entry: SearchResultEntry

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        # The UnboundID SDK writes a plain SEQUENCE, and reads either.
        tag = SEQUENCE if value is not None and value.startswith(b"\x30") else _ENTRY
        parts = Parts.of_sequence(value, "SearchResultEntry", tag)
        entry = RESPONSE_DECODERS[_ENTRY](*parts.rest, limits)
        assert isinstance(entry, SearchResultEntry)  # noqa: S101  the decoder of this tag
        return cls(entry)

    def encode(self) -> bytes:
        attributes = [(attribute.description, attribute.values) for attribute in self.entry.attributes]
        return encode_entry(self.entry.dn, attributes)


@record
class PreRead(_Selection):
    """Which attributes of the entry as it was before to return (RFC 4527 3.1)."""

    oid: ClassVar[str] = _PRE_READ
    name: ClassVar[str] = "pre-read control"


@record
class PostRead(_Selection):
    """Which attributes of the entry as it is after to return (RFC 4527 3.2)."""

    oid: ClassVar[str] = _POST_READ
    name: ClassVar[str] = "post-read control"


@record
class PreReadEntry(_Entry):
    """The entry as it was before the update (RFC 4527 3.1)."""

    oid: ClassVar[str] = _PRE_READ
    name: ClassVar[str] = "pre-read response control"


@record
class PostReadEntry(_Entry):
    """The entry as it is after the update (RFC 4527 3.2)."""

    oid: ClassVar[str] = _POST_READ
    name: ClassVar[str] = "post-read response control"
