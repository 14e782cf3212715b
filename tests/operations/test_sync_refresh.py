"""Content synchronisation by polling (RFC 4533 3.3): the initial content, and what has changed since."""

from __future__ import annotations

from dataclasses import replace as replaced
from uuid import UUID, uuid5

import pytest
import pytest_twisted
from consumer import Copy, consumer, everything, request, same, state_of, sync
from harbour import AD_CORP, ADA_AD, COMMON, HPDEV01, NEW, SUFFIX, UNIX, administrator, id_of

from provserver.directory.entries import EntryId
from provserver.ldap.controls import (
    EntryState,
    MatchedValues,
    PagedResults,
    SortKey,
    SortRequest,
    SyncDone,
    SyncMode,
    encode_request,
)
from provserver.ldap.filters import Present, Scope, parse_filter
from provserver.ldap.messages import (
    Control,
    DerefAliases,
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    SearchResultDone,
    SearchResultEntry,
)
from provserver.ldap.results import ResultCode
from provserver.operations.content import uuid_of
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn
from provserver.testing.wire import WireClient, replace

test = pytest_twisted.ensureDeferred

USERS = request(GLOBAL_USERS, "(objectClass=eTGlobalUser)")
ALL = request(SUFFIX)
ADA, BORIS = user_dn("aokafor"), user_dn("bnovak")
STAFF = f"eTADSOrgUnitName=Staff,{AD_CORP}"
CONTAINERS = f"eTADSContainerName=Users,{AD_CORP}"


async def rename(client: WireClient, dn: str, rdn: str, superior: str | None = None) -> None:
    assert (await client.ask(ModifyDNRequest(dn, rdn, True, superior))).code is ResultCode.SUCCESS


async def describe(client: WireClient, dn: str, text: str = "changed") -> None:
    assert (await client.modify(dn, replace("eTDescription", text))).code is ResultCode.SUCCESS


async def add_user(client: WireClient, name: str) -> str:
    dn = user_dn(name)
    told = await client.add(dn, {"objectClass": ["eTGlobalUser"], "eTFullName": [f"Full {name}"]})
    assert told.code is ResultCode.SUCCESS
    return dn


def told(messages: list[Message]) -> list[tuple[str, EntryState]]:
    """Names and states of the entries, in their order."""
    return [
        (message.operation.dn, state_of(message).state)
        for message in messages
        if isinstance(message.operation, SearchResultEntry)
    ]


def added(*names: str) -> list[tuple[str, EntryState]]:
    return [(name, EntryState.ADD) for name in names]


def deleted(*names: str) -> list[tuple[str, EntryState]]:
    return [(name, EntryState.DELETE) for name in names]


def code(messages: list[Message]) -> ResultCode:
    done = messages[-1].operation
    assert isinstance(done, SearchResultDone)
    return done.result.code


# ---------------------------------------------------------------- the initial content


@test
async def test_the_initial_content_is_what_a_search_finds(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    messages = await client.poll(copy, ALL)
    assert same(copy, await everything(client, ALL))
    assert {state for _, state in told(messages)} == {EntryState.ADD}
    assert not any(isinstance(message.operation, IntermediateResponse) for message in messages)
    done = SyncDone.decode(messages[-1].controls[0].value)
    assert done == SyncDone(copy.cookie, refresh_deletes=False)


@test
async def test_parents_come_before_what_is_below_them(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    seen: set[str] = set()
    for name, _ in told(await client.poll(copy, ALL)):
        above = name.partition(",")[2].replace("\\, ", "") if "\\" not in name else None
        assert above is None or name == SUFFIX or above in seen
        seen.add(name)


@test
async def test_names_end_as_the_request_has_them(provserver: RunningServer) -> None:
    client = await consumer(provserver)
    for base in ("dc=im,dc=eta", "dc=im,dc=etadb", "dc=im"):
        copy = Copy()
        await client.poll(copy, request(base))
        assert copy.names
        assert all(name.endswith(base) for name in copy.names)


@test
async def test_operational_attributes_come_with_a_stamp_that_openldap_wants(
    provserver: RunningServer,
) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, request(ADA, "(objectClass=*)", "*", "+", scope=Scope.BASE))
    [(_, attributes)] = copy.held.values()
    assert copy.cookie is not None
    [stamp] = attributes["entryCSN"]
    assert stamp <= copy.cookie.partition(b"csn=")[2]
    assert {"createTimestamp", "modifyTimestamp", "structuralObjectClass", "entryUUID"} <= attributes.keys()
    assert {"hasSubordinates", "numSubordinates"}.isdisjoint(attributes), "they follow from other entries"


@pytest.mark.parametrize(("asked", "stamped"), [("entrycsn", True), ("eTFullName", False), ("1.1", False)])
@test
async def test_the_stamp_is_sent_when_it_is_asked_for(
    provserver: RunningServer, asked: str, stamped: bool
) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, request(ADA, "(objectClass=*)", asked))
    [(_, attributes)] = copy.held.values()
    assert ("entryCSN" in attributes) is stamped


