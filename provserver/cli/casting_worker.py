"""A process of its own that reads LDIF for `provserver load`: blocks in, rows out, while somebody asks.

It knows the schema and the domain, no key and no store. Started by `crew` with the number of the socket.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from provserver.cli.collector import collecting_between
from provserver.directory.schema import Schema
from provserver.imps.views import Views
from provserver.operations.casting import Caster
from provserver.operations.identities import identities

READY: Final = "ready"


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker has to know; the fields are as for `Caster`."""

    schema: tuple[tuple[str, str], ...]
    """(name, text) of the schema files."""
    domain: str
    numbers: dict[str, int]
    stamp: str
    by: str
    meant: tuple[str, ...]


def serve(connection: Connection) -> None:
    """Do what is asked until the other end is closed."""
    order: Order = connection.recv()
    new_id = identities(os.urandom).__next__
    schema = Schema.parse(order.schema)
    views = Views(order.domain)
    caster = Caster(schema, views, order.numbers, order.stamp, order.by, new_id, order.meant)
    connection.send(READY)
    with collecting_between() as collect:
        while True:
            connection.send(caster.parts(connection.recv()))
            collect()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    main()
