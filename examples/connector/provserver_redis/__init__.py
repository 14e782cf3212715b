"""Redis as an endpoint of provserver: the passwords of its ACL users, set by `ACL SETUSER`.

An example of a whole connector: see README.md beside it, and docs/write-a-connector.md of provserver.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from OpenSSL import SSL
from twisted.internet.defer import TimeoutError as TooSlow
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS

from provserver.connectors import (
    DN,
    Accepts,
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    Capabilities,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    Fold,
    NotSupported,
    ObjectMissing,
    PasswordIllFormed,
    PasswordOption,
    Secret,
    Security,
    ServerDown,
    Settings,
    SettingsError,
    keep_as_is,
    known_secrets,
)
from provserver_redis.resp import ErrorReply, Reply, Resp


class RedisConnector:
    """The ACL users of a Redis server, version 6 or newer."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "host": "the server's host name, which its certificate must have",
        "port": "its port; 6379 when not given",
        "tls": "yes (the default), or no: the line stays in clear, and says so (not secure)",
        "ca_file": "PEM file of the authority that vouches for the server; the system's when not given",
        "user": "who we are there: a user who may use ACL GETUSER, SETUSER, USERS and SAVE",
        "save": "yes: ACL SAVE after each password, for a server with an aclfile; no when not given",
        "timeout": "seconds for connecting, and for each answer; 10 when not given",
    }
    secret_names: ClassVar[Mapping[str, str]] = {"password": "the password that belongs to user"}
    capabilities: ClassVar[Capabilities] = Capabilities(explore=True, locate=True, secure="not with tls=no")

    pipeline: ClassVar[int] = 1
    accepts: Accepts = Accepts()
    fold: Fold = staticmethod(keep_as_is)

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: Any) -> None:
        """Only looks at what is given: this also runs when an administrator writes the endpoint's entry."""
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, self.secret_names)
        self._host = given.text("host")
        self._port = given.count("port", 6379, least=1, most=65535)
        self._tls = given.flag("tls", True)
        self._ca_file = given.text("ca_file", "")
        if self._ca_file and not self._tls:
            raise SettingsError("ca_file", "expected only with tls=yes")
        self._user = given.text("user")
        self._save = given.flag("save", False)
        self._patience = given.number("timeout", 10.0, least=0.1, most=600.0)
        password = secrets.get("password")
        if not password:
            raise SettingsError("password", "must be given, and not be empty")
        self._password = password
        self._reactor = reactor
        self._line: Resp | None = None
        self._where = f"{self._host}:{self._port}"
        self.security = Security.SECURE if self._tls else Security.NOT_SECURE

    # -- what every connector has

    async def open(self, partition: str = "") -> None:
        if self._line is not None and self._line.up:
            return
        try:
            self._line = await self._endpoint().connect(Factory.forProtocol(Resp))
        except (ConnectError, DNSLookupError, OSError) as error:
            raise ServerDown(f"{self._where}: cannot connect: {type(error).__name__}") from None
        try:
            await self._ask("AUTH", self._user, self._password)
        except DroppedConnection as dropped:  # a certificate that is not trusted ends here, too
            raise ServerDown(
                f"{dropped}; is it a Redis with TLS, and its certificate signed by ours?"
            ) from None
        except ConnectorFailure:
            await self.close()
            raise

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        if not secret:
            raise PasswordIllFormed("expected at least one octet")
        await self.locate(account)  # SETUSER would make a user that is not there
        await self._ask(
            "ACL", "SETUSER", account.name, "resetpass", Secret(b">" + secret.reveal()), sending=True
        )
        if self._save:
            await self._ask("ACL", "SAVE", sending=True)

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        raise NotSupported("Redis has no command that asks for the old password")

    async def explore(self) -> AsyncIterator[Account]:
        """All users but ourselves, and `default`, which everybody is before AUTH. Their DN is empty: Redis
        knows none of ours."""
        await self.open()
        names = await self._ask("ACL", "USERS")
        if not isinstance(names, list):
            raise ConnectorError(f"{self._where}: expected a list of users")
        for name in names:
            if isinstance(name, bytes) and name.decode() not in ("default", self._user):
                yield Account(name.decode(), DN.parse(""))

    # -- what it may have, too: `provserver endpoints test` asks for it

    async def locate(self, account: Account) -> str:
        await self.open()
        if await self._ask("ACL", "GETUSER", account.name) is None:
            raise ObjectMissing(f"{self._where}: there is no user {account.name!r}")
        return account.name

    # -- the line

    def _endpoint(self) -> Any:
        endpoint = HostnameEndpoint(self._reactor, self._host, self._port, timeout=self._patience)
        if not self._tls:
            return endpoint
        trust = None
        if self._ca_file:
            try:
                with open(self._ca_file, "rb") as file:
                    trust = Certificate.loadPEM(file.read())
            except Exception as error:
                raise ConnectorError(f"ca_file {self._ca_file}: {type(error).__name__}") from None
        return wrapClientTLS(optionsForClientTLS(self._host, trustRoot=trust), endpoint)

    async def _ask(self, *words: str | Secret, sending: bool = False) -> Reply:
        """One command and its reply. `sending`: a password may have been set when the reply does not come."""
        if self._line is None or not self._line.up:
            raise DroppedConnection(f"{self._where}: the line is closed")
        try:
            reply = await self._line.ask(words).addTimeout(self._patience, self._reactor)
        except (ConnectionClosed, TooSlow, SSL.Error) as error:
            await self.close()
            failure = DroppedConnection(f"{self._where}: no answer: {type(error).__name__}")
            failure.outcome_unknown = sending
            raise failure from None
        if isinstance(reply, ErrorReply):
            raise _FAILURES.get(reply.code, ConnectorError)(f"{self._where}: Redis says {reply.code}")
        return reply


_FAILURES: Mapping[str, type[ConnectorFailure]] = {
    "NOPERM": AccessDenied,
    "WRONGPASS": BadServerCredentials,
    "NOAUTH": BadServerCredentials,
    "LOADING": Busy,
    "BUSY": Busy,
    "TRYAGAIN": Busy,
}
