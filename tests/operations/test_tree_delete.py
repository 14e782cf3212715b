"""The deletion of a whole tree: at once or not at all, with all that hangs on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_twisted
from crossing import Interrupted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    NEW,
    NOBODY_AD,
    PASSWORDS,
    SUFFIX,
    UNIX,
    administrator,
    holds,
    id_of,
    wire,
)
from partly import house_of
from twisted.internet.defer import Deferred, gatherResults

from provserver.directory.access import ANONYMOUS, Identity
from provserver.directory.names import DN
from provserver.imps.profiles import identity_of
from provserver.ldap.filters import Scope
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations import subtrees
from provserver.operations.edits import Edits
from provserver.operations.writes import delete_tree
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn

test = pytest_twisted.ensureDeferred

STAFF = f"eTADSOrgUnitName=Staff,{AD_CORP}"
INCLUSIONS = f"eTInclusionContainerName=Inclusions,{COMMON}"


async def identity(server: RunningServer, user: str) -> Identity:
    entry = await server.entry(user_dn(user))
    assert entry is not None
    return identity_of(entry)


async def delete(server: RunningServer, dn: str, by: Identity | None = None) -> Result:
    house = house_of(server.service.foundation.rooms)
    return await delete_tree(dn, by or await identity(server, "etaadmin"), house)


async def refused(server: RunningServer, dn: str, by: Identity | None = None) -> Refusal:
    """Why it was refused; nothing has changed."""
    before = await state(server)
    with pytest.raises(Refusal) as caught:
        await delete(server, dn, by)
    assert await state(server) == before
    return caught.value


async def state(server: RunningServer) -> tuple[list[str], int]:
    admin = await administrator(server)
    changes = await server.service.foundation.store.changes(0, 1_000_000)
    return sorted((await admin.search(SUFFIX, "(objectClass=*)", "1.1")).names), changes[-1].sequence


@test
async def test_all_below_goes_children_first_and_nothing_else(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    names, last = await state(provserver)
    inclusions = {name for name in names if name.startswith("eTInclusionID=")}
    below = [name for name in names if name.endswith(STAFF)]
    ids = {name: await id_of(provserver, name) for name in below}
    assert (await delete(provserver, STAFF)).code == 0
    after, _ = await state(provserver)
    gone = set(names) - set(after)
    assert gone - inclusions == set(below)
    assert {name.partition("@")[2].partition(",")[0] for name in gone & inclusions} <= set(ids.values())
    assert not [name for name in after if any(entry_id in name for entry_id in ids.values())]
    log = await provserver.service.foundation.store.changes(last, 1_000)
    assert {line.kind for line in log} == {"delete"}
    order = [line.id for line in log]
    assert all(order.index(ids[name]) < order.index(ids[STAFF]) for name in below if name != STAFF)
    assert (await admin.search(STAFF)).code is ResultCode.NO_SUCH_OBJECT
    assert (await admin.search(AD_CORP, scope=Scope.BASE)).code == 0


@test
async def test_other_accounts_of_the_same_users_still_get_their_passwords(provserver: RunningServer) -> None:
    assert (await delete(provserver, AD_CORP)).code == 0
    agent = await wire(provserver, "agent-ldap-hq")
    account = "eTDYNAccountName=aokafor,eTDYNAccountContainerName=Accounts,eTDYNDirectoryName=ldap-hq"
    assert (await agent.sync(f"{account},eTNamespaceName=OpenLDAP,{SUFFIX}", NEW)).code == 0
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert not holds(provserver, "AD-Corp", "Okafor, Ada", NEW)


@test
async def test_passwords_on_their_way_to_a_deleted_endpoint_end(provserver: RunningServer) -> None:
    provserver.endpoint("hpdev01").down()
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    store = provserver.service.foundation.store
    assert await store.outbox_size() == 1
    assert (await delete(provserver, HPDEV01)).code == 0
    provserver.clock.turn(120)
    await provserver.delivered()
    assert await store.outbox_size() == 0


@test
async def test_a_leaf_is_a_tree_of_one(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    entry_id = await id_of(provserver, ADA_UNIX)
    assert (await delete(provserver, ADA_UNIX)).code == 0
    assert (await admin.search(INCLUSIONS, f"(eTCID={entry_id})")).names == []


@pytest.mark.parametrize(
    ("dn", "code"),
    [
        (SUFFIX, ResultCode.UNWILLING_TO_PERFORM),
        ("dc=im", ResultCode.UNWILLING_TO_PERFORM),
        (COMMON, ResultCode.UNWILLING_TO_PERFORM),
        (GLOBAL_USERS, ResultCode.UNWILLING_TO_PERFORM),
        (user_dn("etaadmin"), ResultCode.UNWILLING_TO_PERFORM),
        (NOBODY_AD, ResultCode.NO_SUCH_OBJECT),
        ("dc=elsewhere", ResultCode.NO_SUCH_OBJECT),
        ("??", ResultCode.INVALID_DN_SYNTAX),
    ],
)
@test
async def test_what_cannot_be_deleted(provserver: RunningServer, dn: str, code: ResultCode) -> None:
    refusal = await refused(provserver, dn)
    assert (refusal.code, bool(refusal.result.diagnostic)) == (code, True)


@test
async def test_who_may_not_write_deletes_no_tree(provserver: RunningServer) -> None:
    callers = [ANONYMOUS, await identity(provserver, "aokafor"), await identity(provserver, "psync-ad-corp")]
    for caller in callers:
        for dn in (STAFF, NOBODY_AD, SUFFIX, user_dn("aokafor")):
            assert (await refused(provserver, dn, caller)).code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS


@test
async def test_too_large_a_tree_stays_whole(
    provserver: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtrees, "MOST_TOUCHED", 12)  # 8 entries, and the inclusions of 5 accounts
    refusal = await refused(provserver, STAFF)
    assert (refusal.code, refusal.result.diagnostic) == (
        ResultCode.ADMIN_LIMIT_EXCEEDED,
        "expected at most 12 entries to be changed at once",
    )
    monkeypatch.setattr(subtrees, "MOST_TOUCHED", 13)
    assert (await delete(provserver, STAFF)).code == 0


@test
async def test_accounts_that_are_added_meanwhile_go_too_or_are_refused(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    account = {"objectClass": ["eTETCAccount"], "provGlobalUser": [user_dn("bnovak")]}
    new = [f"eTETCAccountName=late{number},{UNIX}" for number in range(10)]
    asked = [Deferred.fromCoroutine(admin.add(dn, account)) for dn in new]
    deleted = Deferred.fromCoroutine(delete(provserver, UNIX))
    told = await gatherResults(asked)
    assert (await deleted).code == 0
    assert {answer.code for answer in told} <= {ResultCode.SUCCESS, ResultCode.NO_SUCH_OBJECT}
    names, _ = await state(provserver)
    assert not [name for name in names if name.endswith(UNIX)]
    boris = await id_of(provserver, user_dn("bnovak"))
    left = await admin.search(INCLUSIONS, f"(eTPID={boris})", "eTSubordinateClassEntry")
    assert all(
        AD_CORP.removesuffix(",dc=eta") in left.values("eTSubordinateClassEntry")[0] for _ in left.names
    )
    assert len(left.names) == 1


@pytest.mark.parametrize("what", ["added", "deleted"])
@test
async def test_a_tree_that_changes_just_before_the_commit_is_looked_through_again(
    provserver: RunningServer, what: str
) -> None:
    admin = await administrator(provserver)
    late = f"eTETCAccountName=late,{UNIX}"
    rooms = provserver.service.foundation.rooms
    other = (
        (lambda: admin.add(late, {"objectClass": ["eTETCAccount"]}))
        if what == "added"
        else (lambda: admin.delete(ADA_UNIX))
    )
    house = house_of(replace(rooms, store=Interrupted(rooms.store, other)))
    assert (await delete_tree(UNIX, await identity(provserver, "etaadmin"), house)).code == 0
    names, _ = await state(provserver)
    assert not [name for name in names if name.endswith(UNIX)]


@test
async def test_a_tree_goes_with_what_the_same_commit_put_into_it(provserver: RunningServer) -> None:
    foundation = provserver.service.foundation
    admin = await administrator(provserver)
    one = Edits(foundation.rooms, "tests")
    unix = DN.parse(UNIX.removesuffix(",dc=eta"))
    await one.modify(unix, [(2, "eTDescription", [b"changed"])])
    await one.add(unix.child("eTETCAccountName", "new"), [("objectClass", [b"eTETCAccount"])])
    await one.modify(unix.child("eTETCAccountName", "aokafor"), [(2, "eTDescription", [b"changed"])])
    await one.delete(unix.child("eTETCAccountName", "oracle"))
    await one.delete_tree(unix)
    await foundation.store.commit(one.commit())
    assert (await admin.search(UNIX)).code is ResultCode.NO_SUCH_OBJECT
    assert (await admin.search(HPDEV01, scope=Scope.BASE)).code == 0
    two = Edits(foundation.rooms, "tests")
    with pytest.raises(Refusal) as caught:
        await two.delete_tree(unix)
    assert caught.value.code is ResultCode.NO_SUCH_OBJECT


@test
async def test_a_deleted_user_with_its_tree_can_no_longer_log_in(provserver: RunningServer) -> None:
    assert (await delete(provserver, user_dn("bnovak"))).code == 0
    with pytest.raises(PermissionError):
        await provserver.wire("bnovak", PASSWORDS["bnovak"])
