"""The two entries that every client may read: the root DSE and the subschema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from provserver import __version__
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.imps.views import View, Views
from provserver.ldap.extended import EXTENDED_REQUESTS
from provserver.ldap.messages import START_TLS
from provserver.operations.asked import HONOURED
from provserver.operations.selection import Selection

SUBSCHEMA_NAME: Final = "cn=subschema"


@dataclass(frozen=True, slots=True)
class VirtualEntry:
    """An entry that is made, not stored, under its name on the wire."""

    name: str
    entry: Entry

    def select(self, selection: Selection) -> list[Attribute]:
        """What was asked of it; its attributes are operational, so most must be named or asked by `+`."""
        return selection.of(self.entry, View.BARE)


def virtual(name: str, attributes: Mapping[str, Sequence[str]]) -> VirtualEntry:
    """An entry that is made for an answer."""
    return VirtualEntry(name, made(DN.parse(name), attributes))


def made(dn: DN, attributes: Mapping[str, Sequence[str]], id: str = "") -> Entry:
    """The same; `id` tells it from others of its kind."""
    return Entry(
        EntryId(id),
        dn,
        {
            description.lower(): Attribute(description, tuple([value.encode() for value in values]))
            for description, values in attributes.items()
            if values
        },
    )


class Subschema:
    """Makes both entries once: the schema does not change while the server runs."""

    def __init__(self, schema: Schema, views: Views) -> None:
        self._root = virtual(
            "",
            {
                "objectClass": ["top"],
                "namingContexts": [
                    Views.render(views.domain, view) for view in (View.SERVER, View.REPOSITORY)
                ],
                "subschemaSubentry": ["cn=Subschema"],
                "supportedLDAPVersion": ["3"],
                "supportedControl": sorted(HONOURED),
                "supportedFeatures": [
                    "1.3.6.1.4.1.4203.1.5.1",  # all operational attributes, RFC 3673
                    "1.3.6.1.4.1.4203.1.5.2",  # the attributes of an object class, RFC 4529
                    "1.3.6.1.4.1.4203.1.5.4",  # language tags, RFC 3866
                    "1.3.6.1.4.1.4203.1.5.3",  # absolute true and false filters, RFC 4526
                    "1.3.6.1.1.14",  # modify-increment, RFC 4525
                ],
                "supportedExtension": [START_TLS, *EXTENDED_REQUESTS],
                "vendorName": ["provserver"],
                "vendorVersion": [__version__],
            },
        )
        self._roots: dict[tuple[str, ...], VirtualEntry] = {(): self._root}
        self._subschema = virtual(
            "cn=Subschema",
            {
                "objectClass": ["top", "subentry", "subschema"],
                "cn": ["Subschema"],
                "structuralObjectClass": ["subschema"],
                **schema.definitions(),
            },
        )

    def root_dse(self, mechanisms: tuple[str, ...] = ()) -> VirtualEntry:
        """The root DSE of a connection on which these SASL mechanisms can be used."""
        root = self._roots.get(mechanisms)
        if root is None:
            offered = virtual("", {"supportedSASLMechanisms": mechanisms}).entry.attributes
            entry = self._root.entry
            root = VirtualEntry("", Entry(entry.id, entry.dn, {**entry.attributes, **offered}))
            self._roots[mechanisms] = root
        return root

    def entry(self) -> VirtualEntry:
        return self._subschema
