"""`eta_pwdsync.conf`, or a file like it -> `Conf`. Each problem names its line, key and what was expected.

Read liberally, as nobody outside CA knows the exact spelling: sections and keys in any case, with or without
the signs between their words, in whatever section; `=` or `:`; values in quotes or not. Comments are whole
lines, with `;` or `#`, because a password may contain either. Relative files are beside the conf file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provserver.agents.conf import (
    CLEAR,
    SCHEMES,
    Conf,
    ConfError,
    Given,
    Logging,
    Server,
    Times,
    Trust,
    Waiting,
)
from provserver.agents.keys import BY_SPELLING, KEYS, YES_NO, Key, squeezed
from provserver.agents.kinds import endpoint_kind
from provserver.agents.post import PLACEHOLDERS, Post, Template
from provserver.directory.names import DN, InvalidName
from provserver.vault.private import read_private
from provserver.vault.secret import Secret

_LINE: Final = re.compile(r"([^=:]+?)\s*[=:]\s*(.*)")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]/]+)(?::(\d{1,5}))?")
_YES: Final = frozenset({"yes", "true", "on", "1", "y"})
_NO: Final = frozenset({"no", "false", "off", "0", "n"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_GLOBAL_USERS: Final = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects"
_MOST_SECONDS: Final = 86_400
_DAY: Final = 86_400.0
_HIDDEN: Final = "********"


@dataclass(frozen=True, slots=True)
class Form:
    """How a conf file is written. `spellings`: further names of keys, squeezed; `defaults`: where they are
    others.
    """

    line: re.Pattern[str]
    expected: str
    sections: bool
    spellings: Mapping[str, str]
    defaults: Mapping[str, str]


PSYNC: Final = Form(_LINE, "[section], or key = value", True, {}, {})
"""`eta_pwdsync.conf`."""


def read_conf(path: Path, form: Form = PSYNC) -> Conf:
    """The conf in a file that only its owner may use. ConfError."""
    content, problem = read_private(path, "conf file", "psync-agent sample shows one")
    if not problem and path.stat().st_uid not in (0, os.geteuid()):
        problem = (
            "the conf file belongs to another user: it must be root's, or that of whom the agent runs as"
        )
    if problem:
        raise ConfError(path, [problem])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # as Windows editors write it; a decoding error would show the file
    return parse_conf(text, path, form)


def parse_conf(text: str, path: Path, form: Form = PSYNC) -> Conf:
    """The conf that a text means; `path` is where it stands, or would. ConfError."""
    return _Reading(path, text, form).conf()


class _Reading:
    """One file on its way to a Conf: problems are gathered, and told together."""

    def __init__(self, path: Path, text: str, form: Form) -> None:
        self._path = path
        self._form = form
        self._problems: list[str] = []
        self._remarks: list[str] = []
        self._given: dict[str, Given] = {}
        section = ""
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line[0] in ";#":
                continue
            if line[0] == "[" and line[-1] == "]":
                section = line[1:-1].strip()
            elif (found := form.line.fullmatch(line)) is not None:
                self._take(number, section, found[1], found[2])
            else:
                # Never the line itself: a password may stand there.
                self._problems.append(f"line {number}: {form.expected}, was expected")

    def _take(self, number: int, section: str, name: str, value: str) -> None:
        word = squeezed(name)
        key = BY_SPELLING.get(squeezed(self._form.spellings.get(word, word)))
        if key is None:
            self._remarks.append(f"line {number}: {name} is no key that the agent knows: it is ignored")
            return
        if self._form.sections and squeezed(section) != squeezed(key.section):
            where = f"in [{section}]" if section else "before any section"
            self._remarks.append(
                f"line {number}: {key.name} is expected in [{key.section}], and taken {where}"
            )
        before = self._given.get(key.name)
        if before is not None:
            self._remarks.append(
                f"line {number}: {key.name} stands in line {before.line} too: this one counts"
            )
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        self._given[key.name] = Given(key, value, number)

    def conf(self) -> Conf:
        trust = Trust(
            self._file("ca_file"),
            self._text("server_name") or None,
            self._file("cert_file"),
            self._file("key_file"),
        )
        encrypted = self._yes("use_tls")
        suffix = self._suffix()
        spool = self._file("spool_directory") if self._yes("spool_enable") else None
        scheme = self._choice("send", (CLEAR, *SCHEMES))
        profile = self._yes("profile_enable")
        if profile and scheme != CLEAR:
            self._remarks.append(
                f"profile_enable is yes and send is {scheme}: of a hash nobody can judge the password, so it "
                "is not tested before it is changed"
            )
        found = Conf(
            path=self._path,
            servers=self._servers(encrypted),
            trust=trust if encrypted else None,
            identity=self._identity(suffix),
            password=self._password(),
            enabled=self._yes("pwd_sync_enable"),
            out_of_sync=self._yes("out_of_sync"),
            machine_accounts=self._yes("machine_account"),
            profile=profile,
            post=self._post(suffix),
            times=Times(
                *(
                    self._number(key, 0, _MOST_SECONDS)
                    for key in (
                        "search_acct_dn_timeout",
                        "pwd_quality_check_timeout",
                        "password_update_timeout",
                    )
                )
            ),
            logging=Logging(
                self._file("log_file") if self._yes("logging_enabled") else None,
                self._yes("ldap_logging_enabled"),
            ),
            waiting=Waiting(
                spool,
                self._number("spool_keep_days", 1, 3650) * _DAY,
                self._number("spool_interval", 1, _MOST_SECONDS),
                self._choice("ack", ("any", "all")) == "all",
            ),
            scheme=scheme,
            verbose=self._yes("verbose"),
            given=tuple(self._shown(key) for key in KEYS),
            remarks=tuple(self._remarks),
        )
        if self._problems:
            raise ConfError(self._path, self._problems)
        return found

    def _shown(self, key: Key) -> Given:
        given = self._given.get(key.name) or Given(key, self._default(key), 0)
        return Given(key, _HIDDEN, given.line) if key.secret and given.value else given

    # -- single values

    def _text(self, name: str) -> str:
        given = self._given.get(name)
        if given is not None and given.value:
            return given.value
        return next(self._default(key) for key in KEYS if key.name == name)

    def _default(self, key: Key) -> str:
        return self._form.defaults.get(key.name, key.default)

    def _wrong(self, name: str, expected: str) -> None:
        given = self._given.get(name)
        if given is None:
            self._problems.append(f"{name} is missing: expected {expected}")
        else:
            shown = f"{given.value!r}" if given.value and not given.key.secret else "nothing"
            self._problems.append(f"line {given.line}: {name}: expected {expected}, found {shown}")

    def _yes(self, name: str) -> bool:
        value = self._text(name).lower()
        if value not in _YES | _NO:
            self._wrong(name, YES_NO)
        return value in _YES

    def _choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._text(name).lower()
        if value not in choices:
            self._wrong(name, " or ".join(choices))
        return value

    def _number(self, name: str, least: int, most: int) -> float:
        value = self._text(name)
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            self._wrong(name, f"a whole number from {least} to {most}")
            return float(least)
        return float(value)

    def _file(self, name: str) -> Path | None:
        value = self._text(name)
        return self._path.absolute().parent / value if value else None

    # -- what is made of several

    def _servers(self, encrypted: bool) -> tuple[Server, ...]:
        port = int(self._number("port", 1, 65_535))
        servers = []
        for word in re.split(r"[,;\s]+", self._text("host")):
            found = _HOST.fullmatch(word)
            if found is not None and int(found[2] or port) in range(1, 65_536):
                servers.append(Server(found[1].strip("[]"), int(found[2] or port)))
            elif word:
                self._wrong("host", "hosts, each with a port or without")
        if not servers and not self._problems:
            self._wrong("host", "the server, or several, separated by commas")
        for server in servers:
            if not encrypted and server.host not in _LOOPBACK:
                self._wrong("use_tls", f"yes: passwords would go to {server} unprotected")
        return tuple(dict.fromkeys(servers))

    def _suffix(self) -> DN | None:
        return self._name("domain_suffix", self._text("domain_suffix")) or self._name(
            "etrust_suffix", f"dc={self._text('domain')},{self._text('etrust_suffix')}"
        )

    def _name(self, key: str, text: str) -> DN | None:
        """The DN that a key's text is; None: it is empty, or none, which is then a problem."""
        if not text:
            return None
        try:
            return DN.parse(text)
        except InvalidName as error:
            self._wrong(key, f"a DN ({error})")
            return None

    def _below(self, key: str, text: str, suffix: DN) -> DN | None:
        """A DN that may lack the domain's suffix."""
        name = self._name(key, text)
        if name is None or name.is_within(suffix):
            return name
        if name.rdns and name.rdns[-1].pairs[0][0].lower() == "dc":
            self._remarks.append(f"{key} does not end in {suffix}: it is taken as it stands")
            return name
        return self._name(key, f"{name.text},{suffix.text}")

    def _identity(self, suffix: DN | None) -> str:
        admin, place = self._text("admin"), self._text("admin_suffix")
        if not admin:
            self._wrong("admin", "a global user's name, or its DN")
        if suffix is None or not admin:
            return ""
        if "=" in admin:
            whole = self._below("admin", admin, suffix)
        else:
            if place[:3].lower() == "dc=":
                place = f"{_GLOBAL_USERS},{place}"
            users = self._below("admin_suffix", place or _GLOBAL_USERS, suffix)
            whole = users and users.child("eTGlobalUserName", admin)
        return whole.text if whole is not None else ""

    def _password(self) -> Secret:
        file = self._file("password_file")
        typed = Secret.of_text(self._text("password"))
        if typed or file is None:
            if not typed:
                self._wrong("password", "the agent's own password, or password_file")
            return typed
        content, problem = read_private(file, "password file", f"{file} was expected")
        secret = Secret(content.split(b"\n", 1)[0].removesuffix(b"\r"))
        if problem or not secret:
            self._problems.append(f"password_file: {problem or 'its first line is empty'}")
        return secret

    def _post(self, suffix: DN | None) -> Post:
        kind = endpoint_kind(self._text("endpoint_type"))
        name, container = self._text("endpoint_name"), self._text("container_dn")
        base, template = None, self._template(suffix)
        if template is not None:
            base = template.parent
        elif self._text("account_dn"):
            pass  # what is wrong with it is a problem already
        elif not name and not container:
            self._wrong("endpoint_name", "what the server calls this endpoint (or container_dn)")
        elif suffix is not None and container:
            base = self._below("container_dn", container, suffix)
        elif suffix is not None:
            base = suffix.child("eTNamespaceName", kind.namespace).child(kind.endpoint, name)
        return Post(
            base.text if base is not None else "",
            self._text("acct_object_class") or kind.account_class,
            self._text("acct_attribute_name") or kind.logon_attribute,
            template,
        )

    def _template(self, suffix: DN | None) -> Template | None:
        """How accounts are named, if it is said; None: it is not, or wrongly."""
        text = self._text("account_dn")
        whole = self._below("account_dn", text, suffix) if suffix is not None else None
        if whole is None or whole.parent is None:
            return None
        first = whole.rdns[0].pairs
        type, value = first[0]
        if len(first) > 1 or not any(one in value for one in PLACEHOLDERS):
            self._wrong("account_dn", f"a DN with {' or '.join(PLACEHOLDERS)} in its first part")
        elif type.lower() == "etglobalusername":
            self._wrong("account_dn", "an account's DN: a global user's password is reset, not synchronised")
        else:
            return Template(type, value, whole.parent)
        return None
