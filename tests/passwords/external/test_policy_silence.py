"""What happens while the policy service is silent, and when nobody answers at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from advised_servers import ADA, ADA_AD_NAME, CONSTRAINT, OLD, Advised, Held, Services, without_rules
from harbour import ADA_AD, ADA_UNIX, BORIS_AD, NEW, OTHER, administrator, holds, snapshot, wire
from stand_in import Asked, StandIn, accepting, breath, refusing, settings, silent, until
from twisted.internet.defer import ensureDeferred
from twisted.web.server import Request

from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, USE_EXTERNAL_PASSWORD_POLICIES
from provserver.journal.events import Event
from provserver.ldap.controls import PasswordPolicyRequest, PasswordPolicyResponse, encode_request
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer
from provserver.testing.wire import Told, delete, replace

UNREACHABLE = "the external password policy cannot be reached; try again later"


async def gone() -> str:
    """A place where nobody listens any more."""
    service = StandIn().listen()
    await service.stop()
    return service.url()


async def left_alone(start: Starter, folder: Path, unreachable: str) -> RunningServer:
    """A server whose policy service is gone."""
    return await start(settings=settings(folder, [await gone()], unreachable=unreachable))


async def silences(server: RunningServer) -> list[str]:
    """What the journal says of them."""
    return [line.text for line in await server.journal() if line.event == Event.EXTERNAL_POLICY_SILENT]


async def asked_by(server: RunningServer, kind: str, password: str) -> Told:
    if kind in ("test", "sync"):
        ad = await wire(server, "psync-ad-corp")
        return await (ad.test if kind == "test" else ad.sync)(ADA_AD, password)
    if kind == "self":
        return await (await wire(server, "aokafor")).modify(ADA, replace("eTPassword", password))
    return await (await administrator(server)).modify(ADA, replace("eTPassword", password))


KINDS = pytest.mark.parametrize("kind", ["test", "sync", "self", "reset"])


@KINDS
@pytest_twisted.ensureDeferred
async def test_nobody_answers_and_the_password_is_refused(
    start_provserver: Starter, tmp_path: Path, kind: str
) -> None:
    server = await left_alone(start_provserver, tmp_path, "refuse")
    before = await snapshot(server)
    told = await asked_by(server, kind, NEW)
    assert told.code is ResultCode.UNAVAILABLE
    assert told.text.startswith(":ETA_E_90")
    assert told.text.endswith(f" failed: {UNREACHABLE}")
    assert await snapshot(server) == before
    assert await silences(server) == [f"External password policy, {kind}: nobody could be asked: refused"]


@pytest_twisted.ensureDeferred
async def test_the_refusal_names_the_account_and_the_journal_the_caller(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await left_alone(start_provserver, tmp_path, "refuse")
    told = await asked_by(server, "test", NEW)
    assert told.text == f":ETA_E_9010<MAC>, Password check for {ADA_AD_NAME} failed: {UNREACHABLE}"
    *_, silence, refusal = await server.journal()
    assert (silence.event, refusal.event) == (Event.EXTERNAL_POLICY_SILENT, Event.TEST_REFUSED)
    assert "psync-ad-corp" in silence.fields["by"]
    assert "Okafor" in silence.fields["account"]
    assert "aokafor" in silence.fields["user"]
    assert refusal.text == told.text


@pytest_twisted.ensureDeferred
async def test_the_policy_control_has_no_error_for_it(start_provserver: Starter, tmp_path: Path) -> None:
    """Another password would not help, and this one may be right."""
    server = await left_alone(start_provserver, tmp_path, "refuse")
    ad = await wire(server, "psync-ad-corp")
    told = await ad.ask(
        ModifyRequest(ADA_AD, (replace("eTTestPassword", NEW),)), [encode_request(PasswordPolicyRequest())]
    )
    assert (told.code, told.control(PasswordPolicyResponse)) == (
        ResultCode.UNAVAILABLE,
        PasswordPolicyResponse(),
    )


@KINDS
@pytest_twisted.ensureDeferred
async def test_what_the_profile_refuses_is_refused_whoever_answers(
    start_provserver: Starter, tmp_path: Path, kind: str
) -> None:
    server = await left_alone(start_provserver, tmp_path, "refuse")
    told = await asked_by(server, kind, "weak")
    assert (told.code, "at least 10 characters" in told.text) == (CONSTRAINT, True)


@KINDS
@pytest_twisted.ensureDeferred
async def test_or_it_is_left_to_the_profile(start_provserver: Starter, tmp_path: Path, kind: str) -> None:
    server = await left_alone(start_provserver, tmp_path, "profile")
    assert (await asked_by(server, kind, "weak")).code is CONSTRAINT
    assert (await asked_by(server, kind, NEW)).code == 0
    assert await server.has_password("aokafor", NEW) is (kind != "test")
    noted = f"External password policy, {kind}: nobody could be asked: left to the Password Profile"
    assert await silences(server) == [noted, noted]


@pytest_twisted.ensureDeferred
async def test_the_profile_then_consults_its_history_too(start_provserver: Starter, tmp_path: Path) -> None:
    server = await left_alone(start_provserver, tmp_path, "profile")
    assert (await asked_by(server, "sync", NEW)).code == 0
    told = await asked_by(server, "sync", OLD)
    assert (told.code, "was used before" in told.text) == (CONSTRAINT, True)


@pytest_twisted.ensureDeferred
async def test_when_it_answers_again_it_judges_again(advised: Advised) -> None:
    server, service = await advised()
    await service.stop()
    assert (await asked_by(server, "sync", NEW)).code is ResultCode.UNAVAILABLE
    service.listen()
    assert (await asked_by(server, "sync", NEW)).code == 0


@pytest_twisted.ensureDeferred
async def test_an_administrator_can_do_without_it_at_once(start_provserver: Starter, tmp_path: Path) -> None:
    server = await left_alone(start_provserver, tmp_path, "refuse")
    await server.set_parameter(USE_EXTERNAL_PASSWORD_POLICIES, "no")
    assert (await asked_by(server, "reset", NEW)).code == 0


# -- meanwhile


@pytest_twisted.ensureDeferred
async def test_nobody_waits_for_somebody_elses_question(advised: Advised) -> None:
    server, service = await advised(silent)
    ad, others = await wire(server, "psync-ad-corp"), await wire(server, "psync-ad-corp")
    waiting = ad.begin_sync(ADA_AD, NEW)
    await until(lambda: service.asked)
    service.behave = accepting
    for number in range(20):
        assert (await others.sync(BORIS_AD, f"Anchor-Watch-{number}")).code == 0
    assert not ad.is_answered(waiting)
    server.clock.turn(4)
    assert (await ad.answer(waiting)).code is ResultCode.UNAVAILABLE


@pytest_twisted.ensureDeferred
async def test_not_even_another_change_of_the_same_user(advised: Advised) -> None:
    """No turn is held while it is asked; the one that is answered later comes later."""
    held = Held()
    server, service = await advised(held)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    first = ad.begin_sync(ADA_AD, NEW)
    await until(lambda: held)
    service.behave = accepting
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0
    assert await server.has_password("aokafor", OTHER)
    held.accept()
    assert (await ad.answer(first)).code == 0
    assert await server.has_password("aokafor", NEW)
    assert holds(server, "hpdev01", "aokafor", NEW)
    assert len(service.asked) == 2, "a change in between asks nobody again"


@pytest_twisted.ensureDeferred
async def test_gates_and_guard_are_looked_at_again_after_it_was_asked(advised: Advised) -> None:
    held = Held()
    server, service = await advised(held)
    ad, unix = await wire(server, "psync-ad-corp"), await wire(server, "pam-hpdev01")
    first = ad.begin_sync(ADA_AD, NEW)
    await until(lambda: held)
    service.behave = accepting
    assert (await unix.sync(ADA_UNIX, OTHER)).code == 0, "it is delivered to the account meanwhile"
    held.accept()
    told = await ad.answer(first)
    assert (told.code, "Another password change is in progress." in told.text) == (53, True)
    admin = await administrator(server)
    service.behave = held
    second = unix.begin_sync(ADA_UNIX, NEW)
    await until(lambda: held)
    assert (await admin.modify(ADA, replace("eTSuspended", "1"))).code == 0
    held.accept()
    told = await unix.answer(second)
    assert (told.code, "is suspended" in told.text) == (53, True)


@pytest_twisted.ensureDeferred
async def test_an_account_that_has_another_owner_by_then_is_asked_about_anew(advised: Advised) -> None:
    held = Held()
    server, service = await advised(held)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    ad, admin = await wire(server, "psync-ad-corp"), await administrator(server)
    first = ad.begin_sync(ADA_AD, NEW)
    await until(lambda: held)
    account, boris = await server.entry(ADA_AD), await server.entry(ADA.replace("aokafor", "bnovak"))
    assert account is not None
    assert boris is not None
    inclusions = "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im,dc=eta"
    (inclusion,) = (await admin.search(inclusions, f"(eTCID={account.id})")).names
    assert (await admin.delete(inclusion)).code == 0
    name = f"{boris.id}@{account.id}"
    attributes = {
        "objectClass": ["eTInclusionObject"],
        "eTInclusionID": [name],
        "eTPID": [boris.id],
        "eTCID": [account.id],
    }
    assert (await admin.add(f"eTInclusionID={name},{inclusion.partition(',')[2]}", attributes)).code == 0
    service.behave = accepting
    held.accept()
    assert (await ad.answer(first)).code == 0
    assert [asked.document["user"] for asked in service.asked] == ["aokafor", "bnovak"]
    assert await server.has_password("bnovak", NEW)
    assert await server.has_password("aokafor", OLD)


@pytest.mark.parametrize("how", ["hang_up", "cut", "unbind"])
@pytest_twisted.ensureDeferred
async def test_a_test_whose_client_is_gone_is_asked_about_no_longer(
    start_provserver: Starter, stand_in: Services, tmp_path: Path, how: str
) -> None:
    service = stand_in(silent)
    server = await start_provserver(settings=settings(tmp_path, [service.url()], concurrency=1))
    ad = await wire(server, "psync-ad-corp")
    ad.begin(ModifyRequest(ADA_AD, (replace("eTTestPassword", NEW),)))
    await until(lambda: service.asked)
    getattr(ad, how)()
    await until(lambda: service.is_left_alone)
    service.behave = accepting
    assert (await asked_by(server, "test", NEW)).code == 0, "there is room for others"


@pytest_twisted.ensureDeferred
async def test_a_sync_whose_client_is_gone_goes_on(advised: Advised) -> None:
    held = Held()
    server, _ = await advised(held)
    ad = await wire(server, "psync-ad-corp")
    ad.begin_sync(ADA_AD, NEW)
    await until(lambda: held)
    ad.cut()
    await breath()
    held.accept()
    await server.exchanged()
    assert await server.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_more_than_may_wait_are_told_that_we_are_busy(advised: Advised) -> None:
    server, service = await advised(silent, concurrency=1, waiting=0)
    ad, others = await wire(server, "psync-ad-corp"), await wire(server, "psync-ad-corp")
    waiting = ad.begin_sync(ADA_AD, NEW)
    await until(lambda: service.asked)
    told = await others.test(BORIS_AD, NEW)
    assert told.code is ResultCode.BUSY
    server.clock.turn(4)
    assert (await ad.answer(waiting)).code is ResultCode.UNAVAILABLE


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_stopped_does_not_wait_for_it(
    start_provserver: Starter, stand_in: Services, tmp_path: Path
) -> None:
    service = stand_in(silent)
    server = await start_provserver(
        settings=settings(tmp_path, [service.url()], attempt_time=600, total_time=600), directory=tmp_path
    )
    ad = await wire(server, "psync-ad-corp")
    ad.begin_sync(ADA_AD, NEW)
    await until(lambda: service.asked)
    began = server.clock.seconds()
    await server.stop()
    assert server.clock.seconds() - began < 60
    await until(lambda: service.is_left_alone)
    again = await start_provserver(directory=tmp_path, clock=server.clock)
    assert await again.has_password("aokafor", OLD), "what was not acknowledged is not done"


@pytest_twisted.ensureDeferred
async def test_many_changes_at_once_are_judged_each_on_its_own(advised: Advised) -> None:
    def every_second(asked: Asked, request: Request) -> None:
        odd = int(asked.document["password"][-2:]) % 2
        (accepting if odd else refusing(("passwordTooYoung", "even")))(asked, request)

    server, service = await advised(every_second, concurrency=4)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    await without_rules(server)
    clients = [await wire(server, "psync-ad-corp") for _ in range(4)]
    begun = [
        (number, client, client.begin_sync((ADA_AD, BORIS_AD)[number % 2], f"Anchor-{number // 2:02}"))
        for number in range(40)
        for client in [clients[number % 4]]
    ]
    for number, client, message in begun:
        told = await client.answer(message)
        assert told.code == (0 if number // 2 % 2 else CONSTRAINT), number
    assert service.lines <= 4
    accepted = [line for line in await server.journal() if line.event == Event.SYNC_ACCEPTED]
    assert len(accepted) == 20


@pytest_twisted.ensureDeferred
async def test_a_conflict_asks_nobody_again(advised: Advised) -> None:
    """A writer outside of the user's queue is faster; what was said of the password is kept."""
    held = Held()
    server, service = await advised(held)
    ad, admin = await wire(server, "psync-ad-corp"), await administrator(server)
    waiting = ad.begin_sync(ADA_AD, NEW)
    await until(lambda: held)
    assert (await admin.modify(ADA, replace("eTTitle", "Pilot"))).code == 0
    store = server.service.foundation.store
    commit, tries = store.commit, []

    async def contested(change: object) -> object:
        tries.append(change)
        if len(tries) == 1:
            await ensureDeferred(admin.modify(ADA, delete("eTTitle")))
        return await commit(change)  # type: ignore[arg-type]

    store.commit = contested  # type: ignore[method-assign,assignment]
    held.accept()
    assert (await ad.answer(waiting)).code == 0
    assert len(tries) >= 3, "the exchange, the administrator, the exchange again"
    assert len(service.asked) == 1
