"""Emulated endpoints: what they keep, and how they break on command."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    ENCODINGS,
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    NotSupported,
    ObjectMissing,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
)
from provserver.connectors.emulated import (
    EmulatedConnector,
    EmulatedEndpoint,
    EmulatedEndpoints,
    Operation,
    fold_as_mainframe,
)
from provserver.directory.names import DN
from provserver.testing.connector_contract import ConnectorContract
from provserver.vault.secret import Secret

ADA = Account("ada", DN.parse("cn=ada,dc=im"))
PASSWORD = Secret.of_text("Harbour-Light-21")


class OnAnEmulated(ConnectorContract):
    """Every test has an endpoint of its own."""

    secrets: ClassVar[Mapping[str, Secret]] = {}
    given: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _endpoint(self) -> None:
        endpoints = EmulatedEndpoints()
        type(self).kind = endpoints.kind()
        self.endpoint = endpoints["kit"]
        self.settings = {"name": "kit", **self.given}

    def missing_account(self) -> Account:
        self.endpoint.remove_account("nobody")
        return Account("nobody", DN.parse("cn=nobody,dc=im"))

    async def has_password(self, account: Account, secret: Secret) -> bool:
        return self.endpoint.holds(account.name, secret)

    async def has_encoded(self, account: Account, encoded: Secret, secret: Secret) -> bool:
        return self.endpoint.holds(account.name, encoded)

    async def must_change(self, account: Account) -> bool:
        return account.name in self.endpoint.must_change

    async def lock(self, account: Account) -> bool:
        self.endpoint.lock(account.name)
        return True

    async def is_locked(self, account: Account) -> bool:
        return account.name in self.endpoint.locked

    async def populate(self, count: int) -> bool:
        self.settings = {**self.settings, "accounts": f"kit,user-{{1-{count}}}"}
        return True

    async def take_down(self) -> bool:
        self.endpoint.down()
        return True

    def troubles(self) -> Mapping[type[ConnectorFailure], Callable[[], Awaitable[object]]]:
        def bring(how: str) -> Callable[[], Awaitable[object]]:
            async def broken() -> None:
                self.endpoint.break_at(how)

            return broken

        words = {
            AccessDenied: "denied",
            BadServerCredentials: "login",
            Busy: "busy",
            ConnectorError: "error",
            DroppedConnection: "drop",
            NotSupported: "unsupported",
            ObjectMissing: "missing",
            PasswordIllFormed: "ill-formed",
            PasswordPolicyViolation: "policy",
            ServerDown: "down",
        }
        return {kind: bring(f"set:*:{word}") for kind, word in words.items()}

    async def mend(self) -> None:
        self.endpoint.mend()

    async def stall(self) -> bool:
        self.endpoint.delay(60.0)
        return True

    async def cut_idle_lines(self) -> bool:
        self.endpoint.drop(times=1)
        return True

    async def open_lines(self) -> int:
        return self.endpoint.open_lines


class TestContract(OnAnEmulated):
    given: ClassVar[Mapping[str, str]] = {"min_length": "8", "history": "4", "pipeline": "4"}
    weak = Secret.of_text("tiny-7")
    refuses_old_ones = PasswordOption.NONE


class TestContractOfOneThatTakesHashes(OnAnEmulated):
    given: ClassVar[Mapping[str, str]] = {"schemes": ",".join(ENCODINGS), "max_length": "30"}


class TestContractOfOpenLdap(OnAnEmulated):
    given: ClassVar[Mapping[str, str]] = {"personality": "openldap"}
    weak = Secret.of_text("tiny-7")
    refuses_old_ones = PasswordOption.NONE


class TestContractOfAd(OnAnEmulated):
    given: ClassVar[Mapping[str, str]] = {"personality": "ad"}
    weak = Secret.of_text("allsmall")


class Line:
    """A connector to one endpoint of its own, driven without a reactor."""

    def __init__(self, **settings: str) -> None:
        self.clock = Clock()
        self.endpoints = EmulatedEndpoints()
        self.endpoint: EmulatedEndpoint = self.endpoints["x"]
        self.connector: EmulatedConnector = self.endpoints.kind()({"name": "x", **settings}, {}, self.clock)

    def start(self, coroutine: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(coroutine)

    def now(self, coroutine: Any) -> None:
        """To its end, which must be at once; raises what it raises."""
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("it suspended")

    def set(self, secret: Secret = PASSWORD) -> None:
        self.now(self.connector.set_password(ADA, secret, PasswordOption.NONE))


def test_the_password_itself_is_kept_nowhere() -> None:
    line = Line(history="5")
    marker = Secret(b"Very-" + b"Peculiar-Password-5521")
    line.set(marker)
    assert line.endpoint.holds("ada", marker)
    seen: dict[int, object] = {}
    todo: list[object] = [vars(line.endpoint), vars(line.connector)]
    while todo:
        one = todo.pop()
        if id(one) not in seen and isinstance(one, (dict, list, tuple, set, deque, bytes, str, Secret)):
            seen[id(one)] = one
            todo += gc.get_referents(one)
    values = [one for one in seen.values() if isinstance(one, (bytes, str))]
    assert len(values) >= 3
    assert not [value for value in values if "Peculiar" in repr(value)]


def test_two_endpoints_keep_the_same_password_as_different_digests() -> None:
    endpoints = EmulatedEndpoints()
    for name in "ab":
        endpoints[name].take("ada", PASSWORD, 0)
    assert vars(endpoints["a"])["_digests"] != vars(endpoints["b"])["_digests"]


def test_a_name_and_a_password_are_not_confused_in_the_digest() -> None:
    endpoint = EmulatedEndpoint("x", lambda size: b"k" * size)
    endpoint.take("a", Secret(b"b:c"), 0)
    endpoint.take("a:b", Secret(b"c"), 0)
    assert not endpoint.holds("a", Secret(b"c"))
    assert len(set(map(tuple, vars(endpoint)["_digests"].values()))) == 2


def test_counters_tell_what_was_asked_and_what_was_taken() -> None:
    line = Line()
    line.endpoint.refuse(lambda: Busy("x"), times=1)
    with pytest.raises(Busy):
        line.set()
    line.set()
    assert line.endpoint.received == 1
    assert line.endpoint.asked == {Operation.SET_PASSWORD: 2}
    assert line.endpoint.accounts() == ["ada"]


def test_a_refusal_lasts_for_so_many_calls_or_until_mended() -> None:
    line = Line()
    line.endpoint.refuse(lambda: Busy("x"), times=2)
    for _ in range(2):
        with pytest.raises(Busy):
            line.set()
    line.set()
    line.endpoint.refuse(lambda: Busy("x"))
    for _ in range(5):
        with pytest.raises(Busy):
            line.set()
    line.endpoint.mend()
    line.set()


def test_a_refusal_for_no_calls_is_none() -> None:
    line = Line()
    line.endpoint.refuse(lambda: Busy("x"), times=0)
    line.set()


@pytest.mark.parametrize("taken", [True, False])
def test_a_drop_leaves_the_caller_in_doubt(taken: bool) -> None:
    line = Line()
    line.now(line.connector.open())
    line.endpoint.drop(times=1, after_taking_it=taken)
    with pytest.raises(DroppedConnection) as dropped:
        line.set()
    assert dropped.value.outcome_unknown
    assert line.endpoint.holds("ada", PASSWORD) is taken
    assert line.endpoint.open_lines == 0


def test_down_is_down_for_opening_and_for_open_lines() -> None:
    line = Line()
    line.now(line.connector.open())
    line.endpoint.down()
    with pytest.raises(ServerDown):
        line.set()
    with pytest.raises(ServerDown):
        line.now(line.connector.open())
    line.endpoint.mend()
    line.now(line.connector.open())
    assert line.endpoint.open_lines == 1


def test_a_delay_is_by_the_clock_that_was_given() -> None:
    line = Line(delay="2")
    done = line.start(line.connector.set_password(ADA, PASSWORD, PasswordOption.NONE))
    line.clock.advance(1.9)
    assert not line.endpoint.holds("ada", PASSWORD)
    line.clock.advance(0.2)
    assert done.called
    assert line.endpoint.holds("ada", PASSWORD)


def test_only_the_operation_that_is_broken_fails() -> None:
    line = Line()
    line.endpoint.refuse(lambda: ServerDown("x"), operation=Operation.OPEN, times=1)
    line.set()
    with pytest.raises(ServerDown):
        line.now(line.connector.open())


def test_a_mainframe_takes_passwords_that_differ_in_case_and_after_the_eighth_for_the_same() -> None:
    line = Line(fold="mainframe")
    line.set(Secret.of_text("Harbour-Light-21"))
    assert line.endpoint.holds("ada", Secret.of_text("HARBOUR-xyz"))
    assert not line.endpoint.holds("ada", Secret.of_text("HARBOURx"))


@given(st.binary(max_size=20))
def test_folding_as_a_mainframe_never_fails_and_settles_at_once(password: bytes) -> None:
    folded = fold_as_mainframe(password)
    assert len(folded) <= 8
    assert fold_as_mainframe(folded) == folded


def test_history_refuses_the_last_passwords_and_forgets_older_ones() -> None:
    line = Line(history="2")
    first, second, third = (Secret.of_text(f"Password-{n}") for n in range(3))
    line.set(first)
    line.set(second)
    with pytest.raises(PasswordInHistory):
        line.set(first)
    line.set(third)
    line.set(first)
    assert line.endpoint.holds("ada", first)


def test_a_password_that_is_too_long_is_ill_formed() -> None:
    line = Line(max_length="8")
    with pytest.raises(PasswordIllFormed):
        line.set(Secret.of_text("123456789"))


def test_the_line_says_how_secure_it_is() -> None:
    assert Line().connector.security is Security.SECURE
    assert Line(security="not-secure").connector.security is Security.NOT_SECURE


def test_a_removed_account_is_missing_until_mended() -> None:
    line = Line()
    line.set()
    line.endpoint.remove_account("ada")
    assert not line.endpoint.holds("ada", PASSWORD)
    with pytest.raises(ObjectMissing):
        line.set()
    line.endpoint.mend()
    line.set()


def test_secrets_are_refused_since_it_needs_none() -> None:
    with pytest.raises(SettingsError, match="unknown secret; there are: none"):
        EmulatedConnector({"name": "x"}, {"pin": PASSWORD}, Clock())


def test_a_connector_found_by_its_entry_point_uses_the_endpoints_of_the_process() -> None:
    EmulatedConnector({"name": "test_emulated only"}, {}, Clock())
    assert "test_emulated only" in EmulatedConnector.endpoints.names()
