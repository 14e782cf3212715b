"""An instance: one directory with everything that a server needs, made whole or not at all.

    provserver.toml   settings            tls/ca.pem, ca.key           its own certificate authority
    keys.json         the key ring, 0600  tls/server.pem, server.key   the server's certificate
    store.db          the store           logs/

A directory is an instance when it holds provserver.toml, which therefore appears last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from provserver.cli.certificates import TlsFiles, make_certificates
from provserver.settings import Settings, SettingsError, sample
from provserver.vault.keyring import KeyRing, KeyRingError, Randomness

SETTINGS_FILE = "provserver.toml"
KEYS_FILE = "keys.json"
TLS_DIRECTORY = "tls"
_STAGE = ".provserver-init-"


class InstanceError(Exception):
    """A directory that is no instance, or cannot become one: names it, and says what to do."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The directory, its settings and its keys. Paths in the settings are relative to the directory."""

    directory: Path
    settings: Settings
    keys: KeyRing

    @property
    def settings_file(self) -> Path:
        return self.directory / SETTINGS_FILE

    @property
    def keys_file(self) -> Path:
        return self.directory / KEYS_FILE

    @property
    def tls(self) -> TlsFiles:
        """The files that init made; what the server uses is `certificate` and `certificate_key`."""
        return TlsFiles(self.directory / TLS_DIRECTORY)

    @property
    def store(self) -> Path:
        return self.directory / self.settings.storage.path

    @property
    def logs(self) -> Path:
        return self.directory / self.settings.logging.directory

    @property
    def certificate(self) -> Path:
        return self.directory / self.settings.server.tls_certificate

    @property
    def certificate_key(self) -> Path:
        return self.directory / self.settings.server.tls_key

    @property
    def client_authority(self) -> Path | None:
        """Whose client certificates are taken, if any are."""
        name = self.settings.server.tls_client_authority
        return self.directory / name if name else None

    @property
    def schema_files(self) -> tuple[Path, ...]:
        return tuple(self.directory / name for name in self.settings.schema.files)

    @classmethod
    def load(cls, directory: Path, overrides: Iterable[str] = ()) -> Instance:
        """The instance in a directory, with `--set` overrides. InstanceError, SettingsError, KeyRingError."""
        if not directory.is_dir():
            problem = "is not a directory" if directory.exists() else "does not exist"
            raise InstanceError(f"{directory} {problem}; provserver init {directory} makes an instance there")
        settings_file = directory / SETTINGS_FILE
        if not settings_file.exists():
            if any(directory.glob(_STAGE + "*")) or (directory / KEYS_FILE).exists():
                raise InstanceError(
                    f"{directory} holds an init that was interrupted: empty it and run provserver init again"
                )
            raise InstanceError(
                f"{directory} is not an instance: there is no {SETTINGS_FILE}; provserver init makes one"
            )
        settings = Settings.load(settings_file)
        for assignment in overrides:
            settings = settings.override(assignment)
        return cls(directory, settings, KeyRing.load(directory / KEYS_FILE))


@contextlib.contextmanager
def new_instance(
    directory: Path,
    *,
    domain: str,
    host: str,
    clock: Callable[[], float],
    random: Randomness = os.urandom,
    overrides: Iterable[str] = (),
) -> Iterator[Instance]:
    """Make an instance; whatever the body of the `with` adds (store, base tree) becomes part of it.

    The body works on an instance in a stage beside the place (inside it, when the directory exists already:
    it may be the only thing that we can write to, or a mount). When the body ends, having closed the store,
    the stage takes the place; when it raises, nothing is left. `overrides` (`--set`) hold for the body and
    are not written down, `domain` is. Raises InstanceError (the directory is not empty, or cannot be made)
    and SettingsError.
    """
    text = sample({"server.domain": domain})
    settings = Settings.parse(text)
    for assignment in overrides:
        settings = settings.override(assignment)
    existed = directory.is_dir()
    stage = _stage(directory)
    try:
        keys = KeyRing.generate(random)
        keys.write(stage / KEYS_FILE)
        (stage / TLS_DIRECTORY).mkdir()
        make_certificates(stage / TLS_DIRECTORY, owner=f"provserver {domain}", host=host, clock=clock)
        (stage / settings.logging.directory).mkdir(parents=True, exist_ok=True)
        _write_settings(stage / SETTINGS_FILE, text)
        yield Instance(stage, settings, keys)
        if existed:
            _move_up(stage, directory)
        else:
            _take_place(stage, directory)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    _flush(directory)
    _flush(directory.parent)


def create(
    directory: Path,
    *,
    domain: str,
    host: str,
    clock: Callable[[], float],
    random: Randomness = os.urandom,
) -> Instance:
    """An instance without a store. InstanceError, SettingsError."""
    with new_instance(directory, domain=domain, host=host, clock=clock, random=random):
        pass
    return Instance.load(directory)


def _stage(directory: Path) -> Path:
    """A new directory, mode 0700, on the file system where the instance will be."""
    try:
        if directory.is_dir():
            _refuse_unless_empty(directory)
            # A mount may not be ours to change; the files that matter have modes of their own.
            with contextlib.suppress(PermissionError):
                directory.chmod(0o700)
            return Path(tempfile.mkdtemp(prefix=_STAGE, dir=directory))
        if directory.exists() or directory.is_symlink():
            raise InstanceError(f"{directory} is there, and is not a directory")
        directory.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=_STAGE, dir=directory.parent))
    except OSError as error:
        raise InstanceError(f"{directory} cannot be made: {error.strerror}") from None


def _refuse_unless_empty(directory: Path) -> None:
    # lost+found: the root of a fresh file system is as empty as it gets.
    present = sorted(entry.name for entry in directory.iterdir() if entry.name != "lost+found")
    if SETTINGS_FILE in present:
        raise InstanceError(f"{directory} is an instance already; nothing was changed")
    if present:
        more = f" and {len(present) - 3} more" if len(present) > 3 else ""
        names = ", ".join(present[:3]) + more
        raise InstanceError(f"{directory} is not empty ({names}): name a new directory or an empty one")


def _take_place(stage: Path, directory: Path) -> None:
    try:
        stage.rename(directory)
    except OSError as error:
        raise InstanceError(f"{directory} cannot be made: {error.strerror}") from None


def _move_up(stage: Path, directory: Path) -> None:
    """Everything up one level, the settings last: until they are there, the directory is no instance.

    A failure on the way takes back what was moved. Moved files are not opened by anyone yet.
    """
    moved: list[Path] = []
    try:
        for entry in sorted(stage.iterdir(), key=lambda entry: (entry.name == SETTINGS_FILE, entry.name)):
            moved.append(entry.rename(directory / entry.name))
        stage.rmdir()
    except OSError as error:
        for entry in moved:
            entry.rename(stage / entry.name)
        raise InstanceError(f"{directory} cannot be filled: {error.strerror}") from None


def _write_settings(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(directory: Path) -> None:
    """Make names durable. A parent that we may not read is not ours to flush."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


__all__ = [
    "Instance",
    "InstanceError",
    "KeyRingError",
    "SettingsError",
    "create",
    "new_instance",
]
