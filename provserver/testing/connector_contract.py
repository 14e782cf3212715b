"""The kit that every connector passes, ours and third parties': what the contract promises, as tests.

    class TestMine(ConnectorContract):
        kind = MyConnector
        settings = {"url": "..."}
        secrets = {}
        async def has_password(self, account, secret) -> bool: ...

Subclass it in a test module, say how an endpoint is reached and asked (`Asked` lists all that can be said;
only `has_password` has no default), and pytest runs the rest. Tests drive the running reactor with
pytest-twisted. docs/write-a-connector.md goes through it step by step.

A new test of the kit, in a later release, may fail a connector that passed: then it broke a promise of the
contract before, unseen. What there is to override only grows, and has defaults.
"""

from __future__ import annotations

from provserver.testing.contract.asked import FIRST, SECOND, WRONG
from provserver.testing.contract.exploring import ExploringContract
from provserver.testing.contract.failures import FailuresContract
from provserver.testing.contract.passwords import PasswordsContract, encode
from provserver.testing.contract.settings import SettingsContract


class ConnectorContract(SettingsContract, PasswordsContract, FailuresContract, ExploringContract):
    """All of the kit. See `provserver.testing.contract.asked.Asked` for what to override."""


__all__ = ["ConnectorContract", "encode", "FIRST", "SECOND", "WRONG"]
