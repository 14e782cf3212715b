"""Values against their type: syntax, form, bound, repetition and number (RFC 4512 2.5, RFC 4517).

A diagnostic names the attribute, the value by its place among those given (when there are several), and what
was expected; never a value. Values of secret attributes are never compared, so that no answer says whether
a guess was right.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from provserver.directory.assembly import AttributeType
from provserver.directory.syntaxes import Validator
from provserver.ldap.results import Refusal, ResultCode


def check_values(type: AttributeType, values: Sequence[bytes]) -> None:
    """Refusal INVALID_ATTRIBUTE_SYNTAX; CONSTRAINT_VIOLATION for a value that is longer than the type's
    bound (ours: RFC 4512 4.1.2 lets a server accept it), or not of its form.
    """
    check = type.syntax.check
    for index, value in enumerate(values):
        try:
            check(value)
        except ValueError as error:
            raise Refusal(
                ResultCode.INVALID_ATTRIBUTE_SYNTAX, f"{_named(type, index, values)}: expected {error}"
            ) from None
    if type.bound is not None:
        _check_bound(type, values, type.bound)
    if type.form is not None:
        _check_form(type, values, type.form)


def _check_form(type: AttributeType, values: Sequence[bytes], form: Validator) -> None:
    for index, value in enumerate(values):
        try:
            form(value)
        except ValueError as error:
            raise Refusal(
                ResultCode.CONSTRAINT_VIOLATION, f"{_named(type, index, values)}: expected {error}"
            ) from None


def _check_bound(type: AttributeType, values: Sequence[bytes], bound: int) -> None:
    for index, value in enumerate(values):
        if len(value) > bound and _length(type, value) > bound:
            unit = "characters" if type.syntax.text else "octets"
            raise Refusal(
                ResultCode.CONSTRAINT_VIOLATION,
                f"{_named(type, index, values)}: expected at most {bound} {unit}",
            )


def check_distinct(type: AttributeType, values: Sequence[bytes], old: Sequence[bytes] = ()) -> None:
    """Refusal ATTRIBUTE_OR_VALUE_EXISTS when two values are equal, or one is equal to an old one."""
    if type.secret:
        return
    new = comparables(type, values)  # a single one too: it must be comparable, an index will ask
    seen: dict[bytes, int] = {}
    for index, one in enumerate(new) if len(new) > 1 else ():
        first = seen.setdefault(one, index)
        if first != index:
            raise Refusal(
                ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
                f"{_named(type, index, values)}: the same as value {first + 1}",
            )
    if old:
        there = _first(new, set(stored_comparables(type, old)), True)
        if there is not None:
            raise Refusal(
                ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
                f"{_named(type, there, values)}: the entry has this value already",
            )


def check_single(type: AttributeType, values: Sequence[bytes]) -> None:
    """Refusal CONSTRAINT_VIOLATION when a type of one value has several."""
    if type.single_value and len(values) > 1:
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{type.name}: expected a single value")


def without(type: AttributeType, old: Sequence[bytes], values: Sequence[bytes]) -> tuple[bytes, ...]:
    """The old values less these. Refusal NO_SUCH_ATTRIBUTE when one of these is not among them."""
    gone = comparables(type, values)
    kept = stored_comparables(type, old)
    missing = _first(gone, set(kept), False)
    if missing is not None:
        raise Refusal(
            ResultCode.NO_SUCH_ATTRIBUTE,
            f"{_named(type, missing, values)}: the entry does not have this value",
        )
    leaving = set(gone)
    return tuple([value for value, one in zip(old, kept, strict=True) if one not in leaving])


def holds(type: AttributeType, held: Sequence[bytes], value: bytes) -> bool:
    """Whether the value is among those held."""
    return comparables(type, (value,))[0] in stored_comparables(type, held)


def comparables(type: AttributeType, values: Sequence[bytes]) -> list[bytes]:
    """Values as the equality rule compares them. Refusal INVALID_ATTRIBUTE_SYNTAX."""
    comparable = type.comparable
    if comparable is None:
        return list(values)
    found = []
    for index, value in enumerate(values):
        try:
            found.append(comparable(value))
        except ValueError as error:
            raise Refusal(
                ResultCode.INVALID_ATTRIBUTE_SYNTAX, f"{_named(type, index, values)}: expected {error}"
            ) from None
    return found


def stored_comparables(type: AttributeType, values: Sequence[bytes]) -> list[bytes]:
    """The same of what is stored; a value that cannot be compared any more is itself."""
    comparable = type.comparable
    if comparable is None:
        return list(values)
    found = []
    for value in values:
        try:
            found.append(comparable(value))
        except ValueError:
            found.append(value)
    return found


def _first(ones: Sequence[bytes], others: Collection[bytes], among: bool) -> int | None:
    """Where the first one stands that is, or is not, among the others."""
    return next((index for index, one in enumerate(ones) if (one in others) is among), None)


def _length(type: AttributeType, value: bytes) -> int:
    return len(value.decode()) if type.syntax.text else len(value)


def _named(type: AttributeType, index: int, values: Sequence[bytes]) -> str:
    return type.name if len(values) == 1 else f"{type.name}, value {index + 1}"
