"""The `unix` connector: commands here, and over SSH at a real sshd with a throw-away user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytest_twisted
from plugins.real_servers import UnixHost, served
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    ObjectMissing,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.hashes import SETTING_NAMES, Keeping
from provserver.connectors.registry import ConnectorKinds, Settings
from provserver.connectors.unix import UnixConnector
from provserver.connectors.unixcommand import Ended, Words
from provserver.directory.names import DN
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred
NEW = Secret.of_text("Sluice-Compass-86")
KEEPING = Keeping.of(Settings({"hash": "yescrypt", "cost": "1"}, SETTING_NAMES))

SCRIPT = """\
#!/bin/sh
# What chpasswd does, with files in a folder.
IFS= read -r line || exit 1
name=${line%%:*} password=${line#*:}
echo "$#:$name" >>"$1/asked"
[ -e "$1/user-$name" ] || { echo "chpasswd: user '$name' does not exist" >&2; exit 1; }
[ ${#password} -ge 8 ] || { echo "BAD PASSWORD: The password is shorter than 8 characters" >&2; exit 1; }
case "$password" in
    LOUD*) echo "BAD PASSWORD: $password is too loud" >&2; exit 1 ;;
    hang*) exec sleep 600 ;;
    die*) kill -9 $$ ;;
