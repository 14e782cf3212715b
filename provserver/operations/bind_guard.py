"""Guessing passwords by binds is slowed down: after failures the next bind waits before it is even checked.

Counted by name and by address, in bounded memory, whether or not there is such a name. A bind waits, longer
after each further failure, and is then judged like any other: nobody is locked out, and how long the answer
took says nothing about it. A success forgets the name's failures. Who hangs up while it waits has failed.
Ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from provserver.directory.names import DN
from provserver.ldap.offences import Offence, Offences
from provserver.ldap.peers import Addresses, source
from provserver.passwords.hashing import HashingBusy
from provserver.recent import Recent

T = TypeVar("T")

Check = Callable[[], Awaitable[T | None]]

_REMEMBERED: Final = 10_000
_NO_NAME: Final = b""


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Seconds, and numbers of failures of which 0 means that nobody waits."""

    delay_after: int
    """By name."""
    address_delay_after: int
    first_delay: float
    longest_delay: float
    failure_window: float
    exempt_names: frozenset[DN] = frozenset()
    exempt_addresses: Addresses = field(default_factory=Addresses)


class _Failures:
    """Of one name or address."""

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0


class BindGuard:
    def __init__(self, settings: GuardSettings, clock: IReactorTime, offences: Offences) -> None:
        self._settings = settings
        self._clock = clock
        self._offences = offences
        self._names: Recent[bytes, _Failures] = Recent(_REMEMBERED)
        self._addresses: Recent[bytes, _Failures] = Recent(_REMEMBERED)

    async def admitted(self, name: DN | None, address: str, check: Check[T]) -> T | None:
        """What the check finds, when it is time to ask it; None is a failure. `name` is None when it is no
        name of our tree. HashingBusy, which is no failure of the client.
        """
        settings = self._settings
        if name in settings.exempt_names or address in settings.exempt_addresses:
            return await self._checked(address, check)
        by_name = _NO_NAME if name is None else _digest(name.key)
        by_address = _digest(source(address))
        delay = max(
            self._delay(self._names, by_name, settings.delay_after),
            self._delay(self._addresses, by_address, settings.address_delay_after),
        )
        try:
            if delay:
                self._offences.note(
                    Offence.FAILED_BINDS, address, f"failed to bind; now waits for {delay:g} s"
                )
                await deferLater(self._clock, delay)
            found = await self._checked(address, check)
        except CancelledError:
            self._failed(by_name, by_address)
            raise
        if found is None:
            self._failed(by_name, by_address)
        else:
            self._names.pop(by_name)
        return found

    async def _checked(self, address: str, check: Check[T]) -> T | None:
        try:
            return await check()
        except HashingBusy:
            self._offences.note(Offence.WAITING_BINDS, address, "refused a bind: too many wait")
            raise

    def _delay(self, memory: Recent[bytes, _Failures], key: bytes, after: int) -> float:
        failures = memory.get(key)
        if failures is None or not after or failures.count < after or self._is_over(failures):
            return 0.0
        settings = self._settings
        doublings = min(failures.count - after, 32)
        return min(settings.first_delay * 2.0**doublings, settings.longest_delay)

    def _failed(self, by_name: bytes, by_address: bytes) -> None:
        for memory, key in ((self._names, by_name), (self._addresses, by_address)):
            failures = memory.get(key)
            if failures is None:
                failures = _Failures()
                memory.put(key, failures)
            elif self._is_over(failures):
                failures.count = 0
            failures.count += 1
            failures.last = self._clock.seconds()

    def _is_over(self, failures: _Failures) -> bool:
        return self._clock.seconds() - failures.last >= self._settings.failure_window


def _digest(text: str) -> bytes:
    """In the place of a name, which may be as long as a message."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
