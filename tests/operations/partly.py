"""Objects with some of their fields only, for tests that need no more of them."""

from __future__ import annotations

from typing import TypeVar

from provserver.journal.etatrans import Etatrans
from provserver.journal.requests import Requests
from provserver.operations.context import House
from provserver.operations.edits import Rooms

T = TypeVar("T")


def partly(kind: type[T], **given: object) -> T:
    """One of this frozen dataclass; whoever looks at a field that was not given gets an AttributeError."""
    made = kind.__new__(kind)
    for name, value in given.items():
        object.__setattr__(made, name, value)
    return made


def house_of(rooms: Rooms) -> House:
    """A house with these rooms, that writes no log."""
    return partly(House, rooms=rooms, requests=Requests(Etatrans(None, rooms.wall)))
