"""`provserver dump DIR`: the tree as LDIF on standard output, without secrets."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from provserver.cli.failure import CommandFailed
from provserver.cli.offline import foundation_of, instance_at
from provserver.cli.running import run_until_done
from provserver.directory.ldif import write_entry
from provserver.ldap.filters import Present, Scope
from provserver.ldap.results import Refusal
from provserver.storage.contract import SearchLimits

HELP = "write the tree as LDIF to standard output, without secrets"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the instance")
    parser.add_argument("--base", metavar="DN", help="only this entry and what is below it")


def run(options: argparse.Namespace) -> int:
    instance = instance_at(options.directory, options.overrides)

    async def work(reactor: Any) -> None:
        async with foundation_of(instance, reactor) as foundation:
            base = foundation.views.domain
            if options.base:
                try:
                    base, _ = foundation.views.resolve(options.base)
                except Refusal as refusal:
                    raise CommandFailed(f"--base: {refusal.result.diagnostic}") from None
                if await foundation.store.read(base) is None:
                    raise CommandFailed(f"--base: '{base}' does not exist")
            schema = foundation.schema
            out = sys.stdout.buffer
            out.write(b"version: 1\n")
            found = foundation.store.search(base, Scope.SUBTREE, Present("objectClass"), SearchLimits())
            async for batch in found:
                for entry in batch:
                    shown = [
                        (attribute.description, attribute.values)
                        for key, attribute in entry.attributes.items()
                        if not schema.is_secret(key) and (key == "etid" or not schema.is_operational(key))
                    ]
                    out.write(b"\n" + write_entry(str(entry.dn), shown))
            out.flush()

    run_until_done(work)
    return 0
