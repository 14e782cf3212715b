"""The kit finds what is wrong: connectors that break one promise each, and the test that says so."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import pytest

KIT: Final = """
import logging
from dataclasses import replace

import pytest

from provserver.connectors import *
from provserver.connectors.emulated import EmulatedConnector, EmulatedEndpoints, Operation
from provserver.testing.connector_contract import ConnectorContract


class Good(ConnectorContract):
    secrets = {}
    given = {"min_length": "8", "history": "4"}
    weak = Secret.of_text("tiny-7")
    refuses_old_ones = PasswordOption.NONE
    breaks = EmulatedConnector

    @pytest.fixture(autouse=True)
    def _endpoint(self):
        endpoints = EmulatedEndpoints()
        type(self).kind = type("Kind", (self.breaks,), {"endpoints": endpoints})
        self.endpoint = endpoints["kit"]
        self.settings = {"name": "kit", **self.given}

    def missing_account(self):
        self.endpoint.remove_account("nobody")
        return Account("nobody", DN.parse("cn=nobody"))

    async def has_password(self, account, secret):
        return self.endpoint.holds(account.name, secret)

    async def must_change(self, account):
        return account.name in self.endpoint.must_change

    async def lock(self, account):
        self.endpoint.lock(account.name)
        return True

    async def is_locked(self, account):
        return account.name in self.endpoint.locked

    async def populate(self, count):
        self.settings = {**self.settings, "accounts": f"kit,user-{{1-{count}}}"}
        return True

    async def take_down(self):
        self.endpoint.down()
        return True

    def troubles(self):
        async def busy():
            self.endpoint.break_at("set:*:busy")

        return {Busy: busy}

    async def stall(self):
        self.endpoint.delay(60.0)
        return True

    async def mend(self):
        self.endpoint.mend()

    async def open_lines(self):
        return self.endpoint.open_lines


class TestGood(Good):
    pass
"""
BROKEN: Final[Mapping[str, tuple[str, str]]] = {
    "Logs": (
        """
    async def set_password(self, account, secret, options):
        logging.getLogger("x").debug("setting %s", secret.reveal_text())
        await super().set_password(account, secret, options)
""",
        "test_a_password_that_was_set_is_there",
    ),
    "Tells": (
        """
    async def set_password(self, account, secret, options):
        try:
            await super().set_password(account, secret, options)
        except PasswordPolicyViolation:
            raise PasswordPolicyViolation(f"{secret.reveal_text()} is too short") from None
""",
        "test_a_password_against_the_endpoints_policy_is_told_so_and_not_shown",
    ),
    "Forgets": (
        """
    async def set_password(self, account, secret, options):
        if not self._endpoint.accounts():
            await super().set_password(account, secret, options)
""",
        "test_the_last_of_two_passwords_is_there_and_the_first_is_gone",
    ),
    "Leaks": (
        """
    async def close(self):
        self._open = False
""",
        "test_a_line_is_used_again_and_gone_when_it_is_closed",
    ),
    "Boasts": (
        """
    async def change_password(self, account, old, new):
        raise NotSupported("not here")
""",
        "test_a_change_with_the_old_password_works",
    ),
    "Hides": (
        """
    capabilities = replace(EmulatedConnector.capabilities, explore=False)
""",
        "test_every_account_is_found_once_and_shows_no_password",
    ),
    "Trusts": (
        """
    async def change_password(self, account, old, new):
        await self.set_password(account, new, PasswordOption.NONE)
""",
        "test_a_change_with_a_wrong_old_password_changes_nothing",
    ),
    "Ignores": (
        """
    async def set_password(self, account, secret, options):
        await super().set_password(account, secret, PasswordOption.NONE)
""",
        "test_a_reset_that_unlocks_unlocks_and_a_plain_one_does_not",
    ),
    "Blames": (
        """
    async def set_password(self, account, secret, options):
        try:
            await super().set_password(account, secret, options)
        except ConnectorFailure as failure:
            raise ConnectorError(str(failure)) from None
""",
        "test_each_trouble_that_the_endpoint_can_be_in_is_told_by_its_failure",
    ),
    "Hoards": (
        """
    async def explore(self):
        for account in [one async for one in super().explore()]:
            yield account
""",
        "test_many_accounts_are_found_in_bounded_memory",
    ),
    "Repeats": (
        """
    async def explore(self):
        async for account in super().explore():
            yield account
            yield account
""",
        "test_every_account_is_found_once_and_shows_no_password",
    ),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """The tests that failed, by test class."""
    folder = tmp_path_factory.mktemp("kit")
    broken = "".join(
        f"\n\nclass {name}(EmulatedConnector):{body}\n\nclass Test{name}(Good):\n    breaks = {name}\n"
        for name, (body, _) in BROKEN.items()
    )
    (folder / "test_kit.py").write_text(KIT + broken)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rfE",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "test_kit.py",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found: dict[str, set[str]] = {}
    for name, test in re.findall(
        r"^(?:FAILED|ERROR) test_kit\.py::Test(\w+)::(\w+)", done.stdout, re.MULTILINE
    ):
        found.setdefault(name, set()).add(test)
    assert found, done.stdout + done.stderr
    return found


def test_a_connector_that_keeps_its_promises_passes(failed: Mapping[str, set[str]]) -> None:
    assert "Good" not in failed


@pytest.mark.parametrize("name", BROKEN)
def test_one_that_breaks_a_promise_fails_the_test_that_asks_for_it(
    failed: Mapping[str, set[str]], name: str
) -> None:
    assert BROKEN[name][1] in failed.get(name, set())
