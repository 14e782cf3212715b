"""Everybody tries everything, everywhere; what each is told is worked out by the rules of `rights`.

A cell is (who, what is asked, of which place). What may be done is asked in a way that changes nothing (a
password that the policy refuses), but for the writes of an administrator, which are done.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import pytest_twisted
import rights
from harbour import SUFFIX, administrator
from matrix import (
    IS_A_DEVICE,
    PASSWORDS_SET,
    READS,
    WHO,
    WRITES,
    Answer,
    Operation,
    Stage,
    below,
    searching,
)
from rights import EVERYTHING, PLACES, Place, Rights, inside

from provserver.ldap.controls import (
    TreeDelete,
    ViewResult,
    encode_request,
)
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Scope
from provserver.ldap.messages import (
    AddRequest,
    DeleteRequest,
    ExtendedRequest,
    ModifyDNRequest,
)
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.wire import Told, replace

C = ResultCode
test = pytest_twisted.ensureDeferred

Cells = dict[tuple[str, str], Answer]
"""By who asks and what place it is."""
OTHERS = [who for who, may in WHO.items() if not may.everything]

# ---------------------------------------------------------------- the cells


async def demand(stage: Stage, operation: Operation, everybody: Iterable[str]) -> None:
    """What each of them is told of each place is what should be, and nothing is changed."""
    told, expected = Cells(), Cells()
    before = await last_change(stage)
    for who in everybody:
        denials = set()
        for place in PLACES:
            answer = await stage.ask(who, operation.ask(place), *operation.controls)
            told[who, place.what] = answer.code, frozenset(map(inside, answer.names))
            expected[who, place.what] = operation.expected(WHO[who], place, stage)
            demand_discretion(stage, WHO[who], place, operation, answer)
            if answer.code is C.INSUFFICIENT_ACCESS_RIGHTS and not WHO[who].sees(place.name):
                denials.add(without_name(answer.text, place))
        assert len(denials) <= 1 or operation.of_another, (who, denials)
    assert {cell: one for cell, one in told.items() if one != expected[cell]} == {
        cell: one for cell, one in expected.items() if one != told[cell]
    }
    assert await last_change(stage) == before


def demand_discretion(stage: Stage, who: Rights, place: Place, operation: Operation, answer: Told) -> None:
    """Nothing beside the entries tells of others."""
    assert len(answer.names) == len(set(answer.names)), "each entry once"
    of_an_entry = not isinstance(operation.ask(place), ExtendedRequest)
    missing = answer.code is C.NO_SUCH_OBJECT and of_an_entry
    matched = rights.nearest(place, who, stage.tree) if missing else ""
    assert inside(answer.result.matched_dn) == matched, (place.what, answer)
    window = answer.control(ViewResult)
    assert window is None or window.content_count == len(answer.names)


def without_name(text: str, place: Place) -> str:
    """What is said of one name, as it would be said of another."""
    return text.replace(place.dn.removesuffix(",dc=etadb").removesuffix(",dc=eta"), "NAME")


async def last_change(stage: Stage) -> int:
    changes = await stage.server.service.foundation.store.changes(0, 1_000_000)
    return changes[-1].sequence


@pytest.mark.parametrize("what", READS | PASSWORDS_SET)
@test
async def test_everybody_is_told_what_is_for_them(stage: Stage, what: str) -> None:
    await demand(stage, (READS | PASSWORDS_SET)[what], WHO)


@pytest.mark.parametrize("what", WRITES)
@test
async def test_nobody_but_an_administrator_writes(stage: Stage, what: str) -> None:
    await demand(stage, WRITES[what], OTHERS)


# ---------------------------------------------------------------- what an administrator may do, is done


def deleted(place: Place, tree: frozenset[str]) -> ResultCode:
    if place.name == rights.TOP:
        return C.UNWILLING_TO_PERFORM
    return C.NOT_ALLOWED_ON_NON_LEAF if any(name.endswith(f",{place.name}") for name in tree) else C.SUCCESS


def deleted_with_all(place: Place) -> ResultCode:
    """Not the domain, nor whoever asks."""
    return C.UNWILLING_TO_PERFORM if rights.is_below(EVERYTHING.own, place.name) else C.SUCCESS


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.what)
@test
async def test_an_administrator_writes_everywhere(start_provserver: Starter, place: Place) -> None:
    server = await start_provserver()
    admin = await administrator(server)
    tree = frozenset(map(inside, (await admin.search(SUFFIX, "(objectClass=*)", "1.1")).names))
    child = below(place.dn)
    rdn = place.dn.partition(",dc=im")[0] if place.name == rights.TOP else _rdn(place.dn)
    told = {
        "modify": (await admin.modify(place.dn, replace("description", "x"))).code,
        "rename": (await admin.ask(ModifyDNRequest(place.dn, rdn, True))).code,
        "add": (await admin.ask(AddRequest(child, IS_A_DEVICE))).code,
        "add again": (await admin.ask(AddRequest(child, IS_A_DEVICE))).code,
        "delete what was added": (await admin.delete(child)).code,
        "delete": (await admin.delete(place.dn)).code,
    }
    gone = told["delete"] is C.SUCCESS
    after = C.NO_SUCH_OBJECT if place.name != EVERYTHING.own else C.INSUFFICIENT_ACCESS_RIGHTS
    told["delete the tree"] = (
        await admin.ask(DeleteRequest(place.dn), [encode_request(TreeDelete(), critical=True)])
    ).code
    missing = dict.fromkeys(told, C.NO_SUCH_OBJECT)
    expected = {
        "modify": C.SUCCESS,
        "rename": C.UNWILLING_TO_PERFORM if place.name == rights.TOP else C.SUCCESS,
        "add": C.SUCCESS,
        "add again": C.ENTRY_ALREADY_EXISTS,
        "delete what was added": C.SUCCESS,
        "delete": deleted(place, tree),
        "delete the tree": after if gone else deleted_with_all(place),
    }
    assert told == (expected if place.is_there else missing)


def _rdn(dn: str) -> str:
    """The first level of a name; a comma that is escaped does not end it."""
    head = ""
    for part in dn.split(","):
        head += part
        if not part.endswith("\\"):
            return head
        head += ","
    return head


# ---------------------------------------------------------------- what is made, not stored


@pytest.mark.parametrize("who", WHO)
@test
async def test_the_root_dse_and_the_subschema_are_for_everybody(stage: Stage, who: str) -> None:
    for dn, attribute in (("", "namingContexts"), ("cn=Subschema", "attributeTypes")):
        told = await stage.ask(who, searching(Scope.BASE, attribute)(Place("", dn)))
        assert (told.code, told.names) == (C.SUCCESS, [dn])
        assert told.values(attribute)
        for scope in (Scope.ONE_LEVEL, Scope.SUBTREE):
            told = await stage.ask(who, searching(scope)(Place("", dn)))
            assert told.names == []


@pytest.mark.parametrize("who", WHO)
@test
async def test_the_monitor_is_for_administrators(stage: Stage, who: str) -> None:
    told = await stage.ask(who, searching(Scope.BASE, "*", "+")(Place("", "cn=monitor")))
    if WHO[who].everything:
        assert (told.code, told.names) == (C.SUCCESS, ["cn=monitor"])
    else:
        assert (told.code, told.names) == (C.INSUFFICIENT_ACCESS_RIGHTS, [])


@pytest.mark.parametrize("dn", ["", "cn=Subschema", "cn=monitor"])
@pytest.mark.parametrize("what", [what for what, operation in WRITES.items() if not operation.of_another])
@test
async def test_nobody_writes_what_is_made(stage: Stage, what: str, dn: str) -> None:
    operation = WRITES[what]
    for who in WHO:
        told = await stage.ask(who, operation.ask(Place("", dn)), *operation.controls)
        assert told.code is C.NO_SUCH_OBJECT, who


@pytest.mark.parametrize("who", WHO)
@test
async def test_everybody_is_who_the_rules_say(stage: Stage, who: str) -> None:
    told = await stage.ask(who, extended(WhoAmI()))
    assert told.value is not None
    assert inside(told.value.decode().removeprefix("dn:")) == WHO[who].own
