"""What an agent that joins is given: where to ask, whom to trust, and a conf file that needs no edit."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from provserver.cli.certificates import LOOPBACK
from provserver.cli.failure import CommandFailed
from provserver.cli.offline import instance_at
from provserver.directory.names import DN
from provserver.imps.views import View
from provserver.vault.secret import Secret

CONF: Final = "eta_pwdsync.conf"
CA: Final = "ca.pem"
_SERVER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/,\s]+)(?::(\d{1,5}))?")
_LDAPS_PORT: Final = 20390
_WILDCARDS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 -- as read


@dataclass(frozen=True, slots=True)
class Reach:
    """Where agents find the server, as their conf files have it, and who vouches for its certificate; None:
    whom their machine trusts.
    """

    host: str
    ca: Path | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever joins an agent should know of it."""
        found = _SERVER.fullmatch(self.host)
        if found is None or found[1].strip("[]") not in LOOPBACK:
            return ()
        return (f"{self.host} is reached from this machine only: --server HOST:PORT says it for others",)


def reach_of(options: argparse.Namespace) -> Reach:
    """As `--server` says, or where WHERE is. CommandFailed."""
    ca = Path(options.ca) if options.ca is not None else None
    if "://" in options.where:
        found = urlsplit(options.where)
        if options.server is None and found.scheme != "ldaps":
            raise CommandFailed("agents ask by LDAPS: give --server HOST:PORT, where they reach the server")
        return Reach(options.server or found.netloc, ca)
    instance = instance_at(options.where, options.overrides)
    if ca is None and instance.certificate == instance.tls.server:
        ca = instance.tls.ca
    server = instance.settings.server
    if options.server is not None:
        return Reach(options.server, ca)
    if not server.ldaps_port:
        raise CommandFailed("the instance listens on any free port: give --server HOST:PORT")
    address = server.ldaps_address
    host = socket.gethostname() if address in _WILDCARDS else address
    return Reach(f"[{host}]:{server.ldaps_port}" if ":" in host else f"{host}:{server.ldaps_port}", ca)


def server_address(text: str) -> str:
    """What `--server` may be. ArgumentTypeError."""
    found = _SERVER.fullmatch(text)
    if found is None or not 0 < int(found[2] or _LDAPS_PORT) < 65_536:
        raise argparse.ArgumentTypeError(f"expected HOST or HOST:PORT, found {text!r}")
    return text


def conf_text(agent: DN, password: Secret, endpoint: DN, domain: DN, reach: Reach) -> str:
    """A conf file for psync-agent (and for pam-agent), with all that it needs and nothing else."""
    type, name = endpoint.rdns[1].pairs[0][1], endpoint.rdns[0].pairs[0][1]
    admin = agent.rdns[0].pairs[0][1]
    ca = [f"ca_file = {CA}"] if reach.ca is not None else []
    lines = [
        f"; For {admin} at {name}; `psync-agent sample` has all keys. chmod 600, owner root.",
        "[Server]",
        f"host = {reach.host}",
        *ca,
        f"admin = {_value(agent.text + View.SERVER.value if '=' in admin else admin)}",
        f"password = {password.reveal_text()}",
        "",
        "[EtaDomain]",
        f"domain_suffix = {domain}{View.SERVER.value}",
        f"endpoint_type = {_value(type)}",
        f"endpoint_name = {_value(name)}",
        "",
        "[PasswordProfile]",
        "profile_enable = yes",
    ]
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    """As the reader of conf files takes it: in quotes where it would lose some, or its outer blanks."""
    return f'"{text}"' if text.strip(" \"'") != text else text


@contextlib.contextmanager
def handed_over(directory: Path | None, conf: str, ca: Path | None) -> Iterator[None]:
    """The conf file, 0600, and the CA file, in a directory; gone again if what is done meanwhile fails. None:
    nowhere. CommandFailed: one of them is there already.
    """
    made: list[Path] = []
    try:
        if directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(directory / CONF, conf.encode(), 0o600, made)
            if ca is not None:
                _make(directory / CA, ca.read_bytes(), 0o644, made)
        yield
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _make(path: Path, content: bytes, mode: int, made: list[Path]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise CommandFailed(f"{path} is there already; nothing was changed") from None
    made.append(path)
    with open(descriptor, "wb") as file:
        file.write(content)
