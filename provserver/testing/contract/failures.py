"""How a connector fails: with the failure that says what is the matter, without a secret in it, and ready for
the next password."""

# ruff: noqa: S101  these are tests

from __future__ import annotations

import pytest

from provserver.connectors.contract import (
    BadServerCredentials,
    ConnectorFailure,
    ObjectMissing,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
)
from provserver.testing.contract.asked import FIRST, SECOND, Asked, test
from provserver.vault.secret import Secret


class FailuresContract(Asked):
    @test  # type: ignore[untyped-decorator]
    async def test_an_account_that_is_not_there_is_told_so(self) -> None:
        missing = self.missing_account()
        if missing is None:
            pytest.skip("this endpoint takes any account")
        connector = self.make()
        with pytest.raises(ObjectMissing) as failed:
            await self.set(connector, FIRST, missing)
        assert not failed.value.outcome_unknown
        self.hides(failed.value, FIRST)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)

    @test  # type: ignore[untyped-decorator]
    async def test_a_password_against_the_endpoints_policy_is_told_so_and_not_shown(self) -> None:
        if self.weak is None:
            pytest.skip("this endpoint has no policy of its own")
        connector = self.make()
        await self.set(connector, FIRST)
        for options in (PasswordOption.NONE, PasswordOption.VALIDATE_PASSWORD):
            with pytest.raises(PasswordPolicyViolation) as failed:
                await self.set_with(connector, self.weak, options)
            assert not failed.value.outcome_unknown
            self.hides(failed.value, self.weak)
        assert await self.has_password(self.account(), FIRST)

    @test  # type: ignore[untyped-decorator]
    async def test_a_line_is_good_again_after_a_refusal(self) -> None:
        if self.weak is None:
            pytest.skip("this endpoint has no policy of its own")
        connector = self.make()
        with pytest.raises(PasswordPolicyViolation):
            await self.set(connector, self.weak)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)

    @test  # type: ignore[untyped-decorator]
    async def test_a_password_that_the_account_had_is_told_from_a_weak_one(self) -> None:
        if self.refuses_old_ones is None:
            pytest.skip("this endpoint has no history")
        connector = self.make()
        await self.set(connector, FIRST)
        await self.set(connector, SECOND)
        with pytest.raises(PasswordInHistory) as failed:
            await self.set_with(connector, FIRST, self.refuses_old_ones)
        self.hides(failed.value, FIRST)
        assert await self.has_password(self.account(), SECOND)

    @test  # type: ignore[untyped-decorator]
    async def test_wrong_credentials_of_ours_are_told_so_and_not_shown(self) -> None:
        if self.wrong_secrets is None:
            pytest.skip("this endpoint asks for no credentials")
        with pytest.raises(BadServerCredentials) as failed:
            await self.set(self.make_with(self.wrong_secrets), FIRST)
        for secret in (FIRST, *self.wrong_secrets.values()):
            self.hides(failed.value, secret)

    @test  # type: ignore[untyped-decorator]
    async def test_each_trouble_that_the_endpoint_can_be_in_is_told_by_its_failure(self) -> None:
        troubles = self.troubles()
        if not troubles:
            pytest.skip("this endpoint cannot be brought to refuse anything else")
        for number, (kind, bring) in enumerate(troubles.items()):
            connector = self.make()
            await bring()
            with pytest.raises(ConnectorFailure) as failed:
                await self.set(connector, FIRST)
            assert type(failed.value) is kind
            self.hides(failed.value, FIRST)
            await self.mend()
            fresh = Secret.of_text(f"Quay-Sextant-Reef-{number}")
            await self.set(connector, fresh)
            assert await self.has_password(self.account(), fresh)

    @test  # type: ignore[untyped-decorator]
    async def test_an_endpoint_that_is_down_is_a_passing_failure(self) -> None:
        connector = self.make()
        if not await self.take_down():
            pytest.skip("this endpoint cannot be taken down")
        with pytest.raises(ConnectorFailure) as failed:
            await connector.open()
        assert failed.value.transient
        assert not failed.value.outcome_unknown, "nothing was sent"
