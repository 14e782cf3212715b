"""From definitions as read to types and classes that are resolved: superiors, rules, syntaxes, our
extensions.

References are resolved when everything has been read, so the order of files does not matter to them. Our
own extensions on attribute types: X-PROV-TRIGGER 'test' (a modify of it triggers that), X-PROV-SECRET
'TRUE' (never returned, never matched), X-PROV-INDEX 'eq' (indexed for equality), X-PROV-FORM 'CYYDDD' (values
have that form: `forms`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from provserver.directory.comparables import Comparable
from provserver.directory.definitions import (
    ATTRIBUTE_TYPES,
    LDAP_SYNTAXES,
    MATCHING_RULES,
    OBJECT_CLASSES,
    Definition,
    without_bound,
)
from provserver.directory.forms import FORMS
from provserver.directory.identifiers import Identifiers
from provserver.directory.matching import Rule, UnknownRule
from provserver.directory.merging import Definitions
from provserver.directory.rules import RULES
from provserver.directory.syntaxes import SYNTAXES, Syntax, Validator, any_octets

T = TypeVar("T")

SECRET: Final = "X-PROV-SECRET"
TRIGGER: Final = "X-PROV-TRIGGER"
INDEX: Final = "X-PROV-INDEX"
FORM: Final = "X-PROV-FORM"
_USAGES: Final = frozenset(("userapplications", "directoryoperation", "distributedoperation", "dsaoperation"))
_TRUTH: Final = {"true": True, "false": False}


class ClassKind(Enum):
    ABSTRACT = "ABSTRACT"
    STRUCTURAL = "STRUCTURAL"
    AUXILIARY = "AUXILIARY"


@dataclass(frozen=True, slots=True)
class AttributeType:
    """An attribute type with everything it inherits. `key` is its first NAME in lower case."""

    key: str
    name: str
    names: tuple[str, ...]
    oid: str
    superior: str | None
    equality: Rule | None
    ordering: Rule | None
    substrings: Rule | None
    syntax: Syntax
    single_value: bool
    modifiable: bool
    operational: bool
    secret: bool
    """Never returned, never matched, never named with a value."""
    trigger: str | None
    """What a modify of it triggers; such attributes are never stored."""
    indexed: bool
    comparable: Comparable | None
    """A value as the equality rule compares it; ValueError. None: its values cannot be compared."""
    asserted: Comparable | None
    """The same for an asserted value, which may have another syntax."""
    bound: int | None
    """The most characters of a value (octets, where values are no text); None: no matter."""
    form: Validator | None
    """What values must be like beyond their syntax; None: no matter."""


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """An object class with everything it inherits. Attributes and classes are keys."""

    key: str
    name: str
    names: tuple[str, ...]
    oid: str
    kind: ClassKind
    chain: tuple[str, ...]
    """Itself, then its superclasses, nearest first."""
    must: frozenset[str]
    may: frozenset[str]


class Assembly:
    """Gathers definitions, then resolves them."""

    def __init__(self) -> None:
        self.attributes = Definitions("attribute type", self._meaning)
        self.classes = Definitions("object class", self._meaning)
        self.rules: dict[str, Rule] = dict(RULES)
        self.syntaxes: dict[str, Syntax] = dict(SYNTAXES)
        self.extra: list[Definition] = []
        """Matching rules and syntaxes that a file defined and we do not have."""

    def _meaning(self, word: str) -> str:
        """A word of a clause (a rule, type, class or syntax) in one spelling, to see whether two agree."""
        word = without_bound(word).lower()
        rule = self.rules.get(word)
        if rule is not None:
            return "" if isinstance(rule, UnknownRule) else rule.oid
        return self.attributes.key(word) or self.classes.key(word) or word

    def add(self, definition: Definition) -> None:
        if definition.kind == ATTRIBUTE_TYPES:
            self.attributes.add(definition)
        elif definition.kind == OBJECT_CLASSES:
            self.classes.add(definition)
        elif definition.kind == MATCHING_RULES:
            self._add_rule(definition)
        elif definition.kind == LDAP_SYNTAXES and definition.oid not in self.syntaxes:
            name = definition.one("DESC") or definition.oid
            self.syntaxes[definition.oid] = Syntax(definition.oid, name, any_octets, False)
            self.extra.append(definition)

    def _add_rule(self, definition: Definition) -> None:
        if definition.oid in self.rules:
            return
        syntax = without_bound(definition.one("SYNTAX") or "")
        rule = UnknownRule(definition.oid, definition.name, syntax, frozenset())
        self.extra.append(definition)
        for name in (definition.oid, *definition.names):
            self.rules.setdefault(name.lower(), rule)

    def attribute_types(self) -> dict[str, AttributeType]:
        """All types by key."""
        rules = {name: rule.name.lower() for name, rule in self.rules.items()}
        identifiers = Identifiers({**rules, **self.attributes.keys(), **self.classes.keys()})
        resolved: dict[str, AttributeType] = {}

        def resolve(definition: Definition) -> AttributeType:
            superior = self._superior(definition, resolved)
            return self._attribute_type(definition, superior, identifiers)

        _in_order(self.attributes, self._superiors_of_type, resolve, resolved)
        return resolved

    def object_classes(self) -> dict[str, ObjectClass]:
        resolved: dict[str, ObjectClass] = {}

        def resolve(definition: Definition) -> ObjectClass:
            superiors = [resolved[key] for key in self._superiors_of_class(definition)]
            return self._object_class(definition, superiors)

        _in_order(self.classes, self._superiors_of_class, resolve, resolved)
        return resolved

    def _superiors_of_type(self, definition: Definition) -> list[str]:
        superior = definition.one("SUP")
        return [] if superior is None else [self._attribute_key(definition, superior)]

    def _superiors_of_class(self, definition: Definition) -> list[str]:
        keys = []
        for name in definition.many("SUP"):
            key = self.classes.key(name)
            if key is None:
                raise definition.place.error(
                    f"{definition.name}: expected a known object class after SUP, not {name}"
                )
            keys.append(key)
        top = self.classes.key("top")
        if not keys and top is not None and definition.name.lower() != "top":
            keys.append(top)  # RFC 4512 2.4: every class but top has a superclass, at the end top
        return keys

    def _attribute_key(self, definition: Definition, name: str) -> str:
        key = self.attributes.key(name)
        if key is None:
            raise definition.place.error(f"{definition.name}: expected a known attribute type, not {name}")
        return key

    def _superior(self, definition: Definition, resolved: dict[str, AttributeType]) -> AttributeType | None:
        keys = self._superiors_of_type(definition)
        return resolved[keys[0]] if keys else None

    def _rule(self, definition: Definition, keyword: str, inherited: Rule | None) -> Rule | None:
        name = definition.one(keyword)
        if name is None:
            return inherited
        rule = self.rules.get(name.lower())
        if rule is None:
            raise definition.place.error(
                f"{definition.name}: expected a known matching rule after {keyword}, not {name}"
            )
        return rule

    def _syntax(self, definition: Definition, superior: AttributeType | None) -> Syntax:
        clause = definition.one("SYNTAX")
        if clause is None:
            if superior is None:
                raise definition.place.error(f"{definition.name}: expected SYNTAX or SUP")
            return superior.syntax
        syntax = self.syntaxes.get(without_bound(clause))
        if syntax is None:
            raise definition.place.error(f"{definition.name}: expected a known syntax, not {clause}")
        return syntax

    def _attribute_type(
        self, definition: Definition, superior: AttributeType | None, identifiers: Identifiers
    ) -> AttributeType:
        equality = self._rule(definition, "EQUALITY", superior.equality if superior else None)
        comparable, asserted = identifiers.compared(equality)
        secret = _truth(definition, SECRET) or (superior is not None and superior.secret)
        indexed = _index(definition)
        if indexed and (secret or comparable is None):
            raise definition.place.error(
                f"{definition.name}: expected {INDEX} on a type that has an equality rule and is not secret"
            )
        usage = (definition.one("USAGE") or "userApplications").lower()
        if usage not in _USAGES:
            raise definition.place.error(f"{definition.name}: expected USAGE userApplications or …Operation")
        return AttributeType(
            key=definition.name.lower(),
            name=definition.name,
            names=definition.names or (definition.oid,),
            oid=definition.oid,
            superior=superior.key if superior else None,
            equality=equality,
            ordering=self._rule(definition, "ORDERING", superior.ordering if superior else None),
            substrings=self._rule(definition, "SUBSTR", superior.substrings if superior else None),
            syntax=self._syntax(definition, superior),
            single_value=definition.has("SINGLE-VALUE"),
            modifiable=not definition.has("NO-USER-MODIFICATION"),
            operational=usage != "userapplications",
            secret=secret,
            trigger=definition.one(TRIGGER),
            indexed=indexed,
            comparable=comparable,
            asserted=asserted,
            bound=_bound(definition, superior),
            form=_form(definition, superior),
        )

    def _object_class(self, definition: Definition, superiors: list[ObjectClass]) -> ObjectClass:
        kinds = [kind for kind in ClassKind if definition.has(kind.value)]
        if len(kinds) > 1:
            raise definition.place.error(
                f"{definition.name}: expected one of ABSTRACT, STRUCTURAL and AUXILIARY"
            )
        must = {self._attribute_key(definition, name) for name in definition.many("MUST")}
        may = {self._attribute_key(definition, name) for name in definition.many("MAY")}
        chain = dict.fromkeys([definition.name.lower()])
        for superior in superiors:
            must |= superior.must
            may |= superior.may
            chain.update(dict.fromkeys(superior.chain))
        return ObjectClass(
            key=definition.name.lower(),
            name=definition.name,
            names=definition.names or (definition.oid,),
            oid=definition.oid,
            kind=kinds[0] if kinds else ClassKind.STRUCTURAL,
            chain=tuple(chain),
            must=frozenset(must),
            may=frozenset(may - must),
        )


def _bound(definition: Definition, superior: AttributeType | None) -> int | None:
    clause = definition.one("SYNTAX")
    if clause is None:
        return superior.bound if superior is not None else None
    digits = clause.partition("{")[2].rstrip("}")
    return int(digits) if digits.strip("0") else None


def _form(definition: Definition, superior: AttributeType | None) -> Validator | None:
    name = definition.one(FORM)
    if name is None:
        return superior.form if superior is not None else None
    form = FORMS.get(name)
    if form is None:
        raise definition.place.error(f"{definition.name}: expected {FORM} to be one of {', '.join(FORMS)}")
    return form


def _truth(definition: Definition, extension: str) -> bool:
    word = definition.one(extension)
    if word is None:
        return False
    truth = _TRUTH.get(word.lower())
    if truth is None:
        raise definition.place.error(f"{definition.name}: expected {extension} 'TRUE' or 'FALSE'")
    return truth


def _index(definition: Definition) -> bool:
    words = definition.many(INDEX)
    if words and words != ("eq",):
        raise definition.place.error(f"{definition.name}: expected {INDEX} 'eq'")
    return bool(words)


def _in_order(
    definitions: Definitions,
    superiors: Callable[[Definition], list[str]],
    resolve: Callable[[Definition], T],
    resolved: dict[str, T],
) -> None:
    """Resolve superiors before what refers to them, without recursion; a circle is an error."""
    for first in definitions:
        waiting = [first]
        while waiting:
            definition = waiting[-1]
            missing = [key for key in superiors(definition) if key not in resolved]
            if not missing:
                resolved.setdefault(definition.name.lower(), resolve(definition))
                waiting.pop()
                continue
            above = definitions.definition(missing[0])
            if above in waiting:
                raise definition.place.error(
                    f"{definition.name}: expected no circle of SUP, by way of {above.name}"
                )
            waiting.append(above)
