"""provserver.toml -> frozen settings.

Every setting is declared once, here, as a field: type, default, a line of help, bounds. The reader, the
errors, the commented sample that `init` writes, and docs/reference/settings.md are all made from the
declarations. An error names the key's path, what was expected and what kind of value came, never a text that
came: people paste passwords into wrong places. Imports nothing of ours: whoever needs settings is given its
section. (Longer than 400 lines, because half of it are the declarations, and they belong in one place.)
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import math
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

KIB = 1024
MIB = 1024 * KIB
_META = "provserver"


class SettingsError(ValueError):
    """A setting that cannot be used. `key` is its path (section.key), empty for the file as a whole."""

    def __init__(self, key: str, problem: str, origin: str = "") -> None:
        super().__init__(": ".join(part for part in (origin, key, problem) if part))
        self.key = key
        self.problem = problem
        self.origin = origin


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a declaration says beside type and default."""

    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str | int, ...] = ()
    check: Callable[[Any], bool] | None = None
    expected: str = ""
    """What `check` checks, as an error says it."""


def _setting(
    default: object,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str | int, ...] = (),
    check: Callable[[Any], bool] | None = None,
    expected: str = "",
) -> Any:
    """Declare a setting; `Any`, as `field` itself, to stand where the field's type is expected."""
    rule = _Rule(help, minimum, maximum, choices, check, expected)
    return field(default=default, metadata={_META: rule})


def _port(default: int, help: str) -> Any:
    return _setting(default, help, minimum=0, maximum=65535)


def _seconds(default: float, help: str, *, minimum: float = 0, maximum: float = 366 * 86400) -> Any:
    return _setting(default, help, minimum=minimum, maximum=maximum)


def _text(default: str, help: str) -> Any:
    return _setting(default, help, check=bool, expected="a text that is not empty")


def _is_domain(text: str) -> bool:
    labels = text.split(".")
    return all(label and label.replace("-", "").isalnum() and label.isascii() for label in labels)


