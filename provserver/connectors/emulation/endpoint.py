"""One emulated endpoint, and all of a process: who has which password there, what was asked, what is broken.

It keeps what it was sent as digests under a random key of its own, never in clear text. Its connectors find
it by name in an `EmulatedEndpoints`; whoever holds that object asks, breaks and mends.
"""

from __future__ import annotations

import hmac
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from provserver.connectors.contract import (
    Account,
    ConnectorFailure,
    Fold,
    PasswordOption,
    keep_as_is,
)
from provserver.connectors.emulation.breaking import (
    Fault,
    Operation,
    Rule,
    down,
    dropped_in_the_middle,
    parse_rules,
)
from provserver.connectors.emulation.names import NameList
from provserver.connectors.emulation.personalities import PERSONALITIES, Personality, Trouble
from provserver.directory.names import DN
from provserver.records import record
from provserver.vault.secret import Secret

MOST_RECORDED: Final = 10_000
"""Calls that an endpoint remembers, the last ones."""
_NOWHERE: Final = DN.parse("")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the settings of an endpoint's entry say of how it behaves; the newest connector's holds."""

    personality: Personality = PERSONALITIES["plain"]
    fold: Fold = keep_as_is
    names: NameList | None = None
    """The accounts there are; None: every account that it is asked for."""
    rules: tuple[Rule, ...] = ()


@record
class Received:
    """One password that came, as `EmulatedEndpoint.record` keeps it."""

    time: float
    """Seconds since 1970, by the clock that the connector was given."""
    operation: Operation
    account: str
    digest: bytes
    """`EmulatedEndpoint.digest` of the password: equal for equal ones, and it leads back to none."""
    options: PasswordOption
    outcome: str
    """`taken`, or the name of the failure; a password can be taken and the failure told all the same."""


class EmulatedEndpoint:
    """One endpoint: who has which password there, what was asked of it, and how it is broken just now."""

    def __init__(self, name: str, random: Callable[[int], bytes] = os.urandom) -> None:
        self.name = name
        self.received = 0
        """Passwords that it took."""
        self.asked: Counter[Operation] = Counter()
        """Calls, those that failed included."""
        self.record: deque[Received] = deque(maxlen=MOST_RECORDED)
        self.open_lines = 0
        self.must_change: set[str] = set()
        """Accounts whose password was reset and has to be changed at the next logon."""
        self.locked: set[str] = set()
        """Accounts that `lock` has locked, and nobody has unlocked."""
        self._key = random(32)
        self._digests: dict[str, deque[bytes]] = {}
        self._added: dict[str, Mapping[str, tuple[str, ...]]] = {}
        self._missing: set[str] = set()
        self._faults: dict[Operation, deque[Fault]] = {operation: deque() for operation in Operation}
        self._behaviour = Behaviour()
        self._rules: tuple[Rule, ...] = ()
        """Those that a test adds to the settings'."""
        self._calls: Counter[Operation] = Counter()
        """As the rules count: since they were last changed."""

    def holds(self, account: str, secret: Secret) -> bool:
        """Whether the account's password at this endpoint is this one (folded as the endpoint folds). One
        that it was sent encoded is that text: it does not hash.
        """
        kept = self._digests.get(account)
        return kept is not None and hmac.compare_digest(kept[-1], self.digest(account, secret))

    def accounts(self) -> list[str]:
        """Names of the accounts that were sent a password."""
        return list(self._digests)

    def received_by(self, account: str) -> list[Received]:
        """What came for an account, of what is still on `record`, oldest first."""
        return [one for one in self.record if one.account == account]

    # -- how to break it

    def refuse(
        self,
        failure: Callable[[], ConnectorFailure],
        *,
        times: int | None = None,
        operation: Operation = Operation.SET_PASSWORD,
        after: float = 0.0,
    ) -> None:
        """Fail with `failure()` for the next `times` calls, or until mended; `after` so many seconds."""
        self._break(operation, Fault(times, delay=after, failure=failure))

    def delay(
        self, seconds: float, *, times: int | None = None, operation: Operation = Operation.SET_PASSWORD
    ) -> None:
        """Answer later, by the clock that the connector was given."""
        self._break(operation, Fault(times, delay=seconds))

    def drop(self, *, times: int | None = None, after_taking_it: bool = False) -> None:
        """Lose the line in the middle of a password, before or after it was taken: the caller can't tell."""
        fault = Fault(times, failure=dropped_in_the_middle, takes_it=after_taking_it, loses_line=True)
        self._break(Operation.SET_PASSWORD, fault)

    def down(self, *, times: int | None = None) -> None:
        """Nobody answers: no line can be opened, and those that are open are lost before anything is sent."""
        for operation in Operation:
            self._break(operation, Fault(times, failure=down, loses_line=True))

    def break_at(self, rules: str) -> None:
        """`set:3:drop`, as the setting `break` says it; calls are counted from now. Until mended."""
        self._rules += parse_rules(rules)
        self._calls.clear()

    def add_account(self, name: str, attributes: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """An account that is there without having been sent a password: exploring finds it."""
        self._missing.discard(name)
        self._added[name] = attributes or {}

    def remove_account(self, name: str) -> None:
        """From now on the endpoint has no such account."""
        self._missing.add(name)
        self._digests.pop(name, None)
        self._added.pop(name, None)

    def lock(self, name: str) -> None:
        """As after too many wrong passwords, until a password comes with the option UNLOCK_ACCOUNT."""
        self.locked.add(name)

    def mend(self) -> None:
        """Everything works again, but for what the settings break; removed accounts are back, without a
        password."""
        self._missing.clear()
        self._rules = ()
        for faults in self._faults.values():
            faults.clear()

    # -- what its connectors call

    def adopt(self, behaviour: Behaviour) -> None:
        """Behave like this from now on. What the rules count begins anew when they are others."""
        if behaviour is not self._behaviour:
            if behaviour.rules != self._behaviour.rules:
                self._calls.clear()
            self._behaviour = behaviour

    def begin(self, operation: Operation, account: str = "") -> Fault | None:
        """Count a call; how it fails."""
        self.asked[operation] += 1
        rules = self._rules + self._behaviour.rules
        if rules:
            self._calls[operation] += 1
            for rule in rules:
                if rule.operation is operation and rule.strikes(self._calls[operation]):
                    return rule.fault(self._behaviour.personality, self.name, account)
        faults = self._faults[operation]
        if not faults:
            return None
        fault = faults[0]
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                faults.popleft()
        return fault

    def failure(
        self, trouble: Trouble, account: str, *, least: int = 0, change: bool = False
    ) -> ConnectorFailure:
        """In the words of its personality."""
        return self._behaviour.personality.failure(trouble, self.name, account, least=least, change=change)

    def look_up(self, account: str) -> None:
        """ObjectMissing."""
        names = self._behaviour.names
        there = names is None or account in names or account in self._added
        if not there or account in self._missing:
            raise self.failure(Trouble.MISSING, account)

    def refuse_repeat(self, account: str, secret: Secret, *, change: bool = False) -> None:
        """PasswordInHistory, or what the personality says instead, of one that is remembered."""
        kept = self._digests.get(account)
        if kept is not None and self.digest(account, secret) in kept:
            raise self.failure(Trouble.HISTORY, account, change=change)

    def take(self, account: str, secret: Secret, history: int) -> None:
        """Keep a password, and remember the last `history`. ObjectMissing."""
        self.look_up(account)
        digest, most = self.digest(account, secret), history or 1
        kept = self._digests.get(account)
        if kept is None or kept.maxlen != most:
            self._digests[account] = kept = deque(kept or (), maxlen=most)
        kept.append(digest)
        self.received += 1

    def explored(self) -> Iterator[Account]:
        """Every account there is, each once."""
        behaviour = self._behaviour
        for name, attributes in list(self._added.items()):
            yield Account(name, _NOWHERE, attributes)
        for name in self.accounts() if behaviour.names is None else behaviour.names:
            if name not in self._missing and name not in self._added:
                yield Account(name, _NOWHERE, {"uid": (name,)})

    def digest(self, account: str, secret: Secret) -> bytes:
        """What is kept in the place of an account's password, folded as the endpoint folds."""
        name = account.encode()
        told = b"%d:%b%b" % (len(name), name, self._behaviour.fold(secret.reveal()))
        return blake2b(told, key=self._key, digest_size=32).digest()

    def _break(self, operation: Operation, fault: Fault) -> None:
        if fault.left != 0:
            self._faults[operation].append(fault)


class EmulatedEndpoints:
    """All emulated endpoints of a process, or of a test: made when first asked for."""

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self._endpoints: dict[str, EmulatedEndpoint] = {}

    def __getitem__(self, name: str) -> EmulatedEndpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            endpoint = self._endpoints[name] = EmulatedEndpoint(name, self._random)
        return endpoint

    def names(self) -> list[str]:
        return sorted(self._endpoints)
