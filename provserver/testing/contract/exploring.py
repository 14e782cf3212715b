"""Exploring: all accounts, each once, a page at a time, and the line is free again whenever one stops."""

# ruff: noqa: S101  these are tests

from __future__ import annotations

import gc
from typing import Final

import pytest

from provserver.connectors.contract import Account, NotSupported
from provserver.testing.contract.asked import FIRST, SECOND, Asked, close_iterator, test

MANY: Final = 5000
MOST_HELD: Final = 2000
"""Accounts that may be in memory at once, of many: a page or two."""


class ExploringContract(Asked):
    @test  # type: ignore[untyped-decorator]
    async def test_every_account_is_found_once_and_shows_no_password(self) -> None:
        connector = self.make()
        await self.set(connector, FIRST)
        if not self.able(lambda can: can.explore, self.explores):
            with pytest.raises(NotSupported):
                await anext(aiter(connector.explore()))
            return
        found = [account async for account in connector.explore()]
        names = [account.name for account in found]
        assert all(names)
        assert len(set(names)) == len(names)
        assert await self.accounts_there() <= set(names)
        assert FIRST.reveal_text() not in repr(found)
        again = [account async for account in connector.explore()]
        assert sorted(account.name for account in again) == sorted(names)

    @test  # type: ignore[untyped-decorator]
    async def test_a_password_can_be_set_after_exploring_was_stopped_early(self) -> None:
        if not self.able(lambda can: can.explore, self.explores):
            pytest.skip("this connector does not explore")
        connector = self.make()
        before = await self.open_lines()
        await self.set(connector, FIRST)
        found = aiter(connector.explore())
        assert (await anext(found)).name
        await close_iterator(found)
        await self.set(connector, SECOND)
        assert await self.has_password(self.account(), SECOND)
        await connector.close()
        assert await self.lines_become(before)

    @test  # type: ignore[untyped-decorator]
    async def test_many_accounts_are_found_in_bounded_memory(self) -> None:
        if not self.able(lambda can: can.explore, self.explores):
            pytest.skip("this connector does not explore")
        if not await self.populate(MANY):
            pytest.skip("this endpoint cannot be given many accounts")
        names: set[str] = set()
        async for account in self.make().explore():
            names.add(account.name)
            if len(names) % 1000 == 0:
                held = sum(isinstance(one, Account) for one in gc.get_objects())
                assert held <= MOST_HELD
        assert len(names) >= MANY
