"""What every command stands on, server running or not: schema, store, and the rooms that edit the tree.

Only `service`, `cli` and `testing` import this module.
"""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from provserver.connectors.contract import Connector
from provserver.connectors.registry import ConnectorKinds
from provserver.delivery.events import Outcome, sentence
from provserver.delivery.sense import sense_of_endpoint
from provserver.directory.assembly import ClassKind
from provserver.directory.entries import Entry, EntryId
from provserver.directory.schema import Schema
from provserver.exploration.explorations import Explorations
from provserver.exploration.ground import Ground
from provserver.exploration.mapping import sense_of_map
from provserver.imps.endpoints import Endpoint, Endpoints
from provserver.imps.inclusions import Inclusions
from provserver.imps.parameters import Parameters, problem_of
from provserver.imps.views import Views
from provserver.operations.edits import Rooms
from provserver.operations.endpoint_checks import Connectors, EndpointChecks
from provserver.operations.exploring import Exploring
from provserver.operations.outbox_acts import OutboxActs
from provserver.operations.principals import named
from provserver.passwords.clearing import GuardClearing
from provserver.passwords.credentials import loading
from provserver.passwords.explaining import Explainer
from provserver.passwords.gates import Gates
from provserver.passwords.hashing import Hasher
from provserver.passwords.lists import Lists
from provserver.passwords.opinions import Advice, External
from provserver.passwords.policy import Policy
from provserver.passwords.profile import ProfileRules, sense_of_profile
from provserver.settings import Settings
from provserver.storage.arrivals import LoadedStore
from provserver.storage.contract import Store
from provserver.storage.loading import LoadingStore
from provserver.storage.sqlite import SqliteStore
from provserver.vault.keyring import KeyRing
from provserver.vault.sealing import Seal

_log = Logger()


@cache
def shipped_schema_texts() -> tuple[tuple[str, str], ...]:
    """The schema files that come with us: (name, text), in the order of their names."""
    folder = files("provserver.schema")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".schema"))
    return tuple((name, (folder / name).read_text("utf-8")) for name in names)


@cache
def _shipped_schema() -> Schema:
    return Schema.parse(shipped_schema_texts())


def schema_texts(site_files: Sequence[Path] = ()) -> list[tuple[str, str]]:
    """Our schema files and the site's: (name, text). OSError."""
    return [*shipped_schema_texts(), *[(str(path), path.read_text("utf-8")) for path in site_files]]


def load_schema(site_files: Sequence[Path] = ()) -> Schema:
    """Our schema and the site's additions. SchemaError names file and line; OSError."""
    return Schema.parse(schema_texts(site_files)) if site_files else _shipped_schema()


async def open_store(
    path: Path, schema: Schema, reactor: Any, *, create: bool = False, wall: Callable[[], float] = time.time
) -> Store:
    """The instance's store, for this process alone. What waits in a backup that is put in service is held.
    StoreLocked, StoreUnusable, FileNotFoundError, FileExistsError."""
    if create:
        return await SqliteStore.create(path, schema, reactor=reactor)
    store = await SqliteStore.open(path, schema, reactor=reactor)
    if await store.restored():
        try:
            held = await store.hold_all(wall(), int(Outcome.RESTORED), sentence(Outcome.RESTORED))
        except BaseException:
            await store.close()
            raise
        _log.warn("{path} is a backup: what waited in it is held ({held} deliveries)", path=path, held=held)
    return store


def open_loaded_store(path: Path, schema: Schema) -> LoadedStore:
    """The instance's store, to be loaded: see `storage.arrivals`. As `open_store`, and without a reactor."""
    return LoadingStore.open_for_load(path, schema)


async def memory_store(schema: Schema, reactor: Any) -> Store:
    """A store that is gone when it is closed, for tests."""
    return await SqliteStore.in_memory(schema, reactor=reactor)


