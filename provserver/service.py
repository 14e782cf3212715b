"""The one place where everything is put together.

`foundation` lays what offline commands need too; here comes what serves: exchange, couriers, listeners. Only
`cli` and `testing` import this module.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.SSL import Error as SslError
from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.ssl import CertificateOptions, TLSVersion

from provserver.connectors.contract import Account, Connector, ConnectorKind, Fold, keep_as_is
from provserver.connectors.emulated import EmulatedEndpoints
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.couriers import Couriers, CourierSettings
from provserver.delivery.plan import account_for_connector
from provserver.directory.entries import Entry, EntryId
from provserver.directory.schema import Schema
from provserver.directory.tree import new_entry
from provserver.foundation import Foundation, generalized_time, lay_foundation
from provserver.imps.endpoints import Endpoint, leaf_value
from provserver.journal.etatrans import Etatrans
from provserver.journal.files import LogFile, etatrans_name
from provserver.ldap.limits import Limits
from provserver.ldap.server import LdapServerFactory
from provserver.operations.chain import Chain
from provserver.operations.context import House, SearchBounds
from provserver.operations.lasting import Lasting
from provserver.operations.subschema import Subschema
from provserver.passwords.binding import PasswordCheck
from provserver.passwords.committing import Commits, ExchangeSettings, row_of
from provserver.passwords.exchange import Exchange
from provserver.passwords.gates import Gates
from provserver.passwords.hashing import hashing_pool
from provserver.passwords.rate import TestRate
from provserver.passwords.verdicts import Verdicts
from provserver.settings import Settings
from provserver.storage.contract import Delivery, Put, Store
from provserver.vault.keyring import KeyRing
from provserver.vault.secret import Secret


def names(random: Callable[[int], bytes]) -> Callable[[], str]:
    """Makes names for changes and deliveries: 96 random bits of this start, and a count. They need to be
    different, not to be guessed at."""
    prefix, count = random(12).hex(), itertools.count(1)
    return lambda: f"{prefix}-{next(count):x}"


class EndpointFacts:
    """What couriers and the exchange ask about endpoints and accounts, answered from the tree as it is
    now."""

    def __init__(self, foundation: Foundation, kinds: ConnectorKinds, reactor: Any) -> None:
        self._foundation = foundation
        self._kinds = kinds
        self._reactor = reactor
        self._folds: dict[EntryId, tuple[int, Fold]] = {}

    def fold_of(self, endpoint: Endpoint) -> Fold:
        """How the endpoint alters passwords before it compares; as they are, for an endpoint that cannot be
        made.
        """
        known = self._folds.get(endpoint.id)
        if known is None or known[0] != endpoint.version:
            try:
                fold = self.connector(endpoint).fold
            except (LookupError, ValueError):
                fold = keep_as_is
            known = self._folds[endpoint.id] = (endpoint.version, fold)
        return known[1]

    def connector(self, endpoint: Endpoint) -> Connector:
        """A closed connector. UnknownKind, SettingsError."""
        return self._kinds.make(
            endpoint.connector,
            endpoint.settings,
            self._secrets(endpoint),
            self._reactor,
            endpoint=endpoint.name,
        )

    async def endpoint(self, endpoint: EntryId) -> Endpoint | None:
        return await self._foundation.endpoints.get(endpoint)

    async def account(self, account: EntryId) -> Account | None:
        entry = await self._foundation.store.read_id(account)
        return account_for_connector(entry) if entry is not None else None

    def open_seal(self, delivery: Delivery) -> Secret:
        """The password of a row of the outbox. SealBroken."""
        return self._foundation.seal.open(delivery.sealed, row_of(delivery.id, delivery.account))

    def _secrets(self, endpoint: Endpoint) -> Mapping[str, Secret]:
        seal = self._foundation.seal
        opened = {}
        for value in endpoint.sealed_secrets:
            key, _, box = value.partition("=")
            opened[key] = seal.open(base64.b64decode(box), endpoint.id.encode())
        return opened


def tls_options(certificate: Path, key: Path) -> CertificateOptions:
    """A server's TLS from PEM files: the certificate with its chain, and its key. TLS 1.2 or newer. OSError,
    ValueError.
    """
    chain = load_pem_x509_certificates(certificate.read_bytes())
    private = load_pem_private_key(key.read_bytes(), password=None)
    first, *rest = chain
    # pyOpenSSL takes cryptography's own objects, and warns of all others; Twisted's types do not know it yet.
    options = CertificateOptions(
        privateKey=cast(Any, private),
        certificate=cast(Any, first),
        extraCertChain=cast(Any, rest),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    try:
        options.getContext()  # made now, so that a wrong key is found before a client finds it
    except SslError as error:
        raise ValueError(f"{certificate} and {key} do not belong together: {error}") from None
    return options


class ProvisioningServer(MultiService):
    """The server: made with its settings and keys, started with its store and certificate, stopped whole.

    `clock` gives timers (retries, idle times, waits), `wall` stored times; a test turns both. The listening
    sockets are the reactor's.
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
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted's services have no types
        self.settings = settings
        self.emulated = EmulatedEndpoints()
        self._keys = keys
        self._schema = schema
        self._reactor = reactor
        self._clock = clock or cast(IReactorTime, reactor)
        self._wall = wall
        self._logs = logs
        self._ports: list[tuple[str, IListeningPort]] = []
        self._files: list[LogFile] = []
        self._pool = hashing_pool(settings.passwords.hashing_threads)
        self._lasting = Lasting()
        self._factory: LdapServerFactory | None = None
        self._store: Store | None = None

    async def start(self, *, store: Store, tls: CertificateOptions | None) -> None:
        """Accept connections on the store's tree; from here on the store is this server's to close.
        CannotListenError.
        """
        self._store = store
        self._pool.start()
        settings = self.settings
        self.foundation = foundation = lay_foundation(
            settings, self._keys, self._schema, store, wall=self._wall, pool=self._pool, reactor=self._reactor
        )
        kinds = ConnectorKinds({"emulated": cast(ConnectorKind, self.emulated.kind())})
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
        )
        self.couriers.setServiceParent(self)  # type: ignore[no-untyped-call]
        handler = Chain(self._house(foundation, facts))
        self._factory = LdapServerFactory(
            handler,
            clock=self._clock,
            randomness=os.urandom,
            limits=Limits(**dataclasses.asdict(settings.limits)),
        )
        self.startService()  # type: ignore[no-untyped-call]
        where = settings.server
        if where.ldap_enabled:
            port = self._reactor.listenTCP(
                where.ldap_port, self._factory, interface=where.ldap_address, backlog=511
            )
            self._ports.append(("ldap", port))
        if tls is not None:
            port = self._reactor.listenSSL(
                where.ldaps_port, self._factory, tls, interface=where.ldaps_address, backlog=511
            )
            self._ports.append(("ldaps", port))

    async def stop(self) -> None:
        """Refuse new connections, tell the old ones, finish what was begun, close the store."""
        for _, port in self._ports:
            await maybeDeferred(port.stopListening)
        self._ports.clear()
        if self._factory is not None:
            self._factory.disconnect_all("the server is stopping")
            await self.exchanges_ended()
        if self.running:
            await maybeDeferred(self.stopService)
        if self._store is not None:
            await self._store.close()
            self._store = None
        if self._pool.started:
            self._pool.stop()
        for file in self._files:
            file.close()
        self._files.clear()

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
        return House(
            rooms=foundation.rooms,
            parameters=foundation.parameters,
            exchange=self._exchange(foundation, facts),
            lasting=self._lasting,
            password_check=PasswordCheck(foundation.hasher),
            subschema=Subschema(self._schema, foundation.views),
            etatrans=Etatrans(self._etatrans_sink(), self._wall, os.getpid()),
            bounds=SearchBounds(
                settings.search.size_limit, settings.search.time_limit, settings.search.candidate_limit
            ),
            protect_passwords=settings.passwords.require_protected_connection,
            monotonic=self._clock.seconds,
            held=self._held,
        )

    def _exchange(self, foundation: Foundation, facts: EndpointFacts) -> Exchange:
        passwords = self.settings.passwords
        store, domain = foundation.store, foundation.views.domain
        settings = ExchangeSettings(
            propagation_wait=passwords.propagation_wait,
            partial_failure_result=passwords.partial_failure_result,
            echo_memory=passwords.echo_memory,
            outbox_limit=self.settings.delivery.outbox_limit,
        )
        return Exchange(
            store=store,
            gates=Gates(store, domain, foundation.inclusions, foundation.endpoints, foundation.parameters),
            parameters=foundation.parameters,
            policy=foundation.policy,
            hasher=foundation.hasher,
            verdicts=Verdicts(self._clock.seconds, os.urandom(32), passwords.verdict_memory),
            rate=TestRate(self._clock.seconds, passwords.tests_per_minute),
            ring=self._keys,
            fold_of=facts.fold_of,
            wall=self._wall,
            settings=settings,
            commits=Commits(
                store=store,
                inclusions=foundation.inclusions,
                endpoints=foundation.endpoints,
                parameters=foundation.parameters,
                ring=self._keys,
                seal=foundation.seal,
                courier=self.couriers,
                fold_of=facts.fold_of,
                new_id=names(os.urandom),
                wall=self._wall,
                settings=settings,
                include=self._inclusion,
            ),
        )

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
        file = LogFile(self._logs / etatrans_name(self._wall()), self._clock)
        self._files.append(file)
        return file


def _place(port: IListeningPort) -> str:
    where = cast(IPv4Address | IPv6Address, port.getHost())
    return f"[{where.host}]:{where.port}" if ":" in where.host else f"{where.host}:{where.port}"
