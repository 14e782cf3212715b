"""The schema: which attributes and classes there are, and how their values are written, compared and guarded.

Attributes are stored under their key: the first NAME of their type in lower case, then the options, sorted:
`cn`, `cn;lang-de`. Names, OIDs and aliases are all resolved to it. What is not known is treated as secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from provserver.directory.assembly import Assembly, AttributeType, ClassKind, ObjectClass
from provserver.directory.definitions import SchemaError
from provserver.directory.entries import Entry
from provserver.directory.matching import Rule
from provserver.directory.publication import published
from provserver.directory.schematext import Macros, read_definitions
from provserver.directory.syntaxes import DN, NAME_AND_UID
from provserver.ldap.results import Refusal, ResultCode

__all__ = ["AttributeType", "ClassKind", "ObjectClass", "Schema", "SchemaError"]

_Test = Callable[[Entry], bool | None]
_REMEMBERED: Final = 10_000
"""Descriptions kept resolved. Clients choose them, so there must be an end."""
_SHOWN: Final = 64
"""Characters of a client's word that a diagnostic repeats."""
# RFC 4512 2.5: options of language (RFC 3866), of transfer (RFC 4522) and private ones are known.
_OPTION: Final = re.compile(r"lang(?:-[a-z0-9]+)+|binary|x-[a-z0-9-]+")


