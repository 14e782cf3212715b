"""The one place where everything is put together.

`foundation` lays what offline commands need too; here comes what serves: exchange, couriers, listeners. Only
`cli` and `testing` import this module.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from provserver.connectors.contract import ConnectorKind
from provserver.connectors.emulated import EmulatedEndpoints
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.couriers import Couriers, CourierSettings
from provserver.delivery.keeping import Keeping, KeepingTimes
from provserver.delivery.transactions import AttemptLog
from provserver.directory.entries import Entry
from provserver.directory.schema import Schema
from provserver.directory.tree import new_entry
from provserver.endpoint_facts import EndpointFacts
from provserver.foundation import (
    Foundation,
    clearing_of,
    endpoint_checks_of,
    explainer_of,
    exploring_of,
    gates_of,
    generalized_time,
    lay_foundation,
    lists_of,
    outbox_acts_of,
)
from provserver.https.signing import SharedSecret, SharedSecretError
from provserver.imps.endpoints import leaf_value
from provserver.imps.parameters import TRANSACTION_LOG_LEVEL
from provserver.imps.profiles import Identities
from provserver.imps.views import Views
from provserver.journal.access import AccessLog
from provserver.journal.etatrans import Etatrans
from provserver.journal.files import ACCESS_NAME, LogFile, etatrans_name
from provserver.journal.requests import Requests
from provserver.ldap.counters import Counters
from provserver.ldap.doors import DoorLimits, Doors, PlainDoor, TlsDoor, most_connections
from provserver.ldap.limits import Limits
from provserver.ldap.offences import Offences
from provserver.ldap.outlet import keep_little_unsent
from provserver.ldap.peers import Addresses
from provserver.ldap.results import Refusal
from provserver.ldap.server import LdapServerFactory
from provserver.ldap.tls import ServerTls
from provserver.operations.bind_guard import BindGuard, GuardSettings
from provserver.operations.chain import Chain
from provserver.operations.context import House, SearchBounds
from provserver.operations.lasting import Lasting
from provserver.operations.principals import named
from provserver.operations.signposts import Signposts
from provserver.operations.subschema import Subschema
from provserver.passwords.binding import PasswordCheck
from provserver.passwords.committing import Commits, ExchangeSettings
from provserver.passwords.exchange import Exchange
from provserver.passwords.expiry import Expiry
from provserver.passwords.external.asking import PolicyService
from provserver.passwords.external.opening import policy_service
from provserver.passwords.forgetting import Forgetting
from provserver.passwords.gates import Gates
from provserver.passwords.generating import Generator
from provserver.passwords.hashing import Hasher, hashing_pool
from provserver.passwords.lists import Lists
from provserver.passwords.managers import Managers
from provserver.passwords.passing import Passing
from provserver.passwords.policy import Policy
from provserver.passwords.profile import ProfileError
from provserver.passwords.queues import UserQueues
from provserver.passwords.rate import TestRate
from provserver.passwords.renewing import Renewal, Resealing
from provserver.passwords.resetting import AccountResets
from provserver.passwords.room import Room
from provserver.passwords.rules.listing import ListError
from provserver.passwords.upgrading import Upgrades
from provserver.passwords.user_changes import UserChanges
from provserver.passwords.verdicts import Verdicts
from provserver.settings import Settings, SettingsError
from provserver.storage.contract import Put, Store
from provserver.telling import Telling
from provserver.vault.keyring import KeyRing
from provserver.vault.secret import Secret

_log = Logger()

_BACKLOG: Final = 511
"""Connections that the system keeps for us before it turns any away."""


def names(random: Callable[[int], bytes]) -> Callable[[], str]:
    """Makes names for changes and deliveries: 96 random bits of this start, and a count. They need to be
    different, not to be guessed at."""
    prefix, count = random(12).hex(), itertools.count(1)
    return lambda: f"{prefix}-{next(count):x}"


class ProvisioningServer(MultiService):
    """The server: made with its settings and keys, started with its store and certificate, stopped whole.

    `clock` gives timers (retries, idle times, waits), `wall` stored times; a test turns both. The listening
    sockets are the reactor's. SettingsError: a setting names what cannot be in this domain.
    """

    def __init__(
        self,
        settings: Settings,
        keys: KeyRing,
        schema: Schema,
        reactor: Any,
        *,
        logs: Path | None = None,
        clock: IReactorTime | None = None,
        wall: Callable[[], float] = time.time,
        lists: Lists | None = None,
        directory: Path = Path(),
        keys_file: Path | None = None,
    ) -> None:
        """`lists` are read at the start; without them, those of the settings, from where we stand.
        `directory`: what other files of the settings are relative to. `keys_file`: where `keys` came from,
        and may come from again.
        """
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted's services have no types
        self.settings = settings
        self.emulated = EmulatedEndpoints()
        self._keys = keys
        self._keys_file = keys_file
        self._renewal: Renewal | None = None
        self._schema = schema
        self._reactor = reactor
        self._clock = clock or cast(IReactorTime, reactor)
        self._wall = wall
        self._logs = logs
        self._lists = lists if lists is not None else lists_of(settings)
        self._ports: list[tuple[str, IListeningPort]] = []
        self._files: list[LogFile] = []
        self._pool = hashing_pool(settings.passwords.hashing_threads)
        self._bind_pool = hashing_pool(settings.binds.threads, "provserver-binds")
        self._limits = Limits(**dataclasses.asdict(settings.limits))
        self._counters = Counters()
        self._offences = Offences(self._clock.seconds, settings.logging.repeat_time)
        self._bind_guard = self._make_bind_guard()
        self.external = self._make_external(directory)
        self._telling = Telling(
            settings,
            self._counters,
            self._offences,
            logs=logs,
            directory=directory,
            reactor=reactor,
            clock=self._clock,
            wall=wall,
        )
        self._lasting = Lasting()
        self._factory: LdapServerFactory | None = None
        self._tls: ServerTls | None = None
        self._store: Store | None = None

    async def start(self, *, store: Store, tls: ServerTls | None) -> None:
        """Accept connections on the store's tree; from here on the store is this server's to close.
        CannotListenError, ListError.
        """
        self._store = store
        self._tls = tls
        self._lists.take(self._lists.read())
        self._pool.start()
        self._bind_pool.start()
        settings = self.settings
        kinds = ConnectorKinds({"emulated": cast(ConnectorKind, self.emulated.kind())})
        self.foundation = foundation = lay_foundation(
            settings,
            self._keys,
            self._schema,
            store,
            wall=self._wall,
            pool=self._pool,
            reactor=self._reactor,
            lists=self._lists,
            external=self.external,
            kinds=kinds,
        )
        if self.external is not None:
            self.external.setServiceParent(self)  # type: ignore[no-untyped-call]
        await self._look_at_profile(foundation.policy)
        self._etatrans = Etatrans(self._etatrans_sink(), self._wall, os.getpid())
        self._etatrans.level = await foundation.parameters.get(TRANSACTION_LOG_LEVEL)
        self._requests = Requests(self._etatrans)
        watching = await self._telling.open(store)
        watching.setServiceParent(self)  # type: ignore[no-untyped-call]
        facts = EndpointFacts(foundation, kinds, self._clock)
        delivery = settings.delivery
        self.couriers = Couriers(
            store,
            facts,
            facts.open_seal,
            self._clock,
            self._wall,
            CourierSettings(
                concurrency=delivery.concurrency,
                idle=delivery.idle_time,
                lease=delivery.lease,
                grace=settings.server.shutdown_time,
            ),
            self._telling.timed_deliveries(AttemptLog(facts, self._requests)),
        )
        self.couriers.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._telling.ask_couriers(self.couriers, store)
        memory = settings.passwords.echo_memory
        forgetting = Forgetting(store, foundation.parameters, self._clock, self._wall, memory)
        forgetting.setServiceParent(self)  # type: ignore[no-untyped-call]
        times = KeepingTimes(delivery.held_time, settings.storage.journal_time, settings.storage.changes_time)
        keeping = Keeping(store, self._clock, self._wall, times)
        keeping.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._renewal = self._make_renewal(foundation)
        self._renewal.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._exploring = exploring_of(foundation, facts.connector, self._clock, self._reactor)
        handler = Chain(self._house(foundation, facts))
        doors = self._doors()
        self._factory = LdapServerFactory(
            self._telling.timed(handler),
            clock=self._clock,
            randomness=os.urandom,
            limits=self._limits,
            doors=doors,
            counters=self._counters,
            offences=self._offences,
            tls=tls,
        )
        self.startService()  # type: ignore[no-untyped-call]
        where = settings.server
        if where.ldap_enabled:
            self._listen("ldap", where.ldap_address, where.ldap_port, PlainDoor(doors, self._factory))
        if tls is not None:
            door = TlsDoor(doors, tls, self._factory, self._reactor)
            self._listen("ldaps", where.ldaps_address, where.ldaps_port, door)
        if self._telling.page is not None:
            self._listen("metrics", settings.metrics.address, settings.metrics.port, self._telling.page)

    def renew(self) -> None:
        """Take what was changed on disk: the keys and the certificate are read again, and the lists that
        passwords are looked up in; logs that were moved away are begun anew.
        """
        if self._renewal is not None:
            self._renewal.renew()
        if self._tls is not None:
            self._tls.renew()
        for file in self._files:
            file.reopen()
        self._telling.reopen()
        if self._lists.are_named:
            reading = deferToThreadPool(self._reactor, self._pool, self._lists.read)
            reading.addCallbacks(self._lists.take, self._lists_unread)

    def _make_renewal(self, foundation: Foundation) -> Renewal:
        store, domain = foundation.store, foundation.views.domain
        resealing = Resealing(store, domain, foundation.seal, self._wall)
        read = partial(KeyRing.load, self._keys_file) if self._keys_file is not None else None
        return Renewal(resealing, store, self._keys, read, self._clock, self._wall)

    def _lists_unread(self, failure: Failure) -> None:
        failure.trap(ListError)  # type: ignore[no-untyped-call]  # Twisted's failures have no types
        _log.error("{error}; the lists that were read before stay in force", error=failure.getErrorMessage())

    async def _look_at_profile(self, policy: Policy) -> None:
        """Say at once what every change of a password would be told."""
        try:
            await policy.current()
        except ProfileError as error:
            _log.error(
                "no password can be changed: the Password Profile makes no sense: {error}", error=str(error)
            )

    async def stop(self) -> None:
        """Refuse new connections, tell the old ones, finish what was begun, close the store."""
        for _, port in self._ports:
            await maybeDeferred(port.stopListening)
        self._ports.clear()
        if self._factory is not None:
            self._factory.disconnect_all("the server is stopping")
            await self.exchanges_ended()
            await self._exploring.explorations.stop(self.settings.server.shutdown_time)
        if self.running:
            await maybeDeferred(self.stopService)
        await self._telling.finish()
        if self._store is not None:
            await self._store.close()
            self._store = None
        for pool in (self._pool, self._bind_pool):
            if pool.started:
                pool.stop()
        for file in self._files:
            file.close()
        self._files.clear()
        self._lists.close()

    async def exchanges_ended(self) -> None:
        """Exchanges that were begun end, within `server.shutdown_time`; what is not committed by then was
        never acknowledged.
        """
        ended = self._lasting.ended()
        ended.addTimeout(self.settings.server.shutdown_time, self._clock, onTimeoutCancel=lambda *_: None)
        await ended

    def addresses(self) -> str:
        """`ldap=HOST:PORT ldaps=HOST:PORT` of what is listened on."""
        return " ".join(f"{name}={_place(port)}" for name, port in self._ports)

    def url(self, scheme: str = "ldaps") -> str:
        """`ldaps://HOST:PORT`. LookupError when that port is not open."""
        for name, port in self._ports:
            if name == scheme:
                return f"{scheme}://{_place(port)}"
        raise LookupError(f"{scheme} is not listened on")

    def _house(self, foundation: Foundation, facts: EndpointFacts) -> House:
        settings = self.settings
        gates = gates_of(foundation)
        exchange, user_changes, resets = self._exchanges(foundation, facts, gates)
        return House(
            rooms=foundation.rooms,
            parameters=foundation.parameters,
            identities=Identities(),
            exchange=exchange,
            user_changes=user_changes,
            resets=resets,
            explainer=explainer_of(foundation, gates),
            clearing=clearing_of(foundation, gates),
            outbox_acts=outbox_acts_of(foundation, self.couriers.wake),
            endpoint_checks=endpoint_checks_of(foundation, facts.connector, self._clock),
            exploring=self._exploring,
            generator=Generator(foundation.policy, os.urandom),
            lasting=self._lasting,
            password_check=self._password_check(foundation.store),
            expiry=Expiry(foundation.store, foundation.policy, self._wall),
            bind_guard=self._bind_guard,
            subschema=Subschema(self._schema, foundation.views),
            etatrans=self._etatrans,
            requests=self._requests,
            access=self._access_log(),
            counters=self._counters,
            offences=self._offences,
            signposts=Signposts(foundation.store),
            bounds=SearchBounds(
                size=settings.search.size_limit,
                time=settings.search.time_limit,
                candidates=settings.search.candidate_limit,
                sorted=settings.search.sort_limit,
                paged=settings.search.paged_limit,
            ),
            limits=self._limits,
            protect_passwords=settings.passwords.require_protected_connection,
            wall=self._wall,
            monotonic=self._clock.seconds,
            standing=self.couriers.standing,
            held=self._held,
        )

    def _listen(self, name: str, address: str, number: int, door: IProtocolFactory) -> None:
        port = self._reactor.listenTCP(number, door, interface=address, backlog=_BACKLOG)
        keep_little_unsent(port)
        self._ports.append((name, port))

    def _doors(self) -> Doors:
        wanted, possible = self.settings.connections, most_connections()
        if wanted.total > possible:
            _log.warn(
                "connections.total is {wanted}, but the system lets this process have {possible} only",
                wanted=wanted.total,
                possible=possible,
            )
        limits = DoorLimits(
            min(wanted.total, possible), wanted.per_address, Addresses(wanted.exempt_addresses)
        )
        return Doors(limits, self._counters, self._offences)

    def _password_check(self, store: Store) -> PasswordCheck:
        """With threads of its own: a crowd that binds does not hold up exchanges."""
        binds = self.settings.binds
        hasher = Hasher(self.settings.passwords, self._bind_pool, self._reactor, waiting_limit=binds.queue)
        upgrades = Upgrades(store, hasher, self._wall)
        return PasswordCheck(hasher, upgrades, self._clock.seconds, os.urandom(32), binds.memory)

    def _make_bind_guard(self) -> BindGuard:
        binds = self.settings.binds
        views = Views(self.settings.server.domain)
        try:
            exempt = frozenset(named(name, views) for name in binds.exempt_names)
        except Refusal as refusal:
            raise SettingsError("binds.exempt_names", refusal.result.diagnostic) from None
        settings = GuardSettings(
            delay_after=binds.delay_after,
            address_delay_after=binds.address_delay_after,
            first_delay=binds.first_delay,
            longest_delay=binds.longest_delay,
            failure_window=binds.failure_window,
            exempt_names=exempt,
            exempt_addresses=Addresses(binds.exempt_addresses),
        )
        return BindGuard(settings, self._clock, self._offences)

    def _make_external(self, directory: Path) -> PolicyService | None:
        settings = self.settings.external_policy
        if not settings.urls:
            return None
        if not settings.secret_file:
            raise SettingsError("external_policy.secret_file", "expected a file, since there are urls to ask")
        try:
            secret = SharedSecret.load(directory / settings.secret_file)
        except SharedSecretError as error:
            raise SettingsError("external_policy.secret_file", str(error)) from None
        try:
            return policy_service(
                settings,
                secret,
                directory / settings.authority if settings.authority else None,
                reactor=self._reactor,
                clock=self._clock,
                wall=self._wall,
                random=os.urandom,
            )
        except ValueError as error:
            raise SettingsError("external_policy.authority", str(error)) from None

    def _exchanges(
        self, foundation: Foundation, facts: EndpointFacts, gates: Gates
    ) -> tuple[Exchange, UserChanges, AccountResets]:
        passwords = self.settings.passwords
        store = foundation.store
        settings = ExchangeSettings(
            propagation_wait=passwords.propagation_wait,
            partial_failure_result=passwords.partial_failure_result,
            echo_memory=passwords.echo_memory,
        )
        queues, new_id = UserQueues(), names(os.urandom)
        delivery = self.settings.delivery
        room = Room(store, self._wall, delivery.outbox_limit, delivery.outbox_age)
        managers = Managers(foundation.parameters, foundation.views)
        commits = Commits(
            store=store,
            inclusions=foundation.inclusions,
            endpoints=foundation.endpoints,
            parameters=foundation.parameters,
            ring=self._keys,
            seal=foundation.seal,
            courier=self.couriers,
            fold_of=facts.fold_of,
            new_id=new_id,
            wall=self._wall,
            settings=settings,
            include=self._inclusion,
            requests=self._requests,
        )
        passing = Passing(
            policy=foundation.policy,
            hasher=foundation.hasher,
            verdicts=Verdicts(self._clock.seconds, os.urandom(32), passwords.verdict_memory),
            ring=self._keys,
            wall=self._wall,
            commits=commits,
        )
        exchange = Exchange(
            store=store,
            gates=gates,
            parameters=foundation.parameters,
            rate=TestRate(self._clock.seconds, passwords.tests_per_minute),
            ring=self._keys,
            fold_of=facts.fold_of,
            wall=self._wall,
            settings=settings,
            passing=passing,
            commits=commits,
            room=room,
            queues=queues,
            managers=managers,
        )
        user_changes = UserChanges(
            store=store,
            passing=passing,
            commits=commits,
            room=room,
            queues=queues,
            managers=managers,
            ring=self._keys,
            wall=self._wall,
        )
        resets = AccountResets(
            store=store,
            gates=gates,
            inclusions=foundation.inclusions,
            parameters=foundation.parameters,
            policy=foundation.policy,
            is_current=passing.is_current,
            schemes_of=facts.schemes_of,
            managers=managers,
            commits=commits,
            room=room,
            queues=queues,
            new_id=new_id,
            wall=self._wall,
        )
        return exchange, user_changes, resets

    async def _held(self, account: Entry, secret: Secret) -> bool | None:
        endpoint = await self.foundation.endpoints.of_account(account.dn)
        if endpoint is None or endpoint.connector != "emulated":
            return None
        name = endpoint.settings.get("name", endpoint.name)
        return self.emulated[name].holds(leaf_value(account.dn), secret)

    def _inclusion(self, user: Entry, account: Entry) -> Put:
        foundation = self.foundation
        dn, attributes = foundation.inclusions.attributes(user, account)
        stamp = generalized_time(self._wall())
        entry = new_entry(
            dn, attributes, self._schema, foundation.rooms.new_id(), stamp, "Automatic Correlation"
        )
        return Put(entry, 0)

    def _etatrans_sink(self) -> LogFile | None:
        if self._logs is None or not self.settings.logging.etatrans:
            return None
        return self._log_file(self._logs / etatrans_name(self._wall()))

    def _access_log(self) -> AccessLog | None:
        if self._logs is None or not self.settings.logging.access:
            return None
        return AccessLog(self._log_file(self._logs / ACCESS_NAME), self._wall, self._clock.seconds)

    def _log_file(self, path: Path) -> LogFile:
        file = LogFile(path, self._clock)
        self._files.append(file)
        return file


def _place(port: IListeningPort) -> str:
    where = cast(IPv4Address | IPv6Address, port.getHost())
    return f"[{where.host}]:{where.port}" if ":" in where.host else f"{where.host}:{where.port}"
