"""The kit that every connector passes, ours and third parties': what the contract promises, as tests.

    class TestMine(ConnectorContract):
        kind = MyConnector
        settings = {"url": "..."}
        async def has_password(self, account, secret) -> bool: ...

Subclass it in a test module, say how an endpoint is reached and asked, and pytest runs the rest. Tests
drive the running reactor with pytest-twisted. This is the kit's first form.
"""

# ruff: noqa: S101  these are tests

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from provserver.connectors.contract import (
    ENCODINGS,
    Accepts,
    Account,
    Connector,
    ConnectorFailure,
    ConnectorKind,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    SettingsError,
)
from provserver.directory.names import DN
from provserver.vault.schemes import (
    SALT_SIZE,
    Argon2,
    Derived,
    Pbkdf2,
    Recipe,
    SaltedSha1,
    SaltedSha256,
    SaltedSha384,
    SaltedSha512,
)
from provserver.vault.secret import Secret

FIRST = Secret.of_text("Kit-Harbour-Light-21")
SECOND = Secret.of_text("Kit-Lantern-Bay-73")

_RECIPES: Final[dict[str, Recipe]] = {
    "SSHA": SaltedSha1(),
    "SSHA256": SaltedSha256(),
    "SSHA384": SaltedSha384(),
    "SSHA512": SaltedSha512(),
    "PBKDF2-SHA256": Pbkdf2(1000),
    "ARGON2": Argon2(1024, 1, 1),
}


def encode(secret: Secret, scheme: str) -> Secret:
    """The password as an agent that hashes sends it."""
    recipe, salt = _RECIPES[scheme], b"kit".ljust(SALT_SIZE, b"!")
    return Secret.of_text(Derived(recipe, salt, recipe.derive(salt, secret)).text)


