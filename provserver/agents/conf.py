"""What the agent needs to know, as `reading` makes it of a conf file: frozen, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from provserver.agents.keys import Key
from provserver.agents.post import Post
from provserver.vault.secret import Secret

SCHEMES: Final = ("ssha", "ssha256", "ssha384", "ssha512")
CLEAR: Final = "clear"


class ConfError(Exception):
    """The conf file cannot be used; `problems` are sentences, each with its place."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Server:
    """Where a provisioning server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Trust:
    """What is demanded of a server's certificate; None: the authorities of this machine, the host's name."""

    ca_file: Path | None
    server_name: str | None
    cert_file: Path | None
    key_file: Path | None
    """The agent's own certificate; None: it has none."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. `search`: until the account is found; `check`, `update`: for the answer. 0: do not wait."""

    search: float
    check: float
    update: float


@dataclass(frozen=True, slots=True)
class Logging:
    file: Path | None
    """None: no log."""
    ldap: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """How changes wait. `keep` and `interval` in seconds."""

    directory: Path | None
    """None: no spool."""
    keep: float
    interval: float
    everyone: bool
    """Whether each server must have taken a change."""


@dataclass(frozen=True, slots=True)
class Given:
    """A key as it stands in the file; line 0: it does not, this is its default. Of a secret only that it is
    there.
    """

    key: Key
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Conf:
    """All that the agent needs to know. `scheme` is one of SCHEMES, or CLEAR."""

    path: Path
    servers: tuple[Server, ...]
    trust: Trust | None
    """None: no TLS."""
    identity: str
    password: Secret
    enabled: bool
    out_of_sync: bool
    machine_accounts: bool
    profile: bool
    post: Post
    times: Times
    logging: Logging
    waiting: Waiting
    scheme: str
    verbose: bool
    given: tuple[Given, ...] = field(repr=False)
    """Every key."""
    remarks: tuple[str, ...] = ()
    """What was read and is not as it may have been meant."""

    @property
    def judged_first(self) -> bool:
        """Whether the server is asked before a change; nobody can judge a hash."""
        return self.profile and self.scheme == CLEAR
