"""A key ring that was rotated is taken while the server runs, and what is sealed is sealed anew.

From the moment the ring is taken new values are made under its current key; older ones open as before. Then
what waits in the outbox and the secrets of endpoints are put under the current key, a page at a time.
Whoever is interrupted on the way loses nothing: at the next start the rest follows. Echo marks and
remembered passwords cannot be made anew without the passwords; they go with time (decision 24).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.delivery.driving import drive
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.journal.events import Event, event
from provserver.ldap.filters import Present, Scope
from provserver.passwords.committing import row_of
from provserver.storage.contract import (
    Commit,
    Conflict,
    DeliveryId,
    DeliveryState,
    Put,
    SearchLimits,
    Store,
)
from provserver.vault.keyring import KeyRing, KeyRingError
from provserver.vault.sealing import Seal, SealBroken

_log = Logger(__name__)

AGAIN: Final = 10.0
"""Seconds until what was on its way is looked at again."""
_PAGE: Final = 200
_SECRET: Final = "provSecret"
_SECRET_KEY: Final = _SECRET.lower()
_BY: Final = "provserver"


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many are under the current key now that were not before, and how many still are not: on their way,
    or broken."""

    deliveries: int = 0
    endpoints: int = 0
    claimed: int = 0
    broken: int = 0


class Resealing:
    """Puts all that is sealed under the ring's current key."""

    def __init__(self, store: Store, domain: DN, seal: Seal, wall: Callable[[], float]) -> None:
        self._store = store
        self._domain = domain
        self._seal = seal
        self._wall = wall

    async def run(self) -> Resealed:
        """Until nothing is left that can be done now; in the journal if anything was."""
        deliveries, claimed, broken = await self._deliveries()
        endpoints, more_broken = await self._endpoints()
        done = Resealed(deliveries, endpoints, claimed, broken + more_broken)
        if deliveries or endpoints:
            fields = {"deliveries": str(deliveries), "endpoints": str(endpoints)}
            line = event(self._wall(), Event.SEALED_ANEW, "Sealed anew under the current key", fields)
            await self._store.commit(Commit(line.at, _BY, journal=(line,)))
        return done

    async def _deliveries(self) -> tuple[int, int, int]:
        done = claimed = broken = after = 0
        while page := await self._store.outbox(after, _PAGE):
            renewed: list[tuple[DeliveryId, bytes]] = []
            after = page[-1][0]
            for _, delivery in page:
                if not self._seal.needs_renewal(delivery.sealed):
                    continue
                if delivery.state is DeliveryState.CLAIMED:
                    claimed += 1
                    continue
                try:
                    row = row_of(delivery.id, delivery.account)
                    renewed.append((delivery.id, self._seal.renewed(delivery.sealed, row)))
                except SealBroken:
                    broken += 1
            altered = await self._store.reseal(renewed) if renewed else 0
            done += altered
            claimed += len(renewed) - altered
        return done, claimed, broken

    async def _endpoints(self) -> tuple[int, int]:
        """Endpoints are two levels below the domain: `imps.endpoints`."""
        done = broken = 0
        for namespace in await self._below(self._domain):
            for endpoint in await self._below(namespace.dn):
                if _SECRET_KEY not in endpoint.attributes:  # no filter says so: it is secret
                    continue
                try:
                    done += await self._endpoint(endpoint.id)
                except (SealBroken, binascii.Error):
                    broken += 1
        return done, broken

    async def _below(self, base: DN) -> list[Entry]:
        found: list[Entry] = []
        search = self._store.search(base, Scope.ONE_LEVEL, Present("objectClass"), SearchLimits())
        async with aclosing(search) as batches:
            async for batch in batches:
                found.extend(batch)
        return found

    async def _endpoint(self, endpoint: EntryId) -> bool:
        """Whether it had secrets under another key. SealBroken."""
        while True:
            entry = await self._store.read_id(endpoint)
            if entry is None:
                return False
            values = [self._renewed(value, endpoint) for value in entry.values(_SECRET_KEY)]
            if tuple(values) == tuple(entry.values(_SECRET_KEY)):
                return False
            attributes = {**entry.attributes, _SECRET_KEY: Attribute(_SECRET, tuple(values))}
            write = Put(Entry(entry.id, entry.dn, attributes, entry.version), entry.version)
            try:
                await self._store.commit(Commit(self._wall(), _BY, (write,)))
            except Conflict:
                continue
            return True

    def _renewed(self, value: bytes, endpoint: EntryId) -> bytes:
        name, _, box = value.partition(b"=")
        sealed = base64.b64decode(box, validate=True)
        if not self._seal.needs_renewal(sealed):
            return value
        return name + b"=" + base64.b64encode(self._seal.renewed(sealed, endpoint.encode()))


class Renewal(Service):
    """Takes the ring that `read` gives when it is told to, and sees to it that everything is resealed."""

    def __init__(
        self,
        resealing: Resealing,
        store: Store,
        ring: KeyRing,
        read: Callable[[], KeyRing] | None,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        """Without `read` the ring stays what it is."""
        self._resealing = resealing
        self._store = store
        self._ring = ring
        self._read = read
        self._clock = clock
        self._wall = wall
        self._alarm: IDelayedCall | None = None
        self._working = False
        self._again = False

    def startService(self) -> None:  # noqa: N802  Twisted's name
        super().startService()  # type: ignore[no-untyped-call]
        if len(self._ring.ids) > 1:  # one that was interrupted may have left something
            self._wait(0.0)

    def stopService(self) -> None:  # noqa: N802  Twisted's name
        super().stopService()  # type: ignore[no-untyped-call]
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    def renew(self) -> None:
        """Read the ring, tell the journal which key is current, reseal. A file that cannot be used changes
        nothing."""
        if self._read is None or not self.running:
            return
        try:
            ring = self._read()
        except KeyRingError as error:
            _log.error("{error}; the keys that were read before stay in force", error=error)
            return
        if self._ring.current not in ring:
            _log.error(
                "the key file lacks key {current}, which is in use; the keys that were read before stay",
                current=self._ring.current,
            )
            return
        self._ring.take(ring)
        drive(self._tell(), self._failed)

    async def _tell(self) -> None:
        current = self._ring.current
        text = f"Keys read: {current} is current"
        line = event(self._wall(), Event.KEYS_READ, text, {"key": current})
        await self._store.commit(Commit(line.at, _BY, journal=(line,)))
        self._look()

    def _wait(self, seconds: float) -> None:
        if self.running and self._alarm is None:
            self._alarm = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        if self._alarm is not None:
            if self._alarm.active():
                self._alarm.cancel()
            self._alarm = None
        if self._working:
            self._again = True
        elif self.running and len(self._ring.ids) > 1:
            self._working = True
            drive(self._reseal(), self._failed)

    async def _reseal(self) -> None:
        self._again = True
        while self._again and self.running:
            self._again = False
            done = await self._resealing.run()
        self._working = False
        if done.broken:
            _log.error("{broken} sealed values cannot be opened, and stay as they are", broken=done.broken)
        if done.claimed:
            self._wait(AGAIN)

    def _failed(self, error: Exception) -> None:
        self._working = False
        _log.error("sealed values could not be sealed anew: {error!r}", error=error)
        self._wait(AGAIN)
