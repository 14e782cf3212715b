"""Reading entries on an agent's line: with values, in pages, however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from provserver.agents.line import Line
from provserver.agents.verdicts import said
from provserver.agents.wire import Deadline, LineLost, NoAnswer
from provserver.ldap.controls.paging import PagedResults
from provserver.ldap.filters import Equality, Filter, Or, Present, Scope
from provserver.ldap.limits import DEFAULT_LIMITS
from provserver.ldap.messages import (
    Control,
    DerefAliases,
    Message,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
)
from provserver.ldap.results import ResultCode
from provserver.ldap.values import MalformedValue

_PAGE: Final = 500
_TOGETHER: Final = 100
"""Values that one question is about."""
_ANY: Final = Present("objectClass")

T = TypeVar("T")


class NotRead(NoAnswer):
    """The server does not show it: to this identity, or at all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`attributes` by their names in small letters."""

    dn: str
    attributes: dict[str, tuple[str, ...]]

    def first(self, name: str) -> str:
        """Its first value; "" where there is none."""
        return next(iter(self.attributes.get(name.lower(), ())), "")


def below(
    line: Line, base: str, wanted: Filter, attributes: Sequence[str], patience: float
) -> Iterator[Entry]:
    """What matches at or below the base. `patience`: seconds for each page. NotRead, NoAnswer."""
    cookie = b""
    while True:
        deadline = Deadline(patience)
        page = PagedResults(_PAGE, cookie)
        control = Control(page.oid, True, page.encode())
        request = _question(base, Scope.SUBTREE, wanted, attributes, deadline)
        number = line.send(request, (control,), deadline)
        while isinstance((message := line.answer(number, deadline)).operation, SearchResultEntry):
            yield _entry(message.operation)
        _done(message, base)
        cookie = _cookie(message)
        if not cookie:
            return


def one(line: Line, dn: str, attributes: Sequence[str], patience: float) -> Entry:
    """One entry. NotRead, NoAnswer."""
    deadline = Deadline(patience)
    number = line.send(_question(dn, Scope.BASE, _ANY, attributes, deadline), (), deadline)
    found: Entry | None = None
    while isinstance((message := line.answer(number, deadline)).operation, SearchResultEntry):
        found = _entry(message.operation)
    _done(message, dn)
    if found is None:
        raise NotRead(f"{dn} is not shown")
    return found


def any_of(attribute: str, values: Sequence[str]) -> Iterator[Filter]:
    """Questions which together are about entries with any of these values."""
    for group in in_groups(values):
        yield Or(tuple(Equality(attribute, value.encode()) for value in group))


def in_groups(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as are asked for together."""
    for start in range(0, len(things), _TOGETHER):
        yield things[start : start + _TOGETHER]


def _question(
    base: str, scope: Scope, wanted: Filter, attributes: Sequence[str], deadline: Deadline
) -> SearchRequest:
    seconds = max(1, int(deadline.left))
    return SearchRequest(base, scope, DerefAliases.NEVER, 0, seconds, False, wanted, tuple(attributes))


def _entry(found: SearchResultEntry) -> Entry:
    return Entry(
        found.dn,
        {
            one.description.lower(): tuple([value.decode("utf-8", "replace") for value in one.values])
            for one in found.attributes
        },
    )


def _cookie(message: Message) -> bytes:
    for control in message.controls:
        if control.oid == PagedResults.oid:
            try:
                return PagedResults.decode(control.value, DEFAULT_LIMITS).cookie
            except MalformedValue as error:
                raise LineLost(f"what it answered is not LDAP: {error}") from None
    return b""


def _done(message: Message, base: str) -> None:
    if not isinstance(message.operation, SearchResultDone):
        raise LineLost("it answered something else")
    result = message.operation.result
    if result.code is not ResultCode.SUCCESS:
        raise NotRead(f"{base}: {said(result)}")
