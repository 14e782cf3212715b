"""What the names in statements mean: the eT may be left out, `name` is whatever names an object of its class.

The schema is the one that comes with provserver. A name that it does not know is sent as typed: the server
may have a schema of its own, and says so if it has not. Source: facts/imps.md 1.1, 4.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from provserver.directory.schema import ClassKind, Schema

_PREFIX: Final = "eT"
_NAME: Final = "name"
_EXPLORING: Final = frozenset(("explore", "correlate", "create-users", "update-users"))
"""Triggers (X-PROV-TRIGGER) of the attributes that an exploration asks for."""


class Vocabulary:
    """Names as a server spells them."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._naming: dict[str, str] = {}
        self._named_by: dict[str, str] = {}
        for key, object_class in schema.object_classes.items():
            naming = self._naming_of(key)
            if naming is not None and object_class.kind is ClassKind.STRUCTURAL:
                self._naming[key] = naming
                self._named_by.setdefault(naming, object_class.name)

    def _naming_of(self, key: str) -> str | None:
        """The attribute that a class must have, beyond what its superclass must: the first of them."""
        object_class = self._schema.object_classes[key]
        musts = object_class.must - {"objectclass"}
        stem = key.removesuffix("object")
        preferred = [must for must in musts if must in (f"{key}name", f"{key}id", f"{stem}id")]
        own = preferred or sorted(musts)
        return own[0] if own else None

    def attribute(self, word: str) -> str:
        """An attribute's name. With eT before the word if the schema has that; else the word's own."""
        key = self._schema.known_key(_PREFIX + word) or self._schema.known_key(word)
        return self._schema.shown(key) if key is not None else word

    def attribute_of(self, word: str, object_class: str) -> str:
        """The same, where `name` is the attribute that names objects of the class."""
        if word.lower() == _NAME:
            naming = self.naming(object_class)
            if naming is not None:
                return naming
        return self.attribute(word)

    def object_class(self, word: str) -> str:
        """A class's name, likewise."""
        known = self._schema.known_class(_PREFIX + word) or self._schema.known_class(word)
        return known.name if known is not None else word

    def naming(self, object_class: str) -> str | None:
        """The attribute that names objects of a class; None: the schema does not have the class."""
        known = self._schema.known_class(object_class)
        naming = self._naming.get(known.key) if known is not None else None
        return self._schema.shown(naming) if naming is not None else None

    def class_named_by(self, attribute: str) -> str | None:
        """The class whose objects an attribute names; None: none."""
        return self._named_by.get(attribute.lower())

    def allows(self, object_class: str, attribute: str) -> bool:
        """Whether objects of a class may have an attribute."""
        known = self._schema.known_class(object_class)
        return known is not None and attribute.lower() in known.must | known.may

    def is_name_valued(self, attribute: str) -> bool:
        """Whether the values are DNs."""
        return self._schema.is_name_valued(attribute)

    def hides(self, attribute: str) -> bool:
        """Whether the values must not be shown: they are secret, or not known to be harmless."""
        return self._schema.hides(attribute) or self._schema.trigger_of(attribute) in (
            "test",
            "sync",
            "password",
        )

    def is_kept_by_the_server(self, attribute: str) -> bool:
        """Whether a client cannot set it, or must not copy it: it says which entry this is, or what became
        of it.
        """
        key = self._schema.known_key(attribute)
        if key is None:
            return False
        type = self._schema.type_of(key)
        return type.operational or not type.modifiable or type.secret

    def explores(self, attribute: str) -> bool:
        """Whether asking an endpoint for it explores."""
        return self._schema.trigger_of(attribute) in _EXPLORING

    def exploring(self) -> tuple[str, ...]:
        """The names of such attributes, in the schema's order."""
        types = self._schema.attribute_types.values()
        return tuple(type.name for type in types if type.trigger in _EXPLORING)


@cache
def shipped_vocabulary() -> Vocabulary:
    """That of the schema which comes with provserver."""
    folder = files("provserver.schema")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".schema"))
    return Vocabulary(Schema.parse((name, (folder / name).read_text("utf-8")) for name in names))
