"""Over SSH: by which keys we know a host, and with which ones we log in.

Conch is an extra (`provserver[ssh]`): what imports this needs it.
"""

# mypy: disable-error-code="no-untyped-call"
# Conch's calls are untyped; what comes of them is typed here.

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from twisted.conch.client.knownhosts import HashedEntry, PlainEntry
from twisted.conch.error import InvalidEntry
from twisted.conch.ssh.agent import SSHAgentClient
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.internet.defer import Deferred, succeed

from provserver.connectors.contract import ConnectorError
from provserver.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class SshPlace:
    """One host and how we log in there. Exactly one of `known_hosts` and `host_key`, of `key_file` and
    `agent`, is not empty."""

    host: str
    port: int
    user: str
    known_hosts: str
    host_key: str
    key_file: str
    agent: str


def host_keys(place: SshPlace) -> list[Key]:
    """The keys that the host may show. ConnectorError."""
    if place.host_key:
        return [_public_key(line) for line in place.host_key.split(",")]
    try:
        with open(place.known_hosts, "rb") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise ConnectorError(f"{place.known_hosts}: {error.strerror}") from None
    names = [place.host.encode()] if place.port == 22 else [b"[%b]:%d" % (place.host.encode(), place.port)]
    found, revoked = [], set()
    for line in lines:
        if line.startswith(b"@revoked"):
            revoked.add(line.split()[-1] if len(line.split()) == 4 else line.split()[3])
        entry = _entry(line)
        if entry is not None and any(entry.matchesHost(name) for name in names):
            found.append(entry.publicKey)
    keys = [key for key in found if base64.b64encode(key.blob()) not in revoked]
    if not keys:
        raise ConnectorError(f"{place.known_hosts} has no key of {names[0].decode()}")
    return keys


def _entry(line: bytes) -> HashedEntry | PlainEntry | None:
    if not line.strip() or line.startswith((b"#", b"@")):
        return None
    try:
        return HashedEntry.fromString(line) if line.startswith(b"|") else PlainEntry.fromString(line)
    except (InvalidEntry, BadKeyError, ValueError):
        return None  # a kind of key that Conch does not know: not one that it would accept either


def _public_key(line: str) -> Key:
    """From `ssh-ed25519 AAAA…`. ValueError."""
    try:
        return cast(Key, Key.fromString(line.strip().encode(), type="public_openssh"))
    except (BadKeyError, ValueError, IndexError) as error:
        raise ValueError(f"expected a public key such as ssh-ed25519 AAAA…: {type(error).__name__}") from None


def check_host_key(text: str) -> None:
    """ValueError: what was expected."""
    for line in text.split(","):
        _public_key(line)


def private_key(path: str, passphrase: Secret | None) -> Key:
    try:
        read = Key.fromFile(path, passphrase=None if passphrase is None else passphrase.reveal())
    except OSError as error:
        raise ConnectorError(f"{path}: {error.strerror}") from None
    except EncryptedKeyError:
        raise ConnectorError(f"{path}: is encrypted; expected the secret `passphrase`") from None
    except (BadKeyError, ValueError):
        # Not its text: a passphrase may be what it could not use.
        raise ConnectorError(f"{path}: expected a private key, and its passphrase if it has one") from None
    key = cast(Key, read)
    if key.type() not in ("Ed25519", "EC"):
        raise ConnectorError(
            f"{path}: expected an ed25519 or ecdsa key; Conch signs with {key.type()} keys as servers no "
            "longer accept"
        )
    return key


class Login:
    """The keys that we offer, one after the other."""

    def next_key(self) -> Key | None:
        raise NotImplementedError

    def sign(self, key: Key, octets: bytes) -> Deferred[bytes]:
        raise NotImplementedError

    def done(self) -> None:
        pass


class KeyLogin(Login):
    def __init__(self, key: Key) -> None:
        self._key = key
        self._offered = False

    def next_key(self) -> Key | None:
        offered, self._offered = self._offered, True
        return None if offered else self._key.public()

    def sign(self, key: Key, octets: bytes) -> Deferred[bytes]:
        return succeed(self._key.sign(octets))


class AgentLogin(Login):
    def __init__(self, agent: SSHAgentClient, blobs: Sequence[bytes]) -> None:
        self._agent = agent
        self._blobs = list(blobs)

    def next_key(self) -> Key | None:
        while self._blobs:
            blob = self._blobs.pop(0)
            try:
                key = cast(Key, Key.fromString(blob, type="blob"))
            except (BadKeyError, ValueError):
                continue
            if key.type() in ("Ed25519", "EC"):
                return key
        return None

    def sign(self, key: Key, octets: bytes) -> Deferred[bytes]:
        signed: Deferred[bytes] = self._agent.signData(key.blob(), octets)
        return signed

    def done(self) -> None:
        if self._agent.transport is not None:
            self._agent.transport.loseConnection()
