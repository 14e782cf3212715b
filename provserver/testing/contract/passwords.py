"""Passwords set and changed: they arrive, by one line, as the options say; and what a caller who gives up
leaves behind."""

# ruff: noqa: S101  these are tests

from __future__ import annotations

from typing import Final

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from provserver.connectors.contract import (
    ConnectorFailure,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordOption,
)
from provserver.testing.contract.asked import FIRST, SECOND, WRONG, Asked, test
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


class PasswordsContract(Asked):
    @test  # type: ignore[untyped-decorator]
    async def test_a_password_that_was_set_is_there(self) -> None:
        await self.set(self.make(), FIRST)
        assert await self.has_password(self.account(), FIRST)

    @test  # type: ignore[untyped-decorator]
    async def test_the_last_of_two_passwords_is_there_and_the_first_is_gone(self) -> None:
        connector = self.make()
        await self.set(connector, FIRST)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)
        assert not await self.has_password(self.account(), FIRST)

    @test  # type: ignore[untyped-decorator]
    async def test_a_password_of_letters_from_everywhere_arrives_unaltered(self) -> None:
        secret = Secret.of_text("Grün-Straße-Ж-漢-🔑-12")
        await self.set(self.make(), secret)
        assert await self.has_password(self.account(), secret)

    @test  # type: ignore[untyped-decorator]
    async def test_an_encoded_password_is_stored_as_it_is(self) -> None:
        schemes = sorted(self.make().accepts.schemes)
        if not schemes:
            pytest.skip("this endpoint takes clear text only")
        for count, scheme in enumerate(schemes):
            secret = Secret.of_text(f"Quay-Sextant-Reef-{count}")
            encoded = encode(secret, scheme)
            connector = self.make()
            await self.set_with(connector, encoded, PasswordOption.ENCODED)
            assert await self.has_encoded(self.account(), encoded, secret)
            # As a password it would be a lock without a key.
            await connector.set_password(self.account(), SECOND, PasswordOption.NONE)
            assert await self.has_password(self.account(), SECOND)

    # -- the options

    @test  # type: ignore[untyped-decorator]
    async def test_a_reset_that_must_be_changed_says_so_at_the_endpoint_and_a_plain_one_does_not(
        self,
    ) -> None:
        option = PasswordOption.FORCE_CHANGE_AT_LOGON
        obeyed = self.able(lambda can: can.must_change, option in self.obeys)
        connector = self.make()
        await self.set(connector, FIRST)
        assert not await self.must_change(self.account())
        await self.set_with(connector, SECOND, option)
        assert await self.has_password(self.account(), SECOND)
        assert bool(await self.must_change(self.account())) is obeyed, (
            "override must_change to say how it is seen"
        )

    @test  # type: ignore[untyped-decorator]
    async def test_a_reset_that_unlocks_unlocks_and_a_plain_one_does_not(self) -> None:
        option = PasswordOption.UNLOCK_ACCOUNT
        obeyed = self.able(lambda can: can.unlock, option in self.obeys)
        connector = self.make()
        if not await self.lock(self.account()):
            assert not obeyed, "it unlocks: override lock and is_locked to say how this is seen"
            await self.set_with(connector, FIRST, option)
            assert await self.has_password(self.account(), FIRST), "a wish that cannot be met is passed over"
            return
        await self.set_with(connector, SECOND, option)
        assert await self.is_locked(self.account()) is not obeyed

    @test  # type: ignore[untyped-decorator]
    async def test_a_password_to_be_validated_arrives_when_it_is_good(self) -> None:
        await self.set_with(self.make(), FIRST, PasswordOption.VALIDATE_PASSWORD)
        assert await self.has_password(self.account(), FIRST)

    # -- changing

    @test  # type: ignore[untyped-decorator]
    async def test_a_change_with_the_old_password_works(self) -> None:
        connector = self.make()
        await self.set(connector, FIRST)
        change = connector.change_password(self.account(), FIRST, SECOND)
        if not self.able(lambda can: can.change, self.changes_passwords):
            with pytest.raises(NotSupported):
                await change
            assert await self.has_password(self.account(), FIRST)
            return
        await change
        assert await self.has_password(self.account(), SECOND)

    @test  # type: ignore[untyped-decorator]
    async def test_a_change_with_a_wrong_old_password_changes_nothing(self) -> None:
        if not self.able(lambda can: can.change, self.changes_passwords):
            pytest.skip("this connector does not change passwords")
        connector = self.make()
        await self.set(connector, FIRST)
        with pytest.raises(OldPasswordIncorrect) as failed:
            await connector.change_password(self.account(), WRONG, SECOND)
        for secret in (WRONG, SECOND):
            self.hides(failed.value, secret)
        assert await self.has_password(self.account(), FIRST)

    # -- the line

    @test  # type: ignore[untyped-decorator]
    async def test_opening_twice_and_closing_twice_are_harmless(self) -> None:
        connector = self.make()
        await connector.close()
        await connector.open()
        await connector.open()
        await connector.close()
        await connector.close()
        await self.set(connector, FIRST)

    @test  # type: ignore[untyped-decorator]
    async def test_a_line_is_used_again_and_gone_when_it_is_closed(self) -> None:
        connector = self.make()
        before = await self.open_lines()
        if before is None:
            pytest.skip("lines to this endpoint cannot be counted")
        await self.set(connector, FIRST)
        first = await self.open_lines()
        await self.set(connector, SECOND)
        assert await self.lines_become(first), "the line that was there was not used"
        await connector.close()
        assert await self.lines_become(before)

    @test  # type: ignore[untyped-decorator]
    async def test_a_line_that_the_endpoint_closed_while_idle_is_made_anew(self) -> None:
        connector = self.make()
        await self.set(connector, FIRST)
        if not await self.cut_idle_lines():
            pytest.skip("this endpoint does not close lines, or cannot be made to")
        lost = await self.ended(self.set(connector, SECOND))
        if lost is not None:
            assert isinstance(lost, ConnectorFailure)
            assert lost.transient
            await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)

    @test  # type: ignore[untyped-decorator]
    async def test_passwords_that_are_on_the_way_together_end_each_by_itself(self) -> None:
        connector, missing = self.make(), self.missing_account()
        if connector.pipeline < 2 or missing is None:
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

    @test  # type: ignore[untyped-decorator]
    async def test_a_password_given_up_leaves_no_line_behind_and_never_arrives_after_a_newer_one(
        self,
    ) -> None:
        from twisted.internet import reactor

        connector = self.make()
        before = await self.open_lines()
        await connector.open()
        stalled = await self.stall()
        sent = Deferred.fromCoroutine(connector.set_password(self.account(), FIRST, PasswordOption.NONE))
        await deferLater(reactor, 0)
        sent.cancel()
        ended = await self.ended(sent)
        if ended is None:
            assert not stalled, "it was confirmed, and the endpoint had not"
        elif isinstance(ended, ConnectorFailure):
            self.hides(ended, FIRST)
        await connector.close()
        await self.mend()
        if isinstance(ended, ConnectorFailure) and not ended.outcome_unknown:
            assert not await self.has_password(self.account(), FIRST), "it was said not to have been sent"
        assert await self.lines_become(before)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)