@test
async def test_secrets_are_in_no_copy(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, request(SUFFIX, "(objectClass=*)", "*", "+", "provPasswordHash", "eTPassword"))
    schema = provserver.service.foundation.schema
    told = {name for _, attributes in copy.held.values() for name in attributes} - {"entryCSN"}
    assert not [name for name in told if schema.hides(name)]


@test
async def test_values_that_are_none_of_their_type_are_left_out(provserver: RunningServer) -> None:
    """Whoever loaded the demo is a command and has no DN; slapd would refuse the entry."""
    client, copy = await consumer(provserver), Copy()
    found = await everything(client, request(GLOBAL_USERS, "(objectClass=*)", "creatorsName"))
    assert any(b"=" not in attributes["creatorsName"][0] for _, attributes in found.values())
    await client.poll(copy, request(GLOBAL_USERS, "(objectClass=*)", "creatorsName", "provPasswordChangeId"))
    await client.poll(copy, request(GLOBAL_USERS, "(objectClass=*)", "creatorsName", "provPasswordChangeId"))
    assert len(copy.held) == len(found)
    assert all(b"=" in values[0] for _, held in copy.held.values() for values in held.values())
    dn = await add_user(client, "new")
    await client.poll(copy, request(GLOBAL_USERS, "(objectClass=*)", "creatorsName", "provPasswordChangeId"))
    assert copy.held[uuid_of(await id_of(provserver, dn))][1]["creatorsName"] == (
        user_dn("etaadmin").removesuffix(",dc=eta").encode(),
    )


@test
async def test_types_only_means_types_only(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, request(ADA, "(objectClass=*)", "*", "+", types_only=True))
    [(_, attributes)] = copy.held.values()
    assert {"eTFullName", "entryCSN"} <= attributes.keys()
    assert not any(attributes.values())


def test_an_id_that_is_no_uuid_becomes_one_always_the_same() -> None:
    known = "7a7ba7b5-3f04-424a-83ba-952d71da4ce5"
    assert uuid_of(EntryId(known)) == uuid_of(EntryId(known.upper())) == UUID(known)
    namespace = UUID(int=237390618890613785184987807740677441781)
    for other in ("ada", "", known.replace("-", ""), "{" + known + "}"):
        assert uuid_of(EntryId(other)) == uuid5(namespace, other)


@test
async def test_an_entry_with_an_id_of_its_own_kind_is_in_the_copy(start_provserver: Starter) -> None:
    dn = user_dn("odd")
    more = f"dn: {dn}\nobjectClass: eTGlobalUser\neTGlobalUserName: odd\neTID: odd one\n"
    client, copy = await consumer(await start_provserver(more=[more])), Copy()
    await client.poll(copy, USERS)
    assert copy.held[uuid_of(EntryId("odd one"))][0] == dn


# ---------------------------------------------------------------- what has changed


@test
async def test_nothing_is_told_when_nothing_has_changed(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, ALL)
    before, cookie = dict(copy.held), copy.cookie
    messages = await client.poll(copy, ALL)
    assert len(messages) == 1
    assert SyncDone.decode(messages[0].controls[0].value) == SyncDone(cookie, refresh_deletes=True)
    assert copy.held == before


