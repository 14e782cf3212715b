"""What an exchange costs with argon2id: one derivation, and one for each foreign salt that is remembered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, OTHER, PASSWORDS, wire

from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.vault import schemes
from provserver.vault.schemes import Argon2
from provserver.vault.secret import Secret

RECIPE = Argon2(memory=128, iterations=1, lanes=1)
OTHER_RECIPE = Argon2(memory=128, iterations=2, lanes=1)
SETTINGS = (
    "passwords.scheme=argon2id",
    f"passwords.argon2_memory={RECIPE.memory}",
    f"passwords.argon2_iterations={RECIPE.iterations}",
    f"passwords.argon2_lanes={RECIPE.lanes}",
)
REMEMBERED = 6
"""The password in force, and five before it."""
PROFILE = (
    "dn: eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    "eTNamespaceName=CommonObjects,dc=im,dc=eta\nchangetype: modify\n"
    f"replace: provHistoryCount\nprovHistoryCount: {REMEMBERED}\n-\n"
)


class Derivations:
    """Counts what Argon2 computes in this process, and where."""

    def __init__(self) -> None:
        self._count = 0
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def note(self) -> None:
        with self._lock:
            self._count += 1
            self.threads.add(threading.get_ident())

    def since(self) -> int:
        """How many since this was asked last."""
        with self._lock:
            count, self._count = self._count, 0
        return count


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> Derivations:
    counted = Derivations()

    class Counting:
        """In the place of cryptography's, which computes."""

        def __init__(self, **parameters: Any) -> None:
            self._computing = computes(**parameters)

        def derive(self, octets: bytes) -> bytes:
            counted.note()
            return self._computing.derive(octets)

    computes = schemes._ARGON2["argon2id"]
    monkeypatch.setitem(schemes._ARGON2, "argon2id", Counting)
    return counted


def passwords() -> Iterator[str]:
    return (f"Anchor-Watch-{number:02d}" for number in range(10, 100))


def encoded(password: str, salt: bytes, recipe: Argon2 = RECIPE) -> str:
    """As another server would have stored it."""
    return recipe.text(salt, recipe.derive(salt, Secret.of_text(password)))


async def load_encoded(server: RunningServer, value: str) -> None:
    await server.load(
        f"dn: {user_dn('aokafor')}\nchangetype: modify\nreplace: eTPassword\neTPassword: {value}\n-\n"
    )


async def costs_of_cycles(server: RunningServer, derivations: Derivations, count: int) -> list[int]:
    """What each of so many password changes costs, one after the other; the sync of each costs nothing."""
    agent = await wire(server, "psync-ad-corp")
    derivations.since()
    costs = []
    for password in islice(passwords(), count):
        assert (await agent.test(ADA_AD, password)).code == 0
        costs.append(derivations.since())
        assert (await agent.sync(ADA_AD, password)).code == 0
        assert derivations.since() == 0
        assert await server.has_password("aokafor", password)
        derivations.since()
    return costs


@pytest_twisted.ensureDeferred
async def test_a_test_and_its_sync_cost_one_derivation_however_full_the_history(
    start_provserver: Starter, derivations: Derivations
) -> None:
    server = await start_provserver(settings=SETTINGS, more=[PROFILE])
    assert await costs_of_cycles(server, derivations, REMEMBERED + 3) == [1] * (REMEMBERED + 3)


@pytest_twisted.ensureDeferred
async def test_a_former_password_is_found_by_the_same_derivation(
    start_provserver: Starter, derivations: Derivations
) -> None:
    server = await start_provserver(settings=SETTINGS, more=[PROFILE])
    await costs_of_cycles(server, derivations, REMEMBERED)
    agent = await wire(server, "psync-ad-corp")
    for former in islice(passwords(), REMEMBERED):
        assert (await agent.test(ADA_AD, former)).code is ResultCode.CONSTRAINT_VIOLATION
        assert derivations.since() == 1


@pytest_twisted.ensureDeferred
async def test_no_exchange_derives_on_the_reactors_thread(
    start_provserver: Starter, derivations: Derivations
) -> None:
    server = await start_provserver(settings=SETTINGS)
    agent = await wire(server, "psync-ad-corp")
    derivations.threads.clear()
    assert (await agent.test(ADA_AD, NEW)).code == 0
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    assert (await agent.sync(ADA_AD, OTHER)).code == 0
    assert derivations.threads
    assert threading.get_ident() not in derivations.threads


@pytest.mark.parametrize("foreign", [1, 2, 4])
@pytest_twisted.ensureDeferred
async def test_each_foreign_salt_costs_one_more_until_it_is_forgotten(
    start_provserver: Starter, derivations: Derivations, foreign: int
) -> None:
    """Passwords that came encoded have salts of their own; the last one's is the user's from then on."""
    server = await start_provserver(settings=SETTINGS, more=[PROFILE])
    for number in range(foreign):
        await load_encoded(server, encoded(f"Former-Tide-{number}", b"salt of number %d" % number))
    # The last one's salt is the user's; foreign are those before it, and that of the demo domain's password.
    costs = await costs_of_cycles(server, derivations, REMEMBERED + 1)
    assert costs == [1 + min(foreign, max(0, REMEMBERED - 1 - cycle)) for cycle in range(REMEMBERED + 1)]


@pytest_twisted.ensureDeferred
async def test_a_former_password_of_a_foreign_salt_is_refused(start_provserver: Starter) -> None:
    server = await start_provserver(settings=SETTINGS, more=[PROFILE])
    await load_encoded(server, encoded("Former-Tide-1", b"the first's salt"))
    await load_encoded(server, encoded("Former-Tide-2", b"the other's salt"))
    agent = await wire(server, "psync-ad-corp")
    for former in (PASSWORDS["aokafor"], "Former-Tide-1", "Former-Tide-2"):
        assert (await agent.test(ADA_AD, former)).code is ResultCode.CONSTRAINT_VIOLATION
    assert (await agent.test(ADA_AD, NEW)).code == 0


@pytest_twisted.ensureDeferred
async def test_a_password_of_other_parameters_costs_one_more_while_it_is_remembered(
    start_provserver: Starter, derivations: Derivations
) -> None:
    """Also while it is the one in force: whether it is repeated is asked first, with the same key."""
    server = await start_provserver(settings=SETTINGS, more=[PROFILE])
    await load_encoded(server, encoded("Former-Tide-1", b"a salt as of old", OTHER_RECIPE))
    assert await costs_of_cycles(server, derivations, REMEMBERED + 1) == [3, 3, 3, 3, 3, 2, 1]