class Schema:
    """Immutable. A `description` is any name of a type, with options; a `key` is what `key()` makes of it."""

    def __init__(self, assembly: Assembly) -> None:
        self.attribute_types: Final[Mapping[str, AttributeType]] = assembly.attribute_types()
        self.object_classes: Final[Mapping[str, ObjectClass]] = assembly.object_classes()
        types = self.attribute_types
        self._names = assembly.attributes.keys()
        self._keys: dict[str, str] = dict(self._names)
        self._class_names = assembly.classes.keys()
        self._rules = assembly.rules
        self._shown = frozenset(key for key, type in types.items() if not type.secret)
        self._operational = frozenset(key for key, type in types.items() if type.operational)
        self._triggers = {key: type.trigger for key, type in types.items() if type.trigger is not None}
        self._subtypes = _subtypes(types)
        self.indexed: Final = frozenset(key for key, type in types.items() if type.indexed)
        """Keys of the attributes that a store indexes for equality."""
        self._definitions = published(assembly, types)
        self._class_tests: dict[bytes, _Test] = {}

    @classmethod
    def parse(cls, texts: Iterable[tuple[str, str]]) -> Schema:
        """The schema of some files, each with its name for errors. SchemaError names file and line."""
        assembly, macros = Assembly(), Macros()
        for source, text in texts:
            for definition in read_definitions(source, text, macros):
                assembly.add(definition)
        return cls(assembly)

    # -- from a description -------------------------------------------------------------------------

    def known_key(self, description: str) -> str | None:
        """The key of an attribute description; None: no such type, or an option that is not known."""
        key = self._keys.get(description)
        return key if key is not None else self._resolve(description)

    def _resolve(self, description: str) -> str | None:
        name, *options = description.lower().split(";")
        key = self._names.get(name)
        if key is None:
            return None
        if options:
            if key not in self._shown or key in self._triggers or not all(map(_OPTION.fullmatch, options)):
                return None
            key = ";".join([key, *sorted(set(options))])
        if len(self._keys) < _REMEMBERED and len(description) <= _SHOWN:
            self._keys[description] = key
        return key

    def key(self, description: str) -> str:
        """The key of an attribute description. Refusal UNDEFINED_ATTRIBUTE_TYPE."""
        key = self.known_key(description)
        if key is None:
            raise Refusal(
                ResultCode.UNDEFINED_ATTRIBUTE_TYPE, f"{_word(description)}: no such attribute type"
            )
        return key

    def attribute(self, description: str) -> AttributeType:
        """The type of an attribute description. Refusal UNDEFINED_ATTRIBUTE_TYPE."""
        return self.type_of(self.key(description))

    def shown(self, key: str) -> str:
        """How an attribute is called in answers: the first NAME of its type as spelled there, options."""
        base, semicolon, options = key.partition(";")
        return self.attribute_types[base].name + semicolon + options

    def is_name_valued(self, description: str) -> bool:
        """Whether the values are distinguished names; False for what is not known."""
        key = self.known_key(description)
        return key is not None and self.type_of(key).syntax.oid in (DN, NAME_AND_UID)

    def trigger_of(self, description: str) -> str | None:
        """What a modify of this attribute triggers; None: nothing (it is ordinary, or not known)."""
        key = self.known_key(description)
        return self._triggers.get(key) if key is not None else None

    def hides(self, description: str) -> bool:
        """Whether the values must not be shown anywhere: secret, or not known to be harmless."""
        key = self.known_key(description)
        return key is None or self.is_secret(key)

    # -- from a key ---------------------------------------------------------------------------------

    def type_of(self, key: str) -> AttributeType:
        """The type of a stored attribute. KeyError: not a key of this schema."""
        type = self.attribute_types.get(key)
        return type if type is not None else self.attribute_types[key.partition(";")[0]]

    def is_secret(self, key: str) -> bool:
        """Whether it is never returned and never matched. What this schema does not know is secret."""
        return key not in self._shown and (";" not in key or key.partition(";")[0] not in self._shown)

    def is_operational(self, key: str) -> bool:
        return key in self._operational or (";" in key and key.partition(";")[0] in self._operational)

    def trigger(self, key: str) -> str | None:
        """What a modify of this attribute triggers; None: it is an ordinary attribute."""
        return self._triggers.get(key)

    def subtypes(self, key: str) -> tuple[str, ...]:
        """The key and the keys of all types below it, with the key's options (RFC 4512 2.5.1)."""
        below = self._subtypes.get(key)
        if below is not None:
            return below
        base, semicolon, options = key.partition(";")
        return tuple([type + semicolon + options for type in self._subtypes.get(base, (base,))])

    def normalise(self, key: str, value: bytes) -> bytes:
        """A value as the type's equality rule compares it: for indexes and comparisons.

        Refusal INVALID_ATTRIBUTE_SYNTAX (it is no value of the type), INAPPROPRIATE_MATCHING (values of the
        type are secret, or have no equality rule).
        """
        type = self.type_of(key)
        if type.comparable is None or type.secret:
            raise Refusal(ResultCode.INAPPROPRIATE_MATCHING, f"{type.name}: its values cannot be compared")
        try:
            return type.comparable(value)
        except ValueError as error:
            raise Refusal(ResultCode.INVALID_ATTRIBUTE_SYNTAX, f"{type.name}: expected {error}") from None

    # -- classes, rules, definitions ----------------------------------------------------------------

    def known_class(self, name: str) -> ObjectClass | None:
        """The class of that name or OID, or None."""
        key = self._class_names.get(name.lower())
        return self.object_classes[key] if key is not None else None

    def object_class(self, name: str) -> ObjectClass:
        """The class of that name or OID. Refusal OBJECT_CLASS_VIOLATION."""
        known = self.known_class(name)
        if known is None:
            raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, f"objectClass: no such class as {_word(name)}")
        return known

    def rule(self, name: str) -> Rule | None:
        """The matching rule of that name or OID, or None."""
        return self._rules.get(name.lower())

    def remembered_test(self, name: bytes, make: Callable[[], _Test]) -> _Test:
        """What was compiled for a class of that name: nearly every filter asks for one, and a class is no
        secret."""
        test = self._class_tests.get(name)
        if test is None:
            test = make()
            if len(self._class_tests) < _REMEMBERED and len(name) <= _SHOWN:
                self._class_tests[name] = test
        return test

    def definitions(self) -> dict[str, tuple[str, ...]]:
        """What the subschema entry shows (RFC 4512 4.2), by attribute."""
        return dict(self._definitions)


def _word(word: str) -> str:
    """A client's word, fit for a diagnostic."""
    shown = word if len(word) <= _SHOWN else word[:_SHOWN] + "…"
    return shown if shown.isprintable() else ascii(shown)


def _subtypes(types: Mapping[str, AttributeType]) -> dict[str, tuple[str, ...]]:
    below: dict[str, list[str]] = {key: [] for key in types}
    for key in types:
        above: str | None = key
        while above is not None:
            below[above].append(key)
            above = types[above].superior
    return {key: (key, *(other for other in found if other != key)) for key, found in below.items()}
