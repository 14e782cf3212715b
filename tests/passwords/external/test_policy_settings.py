"""A policy service that cannot be used, or must not be, is found at the start, and the setting is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from stand_in import secret_file, settings

from provserver.settings import Settings, SettingsError
from provserver.testing.certificates import make_certificates
from provserver.testing.pytest_plugin import Starter

PLACE = "https://policy.example/judge"


@pytest.mark.parametrize(
    "url",
    [
        PLACE,
        "https://policy.example:8443/judge?tenant=quay",
        "https://192.0.2.7/",
        "https://[2001:db8::7]:8443/",
        "http://127.0.0.1:8080/",
        "http://127.9.9.9/",
        "http://[::1]:8080/judge",
        "http://localhost:8080/",
        "HTTP://LOCALHOST/",
    ],
)
def test_passwords_go_over_tls_or_stay_on_this_machine(url: str) -> None:
    assert Settings().override(f"external_policy.urls={url}").external_policy.urls == (url,)


@pytest.mark.parametrize(
    "url",
    [
        "http://policy.example/judge",
        "http://192.0.2.7/",
        "http://10.0.0.1:8080/",
        "http://[2001:db8::7]/",
        "http://0.0.0.0/",
        "http://127.0.0.1.policy.example/",
        "http://localhost.policy.example/",
        "http://localhost@policy.example/",
        "https://somebody:Planted-Secret@policy.example/",
        "https://policy.example/#part",
        "https:///judge",
        "https://policy.example:port/",
        "https://policy.example:99999/",
        "https://[::1/",
        "https://policy.example/a b",
        "https://pölicy.example/",
        "ftp://policy.example/",
        "policy.example",
        "/judge",
        "Planted-Secret",
    ],
)
def test_any_other_place_is_refused_with_what_was_expected(url: str) -> None:
    for listed in (f'["{url}"]', f'["{PLACE}", "{url}"]'):
        with pytest.raises(SettingsError) as raised:
            Settings.parse(f"[external_policy]\nurls = {listed}")
        assert str(raised.value).startswith(
            "external_policy.urls: expected a list of https:// addresses, or http://"
        )
        assert "Planted" not in str(raised.value)


def test_only_two_things_can_be_meant_when_nobody_answers() -> None:
    assert Settings().external_policy.unreachable == "refuse"
    with pytest.raises(SettingsError, match="expected one of refuse, profile"):
        Settings().override("external_policy.unreachable=accept")


async def problem(start: Starter, *chosen: str) -> SettingsError:
    with pytest.raises(SettingsError) as raised:
        await start(settings=chosen)
    return raised.value


@pytest_twisted.ensureDeferred
async def test_without_a_secret_nobody_is_asked(start_provserver: Starter) -> None:
    error = await problem(start_provserver, f"external_policy.urls={PLACE}")
    assert (error.key, error.problem) == (
        "external_policy.secret_file",
        "expected a file, since there are urls to ask",
    )


@pytest_twisted.ensureDeferred
async def test_a_secret_that_others_can_read_is_refused(start_provserver: Starter, tmp_path: Path) -> None:
    path = secret_file(tmp_path, mode=0o644)
    error = await problem(
        start_provserver, f"external_policy.urls={PLACE}", f"external_policy.secret_file={path}"
    )
    assert error.key == "external_policy.secret_file"
    assert "mode 0644" in error.problem
    assert "chmod 600" in error.problem
    assert "Mooring" not in str(error)


@pytest_twisted.ensureDeferred
async def test_an_authority_that_is_none_is_refused(start_provserver: Starter, tmp_path: Path) -> None:
    error = await problem(start_provserver, *settings(tmp_path, [PLACE], authority=tmp_path / "none.pem"))
    assert error.key == "external_policy.authority"
    assert "none.pem cannot be read" in error.problem


@pytest_twisted.ensureDeferred
async def test_a_secret_alone_asks_nobody(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(settings=settings(tmp_path, []))
    assert server.service.foundation.policy is not None
    assert (await server.service.foundation.policy.current()).advice is None


@pytest_twisted.ensureDeferred
async def test_a_service_that_is_gone_does_not_stop_the_start(
    start_provserver: Starter, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    server = await start_provserver(
        settings=settings(tmp_path, ["https://127.0.0.1:1/"], authority=certificates.authority)
    )
    assert (await server.administrator()).connected
