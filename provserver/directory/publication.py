"""What a schema says of itself in the subschema entry (RFC 4512 4.2): definitions as text, by attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from provserver.directory.assembly import Assembly, AttributeType
from provserver.directory.assertions import suits
from provserver.directory.definitions import (
    ATTRIBUTE_TYPES,
    LDAP_SYNTAXES,
    MATCHING_RULE_USE,
    MATCHING_RULES,
    OBJECT_CLASSES,
)
from provserver.directory.matching import Rule, UnknownRule
from provserver.directory.rules import BUILT_IN
from provserver.directory.syntaxes import SYNTAXES

_BY_OID: Final = {rule.oid: rule for rule in BUILT_IN}


def published(assembly: Assembly, types: Mapping[str, AttributeType]) -> dict[str, tuple[str, ...]]:
    """The texts of every definition. Rules that types name are among them though we do not evaluate them, as
    RFC 4517 4.1 demands.
    """
    of_files: dict[str, list[str]] = {MATCHING_RULES: [], LDAP_SYNTAXES: []}
    for definition in assembly.extra:
        of_files[definition.kind].append(definition.text())
    own = {definition.oid for definition in assembly.extra}
    rules = _BY_OID | {rule.oid: rule for rule in _named_only(types) if rule.oid not in own}
    uses = [(rule, _suited(rule, types)) for rule in BUILT_IN]
    return {
        ATTRIBUTE_TYPES: tuple([definition.text() for definition in assembly.attributes]),
        OBJECT_CLASSES: tuple([definition.text() for definition in assembly.classes]),
        MATCHING_RULES: (
            *[f"( {rule.oid} NAME '{rule.name}' SYNTAX {rule.syntax} )" for rule in rules.values()],
            *of_files[MATCHING_RULES],
        ),
        MATCHING_RULE_USE: tuple(
            [f"( {rule.oid} NAME '{rule.name}' APPLIES {_oids(names)} )" for rule, names in uses if names]
        ),
        LDAP_SYNTAXES: (
            *[f"( {syntax.oid} DESC '{syntax.description}' )" for syntax in SYNTAXES.values()],
            *of_files[LDAP_SYNTAXES],
        ),
    }


def _named_only(types: Mapping[str, AttributeType]) -> list[Rule]:
    """Rules that types name and nobody evaluates."""
    named = [rule for type in types.values() for rule in (type.equality, type.ordering, type.substrings)]
    return [rule for rule in named if isinstance(rule, UnknownRule)]


def _suited(rule: Rule, types: Mapping[str, AttributeType]) -> list[str]:
    """Names of the types that a filter may apply the rule to (RFC 4512 4.1.4): never secret ones."""
    return [type.name for type in types.values() if not type.secret and suits(rule, type)]


def _oids(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"( {' $ '.join(names)} )"
