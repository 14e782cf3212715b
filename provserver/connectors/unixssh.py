"""Commands over SSH, with Twisted Conch: the host's key is known, we log in with a key, the line stays open.

Conch is an extra (`provserver[ssh]`); only this module and `unixkeys` import it, and only
an endpoint with a `host` these.
"""

# mypy: disable-error-code="no-untyped-call"
# Conch's calls are untyped; what comes of them is typed here.

from __future__ import annotations

import shlex
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from twisted.conch.error import ConchError
from twisted.conch.ssh.agent import SSHAgentClient
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.transport import (
    DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE,
    SSHClientTransport,
)
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from provserver.connectors.contract import (
    BadServerCredentials,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    ServerDown,
)
from provserver.connectors.unixcommand import MOST_SAID, Ended
from provserver.connectors.unixkeys import AgentLogin, KeyLogin, Login, SshPlace, host_keys, private_key
from provserver.vault.secret import Secret

T = TypeVar("T")

_TOO_MANY_TRIES = 2
"""What OpenSSH says with SSH_DISCONNECT_PROTOCOL_ERROR after too many failed logins."""


class SshRunner:
    """One SSH connection, kept open; each command has a channel of its own."""

    def __init__(self, reactor: object, place: SshPlace, passphrase: Secret | None, patience: float) -> None:
        self.where = f"{place.user}@{place.host}:{place.port}"
        self._reactor = reactor
        self._place = place
        self._passphrase = passphrase
        self._patience = patience
        self._transport: _Transport | None = None

    async def open(self) -> None:
        if self._transport is not None and self._transport.up:
            return
        self._transport = None
        keys = host_keys(self._place)
        login = await self._login()
        transport = _Transport(keys, login, self._place.user, self.where)
        endpoint = HostnameEndpoint(self._reactor, self._place.host, self._place.port, timeout=self._patience)
        try:
            await endpoint.connect(_once(transport))
        except (ConnectError, DNSLookupError, OSError) as error:
            login.done()
            raise ServerDown(f"{self.where}: {error}") from None
        try:
            await self._in_time(transport.ready, transport.abort)
        except _TooSlow:
            raise ServerDown(f"{self.where}: no SSH session within {self._patience:g} s") from None
        finally:
            login.done()
        self._transport = transport

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None and transport.up:
            transport.loseConnection()
            alarm = cast(IReactorTime, self._reactor).callLater(self._patience, transport.abort)
            await transport.gone
            if alarm.active():
                alarm.cancel()

    async def run(self, words: Sequence[str], given: Secret, most: int) -> Ended:
        await self.open()
        transport = self._transport
        assert transport is not None  # noqa: S101  open() has returned
        command = _Command(shlex.join(["env", "LC_ALL=C", *words]).encode(), given, most)
        transport.sessions.openChannel(command)
        try:
            return await self._in_time(command.ended, transport.abort)
        except _TooSlow:
            lost = DroppedConnection(f"{self.where}: {words[0]} did not end within {self._patience:g} s")
        except DroppedConnection as dropped:
            lost = DroppedConnection(f"{self.where}: {dropped}")
        lost.outcome_unknown = command.sent
        raise lost

    async def _in_time(self, waited: Deferred[T], give_up: Callable[[], None]) -> T:
        late = False

        def too_slow() -> None:
            nonlocal late
            late = True
            give_up()

        alarm = cast(IReactorTime, self._reactor).callLater(self._patience, too_slow)
        try:
            return await waited
        except ConnectorFailure:
            if late:
                raise _TooSlow from None
            raise
        except BaseException:
            give_up()
            raise
        finally:
            if alarm.active():
                alarm.cancel()

    async def _login(self) -> Login:
        if self._place.key_file:
            return KeyLogin(private_key(self._place.key_file, self._passphrase))
        endpoint = UNIXClientEndpoint(self._reactor, self._place.agent, timeout=self._patience)
        try:
            agent = SSHAgentClient()
            await endpoint.connect(_once(agent))
            known = await agent.requestIdentities()
        except (ConnectError, ConchError, OSError) as error:
            raise ServerDown(f"the SSH agent at {self._place.agent} cannot be asked: {error}") from None
        return AgentLogin(agent, [blob for blob, _ in known])


class _TooSlow(Exception):
    pass


# -- the line


class _Quiet(Logger):
    """Conch tells of every channel, at every password."""

    def info(self, format: str | None = None, **kwargs: object) -> None:
        pass

    def debug(self, format: str | None = None, **kwargs: object) -> None:
        pass


def _once(protocol: Protocol) -> Factory[Protocol]:
    """A factory for this one, which says nothing of itself."""
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    return factory


class _UserAuth(SSHUserAuthClient):
    _log = _Quiet()
    preferredOrder = [b"publickey"]  # noqa: N815, RUF012  Conch's

    def __init__(self, user: str, instance: SSHConnection, login: Login) -> None:
        super().__init__(user.encode(), instance)
        self._login = login

    def getPublicKey(self) -> Key | None:  # noqa: N802  Conch's name
        return self._login.next_key()

    def signData(self, publicKey: Key, signData: bytes) -> Deferred[bytes]:  # noqa: N802, N803  Conch's
        return self._login.sign(publicKey, signData)

    def getPassword(self, prompt: bytes | None = None) -> None:  # noqa: N802  Conch's name
        return None

    def auth_keyboard_interactive(self) -> bool:
        return False


