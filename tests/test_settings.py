"""Settings: declared once, explained everywhere, and an error that says what to type instead."""

from __future__ import annotations

import contextlib
import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.ldap.limits import Limits
from provserver.settings import SettingHelp, Settings, SettingsError, describe, reference, sample

EVERY = list(describe())
REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"


def path_of(one: SettingHelp) -> str:
    return f"{one.section}.{one.key}"


def error_of(make: Callable[[str], Settings], text: str) -> str:
    """What is wrong with a text; empty when nothing is."""
    try:
        make(text)
    except SettingsError as error:
        return str(error)
    return ""


def problem(text: str) -> str:
    with pytest.raises(SettingsError) as raised:
        Settings.parse(text, "provserver.toml")
    return str(raised.value)


def override_problem(assignment: str) -> str:
    with pytest.raises(SettingsError) as raised:
        Settings().override(assignment)
    return str(raised.value)


def test_an_empty_file_means_the_defaults() -> None:
    assert Settings.parse("") == Settings()


def test_every_default_is_within_its_own_bounds() -> None:
    for one in EVERY:
        Settings.parse(f"[{one.section}]\n{one.key} = {one.default}")


def test_the_contract_of_the_commands_is_kept() -> None:
    """design.md, Command contract and The exchange."""
    settings = Settings()
    assert settings.passwords.scheme == "argon2id"
    assert settings.passwords.propagation_wait == 2
    assert settings.passwords.partial_failure_result == 0
    assert settings.passwords.echo_memory == 24 * 3600
    assert (settings.server.ldap_port, settings.server.ldaps_port) == (20389, 20390)
    for scheme in ("argon2id", "pbkdf2-sha256", "scrypt", "ssha512", "ssha256", "ssha"):
        assert settings.override(f"passwords.scheme={scheme}").passwords.scheme == scheme


def test_the_limits_are_those_of_the_wire() -> None:
    assert Limits(**dataclasses.asdict(Settings().limits)) == Limits()


# Documentation


def test_every_setting_has_help_that_is_a_sentence() -> None:
    for one in EVERY:
        assert one.help.endswith("."), f"{one.section}.{one.key}"
        assert one.help[0].isupper() or one.help[0].isdigit(), f"{one.section}.{one.key}"
        assert "|" not in one.help, f"{one.section}.{one.key}: breaks the table"


def test_the_reference_page_is_up_to_date() -> None:
    assert REFERENCE.read_text() == reference(), (
        "run: python -m provserver.settings > docs/reference/settings.md"
    )


def test_the_sample_explains_every_setting_and_changes_none() -> None:
    text = sample()
    assert Settings.parse(text) == Settings()
    for one in EVERY:
        assert f"# {one.key} = {one.default}\n" in text


def test_the_sample_with_every_comment_sign_taken_away_from_its_values_is_the_defaults() -> None:
    lines = [
        line.removeprefix("# ") if any(line == f"# {one.key} = {one.default}" for one in EVERY) else line
        for line in sample().splitlines()
    ]
    document = tomllib.loads("\n".join(lines))
    assert sum(map(len, document.values())) == len(EVERY)
    assert Settings.parse("\n".join(lines)) == Settings()


@given(st.text(min_size=1))
def test_a_value_in_the_sample_is_in_force_whatever_signs_it_has(path: str) -> None:
    settings = Settings.parse(sample({"storage.path": path, "server.domain": "chicago.illinois.usa"}))
    assert settings.storage.path == path
    assert settings.server.domain == "chicago.illinois.usa"


def test_a_sample_with_an_unknown_setting_is_a_mistake_of_ours() -> None:
    with pytest.raises(SettingsError):
        sample({"server.nothing": 1})


# Errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[passwords]\npropagation_wait = "soon"',
            "provserver.toml: passwords.propagation_wait: expected a number from 0 to 3600; got text",
        ),
        ("[passwords]\npropagation_wait = -1", "passwords.propagation_wait: expected a number from 0"),
        ("[passwords]\npropagation_wait = true", "expected a number from 0 to 3600; got true"),
        ("[passwords]\npropagation_wait = nan", "expected a number from 0 to 3600; got nan"),
        ("[passwords]\necho_memory = inf", "got inf"),
        ("[passwords]\nscrypt_n = 16383", "expected a power of two from 1024 to 262144; got a whole number"),
        ("[passwords]\npartial_failure_result = 2", "expected one of 0, 1; got 2"),
        (
            "[server]\nldap_port = 65536",
            "server.ldap_port: expected a whole number from 0 to 65535; got 65536",
        ),
        ("[server]\nldap_port = 20389.0", "got a number"),
        ("[server]\nldap_port = 2020-01-01", "got a date or time"),
        ("[server]\nldap_enabled = 1", "expected true or false; got a whole number"),
        ('[server]\nldap_address = ""', "got an empty text"),
        ("[server]\nldap_address = []", "got an empty list"),
        ("[server.ldap_address]\nx = 1", "got a section"),
        ('[server]\ndomain = "dc=im"', "server.domain: expected a domain name"),
        ("[limits]\nvalues = 0", "limits.values: expected a whole number, 1 or more; got 0"),
        ("[schema]\nfiles = [1]", "expected a list of texts; got a list of something else"),
        ('[schema]\nfiles = "a.schema"', "expected a list of texts; got text"),
        (
            "[server]\nldap_prot = 1",
            "server.ldap_prot: there is no such setting; did you mean server.ldap_port?",
        ),
        ("[password]\nscheme = 1", "password: there is no such section; did you mean passwords?"),
        ("server = 7", "server: expected a section [server], got a whole number"),
        ("[server", "provserver.toml: not TOML: "),
        ("[server]\n[server]", "at line 2"),
    ],
)
def test_an_error_names_the_key_and_what_was_expected(text: str, expected: str) -> None:
    assert expected in problem(text)
    assert problem(text).startswith("provserver.toml: ")


def test_a_scheme_that_is_almost_right_is_set_right() -> None:
    assert problem('[passwords]\nscheme = "ssh512"').endswith("got another text; did you mean ssha512?")


@pytest.mark.parametrize("one", EVERY, ids=path_of)
def test_no_error_shows_a_text_that_came(one: SettingHelp) -> None:
    shown = [
        error_of(Settings.parse, f"[{one.section}]\n{one.key} = {value}")
        for value in ('"hunter2!"', '["hunter2!", 1]', '{ a = "hunter2!" }')
    ]
    shown.append(error_of(Settings().override, f"{one.section}.{one.key}=hunter2!"))
    assert "hunter2" not in " ".join(shown)


@given(st.text(max_size=100))
def test_whatever_text_comes_it_is_settings_or_an_error(text: str) -> None:
    for form in (text, f"[server]\n{text}", f"[server]\nldap_port = {text}"):
        with contextlib.suppress(SettingsError):
            Settings.parse(form)


# Files


def test_a_file_is_loaded_and_an_error_names_it(tmp_path: Path) -> None:
    path = tmp_path / "provserver.toml"
    path.write_text("[server]\nldap_port = 1389\n")
    assert Settings.load(path).server.ldap_port == 1389
    path.write_text("[server]\nldap_port = '1389'\n")
    with pytest.raises(SettingsError, match=str(path)):
        Settings.load(path)


@pytest.mark.parametrize("content", [b"\xff", None])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "provserver.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="UTF-8" if content else "no such file"):
        Settings.load(path)
    with pytest.raises(SettingsError):
        Settings.load(tmp_path)


# --set


@pytest.mark.parametrize("one", EVERY, ids=path_of)
def test_every_setting_can_be_overridden(one: SettingHelp) -> None:
    text = one.default.strip("[]").replace('"', "")
    assert Settings().override(f"{one.section}.{one.key}={text}") == Settings()


def test_an_override_changes_one_setting_and_leaves_the_rest() -> None:
    before = Settings.parse("[passwords]\npropagation_wait = 7")
    after = before.override("passwords.scheme = ssha512").override("schema.files=a.schema, b.schema")
    assert after.passwords == dataclasses.replace(before.passwords, scheme="ssha512")
    assert after.schema.files == ("a.schema", "b.schema")
    assert before.schema.files == ()
    assert before.override("server.ldap_enabled=FALSE").server.ldap_enabled is False
    assert before.override("passwords.propagation_wait=0.5").passwords.propagation_wait == 0.5
    assert before.override("logging.directory=a=b").logging.directory == "a=b"


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("passwords.scheme", "--set: expected SECTION.KEY=VALUE"),
        ("scheme=ssha512", "--set: expected SECTION.KEY=VALUE"),
        ("password.scheme=ssha512", "--set: password: there is no such section; did you mean passwords?"),
        (
            "passwords.shceme=x",
            "--set: passwords.shceme: there is no such setting; did you mean passwords.scheme?",
        ),
        ("server.ldap_enabled=no", "--set: server.ldap_enabled: expected true or false; got text"),
        ("server.ldap_port=", "got an empty text"),
        ("server.ldap_port=1.5", "got text"),
        ("passwords.propagation_wait=nan", "got nan"),
    ],
)
def test_an_override_that_cannot_be_used_says_so(assignment: str, expected: str) -> None:
    assert expected in override_problem(assignment)
