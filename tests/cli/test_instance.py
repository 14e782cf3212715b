"""An instance is made whole or not at all; loading one says what is wrong with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from provserver.cli.instance import Instance, InstanceError, create, new_instance
from provserver.settings import SettingsError
from provserver.vault.keyring import KeyRingError

NOW = 1_700_000_000.0


def clock() -> float:
    return NOW


def make(directory: Path, domain: str = "im") -> Instance:
    return create(directory, domain=domain, host="hub.example.com", clock=clock)


def content(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


WHOLE = {
    "provserver.toml",
    "keys.json",
    "logs",
    "tls",
    "tls/ca.pem",
    "tls/ca.key",
    "tls/server.pem",
    "tls/server.key",
}


@pytest.fixture(params=["new", "below a new one", "empty", "a fresh file system"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The kinds of directory that `init` is given."""
    directory = tmp_path / "instance"
    if request.param == "below a new one":
        return tmp_path / "a" / "b"
    if request.param != "new":
        directory.mkdir(mode=0o755)
    if request.param == "a fresh file system":
        (directory / "lost+found").mkdir()
    return directory


def leftovers(tmp_path: Path) -> list[Path]:
    return list(tmp_path.rglob(".provserver-init-*"))


def test_an_instance_is_made_and_loaded(place: Path, tmp_path: Path) -> None:
    instance = make(place, "chicago.usa")
    assert content(place) - {"lost+found"} == WHOLE
    assert leftovers(tmp_path) == []
    assert instance.settings.server.domain == "chicago.usa"
    assert instance == Instance(place, instance.settings, instance.keys)
    again = Instance.load(place)
    assert again.keys.ids == instance.keys.ids
    assert again.settings == instance.settings


def test_nobody_else_can_read_it(place: Path) -> None:
    previous = os.umask(0)
    try:
        instance = make(place)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    for path in (instance.keys_file, instance.tls.ca_key, instance.tls.server_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_paths_follow_the_settings_and_may_be_absolute(tmp_path: Path) -> None:
    instance = make(tmp_path / "instance")
    assert instance.store == tmp_path / "instance" / "store.db"
    assert instance.logs == tmp_path / "instance" / "logs"
    assert instance.certificate == instance.tls.server
    assert instance.certificate_key == instance.tls.server_key
    assert instance.schema_files == ()
    moved = Instance.load(
        instance.directory, ["storage.path=/var/lib/x.db", "schema.files=site.schema", "logging.directory=l"]
    )
    assert moved.store == Path("/var/lib/x.db")
    assert moved.schema_files == (tmp_path / "instance" / "site.schema",)
    assert moved.logs == tmp_path / "instance" / "l"


def test_what_the_body_adds_becomes_part_of_the_instance(place: Path) -> None:
    with new_instance(place, domain="im", host="hub", clock=clock) as instance:
        assert instance.directory != place
        instance.store.write_bytes(b"base tree")
        assert not (place / "provserver.toml").exists()
    assert (place / "store.db").read_bytes() == b"base tree"


def test_when_the_body_fails_nothing_is_left(place: Path, tmp_path: Path) -> None:
    existed = place.exists()
    before = content(place) if existed else set()

    def fail() -> None:
        with new_instance(place, domain="im", host="hub", clock=clock) as instance:
            instance.store.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert leftovers(tmp_path) == []
    assert place.exists() == existed
    assert not existed or content(place) == before
    make(place)  # and the next try is not in its way


def test_when_the_last_step_fails_nothing_is_left(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename
    before = content(place) if place.exists() else set()

    def rename(self: Path, target: Path) -> Path:
        if Path(target) in (place, place / "provserver.toml"):
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(InstanceError, match="No space left on device"):
        make(place)
    assert leftovers(tmp_path) == []
    assert (content(place) if place.exists() else set()) == before


def test_overrides_hold_while_it_is_made_and_are_not_written_down(tmp_path: Path) -> None:
    with new_instance(
        tmp_path / "instance", domain="im", host="hub", clock=clock, overrides=["passwords.scheme=ssha512"]
    ) as instance:
        assert instance.settings.passwords.scheme == "ssha512"
    assert Instance.load(tmp_path / "instance").settings.passwords.scheme == "argon2id"


# Refusals


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "full"
    directory.mkdir(mode=0o755)
    for name in "abcde":
        (directory / name).write_text(name)
    with pytest.raises(InstanceError, match=r"is not empty \(a, b, c and 2 more\)"):
        make(directory)
    assert content(directory) == set("abcde")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755


def test_an_instance_is_never_made_over_another(tmp_path: Path) -> None:
    first = make(tmp_path / "instance")
    with pytest.raises(InstanceError, match="is an instance already; nothing was changed"):
        make(tmp_path / "instance")
    assert Instance.load(tmp_path / "instance").keys.ids == first.keys.ids


def test_a_file_or_a_dead_link_in_the_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(InstanceError, match=f"{name} is there, and is not a directory"):
            make(tmp_path / name)
    with pytest.raises(InstanceError, match="cannot be made"):
        make(tmp_path / "file" / "below")


def test_a_domain_that_is_none_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"server\.domain"):
        make(tmp_path / "instance", "dc=im")
    assert list(tmp_path.iterdir()) == []


def test_an_override_that_is_wrong_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError),
        new_instance(tmp_path / "i", domain="im", host="hub", clock=clock, overrides=["x.y=z"]),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


# Loading


@pytest.fixture
def made(tmp_path: Path) -> Path:
    make(tmp_path / "instance")
    return tmp_path / "instance"


def test_a_directory_that_is_missing_or_empty_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="does not exist; provserver init"):
        Instance.load(tmp_path / "nowhere")
    with pytest.raises(InstanceError, match=r"there is no provserver\.toml; provserver init makes one"):
        Instance.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InstanceError, match="is not a directory"):
        Instance.load(tmp_path / "file")


@pytest.mark.parametrize("debris", ["keys.json", ".provserver-init-abc"])
def test_an_interrupted_init_is_recognised(tmp_path: Path, debris: str) -> None:
    (tmp_path / debris).write_text("")
    with pytest.raises(InstanceError, match="interrupted"):
        Instance.load(tmp_path)


def test_a_wrong_setting_is_told_with_file_and_key(made: Path) -> None:
    (made / "provserver.toml").write_text("[server]\nldap_port = 'x'\n")
    with pytest.raises(SettingsError, match=r"provserver\.toml: server\.ldap_port: expected a whole number"):
        Instance.load(made)


def test_a_key_file_that_is_open_or_gone_is_told(made: Path) -> None:
    (made / "keys.json").chmod(0o644)
    with pytest.raises(KeyRingError, match="chmod 600"):
        Instance.load(made)
    (made / "keys.json").unlink()
    with pytest.raises(KeyRingError, match="there is no key file; put the one"):
        Instance.load(made)


def test_what_shows_an_instance_shows_no_key(made: Path) -> None:
    keys = (made / "keys.json").read_text()
    key = keys.split('"')[-2]
    assert len(key) == 44
    assert key not in repr(Instance.load(made))
