"""What the commands that work without a server have in common: the instance's store opened, and closed
again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from provserver.cli.failure import CommandFailed
from provserver.cli.instance import Instance
from provserver.directory.schema import Schema, SchemaError
from provserver.foundation import Foundation, lay_foundation, load_schema, open_store
from provserver.storage.contract import Store, StoreLocked
from provserver.storage.database import StoreUnusable


def instance_at(directory: str, overrides: list[str]) -> Instance:
    """The instance that a command was given."""
    return Instance.load(Path(directory), overrides)


async def opened(instance: Instance, reactor: Any, *, create: bool = False) -> tuple[Schema, Store]:
    """The instance's schema and store. CommandFailed says what stands in the way, and what to do."""
    try:
        schema = load_schema(instance.schema_files)
    except SchemaError as error:
        raise CommandFailed(f"the schema cannot be read: {error}") from None
    except OSError as error:
        raise CommandFailed(f"the schema cannot be read: {error.filename}: {error.strerror}") from None
    try:
        return schema, await open_store(instance.store, schema, reactor, create=create)
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
