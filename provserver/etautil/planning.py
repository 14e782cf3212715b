"""From statements to requests: names completed, patterns to filters, assignments to changes. Pure.

Source: facts/imps.md 4 (CA docs 237008, 237283). Where entries are found, and what REPORT and COPY come to
in LDAP, is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from provserver.directory.names import DN, InvalidName
from provserver.etautil.domains import Domain
from provserver.etautil.requests import (
    AddEntry,
    CopyEntry,
    CountEntries,
    DeleteEntry,
    ExploreEndpoint,
    FindEntries,
    ModifyEntry,
    ModifyMatching,
    Request,
    Values,
)
from provserver.etautil.statements import (
    Add,
    Assignment,
    Copy,
    CopyAll,
    Delete,
    Explore,
    MassChange,
    Membership,
    Report,
    Select,
    Sign,
    Statement,
    Target,
    Update,
)
from provserver.etautil.vocabulary import Vocabulary
from provserver.etautil.words import Fault
from provserver.ldap.filters import And, Equality, Filter, Not, Present, Substrings
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute

_OBJECT_CLASS: Final = "objectClass"
_KINDS: Final = {Sign.REPLACE: ChangeKind.REPLACE, Sign.ADD: ChangeKind.ADD, Sign.REMOVE: ChangeKind.DELETE}
_ASTERISK: Final = re.compile(r"(?<!\\)\*")
_IN_ROLE: Final = "eTRoleDN"
_IN_TEMPLATE: Final = ("eTPolicyDN", "eTDefaultPolicyDN")
"""Where an object says which roles and templates it belongs to (KB 36124)."""
_FETCH: Final = "eTExploreUpdateEtrust"


class Planner:
    """Knows the names and the domain."""

    def __init__(self, vocabulary: Vocabulary, domain: Domain) -> None:
        self._vocabulary = vocabulary
        self._domain = domain

    def plan(self, statement: Statement) -> Request:
        """What the statement asks of a server. Fault."""
        match statement:
            case Add():
                return self._add(statement)
            case Update(target, name, changes):
                object_class = self._class(target, name)
                return ModifyEntry(self._named(target, name), self._changes(object_class, changes))
            case Delete(target, name):
                return DeleteEntry(self._named(target, name))
            case Copy(target, name, values):
                return self._copy(target, name, values, None)
            case CopyAll(target, name, values):
                return self._copy(target, name, values, self._domain.inclusions.text)
            case Select(target, criteria, listed):
                base, matching = self._matching(target, criteria)
                object_class = self._class(target, criteria[0])
                return FindEntries(base, matching, self._listed(object_class, listed))
            case Report(target, criteria, listed):
                base, matching = self._matching(target, criteria)
                object_class = self._class(target, criteria[0])
                return CountEntries(base, matching, self._listed(object_class, listed))
            case MassChange(target, criteria, changes):
                base, matching = self._matching(target, criteria)
                object_class = self._class(target, criteria[0])
                return ModifyMatching(base, matching, self._changes(object_class, changes))
            case Explore():
                return self._explore(statement)
            case _:
                assert_never(statement)

    # -- what is named

    def _base(self, target: Target) -> DN:
        try:
            return self._domain.base(target.base, self._vocabulary)
        except InvalidName as error:
            raise Fault(
                target.position, f"a DN, and in it {error.expected} at its character {error.position + 1}"
            ) from None

    def _class(self, target: Target, first: Assignment) -> str:
        if target.object_class is not None:
            return self._vocabulary.object_class(target.object_class)
        named = self._vocabulary.class_named_by(self._vocabulary.attribute(first.name))
        if named is None:
            raise Fault(first.position, "an object class, such as eTGlobalUser, after the base")
        return named

    def _named(self, target: Target, name: Assignment) -> str:
        """The DN of one object that there is."""
        if _ASTERISK.search(name.value):
            raise Fault(
                name.position, r"the name of one object (\* is an asterisk in it; masschange is for many)"
            )
        return self._dn(target, name, _unescaped(name.value)).text

    def _dn(self, target: Target, name: Assignment, value: str) -> DN:
        object_class = self._class(target, name)
        attribute = self._vocabulary.attribute_of(name.name, object_class)
        naming = self._vocabulary.naming(object_class)
        if naming is not None and attribute != naming:
            raise Fault(name.position, f"{naming}=…, the name of an {object_class}")
        if not value:
            raise Fault(name.position, f"a value of {attribute}")
        try:
            return self._base(target).child(attribute, value)
        except InvalidName as error:
            raise Fault(name.position, f"a name: {error.expected}") from None

    def _matching(self, target: Target, criteria: Sequence[Assignment]) -> tuple[str, Filter]:
        object_class = self._class(target, criteria[0])
        parts: list[Filter] = [Equality(_OBJECT_CLASS, object_class.encode())]
        for criterion in criteria:
            attribute = self._vocabulary.attribute_of(criterion.name, object_class)
            parts.append(self._criterion(attribute, criterion.value))
        return self._base(target).text, And(tuple(parts))

    def _criterion(self, attribute: str, pattern: str) -> Filter:
        if not pattern:
            return Not(Present(attribute))
        pieces = [_unescaped(piece) for piece in _ASTERISK.split(pattern)]
        if len(pieces) == 1:
            return Equality(attribute, self._value(attribute, pieces[0]))
        between = tuple(_octets(piece) for piece in pieces[1:-1] if piece)
        first, last = _octets(pieces[0]) or None, _octets(pieces[-1]) or None
        if first is None and last is None and not between:
            return Present(attribute)
        return Substrings(attribute, first, between, last)

    # -- what is written

    def _value(self, attribute: str, value: str) -> bytes:
        return _octets(self._domain.value(value) if self._vocabulary.is_name_valued(attribute) else value)

    def _values(self, object_class: str, assignments: Iterable[Assignment]) -> dict[str, list[bytes]]:
        """Attributes in the order in which they came; '' is no value."""
        gathered: dict[str, list[bytes]] = {}
        for assignment in assignments:
            attribute = self._vocabulary.attribute_of(assignment.name, object_class)
            values = gathered.setdefault(attribute, [])
            if assignment.value:
                values.append(self._value(attribute, assignment.value))
        return gathered

    def _changes(self, object_class: str, assignments: Sequence[Assignment]) -> tuple[Change, ...]:
        """One change for each attribute and sign, in the order in which they came."""
        gathered: dict[tuple[Sign, str], list[bytes]] = {}
        cleared: set[str] = set()
        for assignment in assignments:
            attribute = self._vocabulary.attribute_of(assignment.name, object_class)
            values = gathered.setdefault((assignment.sign, attribute), [])
            if assignment.value:
                values.append(self._value(attribute, assignment.value))
            elif assignment.sign is not Sign.REPLACE:
                raise Fault(
                    assignment.position, f"a value after the {assignment.sign.value} ({attribute}='' clears)"
                )
            else:
                cleared.add(attribute)
            if attribute in cleared and values and assignment.sign is Sign.REPLACE:
                raise Fault(assignment.position, f"values of {attribute}, or '' to clear it, but not both")
        return tuple(
            Change(_KINDS[sign], PartialAttribute(attribute, tuple(values)))
            for (sign, attribute), values in gathered.items()
        )

    def _add(self, statement: Add) -> AddEntry:
        first = statement.values[0]
        object_class = self._class(statement.target, first)
        naming = self._vocabulary.naming(object_class)
        name = next(
            (
                one
                for one in statement.values
                if self._vocabulary.attribute_of(one.name, object_class) == naming
            ),
            first,
        )
        dn = self._dn(statement.target, name, name.value)
        values = self._values(object_class, [name, *[one for one in statement.values if one is not name]])
        for membership in statement.memberships:
            attribute, value = self._membership(membership, object_class)
            values.setdefault(attribute, []).append(value)
        return AddEntry(dn.text, ((_OBJECT_CLASS, (object_class.encode(),)), *_frozen(values)))

    def _membership(self, membership: Membership, object_class: str) -> tuple[str, bytes]:
        """What says on a new object that it belongs to another one."""
        target, name = membership.target, membership.name
        container_class = self._class(target, name)
        container = self._named(target, name)
        wanted = (_IN_ROLE,) if container_class == "eTRole" else _IN_TEMPLATE
        attribute = next((one for one in wanted if self._vocabulary.allows(object_class, one)), None)
        if attribute is None or not (container_class == "eTRole" or container_class.endswith("Policy")):
            raise Fault(target.position, f"a role or an account template that an {object_class} can be in")
        return attribute, self._domain.reference(DN.parse(container)).encode()

    def _copy(
        self, target: Target, name: Assignment, values: Sequence[Assignment], shares: str | None
    ) -> CopyEntry:
        source = self._named(target, name)
        object_class = self._class(target, name)
        copy = self._dn(target, values[0], values[0].value)
        naming = copy.rdns[0].pairs[0][0]
        different = self._values(object_class, values[1:])
        return CopyEntry(source, copy.text, naming, _frozen(different, empty=True), shares)

    # -- what is asked

    def _listed(self, object_class: str, listed: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._vocabulary.attribute_of(word, object_class) for word in listed)

    def _explore(self, statement: Explore) -> ExploreEndpoint:
        dn = self._named(statement.target, statement.name)
        object_class = self._class(statement.target, statement.name)
        actions: list[str] = []
        for action in statement.actions:
            attribute = self._vocabulary.attribute(action.name)
            if not self._vocabulary.explores(attribute):
                raise Fault(action.position, f"one of {', '.join(self._vocabulary.exploring())}")
            if action.value not in ("0", "1"):
                raise Fault(action.position, f"{attribute}=1 or {attribute}=0")
            if action.value == "1" and attribute not in actions:
                actions.append(attribute)
        if statement.actions and not actions:
            raise Fault(statement.actions[0].position, "one attribute at least with =1")
        return ExploreEndpoint(
            dn, Equality(_OBJECT_CLASS, object_class.encode()), tuple(actions) or (_FETCH,)
        )


def _unescaped(pattern: str) -> str:
    return pattern.replace(r"\*", "*")


def _octets(value: str) -> bytes:
    """What a shell handed on that is no UTF-8 is sent as it came."""
    return value.encode("utf-8", "surrogateescape")


def _frozen(values: dict[str, list[bytes]], *, empty: bool = False) -> Values:
    return tuple((attribute, tuple(held)) for attribute, held in values.items() if held or empty)
