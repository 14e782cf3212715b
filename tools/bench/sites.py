"""The two contestants of the front's benchmark: a site is filled and served, a front answers.

Both hold the same population (`population.py`), durable as they come: ours with its default settings but for
the cheap hash, slapd with back-mdb and no dbnosync.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from generator import BenchFailed
from machine import family
from our_home import CHEAP_HASH, OurHome, OurServer
from population import (
    OUR_DIALECT,
    SLAPD_DIALECT,
    SLAPD_INDEXES,
    SUFFIX,
    Dialect,
    Size,
    our_ldif,
    slapd_ldif,
)
from prepared import bind_request
from spent import Spent, spent

from provserver.testing.certificates import Certificates
from provserver.testing.slapd import SlapdServer, find_slapd
from provserver.testing.slapd_configuration import ssha
from provserver.vault.secret import Secret

SLAPD_AGENT: Final = f"cn=agent,{SUFFIX}"
SLAPD_MAP_SIZE: Final = 32 * 2**30
"""Address space, not disk: a million entries need some GiB."""


class Front(Protocol):
    """A server that answers."""

    dialect: Dialect
    port: int
    ldaps_port: int
    reader: bytes
    """The bind of somebody who may read the accounts, by rights that the server judges."""
    writer: bytes
    """The bind of somebody who may change them."""
    ready_seconds: float
    """From exec until it accepts connections."""

    def pids(self) -> Sequence[int]:
        """Every process of this server."""

    def stop(self) -> None:
        """End it; its data stays."""


class Site(Protocol):
    """Data and configuration of a server that is down."""

    dialect: Dialect

    def fill(self, size: Size) -> Spent:
        """Load a population into an empty site, in bulk; what the loading command cost."""

    def dump(self, ldif: Path) -> Spent:
        """Write everything to a file."""

    def stored(self) -> int:
        """Bytes on disk that the data takes."""

    def serve(self) -> Front: ...

    def remove(self) -> None: ...


class OurFront(OurServer):
    dialect = OUR_DIALECT

    def __init__(self, home: OurHome, settings: Sequence[str]) -> None:
        super().__init__(home, settings)
        self.reader = home.agent
        self.writer = home.administrator


class OurSite:
    dialect = OUR_DIALECT

    def __init__(self, parent: Path, certificates: Certificates | None = None) -> None:
        self._home = OurHome(parent, (CHEAP_HASH,))
        self._settings: tuple[str, ...] = ()
        if certificates is not None:
            self._settings = (
                f"server.tls_certificate={certificates.certificate}",
                f"server.tls_key={certificates.key}",
            )

    def fill(self, size: Size) -> Spent:
        ldif = self._home.directory / "population.ldif"
        write_ldif(ldif, our_ldif(size, self._home.agent_ldif()))
        try:
            return self._home.load(ldif)
        finally:
            ldif.unlink()

    def dump(self, ldif: Path) -> Spent:
        return self._home.dump(ldif)

    def stored(self) -> int:
        return sum(file.stat().st_size for file in self._home.instance.glob("store.db*"))

    def serve(self) -> OurFront:
        return OurFront(self._home, self._settings)

    def remove(self) -> None:
        self._home.remove()


class SlapdFront:
    dialect = SLAPD_DIALECT

    def __init__(self, server: SlapdServer, agent: bytes) -> None:
        began = time.monotonic()
        server.start_blocking()
        self.ready_seconds = time.monotonic() - began
        self.port, self.ldaps_port = server.ldap_port, server.ldaps_port
        self.reader = self.writer = agent
        self._server = server

    def pids(self) -> Sequence[int]:
        return family(self._server.pid)

    def stop(self) -> None:
        self._server.kill()


class SlapdSite:
    """`quick`: slapadd -q, which skips checks and syncs the disk at the end only."""

    dialect = SLAPD_DIALECT

    def __init__(
        self, parent: Path, threads: int, certificates: Certificates | None = None, *, quick: bool = True
    ) -> None:
        self._password = Secret.of_text(secrets.token_urlsafe(18))
        self._quick = quick
        self._program = find_slapd().slapd
        self._server = SlapdServer(
            suffix=SUFFIX,
            access=(
                "access to attrs=userPassword by anonymous auth by * none",
                # By rights, not as the root DN, whom nothing is checked for.
                f'access to * by dn.exact="{SLAPD_AGENT}" write by * none',
            ),
            indexes=SLAPD_INDEXES,
            certificates=certificates,
            global_extra=(f"threads {threads}", "sizelimit unlimited"),
            extra=(f"maxsize {SLAPD_MAP_SIZE}",),
            parent_directory=parent,
        )
        self._server.start_blocking()  # its first start makes its files
        self._server.kill()

    def fill(self, size: Size) -> Spent:
        ldif = self._server.directory / "population.ldif"
        hashed = ssha(self._password.reveal())
        agent = (
            f"dn: {SLAPD_AGENT}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
            f"cn: agent\nuserPassword: {hashed}\n\n"
        )
        write_ldif(ldif, slapd_ldif(size, agent))
        try:
            return self._offline("add", *(["-q"] if self._quick else []), "-l", str(ldif))
        finally:
            ldif.unlink()

    def dump(self, ldif: Path) -> Spent:
        return self._offline("cat", "-l", str(ldif))

    def stored(self) -> int:
        # LMDB's file is as long as its map may become, and has holes.
        return sum(file.stat().st_blocks * 512 for file in (self._server.directory / "data").iterdir())

    def serve(self) -> SlapdFront:
        return SlapdFront(self._server, bind_request(SLAPD_AGENT, self._password))

    def remove(self) -> None:
        self._server.stop()

    def _offline(self, tool: str, *arguments: str) -> Spent:
        configuration = str(self._server.directory / "slapd.conf")
        done = spent(
            [str(self._program), "-T", tool, "-f", configuration, *arguments], self._server.directory
        )
        if done.code:
            raise BenchFailed(f"slap{tool}: {done.said[-2000:] or f'ended with {done.code}'}")
        return done


def write_ldif(path: Path, entries: Iterable[str]) -> None:
    """A stream of LDIF into a file."""
    with path.open("w") as file:
        file.writelines(entries)