class ConnectorContract:
    """Subclass, and override what is said here; every test gets fresh connectors, which are closed after
    it."""

    kind: ClassVar[ConnectorKind]
    settings: Mapping[str, str]
    secrets: Mapping[str, Secret]

    weak: ClassVar[Secret | None] = None
    """A password that the endpoint's own policy refuses; None: it has no policy."""
    changes_passwords: ClassVar[bool] = True
    """Whether `change_password` is supported."""

    # -- to be overridden

    def account(self) -> Account:
        """An account that the endpoint has."""
        return Account("kit", DN.parse("cn=kit,dc=im"))

    def missing_account(self) -> Account | None:
        """An account that the endpoint does not have; None: it takes any."""
        return None

    async def has_password(self, account: Account, secret: Secret) -> bool:
        """Ask the endpoint itself, not the connector."""
        raise NotImplementedError

    async def has_encoded(self, account: Account, encoded: Secret, secret: Secret) -> bool:
        """Whether the endpoint has the password that was sent encoded; ask with `secret`, if it can hash."""
        return await self.has_password(account, secret)

    async def take_down(self) -> bool:
        """Make the endpoint unreachable for the rest of the test; False: cannot be done."""
        return False

    # -- how the kit works

    @pytest.fixture(autouse=True)
    def _lines(self) -> Iterator[None]:
        self._made: list[Connector] = []
        yield
        for connector in self._made:
            pytest_twisted.blockon(Deferred.fromCoroutine(connector.close()))

    def make(self, **changes: str) -> Connector:
        from twisted.internet import reactor

        settings = {**self.settings, **changes}
        connector = type(self).kind(settings, self.secrets, reactor)
        self._made.append(connector)
        return connector

    async def set(self, connector: Connector, secret: Secret, account: Account | None = None) -> None:
        await connector.open()
        await connector.set_password(account or self.account(), secret, PasswordOption.NONE)

    # -- what is promised

    def test_every_setting_has_a_line_of_help(self) -> None:
        names = type(self).kind.setting_names
        assert all(help.strip() and "\n" not in help for help in names.values())
        assert set(self.settings) <= set(names)

    def test_an_unknown_setting_is_refused_by_its_name(self) -> None:
        with pytest.raises(SettingsError) as refused:
            self.make(**{"no-such-setting": "x"})
        assert refused.value.key == "no-such-setting"

    def test_making_a_connector_does_nothing_yet(self) -> None:
        connector = self.make()
        assert connector.security in Security
        assert isinstance(connector.accepts, Accepts)
        assert isinstance(connector.fold(b"Abc"), bytes)

    def test_folding_twice_is_folding_once(self) -> None:
        fold = self.make().fold
        for password in (b"", b"Abc", "Grün-Straße-12".encode(), b"\xff\xfe", b"x" * 300):
            assert fold(fold(password)) == fold(password)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_a_password_that_was_set_is_there(self) -> None:
        await self.set(self.make(), FIRST)
        assert await self.has_password(self.account(), FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_the_last_of_two_passwords_is_there_and_the_first_is_gone(self) -> None:
        connector = self.make()
        await self.set(connector, FIRST)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)
        assert not await self.has_password(self.account(), FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_a_password_of_letters_from_everywhere_arrives_unaltered(self) -> None:
        secret = Secret.of_text("Grün-Straße-Ж-漢-🔑-12")
        await self.set(self.make(), secret)
        assert await self.has_password(self.account(), secret)

    def test_the_schemes_that_are_taken_are_some_that_passwords_come_in(self) -> None:
        assert self.make().accepts.schemes <= set(ENCODINGS)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_an_encoded_password_is_stored_as_it_is(self) -> None:
        schemes = sorted(self.make().accepts.schemes)
        if not schemes:
            pytest.skip("this endpoint takes clear text only")
        for count, scheme in enumerate(schemes):
            secret = Secret.of_text(f"Kit-Sextant-Reef-{count}")
            encoded = encode(secret, scheme)
            connector = self.make()
            await connector.open()
            await connector.set_password(self.account(), encoded, PasswordOption.ENCODED)
            assert await self.has_encoded(self.account(), encoded, secret)
            # As a password it would be a lock without a key.
            await connector.set_password(self.account(), SECOND, PasswordOption.NONE)
            assert await self.has_password(self.account(), SECOND)

    def test_it_takes_one_password_at_a_time_or_more(self) -> None:
        assert getattr(self.make(), "pipeline", 1) >= 1

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_passwords_that_are_on_the_way_together_end_each_by_itself(self) -> None:
        connector, missing = self.make(), self.missing_account()
        if getattr(connector, "pipeline", 1) < 2 or missing is None:
            pytest.skip("this connector takes one password at a time, or any account")
        await connector.open()
        both = [
            Deferred.fromCoroutine(connector.set_password(account, FIRST, PasswordOption.NONE))
            for account in (missing, self.account())
        ]
        with pytest.raises(ObjectMissing):
            await both[0]
        await both[1]
        assert await self.has_password(self.account(), FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_opening_twice_and_closing_twice_are_harmless(self) -> None:
        connector = self.make()
        await connector.close()
        await connector.open()
        await connector.open()
        await connector.close()
        await connector.close()
        await self.set(connector, FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_a_change_with_the_old_password_works(self) -> None:
        connector = self.make()
        await self.set(connector, FIRST)
        change = connector.change_password(self.account(), FIRST, SECOND)
        if not self.changes_passwords:
            with pytest.raises(NotSupported):
                await change
            return
        await change
        assert await self.has_password(self.account(), SECOND)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_a_change_with_a_wrong_old_password_changes_nothing(self) -> None:
        if not self.changes_passwords:
            pytest.skip("this connector does not change passwords")
        connector = self.make()
        await self.set(connector, FIRST)
        with pytest.raises(OldPasswordIncorrect):
            await connector.change_password(self.account(), Secret.of_text("Wrong-Guess-1"), SECOND)
        assert await self.has_password(self.account(), FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_an_account_that_is_not_there_is_told_so(self) -> None:
        missing = self.missing_account()
        if missing is None:
            pytest.skip("this endpoint takes any account")
        with pytest.raises(ObjectMissing) as failed:
            await self.set(self.make(), FIRST, missing)
        self.hides(failed.value, FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_a_password_against_the_endpoints_policy_is_told_so_and_not_shown(self) -> None:
        if self.weak is None:
            pytest.skip("this endpoint has no policy of its own")
        connector = self.make()
        await self.set(connector, FIRST)
        with pytest.raises(PasswordPolicyViolation) as failed:
            await self.set(connector, self.weak)
        assert not failed.value.transient
        self.hides(failed.value, self.weak)
        assert await self.has_password(self.account(), FIRST)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_a_line_is_good_again_after_a_refusal(self) -> None:
        if self.weak is None:
            pytest.skip("this endpoint has no policy of its own")
        connector = self.make()
        with pytest.raises(PasswordPolicyViolation):
            await self.set(connector, self.weak)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)

    @pytest_twisted.ensureDeferred  # type: ignore[untyped-decorator]
    async def test_an_endpoint_that_is_down_is_a_passing_failure(self) -> None:
        connector = self.make()
        if not await self.take_down():
            pytest.skip("this endpoint cannot be taken down")
        with pytest.raises(ConnectorFailure) as failed:
            await connector.open()
        assert failed.value.transient
        assert not failed.value.outcome_unknown, "nothing was sent"

    def test_a_connector_does_not_show_its_secrets(self) -> None:
        connector = self.make()
        shown = repr(connector) + repr({k: v for k, v in inspect.getmembers(connector) if not callable(v)})
        for secret in self.secrets.values():
            assert secret.reveal_text() not in shown

    def hides(self, failure: BaseException, secret: Secret) -> None:
        """Neither text nor traceback, locals included, shows the password."""
        shown = "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format())
        if secret.reveal():
            assert secret.reveal_text() not in shown + repr(failure) + repr(failure.args)
