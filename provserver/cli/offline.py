"""What the commands that work without a server have in common: the instance's store opened, and closed
again.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.cli.running import at_once
from provserver.directory.schema import Schema, SchemaError
from provserver.foundation import Foundation, lay_foundation, load_schema, open_loaded_store, open_store
from provserver.storage.arrivals import LoadedStore
from provserver.storage.contract import Store, StoreLocked
from provserver.storage.database import StoreUnusable


def instance_at(directory: str, overrides: list[str]) -> Instance:
    """The instance that a command was given."""
    return Instance.load(Path(directory), overrides)


async def opened(instance: Instance, reactor: Any, *, create: bool = False) -> tuple[Schema, Store]:
    """The instance's schema and store. CommandFailed says what stands in the way, and what to do."""
    schema = schema_of(instance)
    with telling():
        return schema, await open_store(instance.store, schema, reactor, create=create)


def schema_of(instance: Instance) -> Schema:
    """The instance's schema. CommandFailed."""
    try:
        return load_schema(instance.schema_files)
    except SchemaError as error:
        raise CommandFailed(f"the schema cannot be read: {error}") from None
    except OSError as error:
        raise CommandFailed(f"the schema cannot be read: {error.filename}: {error.strerror}") from None


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Why a store cannot be opened, in words for whoever gave the command."""
    try:
        yield
    except StoreLocked as locked:
        raise CommandFailed(f"{locked}; stop that one first, or change a running server over LDAP") from None
    except (StoreUnusable, OSError) as error:
        raise CommandFailed(f"the store cannot be opened: {error}") from None


@contextlib.asynccontextmanager
async def foundation_of(
    instance: Instance, reactor: Any, *, create: bool = False
) -> AsyncIterator[Foundation]:
    """The instance's rooms, for the time of one command. CommandFailed."""
    schema, store = await opened(instance, reactor, create=create)
    try:
        yield lay_foundation(instance.settings, instance.keys, schema, store)
    finally:
        await store.close()


def make_store(instance: Instance) -> None:
    """An empty store for an instance that has none. CommandFailed."""
    _, store = at_once(opened(instance, None, create=True))
    at_once(store.close())


@contextlib.contextmanager
def loading_of(instance: Instance) -> Iterator[tuple[Foundation, LoadedStore]]:
    """The instance's rooms over a store that is loaded; what is not kept is undone. CommandFailed."""
    schema = schema_of(instance)
    with telling():
        store = open_loaded_store(instance.store, schema)
    try:
        yield lay_foundation(instance.settings, instance.keys, schema, store), store
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None
        raise CommandFailed(f"the store cannot be written: {error}; nothing was kept") from None
    except StoreUnusable as error:
        raise CommandFailed(f"{error}; nothing was kept") from None
    finally:
        at_once(store.close())
