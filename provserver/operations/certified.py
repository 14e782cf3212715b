"""Which global user a client's certificate is about. The certificate was verified by TLS; the rule is ours.

The user whose DN the subject is. Else the one whose name is a UID, a CN or an e-mail address in the subject,
or an e-mail address among the alternative names; when these are names of different users, nobody.
"""

from __future__ import annotations

from typing import Final

from cryptography.x509 import (
    Certificate,
    DuplicateExtension,
    ExtensionNotFound,
    NameOID,
    RFC822Name,
    SubjectAlternativeName,
    UnsupportedGeneralNameType,
)

from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.imps.users import is_global_user
from provserver.ldap.results import Refusal
from provserver.operations.edits import Rooms
from provserver.operations.principals import bare_name

_NAMING: Final = (NameOID.USER_ID, NameOID.COMMON_NAME, NameOID.EMAIL_ADDRESS)


async def certified_user(certificate: Certificate, rooms: Rooms) -> Entry | None:
    """The one global user of a certificate, suspended or not."""
    try:
        subject = await _user(rooms.views.resolve(subject_of(certificate, rooms.schema))[0], rooms)
    except Refusal:
        subject = None
    if subject is not None:
        return subject
    found: dict[str, Entry] = {}
    for name in names_in(certificate):
        try:
            user = await _user(bare_name(name, rooms.views), rooms)
        except Refusal:
            continue
        if user is not None:
            found[user.id] = user
    return next(iter(found.values())) if len(found) == 1 else None


def subject_of(certificate: Certificate, schema: Schema) -> str:
    """The subject as RFC 4514 writes it, types as the schema names them."""
    oids = [attribute.oid for attribute in certificate.subject]
    keys = {oid: schema.known_key(oid.dotted_string) for oid in oids}
    return certificate.subject.rfc4514_string(
        {oid: schema.shown(key) for oid, key in keys.items() if key is not None}
    )


def names_in(certificate: Certificate) -> list[str]:
    """What may be the name of a global user."""
    subject = certificate.subject
    values = [attribute.value for oid in _NAMING for attribute in subject.get_attributes_for_oid(oid)]
    return [value for value in [*values, *_mail_addresses(certificate)] if value and isinstance(value, str)]


def _mail_addresses(certificate: Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, DuplicateExtension, UnsupportedGeneralNameType, ValueError):
        return []
    return list(names.get_values_for_type(RFC822Name))


async def _user(dn: DN, rooms: Rooms) -> Entry | None:
    entry = await rooms.store.read(dn)
    return entry if entry is not None and is_global_user(entry) else None
