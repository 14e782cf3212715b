"""An LDAP client for our connectors, our agents and the demo: ldaptor's client, hidden behind our own types.

Lines are protected and verified, every call has a time-out, a server's refusal is a `Refusal`, a broken
line a `LineError`. Passwords come as `Secret` and are revealed in functions that do not await, so no frame
that lasts, no exception and no log line holds one. Nothing of ldaptor leaves `client`, `client_line` and
`client_encoding`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from ldaptor.protocols import pureber, pureldap
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from provserver.ldap.client_encoding import encode_change, encode_filter, octets
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
    text_of,
)
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.messages import Change, ChangeKind, Control, PartialAttribute
from provserver.ldap.results import Refusal, ResultCode
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

    def __init__(self, line: Line, clock: IReactorTime, patience: float) -> None:
        self._line = line
        self._clock = clock
        self._patience = patience

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
        line = await open_line(address, trust, reactor, clock, patience)
        return cls(line, clock, patience)

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
        demand_success(await self._answer(lambda: pureldap.LDAPBindRequest(dn=dn, auth=password.reveal())))

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
    ) -> list[Found]:
        """The entries found, references left out. The result must fit in memory."""
        found: list[Found] = []

        def take(answer: Any, finish: Callable[[Any], None]) -> bool:
            if isinstance(answer, pureldap.LDAPSearchResultEntry):
                values = {text_of(name): list(held) for name, held in answer.attributes}
                found.append(Found(text_of(answer.objectName), values))
                return False
            if isinstance(answer, pureldap.LDAPSearchResultReference):
                return False
            finish(answer)
            return True

        def request() -> Any:
            return pureldap.LDAPSearchRequest(
                baseObject=base,
                scope=int(scope),
                sizeLimit=size_limit,
                timeLimit=time_limit,
                filter=encode_filter(filter),
                attributes=list(attributes),
            )

        demand_success(await self._answer(request, controls, take))
        return found

    async def modify(self, dn: str, changes: Sequence[Change], *, controls: Sequence[Control] = ()) -> str:
        """Returns the server's diagnostic text, which is mostly empty. For a secret see `set_attribute`."""

        def request() -> Any:
            return pureldap.LDAPModifyRequest(
                object=dn, modification=[encode_change(change) for change in changes]
            )

        return demand_success(await self._answer(request, controls))

    async def set_attribute(
        self, dn: str, description: str, value: Secret, *, controls: Sequence[Control] = ()
    ) -> str:
        """Replace an attribute by one secret value: a password reset by modify, an agent's two requests.
        Returns the server's diagnostic text.
        """

        def request() -> Any:
            attribute = PartialAttribute(description, (value.reveal(),))
            change = encode_change(Change(ChangeKind.REPLACE, attribute))
            return pureldap.LDAPModifyRequest(object=dn, modification=[change])

        return demand_success(await self._answer(request, controls))

    async def add(
        self, dn: str, attributes: Mapping[str, Sequence[bytes]], *, controls: Sequence[Control] = ()
    ) -> None:
        def request() -> Any:
            encoded = [
                (
                    pureldap.LDAPAttributeDescription(name),
                    pureber.BERSet([octets(value) for value in values]),
                )
                for name, values in attributes.items()
            ]
            return pureldap.LDAPAddRequest(entry=dn, attributes=encoded)

        demand_success(await self._answer(request, controls))

    async def delete(self, dn: str) -> None:
        demand_success(await self._answer(lambda: pureldap.LDAPDelRequest(entry=dn)))

    async def compare(self, dn: str, description: str, value: bytes | Secret) -> bool:
        def request() -> Any:
            asserted = value.reveal() if isinstance(value, Secret) else value
            ava = pureldap.LDAPAttributeValueAssertion(
                pureldap.LDAPAttributeDescription(description), octets(asserted)
            )
            return pureldap.LDAPCompareRequest(entry=dn, ava=ava)

        answer = await self._answer(request)
        if answer.resultCode in (ResultCode.COMPARE_TRUE, ResultCode.COMPARE_FALSE):
            return bool(answer.resultCode == ResultCode.COMPARE_TRUE)
        demand_success(answer)
        raise Refusal(ResultCode.PROTOCOL_ERROR, "a compare was answered with success")

    async def extended(
        self, oid: str, value: bytes | None = None, *, controls: Sequence[Control] = ()
    ) -> Answer:
        """Any extended operation but StartTLS. The value must not be a secret: see `password_modify`."""
        answer = await self._answer(
            lambda: pureldap.LDAPExtendedRequest(requestName=oid, requestValue=value), controls
        )
        demand_success(answer)
        name = answer.responseName
        return Answer(None if name is None else text_of(name), answer.response)

    async def password_modify(
        self, user: str | None, *, old: Secret | None = None, new: Secret | None = None
    ) -> Secret | None:
        """RFC 3062. `user` None is whoever is bound; without `new` the server makes one up."""

        def request() -> Any:
            return pureldap.LDAPPasswordModifyRequest(
                userIdentity=user,
                oldPasswd=None if old is None else old.reveal(),
                newPasswd=None if new is None else new.reveal(),
            )

        answer = await self._answer(request)
        demand_success(answer)
        return _generated(answer)

    async def close(self) -> None:
        """Unbind and hang up; never fails, harmless when closed already."""
        self._line.hang_up()

    async def _answer(
        self,
        request: Callable[[], Any],
        controls: Sequence[Control] = (),
        take: Take | None = None,
    ) -> Any:
        """The final answer to a request. The request is made here, and not kept: it may hold a password."""
        waiting = self._line.say(request, controls, take)
        deadline = self._clock.callLater(self._patience, self._line.out_of_time)
        try:
            return await waiting
        except CancelledError:
            self._line.abort()
            raise
        finally:
            _stop(deadline)


def _stop(deadline: IDelayedCall) -> None:
    if deadline.active():
        deadline.cancel()


def _generated(answer: Any) -> Secret | None:
    """The password that the server made up: SEQUENCE { [0] genPasswd } (RFC 3062 2)."""
    value = answer.response
    if not value:
        return None
    if len(value) < 4 or value[0] != 0x30 or value[2] != 0x80 or len(value) != 4 + value[3]:
        raise Refusal(ResultCode.PROTOCOL_ERROR, "the answer to Password Modify makes no sense")
    return Secret(value[4:])
