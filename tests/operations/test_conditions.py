"""The assertion control (RFC 4528) and the read entry controls (RFC 4527), over the wire."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

import pytest
import pytest_twisted
from crossing import Interrupted
from harbour import AD_CORP, ADA_AD, ADA_UNIX, NEW, SUFFIX, UNIX, administrator, id_of, snapshot, wire
from partly import house_of

from provserver.directory.access import Identity, Role
from provserver.directory.entries import Attribute, Entry
from provserver.imps.views import View
from provserver.ldap.controls import (
    Assertion,
    ControlValue,
    ManageDsaIT,
    PostRead,
    PostReadEntry,
    PreRead,
    PreReadEntry,
    TreeDelete,
    encode_request,
)
from provserver.ldap.filters import Scope, parse_filter
from provserver.ldap.limits import DEFAULT_LIMITS
from provserver.ldap.messages import (
    AddRequest,
    Change,
    ChangeKind,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ModifyDNRequest,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
)
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import read_controls
from provserver.operations.conditions import Conditions
from provserver.operations.writes import delete, modify, rename
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
FRESH = f"eTETCAccountName=fresh,{UNIX}"
FAILED = ResultCode.ASSERTION_FAILED
TRUE, FALSE = "(objectClass=*)", "(eTDescription=never)"


def critical(*values: ControlValue) -> list[Control]:
    return [encode_request(value, critical=True) for value in values]


def that(filter: str) -> list[Control]:
    """The control that asserts this."""
    return critical(Assertion(parse_filter(filter)))


def an_account(**more: str) -> AddRequest:
    attributes = {"objectClass": "eTETCAccount", "eTETCAccountName": "fresh", **more}
    return AddRequest(
        FRESH, tuple(PartialAttribute(name, (value.encode(),)) for name, value in attributes.items())
    )


TITLE = ModifyRequest(ADA, (replace("eTTitle", "Admiral"),))
WRITES: list[Request] = [
    an_account(),
    TITLE,
    DeleteRequest(ADA_UNIX),
    ModifyDNRequest(ADA_UNIX, "eTETCAccountName=ada", True),
]


def kind(request: Request) -> str:
    return type(request).__name__


# ---------------------------------------------------------------- assertion


@pytest.mark.parametrize("request_", WRITES, ids=kind)
@test
async def test_a_write_takes_place_if_the_assertion_is_true(
    provserver: RunningServer, request_: Request
) -> None:
    admin = await administrator(provserver)
    assert (await admin.ask(request_, that(TRUE))).code == 0


@pytest.mark.parametrize("is_critical", [True, False])
@pytest.mark.parametrize("asserted", [FALSE, "(nonesuch=x)", "(provPasswordHash=*)", f"(!{TRUE})"])
@pytest.mark.parametrize("request_", WRITES, ids=kind)
@test
async def test_it_does_not_if_the_assertion_is_false_or_undefined_critical_or_not(
    provserver: RunningServer, request_: Request, asserted: str, is_critical: bool
) -> None:
    """RFC 4528 3. A secret attribute is never matched, so nothing about it is ever true."""
    admin = await administrator(provserver)
    before = await snapshot(provserver)
    control = encode_request(Assertion(parse_filter(asserted)), critical=is_critical)
    told = await admin.ask(request_, [control])
    assert (told.code, bool(told.text), told.controls) == (FAILED, True, ())
    assert await snapshot(provserver) == before
    assert await provserver.entry(FRESH) is None


@pytest.mark.parametrize(
    ("asserted", "code"),
    [
        (f"(&(eTTitle=berth PLANNER)(entryDN={ADA}))", 0),
        ("(entryUUID={id})", 0),
        ("(eTID={id})", 0),
        ("(!(eTTitle=captain))", 0),
        ("(eTUserAdminProfile=*)", FAILED),
    ],
)
@test
async def test_what_can_be_asserted_is_what_a_search_can_find(
    provserver: RunningServer, asserted: str, code: int
) -> None:
    admin = await administrator(provserver)
    asserted = asserted.replace("{id}", await id_of(provserver, ADA))
    assert (await admin.ask(TITLE, that(asserted))).code == code


@test
async def test_of_an_add_it_is_about_the_entry_that_is_to_be_added(provserver: RunningServer) -> None:
    """RFC 4528 3: the target is what the entry field of the request indicates."""
    admin = await administrator(provserver)
    new = an_account(eTDescription="first")
    assert (await admin.ask(new, that("(eTDescription=second)"))).code is FAILED
    assert (await admin.ask(new, that("(&(eTDescription=first)(eTETCAccountName=fresh))"))).code == 0
    assert (await admin.ask(new, that(FALSE))).code is ResultCode.ENTRY_ALREADY_EXISTS


@test
async def test_a_compare_is_tied_too(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    comparison = CompareRequest(ADA, "eTTitle", b"Berth planner")
    assert (await admin.ask(comparison, that("(eTLastName=Okafor)"))).code is ResultCode.COMPARE_TRUE
    assert (await admin.ask(comparison, that("(eTLastName=Novak)"))).code is FAILED


@test
async def test_a_search_is_tied_to_its_base(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    found = await admin.search(UNIX, TRUE, scope=Scope.ONE_LEVEL)
    tied = "(eTETCAccountContainerName=Accounts)"
    assert (await search(admin, UNIX, tied)).names == found.names != []
    told = await search(admin, UNIX, "(eTETCAccountName=aokafor)")
    assert (told.code, told.names) == (FAILED, [])


async def search(client: WireClient, base: str, asserted: str) -> Told:
    request = SearchRequest(
        base, Scope.ONE_LEVEL, DerefAliases.NEVER, 0, 0, False, parse_filter(TRUE), ("1.1",)
    )
    return await client.ask(request, that(asserted))


@pytest.mark.parametrize("request_", WRITES[1:], ids=kind)
@test
async def test_what_is_not_there_is_not_there_whatever_is_asserted(
    provserver: RunningServer, request_: Request
) -> None:
    admin = await administrator(provserver)
    told = await admin.ask(changed(request_, dn=user_dn("ghost")), that(FALSE))
    assert told.code is ResultCode.NO_SUCH_OBJECT


@test
async def test_it_tells_nothing_to_who_may_not_read(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    for asserted in (TRUE, FALSE):
        for request_ in (*WRITES, CompareRequest(ADA_AD, "cn", b"x")):
            told = await ada.ask(request_, that(asserted))
            assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS


@pytest.mark.parametrize(
    "request_", [TITLE, DeleteRequest(ADA), ModifyDNRequest(ADA, "eTGlobalUserName=ada", True)], ids=kind
)
@test
async def test_what_was_asserted_is_still_true_when_it_is_committed(
    provserver: RunningServer, request_: ModifyRequest | DeleteRequest | ModifyDNRequest
) -> None:
    """Somebody else is faster: it is judged again, on what is there then."""
    admin = await administrator(provserver)
    foundation = provserver.service.foundation
    identity = Identity(Role.DOMAIN_ADMINISTRATOR, foundation.views.domain)
    store: Any = Interrupted(foundation.store, lambda: admin.modify(ADA, replace("eTTitle", "Captain")))
    house = house_of(changed(foundation.rooms, store=store))
    asked = read_controls(that("(eTTitle=Berth planner)"), request_, DEFAULT_LIMITS)
    if isinstance(request_, ModifyRequest):
        written = modify(request_, identity, house, house, asked)
    elif isinstance(request_, DeleteRequest):
        written = delete(request_, identity, house, asked)
    else:
        written = rename(request_, identity, house, asked)
    with pytest.raises(Refusal) as caught:
        await written
    assert caught.value.code is FAILED
    assert (await admin.search(ADA, TRUE, "eTTitle")).values("eTTitle") == ["Captain"]


@test
async def test_a_counter_is_incremented_by_everybody_who_asserted_its_value(
    provserver: RunningServer,
) -> None:
    """Compare-and-swap: of many who saw the same value, one wins each round."""
    clients = [await administrator(provserver) for _ in range(4)]
    assert (await clients[0].modify(ADA, replace("eTPropagatePassword", "0"))).code == 0
    for round in range(3):
        increment = ModifyRequest(
            ADA, (Change(ChangeKind.INCREMENT, PartialAttribute("eTPropagatePassword", (b"1",))),)
        )
        asserted = that(f"(eTPropagatePassword={round})")
        begun = [(client, client.begin(increment, asserted)) for client in clients]
        codes = [(await client.answer(number)).code for client, number in begun]
        assert sorted(codes) == [0, FAILED, FAILED, FAILED]


# ---------------------------------------------------------------- the entry before and after


def shown(told: Told, kind: type[PreReadEntry] | type[PostReadEntry]) -> dict[str, list[str]]:
    """The attributes of a read entry control, and its name under ``dn``; empty: there is no such control."""
    control = told.control(kind)
    if control is None:
        return {}
    entry = control.entry  # type: ignore[attr-defined]
    values = {one.description: [value.decode() for value in one.values] for one in entry.attributes}
    return {"dn": [entry.dn], **values}


@test
async def test_a_modify_shows_the_entry_before_and_after(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    provserver.clock.turn(7)
    wanted = ("eTTitle", "modifyTimestamp", "modifiersName", "entryUUID", "entryDN")
    told = await admin.ask(TITLE, critical(PreRead(wanted), PostRead(wanted)))
    assert told.code == 0
    before, after = shown(told, PreReadEntry), shown(told, PostReadEntry)
    assert (before.pop("eTTitle"), after["eTTitle"]) == (["Berth planner"], ["Admiral"])
    assert before.pop("modifyTimestamp") < after["modifyTimestamp"]
    assert before.pop("modifiersName") != after["modifiersName"]
    assert before == {"dn": [ADA], "entryUUID": [await id_of(provserver, ADA)], "entryDN": [ADA]}
    found = await admin.search(ADA, TRUE, *wanted, scope=Scope.BASE)
    assert after == {"dn": found.names} | {name: found.values(name) for name in wanted}


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", ""])
@test
async def test_names_end_as_in_the_request(provserver: RunningServer, tail: str) -> None:
    admin = await administrator(provserver)
    dn = ADA.removesuffix(",dc=eta") + tail
    told = await admin.ask(changed(TITLE, dn=dn), critical(PreRead(("entryDN",)), PostRead(("entryDN",))))
    assert shown(told, PreReadEntry) == shown(told, PostReadEntry) == {"dn": [dn], "entryDN": [dn]}


@pytest.mark.parametrize(
    "wanted", [(), ("*", "+"), ("eTPassword", "provPasswordHash", "provPasswordHistory")]
)
@test
async def test_secret_attributes_are_never_shown(provserver: RunningServer, wanted: tuple[str, ...]) -> None:
    admin = await administrator(provserver)
    told = await admin.ask(TITLE, critical(PreRead(wanted), PostRead(wanted)))
    for kind in (PreReadEntry, PostReadEntry):
        names = {name.lower() for name in shown(told, kind)}
        assert not [name for name in names if "hash" in name or "history" in name or name == "etpassword"]
        assert ("ettitle" in names) is (wanted != ("eTPassword", "provPasswordHash", "provPasswordHistory"))


@test
async def test_an_add_shows_the_entry_after_and_a_delete_before(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    wanted = ("eTETCAccountName", "structuralObjectClass", "hasSubordinates", "createTimestamp", "entryUUID")
    told = await admin.ask(an_account(), critical(PostRead(wanted)))
    assert told.code == 0
    after = shown(told, PostReadEntry)
    found = await admin.search(FRESH, TRUE, *wanted, scope=Scope.BASE)
    assert after == {"dn": [FRESH]} | {name: found.values(name) for name in wanted}
    assert after["hasSubordinates"] == ["FALSE"]
    told = await admin.ask(DeleteRequest(FRESH), critical(PreRead(wanted)))
    assert (told.code, shown(told, PreReadEntry)) == (0, after)


@test
async def test_a_rename_shows_both_names(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.ask(
        ModifyDNRequest(ADA_UNIX, "eTETCAccountName=ada", True),
        critical(PreRead(("eTETCAccountName",)), PostRead(("eTETCAccountName",))),
    )
    assert told.code == 0
    assert shown(told, PreReadEntry) == {"dn": [ADA_UNIX], "eTETCAccountName": ["aokafor"]}
    ada = f"eTETCAccountName=ada,{UNIX}"
    assert shown(told, PostReadEntry) == {"dn": [ada], "eTETCAccountName": ["ada"]}


@test
async def test_nothing_is_shown_of_what_was_refused(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    both = critical(PreRead(()), PostRead(()))
    bad = ModifyRequest(ADA, (replace("eTSuspended", "one"),))
    told = await admin.ask(bad, both)
    assert (told.code, told.controls) == (ResultCode.INVALID_ATTRIBUTE_SYNTAX, ())
    told = await admin.ask(TITLE, [*both, *that(FALSE)])
    assert (told.code, told.controls) == (FAILED, ())


@pytest.mark.parametrize(
    ("request_", "control"),
    [
        (an_account(), PreRead(())),
        (DeleteRequest(ADA_UNIX), PostRead(())),
        (CompareRequest(ADA, "eTTitle", b"x"), PreRead(())),
    ],
)
@test
async def test_what_an_operation_has_no_before_or_after_of_cannot_be_asked(
    provserver: RunningServer, request_: Request, control: ControlValue
) -> None:
    admin = await administrator(provserver)
    told = await admin.ask(request_, critical(control))
    assert told.code is ResultCode.UNAVAILABLE_CRITICAL_EXTENSION
    assert (await admin.ask(request_, [encode_request(control)])).controls == ()


@test
async def test_who_may_not_read_an_entry_is_not_shown_it(provserver: RunningServer) -> None:
    """None may write today who may not read; the control does not depend on it."""
    rooms = provserver.service.foundation.rooms
    entry = await provserver.entry(ADA)
    assert entry is not None
    asked = read_controls(critical(PreRead(()), PostRead(())), TITLE, DEFAULT_LIMITS)
    stranger = Identity(Role.USER, entry.dn.parent)
    conditions = Conditions(asked, stranger, View.SERVER, rooms)
    await conditions.before(entry)
    conditions.after(Entry(entry.id, entry.dn, {**entry.attributes, "x": Attribute("x", ())}))
    await conditions.answer()
    assert asked.answers == []


# ---------------------------------------------------------------- with password triggers


@pytest.mark.parametrize("trigger", ["eTTestPassword", "eTSyncPassword", "eTPassword"])
@pytest.mark.parametrize("control", [Assertion(parse_filter(TRUE)), PreRead(()), PostRead(())])
@test
async def test_a_password_trigger_goes_without_them(
    provserver: RunningServer, trigger: str, control: ControlValue
) -> None:
    """RFC 4511 4.1.11: unwilling with a critical control, and passing over one that is not."""
    admin = await administrator(provserver)
    dn = ADA if trigger == "eTPassword" else ADA_AD
    before = await snapshot(provserver)
    told = await admin.modify(dn, replace(trigger, NEW), controls=critical(control))
    assert told.code is ResultCode.UNAVAILABLE_CRITICAL_EXTENSION
    assert await snapshot(provserver) == before
    told = await admin.modify(dn, replace(trigger, NEW), controls=[encode_request(control)])
    assert (told.code, told.controls) == (0, ())


# ---------------------------------------------------------------- other controls of writes


@test
async def test_a_tree_is_deleted_with_the_control_and_only_with_it(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.ask(DeleteRequest(AD_CORP))).code is ResultCode.NOT_ALLOWED_ON_NON_LEAF
    tied = [*critical(TreeDelete(), PreRead(("numSubordinates",))), *that("(eTADSDirectoryName=Elsewhere)")]
    assert (await admin.ask(DeleteRequest(AD_CORP), tied)).code is FAILED
    told = await admin.ask(DeleteRequest(AD_CORP), critical(TreeDelete(), PreRead(("numSubordinates",))))
    assert (told.code, shown(told, PreReadEntry)) == (0, {"dn": [AD_CORP], "numSubordinates": ["2"]})
    assert (await admin.search(AD_CORP)).code is ResultCode.NO_SUCH_OBJECT
    assert (await admin.ask(DeleteRequest(SUFFIX), critical(TreeDelete()))).code is (
        ResultCode.UNWILLING_TO_PERFORM
    )


@pytest.mark.parametrize("request_", [*WRITES, CompareRequest(ADA, "eTTitle", b"Admiral")], ids=kind)
@test
async def test_managedsait_is_taken_with_every_write_and_compare(
    provserver: RunningServer, request_: Request
) -> None:
    admin = await administrator(provserver)
    assert (await admin.ask(request_, critical(ManageDsaIT()))).code in (0, ResultCode.COMPARE_FALSE)


@test
async def test_increments_of_many_clients_all_count(provserver: RunningServer) -> None:
    """RFC 4525, end to end and atomic."""
    clients = [await administrator(provserver) for _ in range(5)]
    assert (await clients[0].modify(ADA, replace("eTPropagatePassword", "0"))).code == 0
    up = Change(ChangeKind.INCREMENT, PartialAttribute("eTPropagatePassword", (b"3",)))
    down = Change(ChangeKind.INCREMENT, PartialAttribute("eTPropagatePassword", (b"-1",)))
    begun = [(client, client.begin(ModifyRequest(ADA, (up, down)))) for client in clients for _ in range(4)]
    assert {(await client.answer(number)).code for client, number in begun} == {ResultCode.SUCCESS}
    found = await clients[0].search(ADA, TRUE, "eTPropagatePassword", scope=Scope.BASE)
    assert found.values("eTPropagatePassword") == ["40"]
