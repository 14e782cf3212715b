"""How fast a real slapd with many accounts is explored: at first, again, and with 1 % of them changed.

    .venv/bin/python tools/bench/explore.py [--accounts 100000] [--json FILE]

Needs slapd (`apt-get install -y slapd ldap-utils`). The explorer runs in this process, on a store on disk
(synchronous=FULL), over LDAP on loopback, as `provserver explore` does where no server runs; slapd beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

from provserver.cli.loading import load_stream
from provserver.connectors.registry import ConnectorKinds
from provserver.foundation import exploring_of, lay_foundation, load_schema, open_store
from provserver.ldap.extended import ExploreEndpoint
from provserver.operations.edits import Edits
from provserver.service import EndpointFacts
from provserver.settings import Settings
from provserver.testing.slapd import SlapdServer
from provserver.vault.keyring import KeyRing

SUFFIX: Final = "dc=example,dc=com"
_EXPLORE: Final = ("explore",)
_CREATE: Final = ("create-users",)


def people(count: int) -> Iterator[str]:
    yield f"dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n\n"
    for number in range(count):
        yield (
            f"dn: uid=user{number:06},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: user{number:06}\n"
            f"cn: Person {number}\nsn: Number {number}\ngivenName: Person\nmail: user{number}@example.com\n"
            f"title: Number\nemployeeNumber: {number}\n\n"
        )


def changed(count: int, every: int) -> str:
    """What makes one in so many accounts different: half other names, half gone or new."""
    lines = []
    for number in range(0, count, every):
        if number % (2 * every):
            lines.append(
                f"dn: uid=user{number:06},ou=people,{SUFFIX}\nchangetype: modify\nreplace: mail\n"
                f"mail: other{number}@example.com\n\n"
            )
        else:
            lines.append(f"dn: uid=user{number:06},ou=people,{SUFFIX}\nchangetype: delete\n\n")
    return "".join(lines)


def memory() -> float:
    """The most that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def endpoint(slapd: SlapdServer) -> str:
    settings = {
        "url": slapd.ldap_url,
        "starttls": "no",
        "bind_dn": slapd.root_dn,
        "dn": f"uid={{name}},ou=people,{SUFFIX}",
        "explore_attributes": "cn,sn,givenName,mail,title",
    }
    lines = [f"provSetting: {key}={value}" for key, value in settings.items()]
    return (
        "dn: eTNamespaceName=OpenLDAP,dc=im\nobjectClass: eTNamespace\neTNamespaceName: OpenLDAP\n\n"
        "dn: eTDYNDirectoryName=bench,eTNamespaceName=OpenLDAP,dc=im\nobjectClass: eTDYNDirectory\n"
        "provConnector: openldap\nprovRequireSecureConnection: FALSE\n"
        f"provSecret: bind_password={slapd.root_password}\n" + "\n".join(lines) + "\n"
    )


async def measured(reactor: Any, slapd: SlapdServer, folder: Path, count: int) -> list[dict[str, Any]]:
    schema = load_schema()
    store = await open_store(folder / "store.db", schema, reactor, create=True)
    try:
        foundation = lay_foundation(Settings(), KeyRing.generate(), schema, store, reactor=reactor)
        edits = Edits(foundation.rooms, "bench")
        base = (files("provserver.ldif") / "base.ldif").read_text("utf-8")
        for text in (base, endpoint(slapd)):
            await load_stream(foundation, edits, "ldif", text.encode().splitlines(keepends=True))
        await store.commit(edits.commit())
        facts = EndpointFacts(foundation, ConnectorKinds(), reactor)
        exploring = exploring_of(foundation, facts.connector, reactor, reactor)
        rows: list[dict[str, Any]] = []

        async def run(name: str, *actions: str) -> None:
            began, worked = time.perf_counter(), time.process_time()
            told: Any = await exploring.explore(ExploreEndpoint("bench", actions), {"by": "bench"})
            while told["running"]:
                told = await exploring.explore(
                    ExploreEndpoint("", follow=told["exploration"]), {"by": "bench"}
                )
            seconds, work = time.perf_counter() - began, time.process_time() - worked
            if "failure" in told:
                raise SystemExit(told["failure"])
            kinds = ("added", "changed", "removed", "correlated", "created")
            row = {
                "exploration": name,
                "accounts": told["accounts"],
                **{kind: told[kind] for kind in kinds},
                "seconds": round(seconds, 1),
                "accounts/s": round(told["accounts"] / seconds),
                "accounts/CPU s": round(told["accounts"] / work),
                "peak MB": round(memory()),
            }
            print("  ".join(f"{key}: {value}" for key, value in row.items()), flush=True)
            rows.append(row)

        await run("the first", *_EXPLORE)
        await run("again, nothing changed", *_EXPLORE)
        slapd.tool("ldapmodify", stdin=changed(count, 100))
        await run("again, 1 % changed", *_EXPLORE)
        await run("users created", *_CREATE)
        await run("again, with users", *_CREATE)
        return rows
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    before = memory()
    print(f"before: peak MB: {before:.0f}")
    with (
        tempfile.TemporaryDirectory(prefix="provserver-explore-") as folder,
        SlapdServer(
            suffix=SUFFIX, ldif="".join(people(options.accounts)), extra=("maxsize 2147483648",)
        ) as slapd,
    ):

        async def go(reactor: Any) -> None:
            rows = await measured(reactor, slapd, Path(folder), options.accounts)
            if options.json is not None:
                options.json.write_text(json.dumps(rows, indent=2))

        task.react(lambda reactor: ensureDeferred(go(reactor)))


if __name__ == "__main__":
    sys.exit(main())