class _Sessions(SSHConnection):
    _log = _Quiet()

    def __init__(self, started: Callable[[], None]) -> None:
        super().__init__()
        self._started = started

    def serviceStarted(self) -> None:  # noqa: N802  Conch's name
        super().serviceStarted()
        self._started()


class _Transport(SSHClientTransport):
    """From the connection to the session; `ready` fires once, with a ConnectorFailure if there is none."""

    _log = _Quiet()

    def __init__(self, host_keys: Sequence[Key], login: Login, user: str, where: str) -> None:
        self.up = False
        self.ready: Deferred[None] = Deferred(lambda _: self.abort())
        self.gone: Deferred[None] = Deferred()
        self.sessions = _Sessions(self._started)
        self._auth = _UserAuth(user, self.sessions, login)
        self._host_keys = host_keys
        self._where = where
        self._problem: ConnectorFailure | None = None
        # A host shows one of its keys: it must be one of those that we know.
        known = {key.sshType() for key in host_keys}
        self.supportedPublicKeys = [
            name
            for name in self.supportedPublicKeys
            if name in known or (b"ssh-rsa" in known and name.startswith(b"rsa-sha2-"))
        ]

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> Deferred[bool]:  # noqa: N802, N803
        if Key.fromString(hostKey, type="blob") in self._host_keys:
            return succeed(True)
        # Permanent: somebody must look, and it may be somebody in between.
        self._problem = ConnectorError(f"{self._where}: the host shows a key that is not the known one")
        return fail(Failure(self._problem))

    def connectionSecure(self) -> None:  # noqa: N802  Conch's name
        self.requestService(self._auth)

    def sendDisconnect(self, reason: int, desc: bytes) -> None:  # noqa: N802  Conch's name
        if reason == DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE:
            self._refused()
        super().sendDisconnect(reason, desc)

    def receiveError(self, reasonCode: int, description: bytes) -> None:  # noqa: N802, N803  Conch's
        super().receiveError(reasonCode, description)
        if reasonCode == _TOO_MANY_TRIES and b"authentication failures" in description:
            self._refused()

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802  Twisted's name
        self.up = False
        super().connectionLost(reason)
        if not self.ready.called:
            why = "" if reason is None else f": {reason.getErrorMessage()}"
            self.ready.errback(self._problem or ServerDown(f"{self._where}: the host hung up{why}"))
        self.gone.callback(None)

    def abort(self) -> None:
        self.up = False
        if self.transport is not None:
            cast(ITCPTransport, self.transport).abortConnection()

    def _refused(self) -> None:
        self._problem = BadServerCredentials(f"{self._where}: the host does not accept our key")

    def _started(self) -> None:
        self.up = True
        self.ready.callback(None)


class _Command(SSHChannel):
    """One command; `ended` fires once, with DroppedConnection if the line is lost first."""

    name = b"session"
    _log = _Quiet()

    def __init__(self, command: bytes, given: Secret, most: int) -> None:
        super().__init__()
        self.ended: Deferred[Ended] = Deferred(lambda _: None)
        self.sent = False
        self._command = command
        self._given = given
        self._most = most
        self._code: int | None = None
        self._known = False
        self._output = bytearray()
        self._errors = bytearray()

    def openFailed(self, reason: Failure) -> None:  # noqa: N802  Conch's name
        self._lost("the host opens no session")

    def channelOpen(self, specificData: bytes) -> None:  # noqa: N802, N803  Conch's
        asked = self._line().sendRequest(self, b"exec", NS(self._command), wantReply=True)
        asked.addCallbacks(self._running, lambda _: self._lost("the host runs no command"))

    def _running(self, _: object) -> None:
        self.sent = True
        if self._given:
            self.write(self._given.reveal())
        self._line().sendEOF(self)

    def _line(self) -> SSHConnection:
        assert self.conn is not None  # noqa: S101  a channel that is open has one
        return self.conn

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  Conch's name
        self._output += data[: max(0, self._most - len(self._output))]

    def extReceived(self, dataType: int, data: bytes) -> None:  # noqa: N802, N803  Conch's
        self._errors += data[: max(0, MOST_SAID - len(self._errors))]

    def request_exit_status(self, data: bytes) -> None:
        (self._code,) = struct.unpack(">L", data[:4])
        self._known = True

    def request_exit_signal(self, data: bytes) -> None:
        self._known = True

    def closed(self) -> None:
        if self._known and not self.ended.called:
            self.ended.callback(Ended(self._code, bytes(self._output), bytes(self._errors)))
        else:
            self._lost("the line broke while a command ran")

    def _lost(self, what: str) -> None:
        if not self.ended.called:
            self.ended.errback(DroppedConnection(what))