def generalized_time(at: float) -> str:
    """Wall-clock seconds as `YYYYMMDDHHMMSSZ` (RFC 4517 3.3.13)."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at))


def new_uuid() -> str:
    """A name for an entry (eTID)."""
    return str(uuid.uuid4())


def lists_of(settings: Settings, directory: Path = Path()) -> Lists:
    """The lists that the settings name, to be read; relative to the directory."""
    named = settings.passwords.dictionary, settings.passwords.breached
    return Lists(*[directory / name if name else None for name in named])


@dataclass(frozen=True)
class Foundation:
    """What every command stands on, server running or not."""

    settings: Settings
    keys: KeyRing
    schema: Schema
    store: Store
    views: Views
    parameters: Parameters
    inclusions: Inclusions
    endpoints: Endpoints
    hasher: Hasher
    policy: Policy
    seal: Seal
    rooms: Rooms
    wall: Callable[[], float]


def lay_foundation(
    settings: Settings,
    keys: KeyRing,
    schema: Schema,
    store: Store,
    *,
    wall: Callable[[], float] = time.time,
    pool: ThreadPool | None = None,
    reactor: Any = None,
    lists: Lists | None = None,
    external: External | None = None,
    kinds: ConnectorKinds | None = None,
) -> Foundation:
    """Put the offline rooms together. Without `pool`, passwords are hashed where they are; without `lists`,
    those of the settings are named, but not read; without `external` nobody else judges passwords; without
    `kinds` the connectors are those that are installed.
    """
    views = Views(settings.server.domain)
    inclusions = Inclusions(store, views.domain)
    hasher = Hasher(settings.passwords, pool, reactor, waiting_limit=settings.passwords.hashing_queue)
    seal = Seal(keys)
    lists = lists if lists is not None else lists_of(settings)
    parameters = Parameters(store, views.domain)
    advice = None
    if external is not None:
        refuse = settings.external_policy.unreachable == "refuse"
        advice = Advice(external, parameters, store, wall, silence_is_refusal=refuse)
    policy = Policy(store, views.domain, hasher, lists, advice)

    async def rules() -> ProfileRules:
        return (await policy.current()).rules

    make = partial(connector_of, kinds=kinds or ConnectorKinds(), seal=seal, reactor=reactor)
    rooms = Rooms(
        store=store,
        schema=schema,
        views=views,
        inclusions=inclusions,
        seal=seal,
        keys=keys,
        new_password=loading(hasher, rules),
        new_id=lambda: EntryId(new_uuid()),
        wall=wall,
        stamp=generalized_time,
        meanings={
            "eTConfigParam": problem_of,
            "eTPasswordProfile": sense_of_profile(views.domain, lists),
            **dict.fromkeys(_endpoint_classes(schema), _sense_of_endpoint(make, schema)),
        },
    )
    return Foundation(
        settings=settings,
        keys=keys,
        schema=schema,
        store=store,
        views=views,
        parameters=parameters,
        inclusions=inclusions,
        endpoints=Endpoints(store, views.domain),
        hasher=hasher,
        policy=policy,
        seal=seal,
        rooms=rooms,
        wall=wall,
    )


def _sense_of_endpoint(
    make: Callable[[Endpoint], Connector], schema: Schema
) -> Callable[[Entry], str | None]:
    of_connector, of_map = sense_of_endpoint(make), sense_of_map(schema)
    return lambda entry: of_connector(entry) or of_map(entry)


def _endpoint_classes(schema: Schema) -> list[str]:
    """Names of the structural classes of endpoints, whatever their namespace."""
    above = schema.object_class("provEndpoint").key
    return [
        kind.name
        for kind in schema.object_classes.values()
        if above in kind.chain and kind.kind is ClassKind.STRUCTURAL
    ]


def connector_of(endpoint: Endpoint, *, kinds: ConnectorKinds, seal: Seal, reactor: object) -> Connector:
    """A closed connector with an endpoint's settings and secrets. UnknownKind, SettingsError, SealBroken."""
    secrets = {}
    for value in endpoint.sealed_secrets:
        key, _, box = value.partition("=")
        secrets[key] = seal.open(base64.b64decode(box), endpoint.id.encode())
    return kinds.make(endpoint.connector, endpoint.settings, secrets, reactor, endpoint=endpoint.name)


def gates_of(foundation: Foundation) -> Gates:
    """The gates of an exchange."""
    f = foundation
    return Gates(f.store, f.views.domain, f.inclusions, f.endpoints, f.parameters)


def explainer_of(foundation: Foundation, gates: Gates) -> Explainer:
    """Who explains accounts."""
    f = foundation
    memory = f.settings.passwords.echo_memory
    return Explainer(f.store, gates, f.inclusions, f.endpoints, f.parameters, memory, f.wall)


def outbox_acts_of(foundation: Foundation, look: Callable[[EntryId], None]) -> OutboxActs:
    """Who has deliveries tried again, or gives them up; `look` has an endpoint's couriers look at once."""
    return OutboxActs(foundation.rooms, foundation.endpoints, named, look)


def endpoint_checks_of(foundation: Foundation, make: Connectors, clock: IReactorTime) -> EndpointChecks:
    """Who finds out whether endpoints are set up right."""
    return EndpointChecks(foundation.rooms, foundation.endpoints, make, clock)


def exploring_of(foundation: Foundation, make: Connectors, clock: IReactorTime, reactor: Any) -> Exploring:
    """Who explores endpoints; `clock` ends what takes too long, the reactor has its turn now and then."""
    f = foundation

    async def turn() -> None:
        over: Deferred[None] = Deferred()
        reactor.callLater(0, over.callback, None)
        await over

    ground = Ground(
        store=f.store,
        schema=f.schema,
        domain=f.views.domain,
        inclusions=f.inclusions,
        parameters=f.parameters,
        new_id=f.rooms.new_id,
        wall=f.wall,
        stamp=f.rooms.stamp,
        make=make,
        turn=turn,
        random=os.urandom,
    )
    return Exploring(f.rooms, f.endpoints, Explorations(ground, clock))


def clearing_of(foundation: Foundation, gates: Gates) -> GuardClearing:
    """Who clears echo guards."""
    return GuardClearing(foundation.store, gates, foundation.parameters, foundation.wall)
