"""Kinds of connector by name, and settings whose errors name the key."""

from __future__ import annotations

from enum import Enum
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from provserver.connectors import registry
from provserver.connectors.contract import SettingsError
from provserver.connectors.emulated import EmulatedConnector, EmulatedEndpoints
from provserver.connectors.registry import (
    NOT_SAID,
    ConnectorKinds,
    Settings,
    UnknownKind,
    capabilities_of,
    known_secrets,
)
from provserver.vault.secret import Secret


class Shade(Enum):
    LIGHT = "light"
    DARK = "dark"


def given(**settings: str) -> Settings:
    return Settings(settings, {"a": "", "b": "", "shade": ""})


def test_the_kinds_that_come_with_us_are_found() -> None:
    kinds = ConnectorKinds()
    assert {"emulated", "ldap"} <= set(kinds.names())
    assert kinds.kind("emulated") is EmulatedConnector
    assert kinds.kind("ldap").setting_names["url"]


def test_an_unknown_kind_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UnknownKind, match=r"no connector 'nosuch'; there are: .*emulated.*ldap"):
        ConnectorKinds().kind("nosuch")


def test_a_kind_that_cannot_be_imported_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "no.such.module:Kind", registry.GROUP)
    monkeypatch.setattr(registry, "_installed", lambda: {"broken": broken})
    with pytest.raises(UnknownKind, match=r"'broken' \(no.such.module:Kind\) cannot be loaded"):
        ConnectorKinds().kind("broken")


def test_the_service_can_put_its_own_in_the_place_of_one() -> None:
    mine = EmulatedEndpoints().kind()
    assert ConnectorKinds({"emulated": mine}).kind("emulated") is mine


def test_an_endpoints_name_becomes_the_setting_name_unless_it_was_given() -> None:
    endpoints = EmulatedEndpoints()
    kinds = ConnectorKinds({"emulated": endpoints.kind()})
    reactor: Any = object()
    kinds.make("emulated", {}, {}, reactor, endpoint="hpdev01")
    kinds.make("emulated", {"name": "other"}, {}, reactor, endpoint="hpdev02")
    assert endpoints.names() == ["hpdev01", "other"]


def test_an_unknown_setting_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(SettingsError, match="colour: unknown setting; there are: a, b, shade"):
        given(colour="red")


def test_a_secret_nobody_asked_for_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as refused:
        known_secrets({"pin": Secret.of_text("4711")}, {"bind_password": ""})
    assert str(refused.value) == "pin: unknown secret; there are: bind_password"


def test_settings_are_read_as_what_they_are() -> None:
    settings = given(a="2.5", b="yes", shade="dark")
    assert settings.number("a", 1.0) == 2.5
    assert settings.flag("b", False) is True
    assert settings.choice("shade", Shade.LIGHT) is Shade.DARK
    assert given(a="7").count("a", 0) == 7
    assert given(a="x").text("a") == "x"


def test_what_is_not_given_is_the_default() -> None:
    settings = given()
    assert settings.text("a", "d") == "d"
    assert settings.number("a", 1.5) == 1.5
    assert settings.count("a", 3) == 3
    assert settings.flag("a", True) is True
    assert settings.choice("shade", Shade.LIGHT) is Shade.LIGHT
    assert "a" not in settings


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda s: s.text("a"), None, "a: must be given"),
        (lambda s: s.text("a"), "", "a: must not be empty"),
        (lambda s: s.number("a", 0, most=10), "11", "a: expected a number from 0 to 10, got '11'"),
        (lambda s: s.number("a", 0), "nan", "a: expected a number from 0 to 86400, got 'nan'"),
        (lambda s: s.number("a", 0), "soon", "a: expected a number"),
        (lambda s: s.count("a", 0, least=1, most=5), "0", "a: expected a whole number from 1 to 5, got '0'"),
        (lambda s: s.count("a", 0), "1.5", "a: expected a whole number"),
        (lambda s: s.count("a", 0), "²", "a: expected a whole number"),
        (lambda s: s.flag("a", True), "maybe", "a: expected yes or no, got 'maybe'"),
        (lambda s: s.choice("a", Shade.LIGHT), "grey", "a: expected one of light, dark, got 'grey'"),
    ],
)
def test_an_error_names_the_key_and_what_was_expected(read: Any, value: str | None, expected: str) -> None:
    settings = given() if value is None else given(a=value)
    with pytest.raises(SettingsError) as refused:
        read(settings)
    assert refused.value.key == "a"
    assert str(refused.value).startswith(expected)


def test_every_kind_of_ours_declares_what_it_can_do() -> None:
    kinds = ConnectorKinds()
    ours = [name for name in kinds.names() if kinds.package(name) == "provserver"]
    assert {"emulated", "ldap", "sql", "unix"} <= set(ours)
    assert [name for name in ours if not hasattr(kinds.kind(name), "capabilities")] == []


def test_of_a_kind_that_declares_nothing_is_told_what_can_be_told() -> None:
    class Silent(EmulatedConnector):
        capabilities = None  # type: ignore[assignment]
        pipeline = 4

    told = capabilities_of(Silent)
    assert (told.pipelining, told.locate) == (True, True)
    assert told.set == told.explore == NOT_SAID
    assert capabilities_of(EmulatedConnector) is EmulatedConnector.capabilities
