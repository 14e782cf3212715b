"""What a request asks beside itself: its controls, read and judged in one place, and the answers to them.

Source: RFC 4511 4.1.11. A control that we do not know, or not for this operation, is refused when it is
critical and passed over when it is not; a value that is malformed, or a control that comes twice, is a
protocol error either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from provserver.ldap.controls import (
    REQUEST_CONTROLS,
    ControlError,
    ControlKind,
    ControlValue,
    encode_response,
)
from provserver.ldap.limits import Limits
from provserver.ldap.messages import Control, Request
from provserver.ldap.results import Refusal, ResultCode

C = TypeVar("C", bound=ControlValue)

HONOURED: Final[Mapping[str, ControlKind]] = REQUEST_CONTROLS
"""The controls that operations obey, by object identifier; the root DSE tells of them."""


class Asked:
    """The controls of one request by their type, and the controls of its answer."""

    __slots__ = ("_answers", "_critical", "_values", "cause")

    def __init__(self) -> None:
        self.cause = ""
        """The request, as the transaction log names it to what follows from it; "" where it does not tell."""
        self._values: dict[type[ControlValue], ControlValue] = {}
        self._critical: set[type[ControlValue]] = set()
        self._answers: list[Control] = []

    def get(self, kind: type[C]) -> C | None:
        """The control of this type, if it was asked for."""
        return self._values.get(kind)  # type: ignore[return-value]  # kept under its own type

    def beside(self, kind: type[ControlValue]) -> frozenset[ControlValue]:
        """All controls but the one of this type."""
        return frozenset([value for one, value in self._values.items() if one is not kind])

    def is_critical(self, kind: type[ControlValue]) -> bool:
        """Whether it was asked for in such a way that the operation must not go on without it."""
        return kind in self._critical

    def demand_only(self, *obeyed: type[ControlValue], why: str) -> None:
        """Refusal UNAVAILABLE_CRITICAL_EXTENSION: another is critical, and this operation goes without."""
        for kind in REQUEST_CONTROLS.values():
            if kind.value in self._critical and kind.value not in obeyed:
                raise Refusal(ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, f"{kind.name}: {why}")

    def answer(self, value: ControlValue) -> None:
        """Send this control with the final answer; only in reply to one that was asked for."""
        self._answers.append(encode_response(value))

    @property
    def answers(self) -> Sequence[Control]:
        return self._answers

    def because_of(self, cause: str) -> Asked:
        """The same, of a request that the transaction log calls so."""
        asked = self if self is not NOTHING_ASKED else Asked()
        asked.cause = cause
        return asked

    def __bool__(self) -> bool:
        """Whether anything was asked."""
        return bool(self._values)


NOTHING_ASKED: Final = Asked()
"""Of the many requests that have no controls."""


def read_controls(controls: Sequence[Control], operation: Request, limits: Limits) -> Asked:
    """The controls of a request. Refusal UNAVAILABLE_CRITICAL_EXTENSION, PROTOCOL_ERROR."""
    if not controls:
        return NOTHING_ASKED
    asked = Asked()
    for control in controls:
        kind = HONOURED.get(control.oid)
        if kind is None or not kind.suits(operation):
            if control.critical:
                what = "is not supported" if kind is None else f"({kind.name}) is not for this operation"
                raise Refusal(ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, f"control {control.oid} {what}")
            continue
        if kind.value in asked._values:
            raise Refusal(ResultCode.PROTOCOL_ERROR, f"{kind.name}: given twice")
        if kind.always_critical and not control.critical:
            raise Refusal(ResultCode.PROTOCOL_ERROR, f"{kind.name}: expected to be critical")
        try:
            asked._values[kind.value] = kind.decode(control.value, limits)
        except ControlError as error:
            raise Refusal(ResultCode.PROTOCOL_ERROR, str(error)) from None
        if control.critical:
            asked._critical.add(kind.value)
    return asked