esac
printf %s "$password" >"$1/user-$name"
"""


def account(name: str, **attributes: tuple[str, ...]) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"), attributes)


def make(settings: Mapping[str, str], secrets: Mapping[str, Secret] | None = None) -> UnixConnector:
    from twisted.internet import reactor

    return UnixConnector(settings, secrets or {}, reactor)


def test_it_is_found_by_its_name() -> None:
    assert ConnectorKinds().kind("unix") is UnixConnector


class OnScript(ConnectorContract):
    kind = UnixConnector
    secrets: ClassVar[Mapping[str, Secret]] = {}
    weak = Secret.of_text("tiny-7")
    changes_passwords = False

    @pytest.fixture(autouse=True)
    def _host(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.script = tmp_path / "set password"
        self.script.write_text(SCRIPT)
        self.script.chmod(0o700)
        (tmp_path / "user-kit").touch()
        (tmp_path / "passwd").write_text(
            "root:x:0:0:root:/root:/bin/sh\nkit:x:1000:100:Kit,,:/home/kit:/bin/sh\n"
            "# odd\nada:x:1001:100::/:\n"
        )
        self.settings = {
            "command": f"'{self.script}' {tmp_path}",
            "lookup_command": "sh -c 'exit 2'",
            "accounts_command": f"cat {tmp_path}/passwd",
        }

    def missing_account(self) -> Account:
        return account("nobody")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return (self.folder / f"user-{account.name}").read_bytes() == secret.reveal()

    async def accounts_there(self) -> frozenset[str]:
        return frozenset(("kit", "ada"))

    async def populate(self, count: int) -> bool:
        with (self.folder / "passwd").open("a") as passwd:
            passwd.writelines(f"user{n}:x:{2000 + n}:100::/:\n" for n in range(count))
        return True


class TestWithWishes(OnScript):
    obeys = PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT

    @pytest.fixture(autouse=True)
    def _wishes(self, _host: None) -> None:
        self.settings = {
            **self.settings,
            "must_change_command": f"touch {self.folder}/change-{{name}}",
            "unlock_command": f"rm {self.folder}/lock-{{name}}",
        }

    async def must_change(self, account: Account) -> bool:
        return (self.folder / f"change-{account.name}").exists()

    async def lock(self, account: Account) -> bool:
        (self.folder / f"lock-{account.name}").touch()
        return True

    async def is_locked(self, account: Account) -> bool:
        return (self.folder / f"lock-{account.name}").exists()


class TestOnThisMachine(OnScript):
    """Any command; these need no rights."""

    @test
    async def test_nothing_of_the_password_is_in_the_words_or_the_environment(self) -> None:
        self.script.write_text('#!/bin/sh\ncat >/dev/null\nenv >"$1/env"\nps ww -o args= -p $$ >"$1/args"\n')
        await self.set(self.make(), NEW)
        shown = (self.folder / "env").read_text() + (self.folder / "args").read_text()
        assert NEW.reveal_text() not in shown
        assert "LC_ALL=C" in shown
        assert "HOME=" not in shown

    @test
    async def test_a_name_is_one_word_whatever_it_is(self) -> None:
        out = self.folder / "words"
        words = f'sh -c \'printf "%s|" "$@" >{out}; cat >/dev/null\' - a{{name}} {{gecos}}'
        connector = self.make(command=words, input="password")
        person = account("kit", gecos=("Kit; $(touch /nothing) 'x'",))
        await connector.set_password(person, NEW, PasswordOption.NONE)
        assert out.read_text() == "akit|Kit; $(touch /nothing) 'x'|"

    @pytest.mark.parametrize("name", ["", "-x", "a b", "a:b", "a\nb", "a;b", "$(x)", "../x", "Ä"])
    @test
    async def test_a_name_that_no_host_has_is_missing_there(self, name: str) -> None:
        with pytest.raises(ObjectMissing, match="no name on a UNIX host"):
            await self.set(self.make(), NEW, account(name))

    @pytest.mark.parametrize("value", ["-rf", "a\nb"])
    @test
    async def test_an_attribute_that_can_be_no_word_is_not_passed(self, value: str) -> None:
        connector = self.make(command="true {gecos}", input="password")
        with pytest.raises(ObjectMissing, match="can be no word"):
            await self.set(connector, NEW, account("kit", gecos=(value,)))
        with pytest.raises(ObjectMissing, match="has no attribute gecos"):
            await self.set(connector, NEW)

    @pytest.mark.parametrize("password", [b"", b"two\nlines", b"nul\0", b"cr\r"])
    @test
    async def test_a_password_that_is_no_line_is_ill_formed(self, password: bytes) -> None:
        with pytest.raises(PasswordIllFormed):
            await self.set(self.make(), Secret(password))
        assert not (self.folder / "asked").exists()

    @pytest.mark.parametrize(("input", "read"), [("password", "{}\n"), ("twice", "{0}\n{0}\n")])
    @test
    async def test_what_a_command_reads_is_a_setting(self, input: str, read: str) -> None:
        out = self.folder / "read"
        await self.set(self.make(command=f"sh -c 'cat >{out}' {{name}}", input=input), NEW)
        assert out.read_text() == read.format(NEW.reveal_text())

    @test
    async def test_wishes_are_commands_after_the_password(self) -> None:
        done = self.folder / "done"
        connector = self.make(
            must_change_command=f"sh -c 'echo change $1 >>{done}' - {{name}}",
            unlock_command=f"sh -c 'echo unlock $1 >>{done}' - {{name}}",
        )
        await connector.set_password(self.account(), NEW, PasswordOption.NONE)
        assert not done.exists()
        wishes = PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT
        await connector.set_password(self.account(), NEW, wishes)
        assert done.read_text() == "unlock kit\nchange kit\n"

    @test
    async def test_a_wish_that_fails_is_told_and_the_password_is_set(self) -> None:
        connector = self.make(must_change_command="sh -c 'echo no such thing >&2; exit 3'")
        with pytest.raises(ConnectorError, match=r"the password was set, then sh: .*no such thing") as failed:
            await connector.set_password(self.account(), NEW, PasswordOption.FORCE_CHANGE_AT_LOGON)
        assert failed.value.outcome_unknown
        assert await self.has_password(self.account(), NEW)

    @test
    async def test_accounts_are_explored_without_those_of_the_system(self) -> None:
        found = {one.name: dict(one.attributes) async for one in self.make().explore()}
        assert set(found) == {"kit", "ada"}
        assert found["kit"] == {
            "uid": ("kit",),
            "uidNumber": ("1000",),
            "gidNumber": ("100",),
            "gecos": ("Kit,,",),
            "homeDirectory": ("/home/kit",),
            "loginShell": ("/bin/sh",),
        }
        everybody = [one.name async for one in self.make(least_uid="0").explore()]
        assert everybody == ["root", "kit", "ada"]

    @test
    async def test_a_listing_that_fails_is_a_failure(self) -> None:
        with pytest.raises(ConnectorError, match="ended with 1"):
            [one async for one in self.make(accounts_command="false").explore()]

    @test
    async def test_words_that_quote_the_password_are_not_passed_on(self) -> None:
        loud = Secret.of_text("LOUD-Compass-86")
        with pytest.raises(PasswordPolicyViolation) as refused:
            await self.set(self.make(), loud)
        self.hides(refused.value, loud)

    @test
    async def test_a_command_that_hangs_is_ended_and_the_outcome_is_unknown(self) -> None:
        with pytest.raises(DroppedConnection, match=r"did not end within 0.5 s") as dropped:
            await self.set(self.make(timeout="0.5"), Secret.of_text("hang-on-8"))
        assert dropped.value.outcome_unknown

    @test
    async def test_what_a_command_leaves_running_is_not_waited_for(self) -> None:
        """It has the pipes open: nobody would ever see their end."""
        pid = self.folder / "pid"
        words = f"sh -c 'cat >/dev/null; sleep 600 & echo $! >{pid}; exit $1' - "
        try:
            await self.set(self.make(command=f"{words} 0", timeout="0.3"), NEW)
            os.kill(int(pid.read_text()), signal.SIGKILL)
            with pytest.raises(ConnectorError, match="ended with 3"):
                await self.set(self.make(command=f"{words} 3", timeout="0.3", lookup_command="true"), NEW)
        finally:
            os.kill(int(pid.read_text()), signal.SIGKILL)

    @test
    async def test_a_command_that_hangs_with_its_children_is_ended(self) -> None:
        pid = self.folder / "pid"
        words = f"sh -c 'sleep 600 & echo $! >{pid}; wait'"
        try:
            with pytest.raises(DroppedConnection):
                await self.set(self.make(command=words, timeout="0.3"), NEW)
        finally:
            os.kill(int(pid.read_text()), signal.SIGKILL)

    @test
    async def test_a_call_that_is_cancelled_ends_its_command(self) -> None:
        connector = self.make()
        setting = Deferred.fromCoroutine(self.set(connector, Secret.of_text("hang-on-9")))
        setting.cancel()
        with pytest.raises(CancelledError):
            await setting
        await self.set(connector, NEW)
        assert await self.has_password(self.account(), NEW)

    @test
    async def test_a_command_that_a_signal_ends_is_told(self) -> None:
        with pytest.raises(ConnectorError, match="a signal ended the command"):
            await self.set(self.make(lookup_command="true"), Secret.of_text("die-hard-8"))

    @test
    async def test_a_program_that_is_not_here_is_told_when_the_line_is_opened(self) -> None:
        with pytest.raises(ConnectorError, match="no-such-thing: expected a program"):
            await self.make(command="/no-such-thing").open()
        with pytest.raises(ConnectorError, match="no-such-thing: expected a program"):
            await self.make(command="/no-such-thing").set_password(self.account(), NEW, PasswordOption.NONE)

    def test_it_is_secure(self) -> None:
        assert self.make().security is Security.SECURE


# -- settings and words

SSH = {
    "host": "hpdev01.example.com",
    "user": "provserver",
    "known_hosts": "/etc/ssh/ssh_known_hosts",
    "key_file": "/etc/provserver/key",
}


@pytest.mark.parametrize(
    ("settings", "key", "expected"),
    [
        ({"command": "chpasswd 'x"}, "command", "cannot be split"),
        ({"command": "echo {password}"}, "command", "others see the words of a command"),
        ({"command": "{name} x"}, "command", "expected a command"),
        ({"input": "password"}, "command", "expected a place for the account"),
        ({"input": "stdin"}, "input", "one of pair, password, twice"),
        ({"user": "root"}, "user", "only with a host"),
        ({"key_file": "/x"}, "key_file", "only with a host"),
        ({"timeout": "0"}, "timeout", "from 0.1"),
        ({"colour": "red"}, "colour", "unknown setting"),
        ({**SSH, "user": ""}, "user", "must not be empty"),
        ({**SSH, "port": "0"}, "port", "from 1 to 65535"),
        ({**SSH, "known_hosts": ""}, "host_key", "no host is trusted unseen"),
        ({**SSH, "host_key": "ssh-ed25519 x"}, "host_key", "either host_key or known_hosts"),
        ({**SSH, "known_hosts": "", "host_key": "ssh-ed25519 x"}, "host_key", "a public key such as"),
        ({**SSH, "known_hosts": "", "host_key": "SHA256:abc"}, "host_key", "a public key such as"),
        ({**SSH, "agent": "/run/agent"}, "key_file", "either key_file or agent"),
        ({**SSH, "key_file": "key"}, "key_file", "an absolute path"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings: Mapping[str, str], key: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        UnixConnector(settings, {}, Clock())
    assert refused.value.key == key
    assert expected in str(refused.value)


def test_a_passphrase_belongs_to_a_key_file() -> None:
    phrase = {"passphrase": Secret.of_text("Hush-1")}
    UnixConnector(SSH, phrase, Clock())
    for settings in ({}, {**SSH, "key_file": "", "agent": "/run/agent"}):
        with pytest.raises(SettingsError, match="passphrase: expected only with a key_file"):
            UnixConnector(settings, phrase, Clock())


PAM = "chpasswd: (user kit) pam_chauthtok() failed, error:\nAuthentication token manipulation error\n"


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (1, f"BAD PASSWORD: The password is shorter than 8 characters\n{PAM}", PasswordPolicyViolation),
        (1, f"BAD PASSWORD: it is based on a dictionary word\n{PAM}", PasswordPolicyViolation),
        (1, "Password has been already used. Choose another.\nchpasswd: x", PasswordInHistory),
        (1, PAM, ConnectorError),
        (1, "chpasswd: line 1: user 'x' does not exist", ObjectMissing),
        (1, "passwd: Unknown user name 'x'.", ObjectMissing),
        (1, "Authentication token lock busy", Busy),
        (1, "chpasswd: cannot lock /etc/passwd; try again later.", Busy),
        (1, "chpasswd: Permission denied.", AccessDenied),
        (1, "sudo: a password is required", AccessDenied),
        (126, "sh: 1: chpasswd: Permission denied", AccessDenied),
        (127, "sh: 1: chpasswd: not found", ConnectorError),
        (None, "", ConnectorError),
        (9, "", ConnectorError),
    ],
)
def test_what_a_command_says_is_one_of_the_closed_set(
    code: int | None, said: str, kind: type[ConnectorFailure]
) -> None:
    words = Words(Settings({}, UnixConnector.setting_names))
    failure = words.failure(Ended(code, b"", said.encode()), ())
    assert type(failure) is kind
    assert not failure.outcome_unknown


def test_words_of_ones_own_say_policy_and_missing() -> None:
    given = {"policy_words": "not salty enough| no tide ", "missing_words": "who?"}
    words = Words(Settings(given, UnixConnector.setting_names))
    assert type(words.failure(Ended(1, b"NO TIDE", b""), ())) is PasswordPolicyViolation
    assert type(words.failure(Ended(1, b"", b"who? permission denied"), ())) is ObjectMissing


# -- a real host


@pytest.fixture(scope="module")
def host() -> Iterator[UnixHost]:
    yield from served(UnixHost)


def keygen(*words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)


@contextlib.contextmanager
def agent(folder: Path) -> Iterator[Path]:
    """An SSH agent without keys; its socket."""
    command = ["ssh-agent", "-D", "-a", "agent"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield folder / "agent"
        finally:
            process.terminate()


def add_to(agent: Path, key: Path) -> None:
    subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, check=True)


class OnAHost(ConnectorContract):
    """PAM remembers old passwords there: the one that a test begins with is refused."""

    kind = UnixConnector
    secrets: ClassVar[Mapping[str, Secret]] = {}
    refuses_old_ones = PasswordOption.NONE
    weak = Secret.of_text("Old-Lantern-42")
    changes_passwords = False

    @pytest.fixture(autouse=True)
    def _endpoint(self, host: UnixHost) -> Iterator[None]:
        self.host = host
        host.begin_with("kit", KEEPING.stored(self.weak))
        self.settings = self.settings_for(host)
        yield
        if not host.running:
            host.start()

    def settings_for(self, host: UnixHost) -> dict[str, str]:
        return host.settings

    def missing_account(self) -> Account:
        return account("nobody-here")

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return KEEPING.verify(secret, self.host.hash_of(account.name))


class TestOverSsh(OnAHost):
    async def take_down(self) -> bool:
        self.host.kill()
        return True


class TestChpasswdHere(OnAHost):
    """Not over SSH: what is run enters the host's own /etc."""

    def settings_for(self, host: UnixHost) -> dict[str, str]:
        assert host._process is not None
        enter = f"nsenter --mount=/proc/{host._process.pid}/ns/mnt"
        return {
            "command": f"{enter} chpasswd",
            "lookup_command": f"{enter} getent passwd {{name}}",
            "accounts_command": f"{enter} getent passwd",
        }


