"""The connector `emulated`: a line to an endpoint that lives in this process.

What it is connected to is in `provserver.connectors.emulation`; this module is what others import.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import Enum
from typing import ClassVar, cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from provserver.connectors.contract import (
    Accepts,
    Account,
    Capabilities,
    ConnectorFailure,
    Fold,
    PasswordOption,
    Security,
    SettingsError,
    keep_as_is,
)
from provserver.connectors.emulation import endpoint as emulation
from provserver.connectors.emulation.breaking import Fault, Operation, parse_rules
from provserver.connectors.emulation.endpoint import Behaviour, EmulatedEndpoint, Received
from provserver.connectors.emulation.names import NameList
from provserver.connectors.emulation.personalities import (
    PERSONALITIES,
    Personality,
    Trouble,
    fold_as_mainframe,
    is_complex,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.vault.secret import Secret


class FoldSetting(Enum):
    NONE = "none"
    MAINFRAME = "mainframe"


class SecuritySetting(Enum):
    SECURE = "secure"
    NOT_SECURE = "not-secure"


_FOLDS: dict[FoldSetting, Fold] = {FoldSetting.NONE: keep_as_is, FoldSetting.MAINFRAME: fold_as_mainframe}


def _personality(given: Settings) -> Personality:
    wanted = given.text("personality", "plain")
    found = PERSONALITIES.get(wanted)
    if found is None:
        raise SettingsError("personality", f"expected one of {', '.join(PERSONALITIES)}, got {wanted!r}")
    return found


class EmulatedEndpoints(emulation.EmulatedEndpoints):
    """All emulated endpoints of a process, or of a test: made when first asked for."""

    def kind(self) -> type[EmulatedConnector]:
        """A kind of connector whose endpoints are these: for `ConnectorKinds(instead={"emulated": …})`."""
        return type("EmulatedConnector", (EmulatedConnector,), {"endpoints": self})


class EmulatedConnector:
    """A line to an emulated endpoint. Never suspends unless the endpoint was told to be slow."""

    endpoints: ClassVar[EmulatedEndpoints] = EmulatedEndpoints()
    """Those of the process, for whoever finds this kind by its entry point alone."""

    setting_names: ClassVar[Mapping[str, str]] = {
        "name": "which emulated endpoint this is; the endpoint's own name when not given",
        "personality": f"whose policy and words it has: {', '.join(PERSONALITIES)}; plain when not given",
        "fold": "how passwords are compared: none, or mainframe (upper case, cut at 8); as the personality "
        "does when not given",
        "security": "what the line says of itself: secure, or not-secure",
        "delay": "seconds until each password is confirmed",
        "min_length": "the endpoint's own policy: a shorter password is refused; the personality's when not "
        "given",
        "max_length": "a longer password cannot be taken at all",
        "complexity": "yes: three of upper case, lower case, digits and others, without the account's name; "
        "the personality's when not given",
        "pipeline": "how many passwords it takes at once on one line; 1 when not given",
        "history": "the endpoint's own policy: how many last passwords are refused; 0 is none; the "
        "personality's when not given",
        "schemes": "hash schemes that it takes, e.g. SSHA,SSHA256; none (the default) takes clear text only",
        "accounts": "the accounts that there are, e.g. ada,bob,kit-{1-5000}; any, when not given: then "
        "exploring finds those that were sent a password",
        "break": "what fails, e.g. set:3:drop or open:*:down,set:/10:busy: operation, at which calls, how",
    }
    capabilities: ClassVar[Capabilities] = Capabilities(
        change=True,
        unlock=True,
        must_change=True,
        hashes="schemes",
        explore=True,
        secure="security",
        pipelining="pipeline",
        locate=True,
    )

    def __init__(self, settings: Mapping[str, str], secrets: Mapping[str, Secret], reactor: object) -> None:
        given = Settings(settings, self.setting_names)
        known_secrets(secrets, {})
        self._clock = cast(IReactorTime, reactor)
        self._endpoint: EmulatedEndpoint = self.endpoints[given.text("name")]
        self.accepts: Accepts = given.accepts("schemes")
        like = self._like = _personality(given)
        self.fold: Fold = _FOLDS[given.choice("fold", FoldSetting.NONE)] if "fold" in given else like.fold
        secure = given.choice("security", SecuritySetting.SECURE) is SecuritySetting.SECURE
        self.security = Security.SECURE if secure else Security.NOT_SECURE
        self.pipeline = given.count("pipeline", 1, least=1, most=1000)
        self._delay = given.number("delay", 0.0)
        self._min_length = given.count("min_length", like.min_length)
        self._max_length = given.count("max_length", 0)
        self._complexity = given.flag("complexity", like.complexity)
        self._limited = bool(self._min_length or self._max_length or self._complexity)
        self._history = given.count("history", like.history, most=100)
        self._behaviour = Behaviour(
            personality=like,
            fold=self.fold,
            names=NameList.parse(given.text("accounts")) if "accounts" in given else None,
            rules=parse_rules(given.text("break", "")),
        )
        self._open = False

    async def open(self, partition: str = "") -> None:
        if self._open:
            return
        await self._begin(Operation.OPEN)
        self._open = True
        self._endpoint.open_lines += 1

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._endpoint.open_lines -= 1

    async def set_password(self, account: Account, secret: Secret, options: PasswordOption) -> None:
        try:
            await self._set(account.name, secret, options)
        except ConnectorFailure as failure:
            self._note(Operation.SET_PASSWORD, account, secret, options, failure)
            raise
        self._note(Operation.SET_PASSWORD, account, secret, options)

    async def change_password(self, account: Account, old: Secret, new: Secret) -> None:
        try:
            await self._change(account.name, old, new)
        except ConnectorFailure as failure:
            self._note(Operation.CHANGE_PASSWORD, account, new, PasswordOption.NONE, failure)
            raise
        self._note(Operation.CHANGE_PASSWORD, account, new, PasswordOption.NONE)

    async def explore(self) -> AsyncIterator[Account]:
        """Every account there is. A line that is lost is lost after the first one."""
        await self.open()
        fault = self._endpoint.begin(Operation.EXPLORE)
        if fault is not None and not fault.loses_line:
            await self._suffer(fault)
        for account in self._endpoint.explored():
            yield account
            if fault is not None and fault.loses_line:
                await self._suffer(fault)

    async def locate(self, account: Account) -> str:
        await self.open()
        await self._begin(Operation.LOCATE, account.name)
        self._endpoint.look_up(account.name)
        return account.name

    # -- the steps

    async def _set(self, name: str, secret: Secret, options: PasswordOption) -> None:
        endpoint = self._endpoint
        endpoint.adopt(self._behaviour)
        fault = endpoint.begin(Operation.SET_PASSWORD, name)
        if self._delay:
            await self._wait(self._delay)
        if fault is not None:
            if fault.takes_it:
                self._reset(name, secret, options)
            await self._suffer(fault)
        self._reset(name, secret, options)

    def _reset(self, name: str, secret: Secret, options: PasswordOption) -> None:
        endpoint = self._endpoint
        if self._limited and PasswordOption.ENCODED not in options:
            self._check(name, secret)
        if self._history and (self._like.history_for_resets or PasswordOption.VALIDATE_PASSWORD in options):
            endpoint.refuse_repeat(name, secret)
        endpoint.take(name, secret, self._history)
        if endpoint.must_change and PasswordOption.FORCE_CHANGE_AT_LOGON not in options:
            endpoint.must_change.discard(name)
        if options:
            if PasswordOption.FORCE_CHANGE_AT_LOGON in options:
                endpoint.must_change.add(name)
            if PasswordOption.UNLOCK_ACCOUNT in options:
                endpoint.locked.discard(name)

    async def _change(self, name: str, old: Secret, new: Secret) -> None:
        await self._begin(Operation.CHANGE_PASSWORD, name)
        endpoint = self._endpoint
        endpoint.look_up(name)
        if not endpoint.holds(name, old):
            raise endpoint.failure(Trouble.OLD_WRONG, name, change=True)
        self._check(name, new, change=True)
        if self._history:
            endpoint.refuse_repeat(name, new, change=True)
        endpoint.take(name, new, self._history)
        endpoint.must_change.discard(name)

    def _check(self, name: str, secret: Secret, *, change: bool = False) -> None:
        length = len(secret.reveal())
        if length < self._min_length:
            raise self._endpoint.failure(Trouble.TOO_SHORT, name, least=self._min_length, change=change)
        if self._max_length and length > self._max_length:
            raise self._endpoint.failure(Trouble.ILL_FORMED, name, change=change)
        if self._complexity and not is_complex(secret, name):
            raise self._endpoint.failure(Trouble.POLICY, name, change=change)

    async def _begin(self, operation: Operation, name: str = "") -> None:
        self._endpoint.adopt(self._behaviour)
        fault = self._endpoint.begin(operation, name)
        if fault is not None:
            await self._suffer(fault)

    async def _suffer(self, fault: Fault) -> None:
        if fault.delay:
            await self._wait(fault.delay)
        if fault.failure is not None:
            if fault.loses_line:
                await self.close()
            raise fault.failure()

    async def _wait(self, seconds: float) -> None:
        await deferLater(self._clock, seconds)

    def _note(
        self,
        operation: Operation,
        account: Account,
        secret: Secret,
        options: PasswordOption,
        failure: ConnectorFailure | None = None,
    ) -> None:
        endpoint = self._endpoint
        outcome = "taken" if failure is None else type(failure).__name__
        digest = endpoint.digest(account.name, secret)
        endpoint.record.append(
            Received(self._clock.seconds(), operation, account.name, digest, options, outcome)
        )


__all__ = [
    "EmulatedConnector",
    "EmulatedEndpoint",
    "EmulatedEndpoints",
    "FoldSetting",
    "Operation",
    "Received",
    "SecuritySetting",
    "fold_as_mainframe",
]
