"""What a connector says of itself, before it has spoken to anybody."""

# ruff: noqa: S101  these are tests

from __future__ import annotations

import inspect

import pytest

from provserver.connectors.contract import ENCODINGS, Ability, Accepts, Security, SettingsError
from provserver.testing.contract.asked import FIRST, Asked


class SettingsContract(Asked):
    def test_every_setting_has_a_line_of_help(self) -> None:
        kind = type(self).kind
        secrets = getattr(kind, "secret_names", {})
        for text in (*kind.setting_names.values(), *secrets.values()):
            assert text.strip()
            assert "\n" not in text
        assert set(self.settings) <= set(kind.setting_names)
        assert set(self.secrets) <= set(secrets)

    def test_an_unknown_setting_is_refused_by_its_name(self) -> None:
        with pytest.raises(SettingsError) as refused:
            self.make(**{"no-such-setting": "x"})
        assert refused.value.key == "no-such-setting"

    def test_an_unknown_secret_is_refused_by_its_name_and_not_shown(self) -> None:
        with pytest.raises(SettingsError) as refused:
            self.make_with({**self.secrets, "no-such-secret": FIRST})
        assert refused.value.key == "no-such-secret"
        self.hides(refused.value, FIRST)

    def test_making_a_connector_does_nothing_yet(self) -> None:
        connector = self.make()
        assert connector.security in Security
        assert isinstance(connector.accepts, Accepts)
        assert isinstance(connector.fold(b"Abc"), bytes)

    def test_folding_twice_is_folding_once(self) -> None:
        fold = self.make().fold
        for password in (b"", b"Abc", "Grün-Straße-12".encode(), b"\xff\xfe", b"x" * 300):
            assert fold(fold(password)) == fold(password)

    def test_the_schemes_that_are_taken_are_some_that_passwords_come_in(self) -> None:
        assert self.make().accepts.schemes <= set(ENCODINGS)

    def test_it_takes_one_password_at_a_time_or_more(self) -> None:
        assert self.make().pipeline >= 1

    def test_what_is_declared_is_what_the_connector_says_of_itself(self) -> None:
        declared, connector = self.declared(), self.make()
        if declared is None:
            pytest.skip("this kind declares no capabilities")
        agrees(declared.secure, connector.security is Security.SECURE)
        agrees(declared.hashes, bool(connector.accepts.schemes))
        agrees(declared.set, connector.accepts.clear_text)
        agrees(declared.pipelining, connector.pipeline > 1)
        agrees(declared.locate, hasattr(connector, "locate"))

    def test_a_connector_does_not_show_its_secrets(self) -> None:
        connector = self.make()
        shown = repr(connector) + repr({k: v for k, v in inspect.getmembers(connector) if not callable(v)})
        for secret in self.secrets.values():
            assert secret.reveal_text() not in shown


def agrees(declared: Ability, found: bool) -> None:
    """A text leaves it to the settings."""
    assert isinstance(declared, str) or declared is found
