"""Content synchronisation by listening (RFC 4533 3.4): each change as it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import pytest_twisted
from consumer import Copy, Persisting, SyncClient, consumer, everything, request, same, state_of
from harbour import AD_CORP, ADA_AD, SUFFIX, administrator, id_of
from twisted.internet.defer import Deferred, gatherResults

from provserver.directory.entries import Entry, EntryId
from provserver.ldap.controls import (
    EntryState,
    NewCookie,
    ProxiedAuthorization,
    RefreshDelete,
    RefreshPresent,
    Subentries,
    SyncInfo,
)
from provserver.ldap.controls import encode_request as encode_control
from provserver.ldap.extended import Cancel, encode_request
from provserver.ldap.messages import (
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    SearchResultEntry,
)
from provserver.ldap.results import ResultCode
from provserver.operations import persisting
from provserver.operations.content import uuid_of
from provserver.storage.contract import Commit, Put, Remove
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn
from provserver.testing.wire import WireClient, replace

test = pytest_twisted.ensureDeferred

USERS = request(GLOBAL_USERS, "(objectClass=eTGlobalUser)")
ALL = request(SUFFIX)
ADA, BORIS = user_dn("aokafor"), user_dn("bnovak")
AGENT = user_dn("psync-ad-corp")
STAFF = f"eTADSOrgUnitName=Staff,{AD_CORP}"
CONTAINERS = f"eTADSContainerName=Users,{AD_CORP}"


async def describe(client: WireClient, dn: str, text: str = "changed") -> None:
    assert (await client.modify(dn, replace("eTDescription", text))).code is ResultCode.SUCCESS


async def add_user(client: WireClient, name: str) -> str:
    dn = user_dn(name)
    assert (await client.add(dn, {"objectClass": ["eTGlobalUser"]})).code is ResultCode.SUCCESS
    return dn


async def kept(server: RunningServer, asked: object = USERS, user: str = "etaadmin") -> Persisting:
    """A copy that is up to date and kept so."""
    search = (await consumer(server, user)).persist(Copy(), asked)  # type: ignore[arg-type]
    await search.refreshed()
    return search


def described(copy: Copy, text: str) -> list[str]:
    """Names of the entries with that description."""
    return sorted(
        name for name, attributes in copy.held.values() if attributes.get("eTDescription") == (text.encode(),)
    )


def told(messages: Sequence[Message]) -> list[tuple[str, EntryState]]:
    return [
        (message.operation.dn, state_of(message).state)
        for message in messages
        if isinstance(message.operation, SearchResultEntry)
    ]


def infos(messages: Sequence[Message]) -> list[object]:
    return [
        SyncInfo.decode(message.operation.value).choice
        for message in messages
        if isinstance(message.operation, IntermediateResponse)
    ]


async def ended(search: Persisting) -> ResultCode:
    return (await search.client.answer(search.number)).code


def followers(server: RunningServer) -> int:
    store = server.service.foundation.store
    return len(store._followers.all)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- the refresh stage


@test
async def test_the_initial_content_ends_with_a_word_and_the_search_goes_on(provserver: RunningServer) -> None:
    search = await kept(provserver)
    assert same(search.copy, await everything(search.client, USERS))
    assert infos(search.said) == [RefreshPresent(search.copy.cookie)]
    assert not search.client.is_answered(search.number)


@test
async def test_with_a_cookie_only_what_has_changed_is_told_first(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    await describe(client, ADA)
    search = client.persist(copy, USERS)
    await search.refreshed()
    assert told(search.said) == [(ADA, EntryState.ADD)]
    assert infos(search.said) == [RefreshDelete(copy.cookie)]
    assert same(copy, await everything(client, USERS))


@test
async def test_a_cookie_that_was_never_given_is_refused(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    copy.cookie = b"bogus"
    search = client.persist(copy, USERS, reload=False)
    assert await ended(search) is ResultCode.SYNC_REFRESH_REQUIRED
    assert followers(provserver) == 0


# ---------------------------------------------------------------- the persist stage


@test
async def test_each_change_is_told_with_its_state_and_a_new_cookie(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver)
    before = len(search.said)
    new = await add_user(admin, "new")
    await search.until(lambda copy: new in copy.names)
    await describe(admin, new)
    await search.until(lambda copy: described(copy, "changed") == [new])
    await admin.ask(ModifyDNRequest(new, "eTGlobalUserName=newer", True))
    newer = user_dn("newer")
    await search.until(lambda copy: newer in copy.names)
    await admin.delete(newer)
    await search.until(lambda copy: newer not in copy.names)
    assert told(search.said[before:]) == [
        (new, EntryState.ADD),
        (new, EntryState.MODIFY),
        (newer, EntryState.MODIFY),
        (newer, EntryState.DELETE),
    ]
    await search.until(lambda copy: len(infos(search.said)) == 5)
    cookies = [choice.cookie for choice in infos(search.said)[1:] if isinstance(choice, NewCookie)]
    assert len(cookies) == 4
    assert cookies == sorted(set(cookies))
    assert same(search.copy, await everything(admin, USERS))


@test
async def test_changes_are_told_in_the_order_in_which_they_were_made(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver)
    before = len(search.said)
    names = [await add_user(admin, f"n{number}") for number in range(20)]
    await search.until(lambda copy: set(names) <= set(copy.names))
    assert told(search.said[before:]) == [(name, EntryState.ADD) for name in names]


@test
async def test_a_tree_that_is_renamed_and_deleted_is_renamed_and_deleted_in_the_copy(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver, ALL)
    await admin.ask(ModifyDNRequest(STAFF, "eTADSOrgUnitName=Crew", True, CONTAINERS))
    crew = f"eTADSOrgUnitName=Crew,{CONTAINERS}"
    found = await everything(admin, ALL)
    await search.until(lambda copy: same(copy, found))
    assert sum(name.endswith(crew) for name in search.copy.names) == 8
    below = sorted((name for name in search.copy.names if name.endswith(crew)), key=len, reverse=True)
    for name in below:
        assert (await admin.delete(name)).code is ResultCode.SUCCESS
    found = await everything(admin, ALL)
    await search.until(lambda copy: same(copy, found))
    assert not [name for name in search.copy.names if name.endswith(crew)]


@test
async def test_what_leaves_the_content_is_absent_and_what_enters_it_is_told(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver, request(GLOBAL_USERS, "(eTTitle=Admiral)"))
    assert search.copy.names == []
    await admin.modify(ADA, replace("eTTitle", "Admiral"))
    await search.until(lambda copy: copy.names == [ADA])
    await admin.modify(ADA, replace("eTTitle", "Captain"))
    await search.until(lambda copy: copy.names == [])


@test
async def test_a_change_that_is_made_while_the_initial_content_is_sent_is_in_the_copy(
    provserver: RunningServer,
) -> None:
    """The refresh is of many pieces; whatever it met, the log has the rest."""
    admin = await administrator(provserver)
    for number in range(300):
        await add_user(admin, f"n{number:03}")
    client = await consumer(provserver)
    search = client.persist(Copy(), USERS)
    late = [user_dn("n000"), user_dn("n150"), user_dn("n299")]
    await gatherResults([Deferred.fromCoroutine(describe(admin, name, "late")) for name in late])
    await admin.delete(user_dn("n001"))
    await admin.ask(ModifyDNRequest(user_dn("n298"), "eTGlobalUserName=a298", True))
    found = await everything(admin, USERS)
    await search.until(lambda copy: copy.refreshed and same(copy, found))


@test
async def test_several_listen_on_one_connection_and_on_others(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    client = await consumer(provserver)
    searches = [client.persist(Copy(), USERS), client.persist(Copy(), ALL), await kept(provserver, ALL)]
    for search in searches:
        await search.refreshed()
    await describe(admin, ADA)
    for search in searches:
        await search.until(lambda copy: described(copy, "changed") == [ADA])
    assert followers(provserver) == 3


@test
async def test_what_does_not_concern_a_copy_costs_it_a_cookie_now_and_then(
    provserver: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provserver.operations.copying._SILENCE", 10)
    admin = await administrator(provserver)
    search = await kept(provserver, request(AD_CORP))
    before = len(search.said)
    for number in range(9):
        await describe(admin, ADA, str(number))
    await provserver.breathe()
    assert len(search.said) == before
    await describe(admin, ADA)
    await search.until(lambda copy: len(search.said) > before)
    [choice] = infos(search.said[before:])
    assert isinstance(choice, NewCookie)
    copy = search.copy
    client = await consumer(provserver)
    assert len(await client.poll(copy, request(AD_CORP))) == 1


@test
async def test_a_consumer_that_does_not_read_makes_nobody_wait_and_gets_all_in_the_end(
    start_provserver: Starter,
) -> None:
    server = await start_provserver(settings=["limits.slow_reader_time=0"])
    admin = await administrator(server)
    search = await kept(server)
    search.client.transport.pauseProducing()  # type: ignore[union-attr]
    text = "x" * 65_536
    for number in range(400):
        await describe(admin, ADA, f"{number}{text}")
    search.client.transport.resumeProducing()  # type: ignore[union-attr]
    await search.until(lambda copy: described(copy, f"399{text}") == [ADA])
    assert len(told(search.said)) < 400, "the log is the queue: what was missed is told once, as it is"
    assert same(search.copy, await everything(admin, USERS))


@test
async def test_however_much_one_commit_changes_a_slow_consumer_is_not_overrun(
    start_provserver: Starter,
) -> None:
    server = await start_provserver(settings=["limits.slow_reader_time=0", "limits.write_buffer=1000000"])
    text = "x" * 65_536
    users = "".join(
        f"dn: {user_dn(f'n{number}')}\nobjectClass: eTGlobalUser\neTDescription: {text}\n\n"
        for number in range(200)
    )
    search = await kept(server)
    search.client.transport.pauseProducing()  # type: ignore[union-attr]
    await server.load(users)
    admin = await administrator(server)
    for _ in range(3):
        await everything(admin, request(ADA))
    search.client.transport.resumeProducing()  # type: ignore[union-attr]
    await search.until(lambda copy: len(described(copy, text)) == 200)
    assert not search.client.is_answered(search.number)


# ---------------------------------------------------------------- the end


@test
async def test_a_search_that_is_cancelled_says_so_and_tells_no_more(provserver: RunningServer) -> None:
    """RFC 4533 3.7."""
    admin = await administrator(provserver)
    search = await kept(provserver)
    done = await search.client.ask(encode_request(Cancel(search.number)))
    assert done.code is ResultCode.SUCCESS
    assert await ended(search) is ResultCode.CANCELED
    before = len(search.said)
    await describe(admin, ADA)
    await everything(search.client, USERS)
    assert len(search.said) == before
    assert followers(provserver) == 0


@pytest.mark.parametrize("how", ["abandon", "unbind", "hang up", "cut"])
@test
async def test_a_search_that_nobody_wants_any_more_ends(provserver: RunningServer, how: str) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver)
    assert followers(provserver) == 1
    client = search.client
    if how == "abandon":
        client.abandon(search.number)
        await everything(client, USERS)
    else:
        {"unbind": client.unbind, "hang up": client.hang_up, "cut": client.cut}[how]()
        await client.closed
        await provserver.breathe()
    await describe(admin, ADA)
    assert followers(provserver) == 0
    assert client.late == []


@test
async def test_a_server_that_stops_ends_it(start_provserver: Starter) -> None:
    server = await start_provserver()
    search = await kept(server)
    await server.stop()
    await search.client.closed
    assert search.client.notices[0].result.code is ResultCode.UNAVAILABLE


@test
async def test_when_the_base_goes_the_search_ends(provserver: RunningServer) -> None:
    """RFC 4533 3.5.1."""
    admin = await administrator(provserver)
    new = await add_user(admin, "new")
    for name, change, expected in [
        (new, ModifyDNRequest(new, "eTGlobalUserName=newer", True), ResultCode.NO_SUCH_OBJECT),
        (user_dn("newer"), None, ResultCode.NO_SUCH_OBJECT),
    ]:
        search = await kept(provserver, request(name))
        await (admin.ask(change) if change is not None else admin.delete(name))
        assert await ended(search) is expected
        await search.until(lambda copy: copy.names == [])


@test
async def test_when_another_entry_takes_the_base_s_name_the_search_ends(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    new = await add_user(admin, "new")
    search = await kept(provserver, request(new))
    store = provserver.service.foundation.store
    entry = await provserver.entry(new)
    assert entry is not None
    again = Entry(EntryId("another"), entry.dn, entry.attributes)
    await store.commit(Commit(0.0, "tests", (Remove(entry.id, entry.dn, entry.version), Put(again, 0))))
    assert await ended(search) is ResultCode.SYNC_REFRESH_REQUIRED


@test
async def test_a_search_that_the_log_has_left_behind_ends(provserver: RunningServer) -> None:
    """Nothing shortens the log yet; this does, before the consumer is told."""
    search = await kept(provserver)
    store: Any = provserver.service.foundation.store
    last = (await store.history()).last
    for _ in range(2):
        ada = await provserver.entry(ADA)
        assert ada is not None
        await store.commit(Commit(0.0, "tests", (Put(ada, ada.version),)))
    store._database.writing.execute("DELETE FROM change WHERE sequence = ?", (last + 1,))
    assert await ended(search) is ResultCode.SYNC_REFRESH_REQUIRED


@test
async def test_rights_that_change_end_the_search_so_that_it_begins_anew(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver, ALL, "psync-ad-corp")
    assert ADA_AD in search.copy.names
    scope = replace("provAgentScope", CONTAINERS.removesuffix(",dc=eta"))
    assert (await admin.modify(AGENT, scope)).code is ResultCode.SUCCESS
    assert await ended(search) is ResultCode.SYNC_REFRESH_REQUIRED
    again = search.client.persist(search.copy, ALL)
    await again.refreshed()
    assert ADA_AD not in search.copy.names
    assert same(search.copy, await everything(search.client, ALL))


@test
async def test_who_is_suspended_is_told_nothing_more(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver, ALL, "psync-ad-corp")
    before = len(search.said)
    suspended, changed = replace("eTSuspended", "1"), replace("eTDescription", "changed")
    await admin.modify(AGENT, suspended)
    await admin.modify(ADA_AD, changed)
    assert await ended(search) is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert told(search.said[before:]) == []


@test
async def test_changes_of_ones_own_entry_that_change_no_right_end_nothing(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver, request(AGENT), "psync-ad-corp")
    await describe(admin, AGENT)
    await search.until(lambda copy: described(copy, "changed") == [AGENT])


@test
async def test_whoever_acts_as_somebody_else_gets_that_ones_copy_for_as_long_as_it_may(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    other = await add_user(admin, "other")
    profile = (await admin.search(user_dn("etaadmin"))).values("eTUserAdminProfile")
    password = "Kelp-Compass-88"
    assert (await admin.modify(other, replace("eTUserAdminProfile", *profile))).code is ResultCode.SUCCESS
    assert (await admin.modify(other, replace("eTPassword", password))).code is ResultCode.SUCCESS
    client = await consumer(provserver, None)
    assert (await client.bind("other", password)).code is ResultCode.SUCCESS
    search = client.persist(Copy(), ALL, encode_control(ProxiedAuthorization("u:aokafor")))
    assert (await search.refreshed()).names == [ADA]
    await describe(admin, BORIS)
    await describe(admin, ADA)
    await search.until(lambda copy: described(copy, "changed") == [ADA])
    assert (await admin.modify(other, replace("eTUserAdminProfile"))).code is ResultCode.SUCCESS
    assert await ended(search) is ResultCode.AUTHORIZATION_DENIED


@test
async def test_a_subentry_that_comes_later_is_for_those_who_ask_for_subentries(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    hidden = await kept(provserver, ALL)
    client = await consumer(provserver)
    shown = client.persist(Copy(), ALL, encode_control(Subentries(True)))
    assert (await shown.refreshed()).names == []
    policy = f"cn=policy,{SUFFIX}"
    attributes = {"objectClass": ["subentry"], "subtreeSpecification": ["{}"]}
    assert (await admin.add(policy, attributes)).code is ResultCode.SUCCESS
    await describe(admin, ADA)
    await hidden.until(lambda copy: described(copy, "changed") == [ADA])
    await shown.until(lambda copy: copy.names == [policy])
    assert policy not in hidden.copy.names


@test
async def test_referrals_and_aliases_are_entries_of_a_copy(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    search = await kept(provserver, ALL)
    there, alias = f"ou=there,{SUFFIX}", f"ou=alias,{SUFFIX}"
    referral = {"objectClass": ["referral", "extensibleObject"], "ref": ["ldap://elsewhere/dc=x"]}
    assert (await admin.add(there, referral)).code is ResultCode.SUCCESS
    named = {"objectClass": ["alias", "extensibleObject"], "aliasedObjectName": [ADA]}
    assert (await admin.add(alias, named)).code is ResultCode.SUCCESS
    await search.until(lambda copy: {there, alias} <= set(copy.names))
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, ALL)
    assert copy.names == search.copy.names
    assert (await client.poll(copy, request(there)))[-1].controls == (), "it is asked for elsewhere"


# ---------------------------------------------------------------- how many there may be


async def fill(client: SyncClient, count: int) -> list[Persisting]:
    searches = [client.persist(Copy(), request(ADA)) for _ in range(count)]
    for search in searches:
        await search.refreshed()
    return searches


@test
async def test_a_connection_may_listen_to_so_much_and_no_more(provserver: RunningServer) -> None:
    client = await consumer(provserver)
    searches = await fill(client, persisting.PER_CONNECTION)
    one_more = client.persist(Copy(), request(ADA))
    assert await ended(one_more) is ResultCode.ADMIN_LIMIT_EXCEEDED
    assert one_more.copy.names == []
    client.abandon(searches[0].number)
    await fill(client, 1)
    await fill(await consumer(provserver), 1)


@test
async def test_all_together_may_listen_to_so_much_and_no_more(
    provserver: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persisting, "IN_ALL", 3)
    one, other = await consumer(provserver), await consumer(provserver)
    await fill(one, 2)
    [last] = await fill(other, 1)
    assert await ended(other.persist(Copy(), request(ADA))) is ResultCode.ADMIN_LIMIT_EXCEEDED
    assert (await other.poll(Copy(), request(ADA)))[-1].controls, "who asks and goes needs no seat"
    one.hang_up()
    await one.closed
    await provserver.breathe()
    await fill(other, 2)
    assert not other.is_answered(last.number)


@test
async def test_the_same_entry_is_the_same_in_every_copy(provserver: RunningServer) -> None:
    search = await kept(provserver)
    assert search.copy.held[uuid_of(await id_of(provserver, ADA))][0] == ADA