class TestSshOtherwise(OnAHost):
    """What the kit does not ask."""

    def connector(self, **changes: str | None) -> Any:
        settings = {key: value for key, value in {**self.settings, **changes}.items() if value is not None}
        connector = make(settings)
        self._made.append(connector)
        return connector

    @test
    async def test_somebody_can_log_in_with_what_was_set(self) -> None:
        await self.set(self.connector(), NEW)
        assert self.host.accepts_password("kit", NEW.reveal_text())
        assert not self.host.accepts_password("kit", "Wrong-Guess-1")

    @test
    async def test_an_old_password_is_told_apart(self) -> None:
        with pytest.raises(PasswordInHistory, match="already used"):
            await self.set(self.connector(), self.weak)

    @test
    async def test_the_connection_stays_open_between_passwords(self) -> None:
        connector = self.connector()
        await self.set(connector, NEW)
        transport = connector._runner._transport
        await self.set(connector, Secret.of_text("Harbour-Compass-87"))
        assert connector._runner._transport is transport

    @test
    async def test_a_host_with_another_key_gets_nothing(self, tmp_path: Path) -> None:
        keygen("-t", "ed25519", "-N", "", "-f", tmp_path / "k")
        other = " ".join((tmp_path / "k.pub").read_text().split()[:2])
        with pytest.raises(ConnectorError, match="a key that is not the known one") as refused:
            await self.connector(host_key=other).open()
        assert not refused.value.transient
        both = f"{other}, {self.settings['host_key']}"
        await self.connector(host_key=both).open()

    @pytest.mark.parametrize("hashed", [False, True])
    @test
    async def test_known_hosts_are_read_as_ssh_keeps_them(self, hashed: bool, tmp_path: Path) -> None:
        file = tmp_path / "known_hosts"
        key = self.settings["host_key"]
        file.write_text(f"# mine\nother.example {key}\n[127.0.0.1]:{self.host.port} {key} comment\n")
        if hashed:
            keygen("-H", "-f", file)
            assert "127.0.0.1" not in file.read_text()
        await self.set(self.connector(host_key=None, known_hosts=str(file)), NEW)
        file.write_text(f"{file.read_text()}@revoked * {key}\n")
        with pytest.raises(ConnectorError, match=r"known_hosts has no key of \[127.0.0.1\]"):
            await self.connector(host_key=None, known_hosts=str(file)).open()
        file.unlink()
        with pytest.raises(ConnectorError, match="No such file"):
            await self.connector(host_key=None, known_hosts=str(file)).open()

    @test
    async def test_a_key_that_the_host_does_not_know_is_refused(self, tmp_path: Path) -> None:
        key = tmp_path / "k"
        keygen("-t", "ecdsa", "-N", "", "-f", key)
        with pytest.raises(BadServerCredentials, match="does not accept our key"):
            await self.connector(key_file=str(key)).open()

    @test
    async def test_a_key_file_that_is_of_no_use_says_why(self, tmp_path: Path) -> None:
        rsa, locked, none = tmp_path / "rsa", tmp_path / "locked", tmp_path / "none"
        keygen("-t", "rsa", "-N", "", "-f", rsa)
        keygen("-t", "ed25519", "-N", "Hush-1", "-f", locked)
        none.write_text("not a key")
        for file, problem in (
            (rsa, "expected an ed25519 or ecdsa key"),
            (locked, "expected the secret `passphrase`"),
            (none, "expected a private key"),
            (tmp_path / "missing", "No such file"),
        ):
            with pytest.raises(ConnectorError, match=problem):
                await self.connector(key_file=str(file)).open()
        settings = {**self.settings, "key_file": str(locked)}
        wrong = make(settings, {"passphrase": Secret.of_text("Wrong-1")})
        with pytest.raises(ConnectorError) as refused:
            await wrong.open()
        assert "Wrong-1" not in str(refused.value)

    @test
    async def test_an_encrypted_key_opens_with_its_passphrase(self, tmp_path: Path) -> None:
        key = shutil.copy(self.host.key, tmp_path / "key")
        keygen("-p", "-N", "Hush-1", "-f", key)
        connector = make({**self.settings, "key_file": str(key)}, {"passphrase": Secret.of_text("Hush-1")})
        await self.set(connector, NEW)
        await connector.close()
        assert await self.has_password(self.account(), NEW)

    @test
    async def test_an_agent_logs_in_for_us(self, tmp_path: Path) -> None:
        with agent(tmp_path) as socket:
            with pytest.raises(BadServerCredentials):
                await self.connector(key_file=None, agent=str(socket)).open()
            add_to(socket, self.host.key)
            await self.set(self.connector(key_file=None, agent=str(socket)), NEW)
        with pytest.raises(ServerDown, match="the SSH agent"):
            await self.connector(key_file=None, agent=str(socket)).open()
        assert await self.has_password(self.account(), NEW)

    @test
    async def test_a_line_that_the_host_lost_is_told_and_then_opened_anew(self) -> None:
        connector = self.connector()
        await self.set(connector, NEW)
        connector._runner._transport.transport.abortConnection()
        await connector._runner._transport.gone
        await connector.set_password(
            self.account(), Secret.of_text("Harbour-Compass-87"), PasswordOption.NONE
        )
        assert await self.has_password(self.account(), Secret.of_text("Harbour-Compass-87"))

    @test
    async def test_a_host_that_hangs_is_given_up(self) -> None:
        connector = self.connector(timeout="0.5")
        await connector.open()
        self.host.freeze()
        try:
            with pytest.raises(DroppedConnection, match=r"did not end within 0.5 s"):
                await connector.set_password(self.account(), NEW, PasswordOption.NONE)
            with pytest.raises(ServerDown, match="no SSH session within") as down:
                await self.connector(timeout="0.5").open()
        finally:
            self.host.thaw()
        assert not down.value.outcome_unknown

    @test
    async def test_a_command_that_hangs_leaves_the_outcome_unknown(self) -> None:
        connector = self.connector(timeout="1", command="sleep 600")
        with pytest.raises(DroppedConnection, match="sleep did not end within 1 s") as dropped:
            await self.set(connector, NEW)
        assert dropped.value.outcome_unknown

    @test
    async def test_a_command_that_is_not_there_is_told(self) -> None:
        with pytest.raises(ConnectorError, match="there is no such command"):
            await self.set(self.connector(command="/no-such-thing"), NEW)

    @test
    async def test_words_stay_words_on_the_other_side(self) -> None:
        out = self.host.folder / "words"
        words = f"sh -c 'cat >/dev/null; printf \"%s|\" \"$@\" >{out}' - {{gecos}} 'a b' $HOME"
        connector = self.connector(command=words, input="password")
        await connector.set_password(account("kit", gecos=("x'; touch /y #",)), NEW, PasswordOption.NONE)
        assert out.read_text() == "x'; touch /y #|a b|$HOME|"

    @test
    async def test_accounts_are_explored(self) -> None:
        found = [one.name async for one in self.connector().explore()]
        assert "kit" in found
        assert "root" not in found
