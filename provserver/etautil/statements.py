"""Control statements as values, and written as text: `grammar.parse` gives back what `written` is given.

Positions (characters, from 0) are where a statement's parts stood; they do not count when two are compared.
No repr shows a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Final

from provserver.etautil.words import quoted


class Sign(Enum):
    """What an assignment does to an attribute (CA docs 237283)."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Assignment:
    """`[+-]name=value`; the name as typed, so perhaps without its eT."""

    name: str
    value: str = field(repr=False)
    sign: Sign = Sign.REPLACE
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where, and entries of which class; None: the class that the first assignment's attribute names."""

    base: str
    object_class: str | None = None
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """`in BASE CLASS name=value`: what a new object is put into."""

    target: Target
    name: Assignment


@dataclass(frozen=True, slots=True)
class Add:
    """The first assignment is the name."""

    verb: ClassVar[str] = "add"
    target: Target
    values: tuple[Assignment, ...]
    memberships: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    verb: ClassVar[str] = "update"
    target: Target
    name: Assignment
    changes: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    verb: ClassVar[str] = "delete"
    target: Target
    name: Assignment


@dataclass(frozen=True, slots=True)
class Select:
    """`listed` empty: all attributes."""

    verb: ClassVar[str] = "select"
    target: Target
    criteria: tuple[Assignment, ...]
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MassChange:
    verb: ClassVar[str] = "masschange"
    target: Target
    criteria: tuple[Assignment, ...]
    changes: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """The first of `values` is the name of the copy, the others are what it has differently."""

    verb: ClassVar[str] = "copy"
    target: Target
    name: Assignment
    values: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class CopyAll:
    """A copy with the relationships of the original."""

    verb: ClassVar[str] = "copyall"
    target: Target
    name: Assignment
    values: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Explore:
    """`actions`: names of eTExplore… attributes; none: the objects are fetched."""

    verb: ClassVar[str] = "explore"
    target: Target
    name: Assignment
    actions: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How many entries there are, and of each listed attribute how many have which value."""

    verb: ClassVar[str] = "report"
    target: Target
    criteria: tuple[Assignment, ...]
    listed: tuple[str, ...] = ()


Statement = Add | Update | Delete | Select | MassChange | Copy | CopyAll | Explore | Report

VERBS: Final = tuple(
    sorted(kind.verb for kind in (Add, Update, Delete, Select, MassChange, Copy, CopyAll, Explore, Report))
)


def written(statement: Statement) -> str:
    """The statement as text, values included."""
    words = [statement.verb, *_target(statement.target)]
    match statement:
        case Add(_, values, memberships):
            words += [*map(_assignment, values)]
            for membership in memberships:
                words += ["in", *_target(membership.target), _assignment(membership.name)]
        case Update(_, name, changes) | Copy(_, name, changes) | CopyAll(_, name, changes):
            words += [_assignment(name), "to", *map(_assignment, changes)]
        case MassChange(_, criteria, changes):
            words += [*map(_assignment, criteria), "to", *map(_assignment, changes)]
        case Delete(_, name):
            words += [_assignment(name)]
        case Select(_, criteria, listed) | Report(_, criteria, listed):
            words += [*map(_assignment, criteria), *(["list", *listed] if listed else [])]
        case Explore(_, name, actions):
            words += [_assignment(name), *(["to", *map(_assignment, actions)] if actions else [])]
    return " ".join(words)


def _target(target: Target) -> list[str]:
    return [quoted(target.base), *([] if target.object_class is None else [target.object_class])]


def _assignment(assignment: Assignment) -> str:
    return f"{assignment.sign.value}{assignment.name}={quoted(assignment.value)}"