@test
async def test_only_what_has_changed_is_told(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, ALL)
    new = await add_user(client, "new")
    await describe(client, ADA)
    assert (await client.delete(user_dn("cmercier"))).code is ResultCode.SUCCESS
    messages = await client.poll(copy, ALL)
    names = told(messages)
    assert names[:2] == added(new, ADA)
    assert deleted(user_dn("cmercier"))[0] in names, "and its inclusions"
    assert same(copy, await everything(client, ALL))
    assert told(await client.poll(copy, ALL)) == []


@test
async def test_an_entry_that_changed_often_is_told_once_as_it_is_now(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    new = await add_user(client, "new")
    for text in ("one", "two", "three"):
        await describe(client, new, text)
        await describe(client, BORIS, text)
    assert told(await client.poll(copy, USERS)) == added(new, BORIS)
    assert [attributes["eTDescription"] for name, attributes in copy.held.values() if name == new] == [
        (b"three",)
    ]


@test
async def test_what_came_and_went_between_two_polls_is_no_more_than_absent(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    new = await add_user(client, "new")
    await describe(client, new)
    await client.delete(new)
    assert told(await client.poll(copy, USERS)) == deleted(new)


@test
async def test_an_entry_that_is_made_again_is_another_one(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await add_user(client, "new")
    await client.poll(copy, USERS)
    await client.delete(user_dn("new"))
    await add_user(client, "new")
    assert told(await client.poll(copy, USERS)) == [
        *deleted(user_dn("new")),
        *added(user_dn("new")),
    ], "the name is free before somebody has it"
    assert same(copy, await everything(client, USERS))


@test
async def test_a_renamed_tree_is_told_under_its_new_names(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, ALL)
    ids = set(copy.held)
    await rename(client, STAFF, "eTADSOrgUnitName=Crew", CONTAINERS)
    messages = await client.poll(copy, ALL)
    crew = f"eTADSOrgUnitName=Crew,{CONTAINERS}"
    assert told(messages)[0] == (crew, EntryState.ADD)
    assert all(name.endswith(crew) for name, _ in told(messages)[:8])
    assert EntryState.DELETE not in {state for _, state in told(messages)}
    assert set(copy.held) == ids
    assert same(copy, await everything(client, ALL))


@test
async def test_a_name_that_is_spelled_anew_is_told_as_it_is_spelled_now(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    for spelling in ("AOKAFOR", "Aokafor"):
        await rename(client, ADA, f"eTGlobalUserName={spelling}")
        await describe(client, ADA, spelling)
    assert told(await client.poll(copy, USERS)) == added(user_dn("Aokafor"))
    assert same(copy, await everything(client, USERS))


@test
async def test_two_who_swapped_names_never_have_the_same_one(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    ada, boris = uuid_of(await id_of(provserver, ADA)), uuid_of(await id_of(provserver, BORIS))
    await rename(client, ADA, "eTGlobalUserName=meanwhile")
    await rename(client, BORIS, "eTGlobalUserName=aokafor")
    await rename(client, user_dn("meanwhile"), "eTGlobalUserName=bnovak")
    messages = await client.poll(copy, USERS)
    assert told(messages) == added(user_dn("meanwhile"), ADA, BORIS)
    assert (copy.held[ada][0], copy.held[boris][0]) == (BORIS, ADA)
    assert same(copy, await everything(client, USERS))


@test
async def test_who_takes_the_name_of_one_that_was_renamed_and_deleted_finds_it_free(
    provserver: RunningServer,
) -> None:
    client, copy = await consumer(provserver), Copy()
    await add_user(client, "new")
    await client.poll(copy, USERS)
    await rename(client, user_dn("new"), "eTGlobalUserName=old")
    await add_user(client, "new")
    await client.delete(user_dn("old"))
    messages = await client.poll(copy, USERS)
    assert isinstance(messages[0].operation, IntermediateResponse), "it is absent before"
    assert told(messages) == [*added(user_dn("new")), *deleted(user_dn("old"))]
    assert same(copy, await everything(client, USERS))


@test
async def test_what_leaves_the_filter_is_absent_and_what_enters_it_is_told(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    titled = request(GLOBAL_USERS, "(eTTitle=Admiral)")
    await client.poll(copy, titled)
    assert copy.names == []
    await client.modify(ADA, replace("eTTitle", "Admiral"))
    assert told(await client.poll(copy, titled)) == added(ADA)
    await client.modify(ADA, replace("eTTitle", "Captain"))
    assert told(await client.poll(copy, titled)) == []
    assert copy.names == []


@test
async def test_what_is_moved_out_of_the_scope_is_absent_and_what_is_moved_in_is_told(
    provserver: RunningServer,
) -> None:
    client, copy = await consumer(provserver), Copy()
    inside = request(CONTAINERS)
    await client.poll(copy, inside)
    before = copy.names
    account = f"eTADSAccountName=Boris Novak,{CONTAINERS}"
    assert account in before
    await rename(client, account, "eTADSAccountName=Boris Novak", STAFF)
    await rename(client, ADA_AD, "eTADSAccountName=Okafor\\, Ada", CONTAINERS)
    await client.poll(copy, inside)
    moved = f"eTADSAccountName=Okafor\\, Ada,{CONTAINERS}"
    assert copy.names == sorted({*before, moved} - {account})
    assert same(copy, await everything(client, inside))


@test
async def test_one_level_is_one_level(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    below = request(AD_CORP, scope=Scope.ONE_LEVEL)
    await client.poll(copy, below)
    assert copy.names == sorted([STAFF, CONTAINERS])
    await rename(client, f"eTADSOrgUnitName=Quayside,{STAFF}", "eTADSOrgUnitName=Quayside", AD_CORP)
    await client.poll(copy, below)
    assert copy.names == sorted([STAFF, CONTAINERS, f"eTADSOrgUnitName=Quayside,{AD_CORP}"])


@test
async def test_what_happens_elsewhere_is_not_told(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, request(HPDEV01))
    await describe(client, ADA)
    new = await add_user(client, "new")
    await client.delete(new)
    messages = await client.poll(copy, request(HPDEV01))
    assert len(messages) == 1


@test
async def test_a_log_of_many_pages_is_followed_to_its_end(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    for number in range(150):
        await add_user(client, f"n{number}")
        await describe(client, user_dn(f"n{number // 2}"), str(number))
    await client.delete(user_dn("n7"))
    messages = await client.poll(copy, USERS)
    assert len(told(messages)) == 150
    assert same(copy, await everything(client, USERS))


@test
async def test_a_password_exchange_is_a_change_of_the_user(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    agent = await provserver.wire("psync-ad-corp", "Gull-Ferry-Agent-11")
    assert (await agent.sync(ADA_AD, NEW)).code is ResultCode.SUCCESS
    assert told(await client.poll(copy, USERS)) == added(ADA)


# ---------------------------------------------------------------- cookies that do not serve


@pytest.mark.parametrize("cookie", [b"bogus", b"rid=001,csn=20250101000000.000000Z#000000#000#abcdef"])
@test
async def test_a_cookie_that_was_never_given_is_refused_or_passed_over(
    provserver: RunningServer, cookie: bytes
) -> None:
    client, copy = await consumer(provserver), Copy()
    copy.cookie = cookie
    assert code(await client.poll(copy, USERS, reload=False)) is ResultCode.SYNC_REFRESH_REQUIRED
    assert copy.held == {}
    copy.cookie = None
    number = client.begin(USERS, [sync(cookie=cookie, reload=True)])
    await client.answer(number)
    for message in client.said[number]:
        copy.take(message)
    assert same(copy, await everything(client, USERS))


@test
async def test_a_cookie_that_is_older_than_the_log_begins_anew(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    await describe(client, ADA)
    await describe(client, BORIS)
    pruned = await provserver.service.foundation.store.prune(0.0, provserver.clock.wall() + 1)
    assert pruned.changes > 1
    assert code(await client.poll(copy, USERS, reload=False)) is ResultCode.SYNC_REFRESH_REQUIRED
    messages = await client.poll(copy, USERS)
    assert SyncDone.decode(messages[-1].controls[0].value).refresh_deletes is False
    assert same(copy, await everything(client, USERS))


@test
async def test_a_cookie_for_another_content_begins_anew(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, USERS)
    others = [
        replaced(USERS, filter=parse_filter("(eTGlobalUserName=a*)")),
        replaced(USERS, base=GLOBAL_USERS.replace("dc=eta", "dc=etadb")),
        replaced(USERS, base=COMMON),
        replaced(USERS, scope=Scope.ONE_LEVEL),
        replaced(USERS, attributes=("eTFullName",)),
        replaced(USERS, types_only=True),
    ]
    for other in others:
        number = client.begin(other, [sync(cookie=copy.cookie)])
        assert (await client.answer(number)).code is ResultCode.SYNC_REFRESH_REQUIRED
    messages = await client.poll(copy, others[0])
    assert SyncDone.decode(messages[-1].controls[0].value).refresh_deletes is False
    assert same(copy, await everything(client, others[0])), "what does not match is gone"


@test
async def test_a_cookie_is_for_the_one_who_got_it(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    await client.poll(copy, ALL)
    agent = await consumer(provserver, "psync-ad-corp")
    messages = await agent.poll(copy, ALL)
    assert SyncDone.decode(messages[-1].controls[0].value).refresh_deletes is False
    assert same(copy, await everything(agent, ALL))


@test
async def test_a_cookie_of_another_server_begins_anew_with_a_newer_one(start_provserver: Starter) -> None:
    one, other = await start_provserver(), await start_provserver()
    client, copy = await consumer(one), Copy(strict=False)
    await client.poll(copy, USERS)
    for number in range(20):
        await describe(client, ADA, str(number))
    await client.poll(copy, USERS)
    elsewhere = await consumer(other)
    messages = await elsewhere.poll(copy, USERS)
    assert len(told(messages)) > 5
    assert same(copy, await everything(elsewhere, USERS))
    assert told(await elsewhere.poll(copy, USERS)) == [], "the copy has asserted that the cookie is newer"
    await client.poll(copy, USERS)
    assert same(copy, await everything(client, USERS))


@test
async def test_a_copy_goes_on_after_the_server_was_started_again(
    start_provserver: Starter, tmp_path: object
) -> None:
    server = await start_provserver(directory=tmp_path)
    client, copy = await consumer(server), Copy()
    await client.poll(copy, USERS)
    await describe(client, ADA)
    await server.stop()
    again = await start_provserver(directory=tmp_path, clock=server.clock)
    client = await consumer(again)
    assert told(await client.poll(copy, USERS)) == added(ADA)


# ---------------------------------------------------------------- rights, limits, other controls


@test
async def test_a_copy_holds_what_its_owner_may_read(provserver: RunningServer) -> None:
    for user in ("psync-ad-corp", "aokafor"):
        client, copy = await consumer(provserver, user), Copy()
        await client.poll(copy, ALL)
        assert same(copy, await everything(client, ALL))
    assert copy.names == [ADA]


@test
async def test_what_one_may_not_read_is_not_told_when_it_changes(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    agent, copy = await consumer(provserver, "psync-ad-corp"), Copy()
    await agent.poll(copy, ALL)
    await describe(admin, BORIS)
    await admin.delete(await add_user(admin, "new"))
    await describe(admin, f"eTETCAccountName=oracle,{UNIX}")
    assert len(await agent.poll(copy, ALL)) == 1
    await describe(admin, ADA_AD)
    assert told(await agent.poll(copy, ALL)) == added(ADA_AD)


@test
async def test_what_moves_out_of_sight_is_absent_and_its_name_stays_hidden(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    scope = replace("provAgentScope", STAFF.removesuffix(",dc=eta"))
    assert (await admin.modify(user_dn("psync-ad-corp"), scope)).code is ResultCode.SUCCESS
    agent, copy = await consumer(provserver, "psync-ad-corp"), Copy()
    await agent.poll(copy, ALL)
    assert ADA_AD in copy.names
    await rename(admin, ADA_AD, "eTADSAccountName=Hidden", CONTAINERS)
    messages = await agent.poll(copy, ALL)
    assert told(messages) == []
    assert ADA_AD not in copy.names
    assert same(copy, await everything(agent, ALL))


@test
async def test_nobody_gets_no_copy(provserver: RunningServer) -> None:
    client = await consumer(provserver, None)
    number = client.begin(ALL, [sync()])
    assert (await client.answer(number)).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert len(client.said[number]) == 1


@test
async def test_a_base_that_does_not_exist_has_no_content(provserver: RunningServer) -> None:
    client, copy = await consumer(provserver), Copy()
    for base in (user_dn("nobody"), "dc=elsewhere", ""):
        assert code(await client.poll(copy, request(base))) is ResultCode.NO_SUCH_OBJECT
    client.begin(request(user_dn("nobody")), [sync()])
    assert (await client.answer(client._last)).result.matched_dn == GLOBAL_USERS


@pytest.mark.parametrize("deref", [DerefAliases.IN_SEARCHING, DerefAliases.ALWAYS])
@test
async def test_aliases_are_not_dereferenced_in_a_copy(provserver: RunningServer, deref: DerefAliases) -> None:
    """RFC 4533 3.5.2."""
    client = await consumer(provserver)
    number = client.begin(request(SUFFIX, deref=deref), [sync()])
    assert (await client.answer(number)).code is ResultCode.PROTOCOL_ERROR
    number = client.begin(request(SUFFIX, deref=DerefAliases.FINDING_BASE), [sync()])
    assert (await client.answer(number)).code is ResultCode.SUCCESS


@pytest.mark.parametrize("changes", [False, True])
@test
async def test_no_more_entries_are_sent_than_asked_for(provserver: RunningServer, changes: bool) -> None:
    client, copy = await consumer(provserver), Copy()
    if changes:
        await client.poll(copy, USERS)
        for name in ("one", "two", "three", "four"):
            await add_user(client, name)
    messages = await client.poll(copy, replaced(USERS, size_limit=3))
    assert code(messages) is ResultCode.SIZE_LIMIT_EXCEEDED
    assert len(messages) == 4
    assert not messages[-1].controls, "no cookie: the copy is not whole"


@test
async def test_the_servers_limits_bind_a_copy_too(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["search.size_limit=5"])
    client, copy = await consumer(server), Copy()
    assert code(await client.poll(copy, USERS)) is ResultCode.SIZE_LIMIT_EXCEEDED
    server = await start_provserver(settings=["search.candidate_limit=20"])
    client = await consumer(server)
    assert code(await client.poll(copy, ALL)) is ResultCode.ADMIN_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    "control",
    [
        encode_request(PagedResults(10, b""), critical=True),
        encode_request(SortRequest((SortKey("eTFullName"),)), critical=True),
        encode_request(MatchedValues((Present("eTTitle"),)), critical=True),
    ],
    ids=["paged", "sorted", "matched values"],
)
@test
async def test_what_would_change_the_content_does_not_go_with_it(
    provserver: RunningServer, control: Control
) -> None:
    client, copy = await consumer(provserver), Copy()
    assert code(await client.poll(copy, USERS, control)) is ResultCode.UNAVAILABLE_CRITICAL_EXTENSION
    messages = await client.poll(copy, USERS, replaced(control, critical=False))
    assert code(messages) is ResultCode.SUCCESS
    assert same(copy, await everything(client, USERS))


@test
async def test_the_root_dse_tells_that_copies_can_be_kept(provserver: RunningServer) -> None:
    client = await consumer(provserver, None)
    found = await client.search("", "(objectClass=*)", "supportedControl", scope=Scope.BASE)
    assert "1.3.6.1.4.1.4203.1.9.1.1" in found.values("supportedControl")


@test
async def test_a_malformed_request_is_refused(provserver: RunningServer) -> None:
    client = await consumer(provserver)
    for value in (None, b"", b"\x30\x03\x0a\x01\x02", b"\x30\x00"):
        number = client.begin(USERS, [Control("1.3.6.1.4.1.4203.1.9.1.1", True, value)])
        assert (await client.answer(number)).code is ResultCode.PROTOCOL_ERROR
    assert sync(SyncMode.REFRESH_ONLY).value is not None
