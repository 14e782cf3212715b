"""Where a database is, and how the line to it is protected.

SQLAlchemy and the drivers are an extra (`provserver[sql]`): nothing here is imported before an endpoint
needs it.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from provserver.connectors.contract import ConnectorError, Security, SettingsError
from provserver.connectors.registry import Settings

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

EXTRA: Final = "pip install 'provserver[sql]'"

SETTING_NAMES: Final[Mapping[str, str]] = {
    "url": "SQLAlchemy's url without the password, e.g. postgresql://provserver@db.example.com/people, "
    "mysql://…, sqlite:////srv/people.db, oracle://…, mssql+pyodbc://…, db2://…",
    "tls": "verify: TLS, with certificate and name of the server checked (the default, but for this "
    "machine); none: in clear; own: the url's own options see to it, and we take your word for it",
    "ca_file": "PEM file of the authorities that may vouch for the server; the system's when not given",
}


class Tls(Enum):
    VERIFY = "verify"
    NONE = "none"
    OWN = "own"


_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
    "mssql": "mssql+pyodbc",
    "db2": "db2+ibm_db",
}
"""The driver of a url that names none: those that `provserver[sql]` brings, where it brings one."""


@dataclass(frozen=True, slots=True)
class Line:
    """How a database is reached: an engine that has not connected yet."""

    engine: Engine
    security: Security
    where: str
    """The url without anything secret, for people."""


def read_line(given: Settings, password: str | None, timeout: float) -> Line:
    """SettingsError: also when SQLAlchemy or the driver is not installed."""
    try:
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool
    except ImportError:
        raise SettingsError("url", f"needs SQLAlchemy: {EXTRA}") from None
    text = given.text("url")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError("url", "expected dialect://user@host[:port]/database") from None
    if url.password is not None:
        raise SettingsError("url", "expected no password in it: it belongs in the secret `password`")
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    try:
        url.get_dialect()
    except NoSuchModuleError:
        raise SettingsError("url", f"SQLAlchemy does not know the dialect {url.drivername!r}") from None
    security, options = _protection(url, given, timeout)
    if url.get_backend_name() == "sqlite":
        if password is not None:
            raise SettingsError("password", "expected none: an SQLite file has no logins")
        url = _existing_file(url)
    try:
        engine = create_engine(
            url.set(password=password),
            poolclass=NullPool,  # one connection a line, kept by the line
            hide_parameters=True,
        )
    except ImportError as error:
        raise SettingsError(
            "url", f"the driver of {url.drivername} is not installed ({error.name})"
        ) from None
    except (ArgumentError, TypeError, ValueError):
        raise SettingsError("url", "its options are not the driver's") from None
    _on_connecting(engine, options)
    if url.get_backend_name() == "postgresql":
        # Ended by the server a little before we give up: then the outcome is known. Said in SQL, because a
        # pooler in between (PgBouncer) takes no startup options.
        _say_first(engine, f"SET statement_timeout = {int(timeout * 800)}")
    return Line(engine, security, url.set(password=None, query={}).render_as_string())


def _on_connecting(engine: Engine, options: Callable[[], Mapping[str, Any]]) -> None:
    """What the driver is told, made when it connects: it may be in a file."""
    from sqlalchemy import event

    def add(_dialect: object, _record: object, _arguments: object, keywords: dict[str, Any]) -> None:
        keywords.update(options())

    event.listen(engine, "do_connect", add)


def _say_first(engine: Engine, statement: str) -> None:
    """On every new connection."""
    from sqlalchemy import event

    def say(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", say)


def _existing_file(url: URL) -> URL:
    """Opened for reading and writing, never made."""
    if not (url.database or "").startswith("/"):
        raise SettingsError("url", "expected an absolute path: sqlite:////srv/people.db")
    return url.set(database=f"file:{quote(url.database or '')}", query={"mode": "rw", "uri": "true"})


def _protection(
    url: URL, given: Settings, timeout: float
) -> tuple[Security, Callable[[], Mapping[str, Any]]]:
    """How secure the line will be, and what the driver is told for it and about waiting."""
    backend, driver = url.get_backend_name(), url.get_driver_name()
    if backend == "sqlite":
        for key in ("tls", "ca_file"):
            if key in given:
                raise SettingsError(key, "expected only with a server")
        return Security.SECURE, lambda: {"timeout": timeout * 0.8, "check_same_thread": False}
    local = _is_local(url)
    tls = given.choice("tls", Tls.NONE if local else Tls.VERIFY)
    if "ca_file" in given and tls is not Tls.VERIFY:
        raise SettingsError("ca_file", "expected only with tls=verify")
    waiting = _WAITING.get(driver, _as_it_is)(timeout)
    security = Security.SECURE if local or tls is not Tls.NONE else Security.NOT_SECURE
    if tls is not Tls.VERIFY:
        return security, lambda: waiting
    if driver not in _VERIFYING:
        raise SettingsError("tls", f"cannot be told to {driver} by us: put it in the url, and say tls=own")
    _refuse_options(url)
    verifying, ca_file = _VERIFYING[driver], given.text("ca_file", "")
    return security, lambda: {**waiting, **verifying(ca_file)}


def _is_local(url: URL) -> bool:
    """Whether the line stays on this machine: a socket, or a loopback address."""
    named = [value for key in ("host", "hostaddr", "unix_socket") for value in _texts(url.query.get(key))]
    hosts = [host.strip() for text in (url.host or "", *named) for host in text.split(",") if host.strip()]
    if not hosts:
        # What a driver takes then is its own matter: libpq looks at the environment.
        raise SettingsError("url", "expected a host; for a socket ?host=/folder or ?unix_socket=/path")
    return all(_is_local_host(host) for host in hosts)


def _is_local_host(host: str) -> bool:
    if host.startswith("/") or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _refuse_options(url: URL) -> None:
    for key in url.query:
        if key.lower().startswith("ssl"):
            raise SettingsError("url", f"expected no {key} in it: tls and ca_file say this, or tls=own")


# -- drivers: what each is told


def _as_it_is(timeout: float) -> dict[str, Any]:
    return {}


def _psycopg_waits(timeout: float) -> dict[str, Any]:
    return {"connect_timeout": max(2, round(timeout)), "application_name": "provserver"}


def _pymysql_waits(timeout: float) -> dict[str, Any]:
    seconds = int(timeout) + 1
    patience = max(1, int(timeout * 0.8))
    return {
        "connect_timeout": seconds,
        "read_timeout": seconds,
        "write_timeout": seconds,
        "init_command": f"SET SESSION innodb_lock_wait_timeout={patience}",
        "charset": "utf8mb4",
    }


_WAITING: Final = {"psycopg": _psycopg_waits, "psycopg2": _psycopg_waits, "pymysql": _pymysql_waits}


def _psycopg_verifies(ca_file: str) -> dict[str, Any]:
    return {"sslmode": "verify-full", "sslrootcert": ca_file or "system"}


def _pymysql_verifies(ca_file: str) -> dict[str, Any]:
    try:
        return {"ssl": ssl.create_default_context(cafile=ca_file or None)}
    except OSError as error:  # ssl.SSLError is one
        raise ConnectorError(f"the CA file {ca_file} cannot be read: {error.strerror}") from None


_VERIFYING: Final = {
    "psycopg": _psycopg_verifies,
    "psycopg2": _psycopg_verifies,
    "pymysql": _pymysql_verifies,
}
