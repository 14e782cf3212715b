"""What a password costs, what is remembered of a test, and what happens when the policy makes no sense."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import ADA_AD, ADA_UNIX, NEW, OTHER, PASSWORDS, administrator, id_of, overwrite, snapshot, wire

from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.testing.connector_contract import encode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace
from provserver.vault.schemes import Derived, Recipe
from provserver.vault.secret import Secret

ADA = user_dn("aokafor")
CONSTRAINT = ResultCode.CONSTRAINT_VIOLATION
PROFILE = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    "eTNamespaceName=CommonObjects,dc=im,dc=etadb"
)


class Derivations:
    """Counts the keys that a server derives."""

    def __init__(self, server: RunningServer) -> None:
        self._hasher = server.service.foundation.hasher
        self._derive = self._hasher.derive
        self._count = 0
        self._hasher.derive = self._counting  # type: ignore[method-assign]

    async def _counting(self, secret: Secret, salt: bytes, recipe: Recipe | None = None) -> Derived:
        self._count += 1
        return await self._derive(secret, salt, recipe)

    def since(self) -> int:
        """How many since this was asked last."""
        count, self._count = self._count, 0
        return count


@pytest_twisted.ensureDeferred
async def test_a_cycle_costs_one_derivation(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    derivations = Derivations(provserver)
    assert (await ad.test(ADA_AD, NEW)).code == 0
    assert derivations.since() == 1
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert derivations.since() == 0
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_with_argon2id_a_cycle_costs_one_and_one_more_for_each_foreign_salt_remembered(
    start_provserver: Starter,
) -> None:
    argon2 = ["scheme=argon2id", "argon2_memory=128", "argon2_iterations=1"]
    server = await start_provserver(settings=[f"passwords.{one}" for one in argon2])
    admin, ad = await administrator(server), await wire(server, "psync-ad-corp")
    derivations = Derivations(server)

    async def cycle(password: str) -> list[int]:
        assert (await ad.test(ADA_AD, password)).code == 0
        tested = derivations.since()
        assert (await ad.sync(ADA_AD, password)).code == 0
        return [tested, derivations.since()]

    assert await cycle(NEW) == [1, 0]
    assert await cycle(OTHER) == [1, 0]
    for password in ("Came-Encoded-1", "Came-Encoded-2"):
        hashed = encode(Secret.of_text(password), "SSHA512").reveal_text()
        assert (await admin.modify(ADA, replace("eTPassword", hashed))).code == 0
    derivations.since()
    await cycle("Anchor-Watch-1")
    derivations.since()
    # The salt that the two hashes share, and the one that the user had before them.
    assert await cycle("Anchor-Watch-2") == [1 + 2, 0]


@pytest_twisted.ensureDeferred
async def test_a_sync_alone_costs_one_whatever_is_remembered(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    derivations = Derivations(provserver)
    for number in range(7):
        assert (await ad.sync(ADA_AD, f"Anchor-Watch-{number}")).code == 0
        assert derivations.since() == 1
    assert (await ad.sync(ADA_AD, "Anchor-Watch-3")).code is ResultCode.CONSTRAINT_VIOLATION
    assert derivations.since() == 1


@pytest_twisted.ensureDeferred
async def test_an_echo_costs_none(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    derivations = Derivations(provserver)
    await unix.test(ADA_UNIX, NEW)
    await unix.sync(ADA_UNIX, NEW)
    await unix.sync(ADA_UNIX, OTHER)
    assert derivations.since() == 0


@pytest_twisted.ensureDeferred
async def test_a_verdict_is_forgotten_after_thirty_seconds(provserver: RunningServer) -> None:
    ad = await wire(provserver, "psync-ad-corp")
    derivations = Derivations(provserver)
    await ad.test(ADA_AD, NEW)
    provserver.clock.turn(31)
    assert (await ad.sync(ADA_AD, NEW)).code == 0
    assert derivations.since() == 2


@pytest_twisted.ensureDeferred
async def test_a_verdict_is_for_this_caller_this_account_and_this_password(provserver: RunningServer) -> None:
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    derivations = Derivations(provserver)
    await ad.test(ADA_AD, NEW)
    assert derivations.since() == 1
    for client, account, password in ((admin, ADA_AD, OTHER), (admin, ADA_UNIX, OTHER), (ad, ADA_AD, OTHER)):
        assert (await client.test(account, password)).code == 0
        assert derivations.since() == 1
    # A refusal is not remembered at all.
    assert (await ad.test(ADA_AD, "weak")).code is ResultCode.CONSTRAINT_VIOLATION
    assert (await ad.sync(ADA_AD, "weak")).code is ResultCode.CONSTRAINT_VIOLATION
    assert derivations.since() == 2


@pytest_twisted.ensureDeferred
async def test_a_verdict_ends_with_the_policy_that_it_was_given_under(provserver: RunningServer) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    assert (await ad.test(ADA_AD, NEW)).code == 0
    await admin.modify(PROFILE, replace("provMinLength", "30"))
    told = await ad.sync(ADA_AD, NEW)
    assert (told.code, "at least 30 characters" in told.text) == (ResultCode.CONSTRAINT_VIOLATION, True)


@pytest_twisted.ensureDeferred
async def test_a_verdict_does_not_open_a_gate_that_has_closed_since(provserver: RunningServer) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    assert (await ad.test(ADA_AD, NEW)).code == 0
    await admin.modify(ADA, replace("eTSuspended", "1"))
    assert (await ad.sync(ADA_AD, NEW)).code is ResultCode.UNWILLING_TO_PERFORM


@pytest_twisted.ensureDeferred
async def test_a_test_of_the_current_password_is_judged_by_history(provserver: RunningServer) -> None:
    """But not on an account that we sent it to: there it is an echo, or known to be held."""
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    await ad.sync(ADA_AD, NEW)
    assert (await ad.test(ADA_AD, NEW)).code is ResultCode.CONSTRAINT_VIOLATION
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    assert (await unix.test(ADA_UNIX, NEW)).code == 0
    assert (await ad.sync(ADA_AD, NEW)).code == 0


@pytest_twisted.ensureDeferred
async def test_a_profile_that_is_disabled_judges_nothing(provserver: RunningServer) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    await admin.modify(PROFILE, replace("provProfileEnabled", "FALSE"))
    assert (await ad.test(ADA_AD, "x")).code == 0
    assert (await ad.sync(ADA_AD, "x")).code == 0
    await admin.modify(PROFILE, replace("provProfileEnabled", "TRUE"))
    assert (await ad.sync(ADA_AD, "y")).code is ResultCode.CONSTRAINT_VIOLATION


@pytest.mark.parametrize("trigger", ["test", "sync", "password"])
@pytest_twisted.ensureDeferred
async def test_with_a_profile_that_makes_no_sense_nobodys_password_is_changed(
    provserver: RunningServer, trigger: str
) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    await overwrite(provserver, PROFILE, "provMaxLength", b"5")
    before = await snapshot(provserver)
    if trigger == "password":
        told = await admin.modify(ADA, replace("eTPassword", NEW))
    else:
        told = await (ad.test if trigger == "test" else ad.sync)(ADA_AD, NEW)
    assert told.code is ResultCode.UNAVAILABLE
    assert "provMaxLength is 5" in told.text
    assert await snapshot(provserver) == before


@pytest_twisted.ensureDeferred
async def test_the_history_is_as_long_as_the_profile_says_now(provserver: RunningServer) -> None:
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    for number in range(4):
        assert (await ad.sync(ADA_AD, f"Anchor-Watch-{number}")).code == 0
    assert (await ad.test(ADA_AD, "Anchor-Watch-1")).code is ResultCode.CONSTRAINT_VIOLATION
    await admin.modify(PROFILE, replace("provHistoryCount", "2"))
    assert (await ad.test(ADA_AD, "Anchor-Watch-1")).code == 0
    assert (await ad.test(ADA_AD, "Anchor-Watch-2")).code is ResultCode.CONSTRAINT_VIOLATION


@pytest_twisted.ensureDeferred
async def test_when_too_many_derivations_wait_the_answer_is_busy(start_provserver: Starter) -> None:
    server = await start_provserver(
        settings=[
            "passwords.scheme=pbkdf2-sha256",
            "passwords.pbkdf2_iterations=20000",
            "passwords.hashing_queue=1",
        ]
    )
    agent = await wire(server, "psync-ad-corp")
    test = ModifyRequest(ADA_AD, (replace("eTTestPassword", NEW),))
    tests = [agent.begin(test) for _ in range(4)]
    codes = [(await agent.answer(number)).code for number in tests]
    assert codes.count(ResultCode.SUCCESS) >= 1
    assert codes.count(ResultCode.BUSY) >= 1
    assert len(codes) == codes.count(ResultCode.SUCCESS) + codes.count(ResultCode.BUSY)


@pytest_twisted.ensureDeferred
async def test_an_exchange_that_would_have_to_wait_too_long_is_busy_and_changes_nothing(
    start_provserver: Starter,
) -> None:
    server = await start_provserver(
        settings=[
            "passwords.scheme=pbkdf2-sha256",
            "passwords.pbkdf2_iterations=20000",
            "passwords.hashing_queue=1",
        ]
    )
    ad = await wire(server, "psync-ad-corp")
    # Values of another scheme: a change costs more than one derivation.
    hasher = server.service.foundation.hasher
    before = await snapshot(server)
    hasher.waiting = 1
    for told in (await ad.test(ADA_AD, NEW), await ad.sync(ADA_AD, NEW)):
        assert told.code is ResultCode.BUSY
    assert await snapshot(server) == before
    hasher.waiting = 0
    assert (await ad.sync(ADA_AD, NEW)).code == 0


@pytest_twisted.ensureDeferred
async def test_a_profile_that_was_deleted_and_made_again_is_read_again(provserver: RunningServer) -> None:
    """The new entry reaches versions that the old one had."""
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    for length in ("12", "40", "30"):
        assert (await admin.delete(PROFILE)).code == 0
        made = {
            "objectClass": ["eTPasswordProfile"],
            "provProfileEnabled": ["TRUE"],
            "provMinLength": [length],
        }
        assert (await admin.add(PROFILE, made)).code == 0
        told = await ad.test(ADA_AD, "x")
        assert (told.code, f"at least {length} characters" in told.text) == (CONSTRAINT, True)


@pytest_twisted.ensureDeferred
async def test_a_verdict_is_not_that_of_another_owner(provserver: RunningServer) -> None:
    """Both users' entries are at the same version; one's credentials must not be taken for the other's."""
    ad, admin = await wire(provserver, "psync-ad-corp"), await administrator(provserver)
    assert (await ad.test(ADA_AD, PASSWORDS["bnovak"])).code == 0
    account, boris = await id_of(provserver, ADA_AD), await id_of(provserver, user_dn("bnovak"))
    (inclusion,) = (
        await admin.search(
            "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im,dc=eta",
            f"(eTCID={account})",
        )
    ).names
    assert (await admin.delete(inclusion)).code == 0
    name = f"{boris}@{account}"
    added = await admin.add(
        f"eTInclusionID={name},{inclusion.partition(',')[2]}",
        {"objectClass": ["eTInclusionObject"], "eTInclusionID": [name], "eTPID": [boris], "eTCID": [account]},
    )
    assert added.code == 0
    before = await provserver.entry(user_dn("bnovak"))
    assert (await ad.sync(ADA_AD, PASSWORDS["bnovak"])).code == 0, "current now"
    after = await provserver.entry(user_dn("bnovak"))
    assert before is not None
    assert after is not None
    assert after.text("provpasswordhash") == before.text("provpasswordhash"), "his own, with his salt"