def _addresses(default: tuple[str, ...], help: str) -> Any:
    return _setting(
        default,
        help,
        check=lambda listed: all(map(_is_address, listed)),
        expected="a list of addresses or networks: 192.0.2.7, 10.0.0.0/8, ::1",
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _urls(help: str) -> Any:
    return _setting(
        (),
        help,
        check=lambda listed: all(map(_is_safe_url, listed)),
        expected="a list of https:// addresses, or http:// ones of this machine (127.0.0.1, ::1, localhost)",
    )


def _is_safe_url(text: str) -> bool:
    """Whether a password may go there: over TLS, or without leaving this machine."""
    try:
        place = urlsplit(text)
        host, _ = place.hostname, place.port
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "<>\\#')
    if not plain or not host or "@" in place.netloc:
        return False
    return place.scheme == "https" or (place.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and as what the server answers."""

    domain: str = _setting(
        "im",
        "The domain of the tree: im means dc=im. Given at init; a store is made for one domain.",
        check=_is_domain,
        expected="a domain name: letters, digits and hyphens, parts separated by dots",
    )
    ldap_enabled: bool = _setting(True, "Whether to answer on the clear-text port at all.")
    ldap_address: str = _text(
        "127.0.0.1", "Address of the clear-text port. Passwords are refused on it from anywhere but loopback."
    )
    ldap_port: int = _port(20389, "Clear-text LDAP. 0: a free port.")
    ldaps_address: str = _text(
        "127.0.0.1", "Address of the TLS port. 0.0.0.0 lets agents on other machines in."
    )
    ldaps_port: int = _port(20390, "LDAP over TLS. 0: a free port.")
    tls_certificate: str = _text(
        "tls/server.pem", "Certificate, and chain if any, in PEM. Relative to the instance."
    )
    tls_key: str = _text("tls/server.key", "The certificate's key in PEM. Relative to the instance.")
    tls_client_authority: str = _setting(
        "",
        "Certificates, in PEM, of those whose client certificates are taken (SASL EXTERNAL); relative to the "
        "instance. Empty: clients are not asked for one.",
    )
    tls_ciphers: str = _text(
        "ECDHE+AESGCM:ECDHE+CHACHA20", "Ciphers of TLS 1.2, as OpenSSL lists them. TLS 1.3 has its own."
    )
    shutdown_time: float = _seconds(5.0, "Seconds for operations in progress to end when the server stops.")


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where entries and deliveries are kept."""

    engine: str = _setting("sqlite", "The engine that keeps them.", choices=("sqlite",))
    path: str = _text("store.db", "The SQLite file. Relative to the instance.")
    journal_time: float = _seconds(
        90 * 86400.0,
        "Seconds for which lines of the journal are kept. 0: for ever.",
        maximum=100 * 366 * 86400,
    )
    changes_time: float = _seconds(
        30 * 86400.0,
        "Seconds for which lines of the change log are kept. A replica that was away for longer begins anew. "
        "0: for ever.",
        maximum=100 * 366 * 86400,
    )


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How much one search may ask for."""

    size_limit: int = _setting(0, "Entries that a search may return. 0: no limit.", minimum=0)
    time_limit: int = _setting(0, "Seconds that a search may take. 0: no limit.", minimum=0)
    candidate_limit: int = _setting(0, "Entries that a search may look at. 0: no limit.", minimum=0)
    sort_limit: int = _setting(
        20_000, "Entries that a search may find and still be sorted by the server. 0: no limit.", minimum=0
    )
    paged_limit: int = _setting(
        5, "Paged searches of one connection that may be continued; the oldest gives way.", minimum=1
    )


@dataclass(frozen=True, slots=True)
class ConnectionsSettings:
    """How many connections are served at the same time; whoever comes then is told that we are busy."""

    total: int = _setting(
        10_000, "Connections in all. Never more than the system lets one process have.", minimum=1
    )
    per_address: int = _setting(
        500, "Connections from one IPv4 address, or from one IPv6 network of 64 bits.", minimum=1
    )
    exempt_addresses: tuple[str, ...] = _addresses(
        ("127.0.0.0/8", "::1"), "Addresses and networks from which there may be as many as in all."
    )


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """Bounds of one connection. The same fields as `provserver.ldap.limits.Limits`, which is made of them."""

    message_before_bind: int = _setting(
        64 * KIB, "Largest message in bytes before a successful bind.", minimum=KIB
    )
    message_after_bind: int = _setting(4 * MIB, "Largest message in bytes after it.", minimum=KIB)
    read_ahead: int = _setting(64 * KIB, "Bytes read ahead while no request may start.", minimum=KIB)
    ber_depth: int = _setting(100, "Nesting of and, or, not in a filter.", minimum=1, maximum=200)
    filter_nodes: int = _setting(10_000, "Parts of one filter, all levels together.", minimum=1)
    values: int = _setting(100_000, "Values, changes and controls of one message, together.", minimum=1)
    outstanding_operations: int = _setting(100, "Requests of one connection in progress.", minimum=1)
    write_chunk: int = _setting(64 * KIB, "Bytes of answers gathered before they are handed on.", minimum=KIB)
    write_buffer: int = _setting(8 * MIB, "Bytes of answers kept for a slow reader.", minimum=64 * KIB)
    slow_reader_time: float = _seconds(60.0, "Seconds that a reader may leave that buffer full. 0: for ever.")
    handshake_time: float = _seconds(10.0, "Seconds for the TLS handshake. 0: for ever.")
    time_to_first_bind: float = _seconds(
        60.0, "Seconds from the connection to a successful bind. 0: for ever."
    )
    idle_time: float = _seconds(900.0, "Seconds without a request or an operation. 0: for ever.")
    closing_time: float = _seconds(5.0, "Seconds for the last answers to leave when we close.")


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


@dataclass(frozen=True, slots=True)
class PasswordSettings:
    """How passwords are hashed, judged and passed on. (What IMPS has as config parameters is in the tree.)"""

    scheme: str = _setting(
        "argon2id",
        "How new passwords are hashed. The ssha schemes are fast to guess: for labs and comparisons.",
        choices=("argon2id", "pbkdf2-sha256", "scrypt", "ssha512", "ssha384", "ssha256", "ssha"),
    )
    argon2_memory: int = _setting(
        19456, "KiB of memory for one Argon2id derivation.", minimum=128, maximum=2**20
    )
    argon2_iterations: int = _setting(2, "Passes of Argon2id over its memory.", minimum=1, maximum=1000)
    argon2_lanes: int = _setting(1, "Lanes of Argon2id.", minimum=1, maximum=16)
    pbkdf2_iterations: int = _setting(
        600_000, "Rounds of PBKDF2-HMAC-SHA-256.", minimum=1000, maximum=10_000_000
    )
    scrypt_n: int = _setting(
        16384,
        "Cost of scrypt.",
        minimum=1024,
        maximum=2**18,
        check=_is_power_of_two,
        expected="a power of two",
    )
    scrypt_r: int = _setting(8, "Block size of scrypt.", minimum=1, maximum=16)
    scrypt_p: int = _setting(5, "Parallelization of scrypt.", minimum=1, maximum=16)
    hashing_threads: int = _setting(
        0,
        "Threads that hash; each needs the memory set above. 0: one for each core.",
        minimum=0,
        maximum=256,
    )
    hashing_queue: int = _setting(
        1000, "Passwords that may wait for them; then the answer is busy.", minimum=1
    )
    propagation_wait: float = _seconds(
        2.0,
        "Seconds that the answer to a sync waits for first attempts. 0: answer when it is durable.",
        maximum=3600,
    )
    partial_failure_result: int = _setting(
        0, "LDAP result when some accounts failed: 0 is the truth to an agent, 1 is IMPS's.", choices=(0, 1)
    )
    echo_memory: float = _seconds(
        86400.0, "Seconds for which a password that we delivered is still known as an echo. 0: the threshold."
    )
    tests_per_minute: int = _setting(
        30, "Tests that one agent may make on one account in a minute. 0: no limit.", minimum=0
    )
    verdict_memory: float = _seconds(
        30.0, "Seconds for which a passed test spares the sync after it the checks. 0: off.", maximum=600
    )
    dictionary: str = _setting(
        "",
        "Words that provWordLength of the Password Profile keeps out of passwords: a text file, one word a "
        "line, read at the start and at SIGHUP. Relative to the instance. Empty: none.",
    )
    breached: str = _setting(
        "",
        "Hashes of breached passwords, for provBreachCount of the Password Profile: a file, or a folder of "
        "ranges, of Pwned Passwords, opened at the start and at SIGHUP. Relative to the instance. Empty: "
        "none.",
    )
    require_protected_connection: bool = _setting(
        True, "Refuse passwords over clear text from anywhere but loopback (result 13)."
    )


@dataclass(frozen=True, slots=True)
class ExternalPolicySettings:
    """A service that judges passwords too, where the parameter Use External Password Policies is yes."""

    urls: tuple[str, ...] = _urls(
        "Where it answers: https:// addresses (on this machine http:// too), in the order of fail-over. "
        "Empty: the Password Profile alone."
    )
    secret_file: str = _setting(
        "",
        "What requests and answers are signed with, and the service has too: a file of 32 bytes or more that "
        "is its owner's alone. Relative to the instance.",
    )
    authority: str = _setting(
        "",
        "Certificates, in PEM, of those who vouch for the service. Relative to the instance. Empty: the "
        "system's.",
    )
    unreachable: str = _setting(
        "refuse",
        "When nobody answers: refuse the password (result 52), or let the Password Profile judge alone.",
        choices=("refuse", "profile"),
    )
    attempt_time: float = _seconds(
        3.0, "Seconds for one address to answer, connection included.", minimum=0.01, maximum=600
    )
    total_time: float = _seconds(
        8.0, "Seconds for all of them together, and for waiting to be asked.", minimum=0.01, maximum=600
    )
    down_time: float = _seconds(
        30.0, "Seconds for which an address that failed is asked after the others.", maximum=86400
    )
    concurrency: int = _setting(
        32, "Passwords that it is asked about at the same time.", minimum=1, maximum=1000
    )
    waiting: int = _setting(
        1000, "Passwords that may wait to be asked about; then the answer is busy.", minimum=0
    )
    idle_time: float = _seconds(
        30.0, "Seconds after which an unused connection to it is closed.", maximum=3600
    )
    answer_limit: int = _setting(64 * KIB, "Bytes that an answer may have.", minimum=KIB, maximum=MIB)


@dataclass(frozen=True, slots=True)
class BindSettings:
    """How binds are checked, and guessing is slowed down. Nobody is ever locked out."""

    threads: int = _setting(
        0,
        "Threads that check passwords of binds, beside passwords.hashing_threads. 0: one for each core.",
        minimum=0,
        maximum=256,
    )
    queue: int = _setting(200, "Binds that may wait for them; then the answer is busy.", minimum=1)
    memory: float = _seconds(
        30.0,
        "Seconds for which a right password is not checked again while its user is unchanged. 0: off.",
        maximum=600,
    )
    delay_after: int = _setting(
        5, "Failed binds to one name after which the next ones have to wait. 0: never.", minimum=0
    )
    address_delay_after: int = _setting(
        50, "Failed binds from one address after which the next ones have to wait. 0: never.", minimum=0
    )
    first_delay: float = _seconds(
        0.5, "Seconds that the first of them waits; each failure doubles it.", minimum=0.01, maximum=60
    )
    longest_delay: float = _seconds(8.0, "Seconds that none of them waits longer.", minimum=0.01, maximum=60)
    failure_window: float = _seconds(600.0, "Seconds without a failure after which all are forgotten.")
    exempt_names: tuple[str, ...] = _setting(
        (), "Global users, by name or DN, whose binds never wait: agents that try users' passwords."
    )
    exempt_addresses: tuple[str, ...] = _addresses((), "Addresses and networks from which no bind waits.")


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Passwords on their way to endpoints."""

    concurrency: int = _setting(
        4, "Connections to one endpoint, where its provConcurrency says nothing.", minimum=1, maximum=256
    )
    idle_time: float = _seconds(60.0, "Seconds after which an unused connection to an endpoint is closed.")
    lease: float = _seconds(
        120.0, "Seconds after which a claimed delivery that was not settled is claimed again.", minimum=1
    )
    outbox_limit: int = _setting(
        100_000, "Deliveries in the outbox; then new exchanges are refused as busy.", minimum=1
    )
    outbox_age: float = _seconds(
        0.0, "Seconds a delivery may wait, not held, before new exchanges are refused as busy. 0: for ever."
    )
    held_time: float = _seconds(
        72 * 3600.0,
        "Seconds after which what is held, and nobody released, fails for good: its password is destroyed. "
        "0: never.",
    )


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """What is written down, beside the journal in the store."""

    directory: str = _text("logs", "Where the logs are. Relative to the instance.")
    level: str = _setting(
        "info",
        "How much the server's own log says.",
        choices=("debug", "info", "warn", "error", "critical"),
    )
    etatrans: bool = _setting(True, "Whether a transaction log in IMPS's form is written (etatrans….log).")
    access: bool = _setting(
        False, "Whether an access log is written (access.log): a line of JSON for each operation."
    )
    repeat_time: float = _seconds(
        60.0, "Seconds for which one limit that one peer reaches is told of no second time."
    )


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """The journal, which is in the store, as a file of JSON lines too: journal.jsonl, beside the logs."""

    file: bool = _setting(False, "Whether it is written.")
    size: int = _setting(
        64, "MiB after which the file becomes journal.jsonl.1, and a new one is begun. 0: any.", minimum=0
    )
    age: float = _seconds(7 * 86400.0, "Seconds after which it does, however small it is. 0: never.")
    keep: int = _setting(8, "How many older files there are at most.", minimum=0, maximum=1000)


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """What the server counts and measures, for Prometheus: GET /metrics over HTTP, without a log-in."""

    enabled: bool = _setting(False, "Whether it is answered.")
    address: str = _text("127.0.0.1", "Address of its port; only this machine's own, unless public.")
    port: int = _port(20391, "Its port. 0: a free one.")
    public: bool = _setting(
        False, "Whether others may see it too: names of endpoints, and how busy they are. It has no TLS."
    )


@dataclass(frozen=True, slots=True)
class AlertsSettings:
    """Who is told that something is wrong, by webhooks and mail."""

    rules: tuple[str, ...] = _setting(
        ("6927 7032 8050 held unreachable outbox store -> webhook mail",),
        "Who is told of what: SUBJECT ... -> RECIPIENT ... A subject is a number or name of an event, a "
        "severity, or held, unreachable, outbox, store; a recipient is webhook, mail, or a mail address.",
    )
    webhooks: tuple[str, ...] = _urls(
        "Where alerts are posted: https:// addresses, on this machine http:// too. Empty: nowhere."
    )
    secret_file: str = _setting(
        "",
        "What they are signed with, and the receivers have too: a file of 32 bytes or more that is its "
        "owner's alone. Relative to the instance.",
    )
    authority: str = _setting(
        "",
        "Certificates, in PEM, of those who vouch for receivers and mail server. Relative to the instance. "
        "Empty: the system's.",
    )
    mail_server: str = _setting("", "Host that takes mail (SMTP). Empty: no mail is sent.")
    mail_port: int = _setting(587, "Its port.", minimum=1, maximum=65535)
    mail_security: str = _setting(
        "starttls",
        "How the way there is protected; none only on this machine.",
        choices=("starttls", "tls", "none"),
    )
    mail_user: str = _setting("", "As whom to log in there. Empty: as nobody.")
    mail_password_file: str = _setting(
        "", "Its password: the first line of a file that is its owner's alone. Relative to the instance."
    )
    mail_from: str = _setting("", "Address from which mail is sent.")
    mail_to: tuple[str, ...] = _setting((), "Addresses of those whom rules call mail.")
    attempt_time: float = _seconds(10.0, "Seconds for one try to tell somebody.", minimum=0.1, maximum=600)
    cool_off: float = _seconds(
        900.0,
        "Seconds in which one recipient is told once by a rule of an endpoint; then the rest is summed up. "
        "0: each is told.",
    )
    unreachable_after: float = _seconds(
        900.0, "Seconds for which an endpoint has not been reached when it is told of as unreachable."
    )
    outbox_percent: int = _setting(
        80, "How full the outbox is, of delivery.outbox_limit, when it is told of.", minimum=1, maximum=100
    )
    disk_free: int = _setting(
        256, "MiB left on the store's disk when it is told of. 0: it is not looked at.", minimum=0
    )


@dataclass(frozen=True, slots=True)
class SchemaSettings:
    """What a site adds to the schema."""

    files: tuple[str, ...] = _setting(
        (), "Schema files (RFC 4512 text) read after ours. Relative to the instance."
    )


@dataclass(frozen=True, slots=True)
class SettingHelp:
    """One setting as documentation shows it."""

    section: str
    key: str
    type: str
    default: str
    """As it stands in the file."""
    help: str
    expected: str
    """Type and bounds, as an error says it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, by section."""

    server: ServerSettings = field(default_factory=ServerSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    connections: ConnectionsSettings = field(default_factory=ConnectionsSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    passwords: PasswordSettings = field(default_factory=PasswordSettings)
    external_policy: ExternalPolicySettings = field(default_factory=ExternalPolicySettings)
    binds: BindSettings = field(default_factory=BindSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    alerts: AlertsSettings = field(default_factory=AlertsSettings)
    schema: SchemaSettings = field(default_factory=SchemaSettings)

    @classmethod
    def load(cls, path: Path) -> Settings:
        """The settings in a file. SettingsError."""
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            raise SettingsError("", "there is no such file", str(path)) from None
        except UnicodeDecodeError as error:
            raise SettingsError("", f"not UTF-8 at byte {error.start}", str(path)) from None
        except OSError as error:
            raise SettingsError("", f"cannot be read: {error.strerror}", str(path)) from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, origin: str = "") -> Settings:
        """The settings in a TOML text. SettingsError."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError("", f"not TOML: {error}", origin) from None
        sections = _sections()
        changes: dict[str, object] = {}
        for name, values in document.items():
            if name not in sections:
                raise _unknown(name, "section", sections, origin)
            if not isinstance(values, Mapping):
                raise SettingsError(name, f"expected a section [{name}], got {_kind(values)}", origin)
            changes[name] = _read_section(name, sections[name], values, origin)
        return dataclasses.replace(cls(), **changes)  # type: ignore[arg-type]  # checked by _read_section

    def override(self, assignment: str) -> Settings:
        """The settings with one changed, as `--set section.key=value` says. SettingsError."""
        origin = "--set"
        path, equals, text = assignment.partition("=")
        name, dot, key = path.strip().partition(".")
        if not equals or not dot:
            raise SettingsError("", "expected SECTION.KEY=VALUE", origin)
        sections = _sections()
        if name not in sections:
            raise _unknown(name, "section", sections, origin)
        declared = _declared(sections[name])
        if key not in declared:
            raise _unknown(f"{name}.{key}", "setting", [f"{name}.{known}" for known in declared], origin)
        wanted, rule, _ = declared[key]
        value = _checked(f"{name}.{key}", wanted, rule, _from_text(wanted, text.strip()), origin)
        section = dataclasses.replace(getattr(self, name), **{key: value})
        return dataclasses.replace(self, **{name: section})


def describe() -> Iterator[SettingHelp]:
    """Every setting, in the order of the file."""
    for name, section in _sections().items():
        for key, (wanted, rule, default) in _declared(section).items():
            shown = _TYPES[wanted]
            yield SettingHelp(name, key, shown, _toml(default), rule.help, _expected(wanted, rule))


def sample(values: Mapping[str, object] | None = None) -> str:
    """A provserver.toml, every setting explained and commented out but for those in `values` (by path)."""
    chosen = dict(values or {})
    lines = [
        "# Settings of this provserver instance. A line without # is in force; the values behind # are the",
        "# defaults. One run can differ: provserver serve DIR --set passwords.scheme=scrypt",
    ]
    section = ""
    for one in describe():
        if one.section != section:
            section = one.section
            about = _sections()[section].__doc__ or ""
            lines += ["", "", f"[{section}]", f"# {about.splitlines()[0]}"]
        lines += ["", *textwrap.wrap(one.help, 96, initial_indent="# ", subsequent_indent="# ")]
        path = f"{section}.{one.key}"
        if path in chosen:
            lines.append(f"{one.key} = {_toml(chosen.pop(path))}")
        else:
            lines.append(f"# {one.key} = {one.default}")
    if chosen:
        raise SettingsError(next(iter(chosen)), "there is no such setting")
    return "\n".join(lines) + "\n"


def reference() -> str:
    """docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `make docs` from provserver/settings.py: change it there. -->",
        "",
        "They stand in `provserver.toml` in the instance's directory; `--set SECTION.KEY=VALUE` on any",
        "command overrides one. An unknown name, or a value of the wrong kind or out of bounds, stops the",
        "command: it names the key's path and what was expected.",
    ]
    section = ""
    for one in describe():
        if one.section != section:
            section = one.section
            about = (_sections()[section].__doc__ or "").splitlines()[0]
            lines += ["", f"## [{section}]", "", about, ""]
            lines += ["| Setting | Default | Expected | |", "|---|---|---|---|"]
        lines.append(f"| `{one.key}` | `{one.default}` | {one.expected} | {one.help} |")
    return "\n".join(lines) + "\n"


_TYPES: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    tuple[str, ...]: "a list of texts",
}


@cache
def _sections() -> dict[str, type]:
    return get_type_hints(Settings)


@cache
def _declared(section: type) -> dict[str, tuple[object, _Rule, object]]:
    """A section's settings: type, rule and default by key."""
    hints = get_type_hints(section)
    return {
        one.name: (hints[one.name], one.metadata[_META], one.default) for one in dataclasses.fields(section)
    }


def _read_section(name: str, section: type, values: Mapping[str, object], origin: str) -> object:
    declared = _declared(section)
    checked: dict[str, object] = {}
    for key, value in values.items():
        path = f"{name}.{key}"
        if key not in declared:
            raise _unknown(path, "setting", [f"{name}.{known}" for known in declared], origin)
        wanted, rule, _ = declared[key]
        checked[key] = _checked(path, wanted, rule, value, origin)
    return section(**checked)


def _checked(path: str, wanted: object, rule: _Rule, value: object, origin: str) -> object:
    """The value in its type, or SettingsError. A whole number is a number too; nothing else is converted."""
    if wanted is float and type(value) is int:
        value = float(value)
    if wanted == tuple[str, ...] and isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = tuple(value)
    right = isinstance(value, tuple) if wanted == tuple[str, ...] else type(value) is wanted
    if not right:
        raise SettingsError(path, f"expected {_expected(wanted, rule)}; got {_kind(value)}", origin)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = rule.minimum is not None and value < rule.minimum
        high = rule.maximum is not None and value > rule.maximum
        if low or high or not math.isfinite(value) or (rule.choices and value not in rule.choices):
            raise SettingsError(path, f"expected {_expected(wanted, rule)}; got {value}", origin)
    elif rule.choices and value not in rule.choices:
        near = _nearest(str(value), [str(choice) for choice in rule.choices])
        raise SettingsError(path, f"expected {_expected(wanted, rule)}; got another text{near}", origin)
    if rule.check is not None and not rule.check(value):
        came = "another text" if value and isinstance(value, str) else _kind(value)
        raise SettingsError(path, f"expected {_expected(wanted, rule)}; got {came}", origin)
    return value


def _expected(wanted: object, rule: _Rule) -> str:
    if rule.choices:
        return "one of " + ", ".join(str(choice) for choice in rule.choices)
    base = _TYPES[wanted]
    if rule.expected:
        base = rule.expected
    if rule.minimum is not None and rule.maximum is not None:
        return f"{base} from {rule.minimum:.15g} to {rule.maximum:.15g}"
    if rule.minimum is not None:
        return f"{base}, {rule.minimum:.15g} or more"
    return base


def _kind(value: object) -> str:
    """What came, without showing it."""
    if value == "":
        return "an empty text"
    if isinstance(value, bool):
        return _toml(value)
    if isinstance(value, list | tuple):
        return "a list of something else" if value else "an empty list"
    if isinstance(value, Mapping):
        return "a section"
    return _TYPES.get(type(value), "a date or time")


def _from_text(wanted: object, text: str) -> object:
    """What a text on the command line means where `wanted` is expected; itself when it means nothing."""
    if wanted is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if wanted == tuple[str, ...]:
        return [part.strip() for part in text.split(",") if part.strip()]
    if wanted is int or wanted is float:
        try:
            return int(text)
        except ValueError:
            pass
    if wanted is float:
        try:
            return float(text)
        except ValueError:
            pass
    return text


def _unknown(path: str, kind: str, known: Mapping[str, object] | list[str], origin: str) -> SettingsError:
    return SettingsError(path, f"there is no such {kind}{_nearest(path, list(known))}", origin)


def _nearest(text: str, known: list[str]) -> str:
    near = difflib.get_close_matches(text.lower(), known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08X}" for one in text) + '"'


if __name__ == "__main__":
    print(reference(), end="")
