"""Endpoints that live in this process: the demo's, the benchmark's, and those that tests break on command.

An emulated endpoint keeps what it was sent as a digest under a random key of its own, never in clear text.
Its connectors find it by name in an `EmulatedEndpoints`; whoever holds that object asks, breaks and mends.
"""

from __future__ import annotations

import hmac
import os
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import ClassVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from provserver.connectors.contract import (
    Accepts,
    Account,
    ConnectorFailure,
    DroppedConnection,
    Fold,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    keep_as_is,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.vault.secret import Secret


class Operation(Enum):
    """What can be broken, one by one."""

    OPEN = "open"
    SET_PASSWORD = "set password"
    CHANGE_PASSWORD = "change password"


class FoldSetting(Enum):
    NONE = "none"
    MAINFRAME = "mainframe"


class SecuritySetting(Enum):
    SECURE = "secure"
    NOT_SECURE = "not-secure"


def fold_as_mainframe(password: bytes) -> bytes:
    """Classic mainframe passwords: upper case, eight characters (facts/agents-and-peers.md 2)."""
    return password.decode(errors="surrogateescape").upper().encode(errors="surrogateescape")[:8]


_FOLDS: dict[FoldSetting, Fold] = {FoldSetting.NONE: keep_as_is, FoldSetting.MAINFRAME: fold_as_mainframe}


@dataclass(slots=True)
class _Fault:
    """What happens instead, for `left` more calls; None: until mended."""

    left: int | None
    delay: float = 0.0
    failure: Callable[[], ConnectorFailure] | None = None
    takes_it: bool = False
    """The password is set before the failure is raised: the caller can't know."""


class EmulatedEndpoint:
    """One endpoint: who has which password there, what was asked of it, and how it is broken just now."""

    def __init__(self, name: str, random: Callable[[int], bytes] = os.urandom) -> None:
        self.name = name
        self.received = 0
        """Passwords that it took."""
        self.asked: Counter[Operation] = Counter()
        """Calls, those that failed included."""
        self.open_lines = 0
        self._key = random(32)
        self._digests: dict[str, deque[bytes]] = {}
        self._missing: set[str] = set()
        self._faults: dict[Operation, deque[_Fault]] = {operation: deque() for operation in Operation}
        self._fold: Fold = keep_as_is

    def holds(self, account: str, secret: Secret) -> bool:
        """Whether the account's password at this endpoint is this one (folded as the endpoint folds). One
        that it was sent encoded is that text: it does not hash.
        """
        kept = self._digests.get(account)
        return kept is not None and hmac.compare_digest(kept[-1], self._digest(account, secret))

    def accounts(self) -> list[str]:
        """Names of the accounts that were sent a password."""
        return list(self._digests)

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
        self._break(operation, _Fault(times, delay=after, failure=failure))

    def delay(
        self, seconds: float, *, times: int | None = None, operation: Operation = Operation.SET_PASSWORD
    ) -> None:
        """Answer later, by the clock that the connector was given."""
        self._break(operation, _Fault(times, delay=seconds))

    def drop(self, *, times: int | None = None, after_taking_it: bool = False) -> None:
        """Lose the line in the middle of a password, before or after it was taken: the caller can't tell."""
        self._break(
            Operation.SET_PASSWORD, _Fault(times, failure=_dropped_in_the_middle, takes_it=after_taking_it)
        )

    def down(self, *, times: int | None = None) -> None:
        """Nobody answers: no line can be opened, and those that are open are lost before anything is sent."""
        self._break(Operation.OPEN, _Fault(times, failure=_down))
        self._break(Operation.SET_PASSWORD, _Fault(times, failure=_down))
        self._break(Operation.CHANGE_PASSWORD, _Fault(times, failure=_down))

    def remove_account(self, name: str) -> None:
        """From now on the endpoint has no such account."""
        self._missing.add(name)
        self._digests.pop(name, None)

    def mend(self) -> None:
        """Everything works again; removed accounts are back, without a password."""
        self._missing.clear()
        for faults in self._faults.values():
            faults.clear()

    # -- what its connectors call

    def take(self, account: str, secret: Secret, history: int) -> None:
        """Keep a password. ObjectMissing, PasswordInHistory (within the last `history`)."""
        if account in self._missing:
            raise ObjectMissing(f"{self.name} has no account {account}")
        digest = self._digest(account, secret)
        kept = self._digests.get(account)
        if history:
            if kept is not None and digest in kept:
                raise PasswordInHistory(f"{self.name}: the password is in the history of old passwords")
            if kept is None or kept.maxlen != history:
                self._digests[account] = kept = deque(kept or (), maxlen=history)
            kept.append(digest)
        else:
            self._digests[account] = deque((digest,), maxlen=1) if kept is None else kept
            self._digests[account].append(digest)
        self.received += 1

    def next_fault(self, operation: Operation) -> _Fault | None:
        faults = self._faults[operation]
        if not faults:
            return None
        fault = faults[0]
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                faults.popleft()
        return fault

    def use_fold(self, fold: Fold) -> None:
        self._fold = fold

    def _break(self, operation: Operation, fault: _Fault) -> None:
        if fault.left != 0:
            self._faults[operation].append(fault)

    def _digest(self, account: str, secret: Secret) -> bytes:
        name = account.encode()
        told = b"%d:%b%b" % (len(name), name, self._fold(secret.reveal()))
        return blake2b(told, key=self._key, digest_size=32).digest()


def _dropped_in_the_middle() -> ConnectorFailure:
    failure = DroppedConnection("the line broke in the middle of a password")
    failure.outcome_unknown = True
    return failure


def _down() -> ConnectorFailure:
    return ServerDown("nobody answers")


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

    def kind(self) -> type[EmulatedConnector]:
        """A kind of connector whose endpoints are these: for `ConnectorKinds(instead={"emulated": …})`."""
        return type("EmulatedConnector", (EmulatedConnector,), {"endpoints": self})


class EmulatedConnector:
    """A line to an emulated endpoint. Never suspends unless the endpoint was told to be slow."""

    endpoints: ClassVar[EmulatedEndpoints] = EmulatedEndpoints()
    """Those of the process, for whoever finds this kind by its entry point alone."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "name": "which emulated endpoint this is; the endpoint's own name when not given",
        "fold": "how passwords are compared: none, or mainframe (upper case, cut at 8)",
        "security": "what the line says of itself: secure, or not-secure",
        "delay": "seconds until each password is confirmed",
        "min_length": "the endpoint's own policy: a shorter password is refused",
        "max_length": "a longer password cannot be taken at all",
        "pipeline": "how many passwords it takes at once on one line; 1 when not given",
        "history": "the endpoint's own policy: how many last passwords are refused; 0 is none",
        "schemes": "hash schemes that it takes, e.g. SSHA,SSHA256; none (the default) takes clear text only",
    }

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, {})
        self._clock = cast(IReactorTime, reactor)
        self._endpoint = self.endpoints[given.text("name")]
        self.accepts: Accepts = given.accepts("schemes")
        self.fold: Fold = _FOLDS[given.choice("fold", FoldSetting.NONE)]
        secure = given.choice("security", SecuritySetting.SECURE) is SecuritySetting.SECURE
        self.security = Security.SECURE if secure else Security.NOT_SECURE
        self.pipeline = given.count("pipeline", 1, least=1, most=1000)
        self._delay = given.number("delay", 0.0)
        self._min_length = given.count("min_length", 0)
        self._max_length = given.count("max_length", 0)
        self._history = given.count("history", 0, most=100)
        self._limited = bool(self._min_length or self._max_length)
        self._open = False

    async def open(self, partition: str = "") -> None:
        if self._open:
            return
        self._endpoint.asked[Operation.OPEN] += 1
        fault = self._endpoint.next_fault(Operation.OPEN)
        if fault is not None:
            await self._suffer(fault)
        self._open = True
        self._endpoint.open_lines += 1

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._endpoint.open_lines -= 1

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        endpoint = self._endpoint
        endpoint.asked[Operation.SET_PASSWORD] += 1
        endpoint.use_fold(self.fold)
        fault = endpoint.next_fault(Operation.SET_PASSWORD)
        if self._delay:
            await self._wait(self._delay)
        if fault is not None:
            if fault.takes_it:
                endpoint.take(account.name, secret, self._history)
            await self._suffer(fault)
        if self._limited and PasswordOption.ENCODED not in options:
            self._check(secret)
        endpoint.take(account.name, secret, self._history)

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        endpoint = self._endpoint
        endpoint.asked[Operation.CHANGE_PASSWORD] += 1
        endpoint.use_fold(self.fold)
        fault = endpoint.next_fault(Operation.CHANGE_PASSWORD)
        if fault is not None:
            await self._suffer(fault)
        if not endpoint.holds(account.name, old):
            raise OldPasswordIncorrect(f"{endpoint.name}: the old password is wrong")
        self._check(new)
        endpoint.take(account.name, new, self._history)

    def explore(self) -> AsyncIterator[Account]:
        raise NotSupported("an emulated endpoint cannot be explored yet")

    def _check(self, secret: Secret) -> None:
        length = len(secret.reveal())
        if length < self._min_length:
            raise PasswordPolicyViolation(
                f"{self._endpoint.name}: the password is shorter than {self._min_length}"
            )
        if self._max_length and length > self._max_length:
            raise PasswordIllFormed(f"{self._endpoint.name}: the password is longer than {self._max_length}")

    async def _suffer(self, fault: _Fault) -> None:
        if fault.delay:
            await self._wait(fault.delay)
        if fault.failure is not None:
            if fault.takes_it or fault.failure in (_down, _dropped_in_the_middle):
                await self.close()
            raise fault.failure()

    async def _wait(self, seconds: float) -> None:
        done: Deferred[None] = Deferred()
        self._clock.callLater(seconds, done.callback, None)
        await done
