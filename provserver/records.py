"""Records: small immutable values that are made thousands of times a second.

To the type checker a record is a frozen, slotted dataclass, and assigning to one is an error. At run time
it is slotted, hashable and comparable, but nothing stops an assignment: with `frozen=True` every field goes
through `object.__setattr__`, which was 8 % of a password cycle (docs/decisions/0005). Only for types on the
path of a request; everything else is a plain frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """The class as a record."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


__all__ = ["field", "record"]
