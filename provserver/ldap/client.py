"""An LDAP client for our connectors, our agents and the demo: questions in our own types, over our own codec.

Lines are protected and verified, every call has a time-out, a server's refusal is a `Refusal`, a broken
line a `LineError`. Many operations may be on the way over one line. Passwords come as `Secret` and are
revealed in functions that do not await, so no frame that lasts, no exception and no log line holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from provserver.ldap.client_line import (
    Address,
    Line,
    LineError,
    LineLost,
    NotTrusted,
    Take,
    TimedOut,
    Trust,
    Unreachable,
    demand_success,
    open_line,
    result_of,
)
from provserver.ldap.extended import PasswordModified, PasswordModify, encode_request
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
    Change,
    ChangeKind,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
    SearchResultEntry,
)
from provserver.ldap.results import Refusal, ResultCode
from provserver.ldap.values import MalformedValue
from provserver.vault.secret import Secret

__all__ = [
    "LdapClient",
    "Found",
    "Answer",
    "Address",
    "Trust",
    "LineError",
    "LineLost",
    "NotTrusted",
    "TimedOut",
    "Unreachable",
]


SYSTEM_TRUST: Final = Trust()
"""The certificate authorities that this machine trusts, and the host of the address."""


class Found(NamedTuple):
    """An entry that a search returned; attribute descriptions as the server spells them."""

    dn: str
    attributes: dict[str, list[bytes]]

    def values(self, description: str) -> list[bytes]:
        """The values under a description, whatever its case; none is the empty list."""
        wanted = description.lower()
        return next((values for name, values in self.attributes.items() if name.lower() == wanted), [])


class Answer(NamedTuple):
    """What an extended operation returned."""

    oid: str | None
    value: bytes | None

    def __repr__(self) -> str:
        return f"Answer(oid={self.oid!r})"


class LdapClient:
    """One connection, made by `connect`. Operations may be in flight together; bind alone.

    Every call may raise LineError, and Refusal when the server answered with something else than success.
    """

    def __init__(self, line: Line) -> None:
        self._line = line

    @classmethod
    async def connect(
        cls, url: str, *, reactor: object, trust: Trust | None = SYSTEM_TRUST, patience: float = 10.0
    ) -> LdapClient:
        """A protected line, nobody bound yet. `ldap://` is raised to TLS by StartTLS; with `trust=None` it
        stays clear, for whoever says so himself. `patience` (seconds) bounds the whole of it, and later
        each operation.

        ValueError for the address or an unreadable CA file; Unreachable; NotTrusted; Refusal of StartTLS.
        """
        address = Address.parse(url)
        if trust is None and address.ldaps:
            raise ValueError("ldaps:// needs trust: without it nothing is verified")
        clock = cast(IReactorTime, reactor)
        return cls(await open_line(address, trust, reactor, clock, patience))

    @property
    def connected(self) -> bool:
        """Whether the line still stands, as far as is known."""
        return self._line.is_up

    @property
    def secure(self) -> bool:
        """Whether TLS protects the line."""
        return self._line.secured

    async def bind(self, dn: str, password: Secret) -> None:
        """Simple bind; an empty DN and password are anonymous. Refusal(INVALID_CREDENTIALS)."""
        demand_success(await self._answer(lambda: BindRequest(3, dn, password)))

    async def search(
        self,
        base: str,
        scope: Scope,
        filter: Filter,
        attributes: Sequence[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        controls: Sequence[Control] = (),
        told: Callable[[Control], None] | None = None,
    ) -> list[Found]:
        """The entries found, references left out. The result must fit in memory. `told` is given each
        control of the last answer: where the next page begins, for instance."""
        found: list[Found] = []

        def take(answer: Message) -> None:
            entry = answer.operation
            if isinstance(entry, SearchResultEntry):
                values = {one.description: list(one.values) for one in entry.attributes}
                found.append(Found(entry.dn, values))

        request = SearchRequest(
            base,
            scope,
            DerefAliases.NEVER,
            size_limit,
            time_limit,
            False,
            filter,
            tuple(attributes),
        )
        last = await self._answer(lambda: request, controls, take)
        if told is not None:
            for control in last.controls:
                told(control)
        demand_success(last)
        return found

    async def modify(self, dn: str, changes: Sequence[Change], *, controls: Sequence[Control] = ()) -> str:
        """Returns the server's diagnostic text, which is mostly empty. For a secret see `set_attribute`."""

        request = ModifyRequest(dn, tuple(changes))
        return demand_success(await self._answer(lambda: request, controls))

    async def set_attribute(
        self, dn: str, description: str, value: Secret, *, controls: Sequence[Control] = ()
    ) -> str:
        """Replace an attribute by one secret value: a password reset by modify, an agent's two requests.
        Returns the server's diagnostic text.
        """

        def request() -> Request:
            attribute = PartialAttribute(description, (value.reveal(),))
            return ModifyRequest(dn, (Change(ChangeKind.REPLACE, attribute),))

        return demand_success(await self._answer(request, controls))

    async def change_attribute(self, dn: str, description: str, old: Secret, new: Secret) -> str:
        """Delete one secret value and add another in one modify: how Active Directory has its users change
        their passwords. Returns the server's diagnostic text.
        """

        def request() -> Request:
            values = ((ChangeKind.DELETE, old), (ChangeKind.ADD, new))
            changes = [Change(kind, PartialAttribute(description, (one.reveal(),))) for kind, one in values]
            return ModifyRequest(dn, tuple(changes))

        return demand_success(await self._answer(request))

    async def add(
        self, dn: str, attributes: Mapping[str, Sequence[bytes]], *, controls: Sequence[Control] = ()
    ) -> None:
        request = AddRequest(
            dn, tuple([PartialAttribute(name, tuple(values)) for name, values in attributes.items()])
        )
        demand_success(await self._answer(lambda: request, controls))

    async def delete(self, dn: str) -> None:
        demand_success(await self._answer(lambda: DeleteRequest(dn)))

    async def compare(self, dn: str, description: str, value: bytes | Secret) -> bool:
        def request() -> Request:
            asserted = value.reveal() if isinstance(value, Secret) else value
            return CompareRequest(dn, description, asserted)

        answer = await self._answer(request)
        code = result_of(answer).code
        if code in (ResultCode.COMPARE_TRUE, ResultCode.COMPARE_FALSE):
            return code is ResultCode.COMPARE_TRUE
        demand_success(answer)
        raise Refusal(ResultCode.PROTOCOL_ERROR, "a compare was answered with success")

    async def extended(
        self, oid: str, value: bytes | None = None, *, controls: Sequence[Control] = ()
    ) -> Answer:
        """Any extended operation but StartTLS. The value must not be a secret: see `password_modify`."""
        return _extended(await self._answer(lambda: ExtendedRequest(oid, value), controls))

    async def password_modify(
        self,
        user: str | None,
        *,
        old: Secret | None = None,
        new: Secret | None = None,
        controls: Sequence[Control] = (),
    ) -> Secret | None:
        """RFC 3062. `user` None is whoever is bound; without `new` the server makes one up."""
        answer = _extended(
            await self._answer(lambda: encode_request(PasswordModify(user, old, new)), controls)
        )
        if answer.value is None:
            return None
        try:
            return PasswordModified.decode(answer.value).generated
        except MalformedValue:
            raise Refusal(ResultCode.PROTOCOL_ERROR, "the answer to Password Modify makes no sense") from None

    async def close(self) -> None:
        """Unbind and hang up; never fails, harmless when closed already."""
        self._line.hang_up()

    async def _answer(
        self,
        request: Callable[[], Request],
        controls: Sequence[Control] = (),
        take: Take | None = None,
    ) -> Message:
        """The final answer to a request. The request is made here, and not kept: it may hold a password."""
        try:
            return await self._line.say(request, controls, take)
        except CancelledError:
            self._line.abort()
            raise


def _extended(answer: Message) -> Answer:
    demand_success(answer)
    response = answer.operation
    if not isinstance(response, ExtendedResponse):
        raise Refusal(ResultCode.PROTOCOL_ERROR, "an extended operation was answered as another one")
    return Answer(response.oid, response.value)
