"""Every way in which the controls of a search make it fail: pages, sorting, list views, synchronisation."""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from collections.abc import Sequence

import pytest
from asking import Case, Row, be_alone
from control_rows import BY_NAME, asking, with_
from harbour import AD_CORP, ADA_UNIX, NOBODY_AD, SUFFIX, UNIX
from read_rows import make_haste, search_request

from provserver.ldap.controls import (
    ByOffset,
    ByValue,
    ControlValue,
    MatchedValues,
    PagedResults,
    SortKey,
    SortRequest,
    SortResult,
    Subentries,
    SyncDone,
    SyncMode,
    SyncRequest,
    ViewRequest,
    ViewResult,
    encode_request,
)
from provserver.ldap.filters import Scope
from provserver.ldap.messages import (
    AddRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    PartialAttribute,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.storage.contract import ChangeRecord
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace

C = ResultCode

# ---------------------------------------------------------------- pages (RFC 2696)

ACCOUNTS = search_request(UNIX, scope=Scope.ONE_LEVEL)


async def page(
    client: WireClient, request: SearchRequest, cookie: bytes = b"", *others: ControlValue
) -> Told:
    controls = [encode_request(value) for value in (PagedResults(1, cookie), *others)]
    return await client.ask(request, controls)


async def cookie_of(client: WireClient, *others: ControlValue) -> bytes:
    told = await page(client, ACCOUNTS, b"", *others)
    answer = told.control(PagedResults)
    assert answer is not None
    assert answer.cookie
    return answer.cookie


async def used_twice(client: WireClient) -> Told:
    cookie = await cookie_of(client)
    await page(client, ACCOUNTS, cookie)
    return await page(client, ACCOUNTS, cookie)


async def after_another_bind(client: WireClient) -> Told:
    cookie = await cookie_of(client)
    await client.bind(user_dn("etaadmin"), "Harbour-Master-99")
    return await page(client, ACCOUNTS, cookie)


async def of_another_request(client: WireClient) -> Told:
    return await page(client, search_request(UNIX), await cookie_of(client))


async def with_another_control(client: WireClient) -> Told:
    return await page(client, ACCOUNTS, await cookie_of(client), Subentries(visible=False))


async def one_too_many(client: WireClient) -> Told:
    first = await cookie_of(client)
    for _ in range(5):
        await cookie_of(client)
    return await page(client, ACCOUNTS, first)


PAGES = [
    Row("a cookie that never was", lambda c: page(c, ACCOUNTS, b"x"), C.UNWILLING_TO_PERFORM, "under this cookie", "RFC 2696 3"),
    Row("a cookie that was used", used_twice, C.UNWILLING_TO_PERFORM, "under this cookie", "RFC 2696 3"),
    Row("a cookie from before a bind", after_another_bind, C.UNWILLING_TO_PERFORM, "under this cookie", "ours"),
    Row("a cookie that gave way to others", one_too_many, C.UNWILLING_TO_PERFORM, "under this cookie", "ours"),
    Row("a cookie of another request", of_another_request, C.UNWILLING_TO_PERFORM, "the same request", "RFC 2696 3"),
    Row("a cookie with another control", with_another_control, C.UNWILLING_TO_PERFORM, "the same other controls", "RFC 2696 3"),
]  # fmt: skip

# ---------------------------------------------------------------- sorting (RFC 2891)


def sorted_by(*keys: SortKey, critical: bool = True) -> Case:
    return with_(ACCOUNTS, SortRequest(keys), critical=critical)


NAME, NONESUCH, HIDDEN = SortKey("eTETCAccountName"), SortKey("nonesuch"), SortKey("eTPassword")
SORTING = [
    Row("by what no schema has", sorted_by(NONESUCH), C.UNAVAILABLE_CRITICAL_EXTENSION, "no such attribute type", "RFC 2891 2", control=SortResult(C.NO_SUCH_ATTRIBUTE, "nonesuch")),
    Row("by what no schema has, not critical", sorted_by(NONESUCH, critical=False), C.SUCCESS, "", "RFC 2891 2", control=SortResult(C.NO_SUCH_ATTRIBUTE, "nonesuch")),
    Row("by a secret", sorted_by(HIDDEN), C.UNAVAILABLE_CRITICAL_EXTENSION, "no such attribute type", "ours", control=SortResult(C.NO_SUCH_ATTRIBUTE, "eTPassword")),
    Row("by a rule that no schema has", sorted_by(SortKey("eTETCAccountName", "nonesuchMatch")), C.UNAVAILABLE_CRITICAL_EXTENSION, "an ordering rule that suits it", "RFC 2891 1.1", control=SortResult(C.INAPPROPRIATE_MATCHING, "eTETCAccountName")),
    Row("by a rule for other values", sorted_by(SortKey("eTETCAccountName", "integerOrderingMatch")), C.UNAVAILABLE_CRITICAL_EXTENSION, "an ordering rule that suits it", "RFC 2891 1.1", control=SortResult(C.INAPPROPRIATE_MATCHING, "eTETCAccountName")),
    Row("by what has no order", sorted_by(SortKey("jpegPhoto")), C.UNAVAILABLE_CRITICAL_EXTENSION, "an ordering rule that suits it", "RFC 2891 1.1", control=SortResult(C.INAPPROPRIATE_MATCHING, "jpegPhoto")),
    Row("by the same twice", sorted_by(NAME, NAME), C.UNAVAILABLE_CRITICAL_EXTENSION, "a sort key twice", "RFC 2891 1.1", control=SortResult(C.UNWILLING_TO_PERFORM, "eTETCAccountName")),
    Row("by too many", sorted_by(*[SortKey(f"eTCustomField{number:02}") for number in range(1, 18)]), C.UNAVAILABLE_CRITICAL_EXTENSION, "at most 16 sort keys", "RFC 2891 2", control=SortResult(C.UNWILLING_TO_PERFORM)),
    Row("by nothing", asking(ACCOUNTS, Control(SortRequest.oid, True, b"\x30\x00")), C.PROTOCOL_ERROR, "SortKeyList", "RFC 2891 1.1"),
    Row("too many entries", sorted_by(NAME), C.ADMIN_LIMIT_EXCEEDED, "at most 2 entries to sort", "RFC 2891 2", scene="unsorted", control=SortResult(C.ADMIN_LIMIT_EXCEEDED)),
    Row("for too long", with_(search_request(SUFFIX, time_limit=1), BY_NAME), C.TIME_LIMIT_EXCEEDED, "more than 1 s", "RFC 2891 2", scene="hasty", first=make_haste, control=SortResult(C.TIME_LIMIT_EXCEEDED)),
]  # fmt: skip

# ---------------------------------------------------------------- virtual list views


def viewing(view: ViewRequest, *others: ControlValue, request: SearchRequest = ACCOUNTS) -> Case:
    return with_(request, view, *others)


def because(code: ResultCode) -> ViewResult:
    return ViewResult(0, 0, code)


def at(offset: int, count: int = 0) -> ViewRequest:
    return ViewRequest(0, 0, ByOffset(offset, count))


VIEW = C.VIRTUAL_LIST_VIEW_ERROR
DRAFT = "draft-ietf-ldapext-ldapv3-vlv 6.2"
VIEWS = [
    Row("of what is not sorted", viewing(at(1)), VIEW, "a server side sorting control too", DRAFT, control=because(C.SORT_CONTROL_MISSING)),
    Row("in a context", viewing(ViewRequest(0, 0, ByOffset(1), b"x"), BY_NAME), VIEW, "expected no contextID", DRAFT, control=because(C.PROTOCOL_ERROR)),
    Row("from before the first", viewing(at(0), BY_NAME), VIEW, "an offset from 1", DRAFT, control=because(C.OFFSET_RANGE_ERROR)),
    Row("from behind the last", viewing(at(9, 8), BY_NAME), VIEW, "an offset from 1", DRAFT, control=because(C.OFFSET_RANGE_ERROR)),
    Row("from a value that is none", viewing(ViewRequest(0, 0, ByValue(b"x")), SortRequest((SortKey("provMinLength"),))), VIEW, "the value to look for", DRAFT, control=because(C.INAPPROPRIATE_MATCHING)),
    Row("by what no schema has", viewing(at(1), SortRequest((NONESUCH,))), VIEW, "no such attribute type", DRAFT, control=because(C.UNWILLING_TO_PERFORM)),
    Row("of too many entries", viewing(at(1), BY_NAME), VIEW, "at most 2 entries to sort", DRAFT, scene="unsorted", control=because(C.ADMIN_LIMIT_EXCEEDED)),
    Row("in pages", viewing(at(1), BY_NAME, PagedResults(1)), VIEW, "no paged results control beside it", DRAFT, control=because(C.UNWILLING_TO_PERFORM)),
]  # fmt: skip

# ---------------------------------------------------------------- synchronisation (RFC 4533)


def synchronising(cookie: bytes | None = None, *others: ControlValue, base: str = UNIX, mode: SyncMode = SyncMode.REFRESH_ONLY, deref: DerefAliases = DerefAliases.NEVER, time_limit: int = 0) -> Case:  # fmt: skip
    return with_(search_request(base, deref=deref, time_limit=time_limit), SyncRequest(mode, cookie), *others)


async def another_cookie(client: WireClient) -> Told:
    """The cookie of one content for another."""
    told = await synchronising()(client)
    assert told.code is C.SUCCESS
    done = told.control(SyncDone)
    assert done is not None
    return await synchronising(done.cookie, base=AD_CORP)(client)


def begin_to_persist(client: WireClient, base: str) -> int:
    return client.begin(search_request(base), [encode_request(SyncRequest(SyncMode.REFRESH_AND_PERSIST))])


async def eleven_persist(client: WireClient) -> Told:
    for _ in range(10):
        begin_to_persist(client, UNIX)
    return await client.answer(begin_to_persist(client, UNIX))


async def two_persist(client: WireClient) -> Told:
    begin_to_persist(client, UNIX)
    return await client.answer(begin_to_persist(client, UNIX))


async def persist_where_it_goes(client: WireClient) -> Told:
    """The base is deleted while somebody persists."""
    number = begin_to_persist(client, ADA_UNIX)
    assert (await client.delete(ADA_UNIX)).code is C.SUCCESS
    return await client.answer(number)


async def persist_where_another_comes(client: WireClient) -> Told:
    """The base is deleted, and made anew, before somebody who persists hears of it."""
    number = begin_to_persist(client, ADA_UNIX)
    client.begin(DeleteRequest(ADA_UNIX))
    client.begin(AddRequest(ADA_UNIX, (PartialAttribute("objectClass", (b"eTETCAccount",)),)))
    return await client.answer(number)


async def persist_until_the_rights_go(client: WireClient) -> Told:
    """An administrator becomes a user."""
    number = begin_to_persist(client, UNIX)
    assert (await client.modify(user_dn("etaadmin"), replace("eTUserAdminProfile"))).code is C.SUCCESS
    return await client.answer(number)


async def persist_until_the_rights_change(client: WireClient) -> Told:
    """An administrator becomes a user, who may search from above itself."""
    number = begin_to_persist(client, GLOBAL_USERS)
    assert (await client.modify(user_dn("etaadmin"), replace("eTUserAdminProfile"))).code is C.SUCCESS
    return await client.answer(number)


async def forget(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """The log loses a line whenever somebody reads on in it."""
    store = server.service.foundation.store
    changes = store.changes

    async def some(after: int, limit: int) -> Sequence[ChangeRecord]:
        lines = await changes(after, limit)
        return lines[1:] if limit > 1 else lines

    patches.setattr(store, "changes", some)


async def leave_one_seat(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    patches.setattr("provserver.operations.persisting.IN_ALL", 1)


async def persist_while_it_is_forgotten(client: WireClient) -> Told:
    number = begin_to_persist(client, UNIX)
    for title in "ab":
        assert (await client.modify(ADA_UNIX, replace("eTDescription", title))).code is C.SUCCESS
    return await client.answer(number)


NEITHER_PAGES = "not with a sync request control"
SYNCHRONISING = [
    Row("a cookie that is none", synchronising(b"x"), C.SYNC_REFRESH_REQUIRED, "expected a cookie for this content", "RFC 4533 3.3.2"),
    Row("a cookie of other content", another_cookie, C.SYNC_REFRESH_REQUIRED, "expected a cookie for this content", "RFC 4533 3.3.2"),
    Row("through aliases", synchronising(deref=DerefAliases.ALWAYS), C.PROTOCOL_ERROR, "aliases are not dereferenced", "RFC 4533 3.5.2"),
    Row("in pages", synchronising(None, PagedResults(1)), C.UNAVAILABLE_CRITICAL_EXTENSION, f"paged results control: {NEITHER_PAGES}", "RFC 4533 5"),
    Row("sorted", synchronising(None, BY_NAME), C.UNAVAILABLE_CRITICAL_EXTENSION, f"server side sorting control: {NEITHER_PAGES}", "RFC 4533 5"),
    Row("some values only", synchronising(None, MatchedValues(())), C.UNAVAILABLE_CRITICAL_EXTENSION, f"matched values control: {NEITHER_PAGES}", "RFC 4533 5"),
    Row("a base that is not there", synchronising(base=NOBODY_AD), C.NO_SUCH_OBJECT, "does not exist", "RFC 4533 3.5.1"),
    Row("nobody", synchronising(), C.INSUFFICIENT_ACCESS_RIGHTS, "may not search here", "RFC 4511 A.2", who=""),
    Row("more entries than we send", synchronising(), C.SIZE_LIMIT_EXCEEDED, "more than 1 entries", "RFC 4533 3.5.3", scene="small"),
    Row("for too long", synchronising(base=SUFFIX, time_limit=1), C.TIME_LIMIT_EXCEEDED, "more than 1 s", "RFC 4533 3.5.3", scene="hasty", first=make_haste),
    Row("too many who persist", eleven_persist, C.ADMIN_LIMIT_EXCEEDED, "at most 10 persistent searches", "ours"),
    Row("too many who persist on all lines", two_persist, C.ADMIN_LIMIT_EXCEEDED, "at most 1 persistent searches at the same time", "ours", first=leave_one_seat),
    Row("persisting behind what is forgotten", persist_while_it_is_forgotten, C.SYNC_REFRESH_REQUIRED, "is not remembered any more", "RFC 4533 3.4.1", first=forget, changes=True),
    Row("persisting where nothing is left", persist_where_it_goes, C.NO_SUCH_OBJECT, "does not exist any more", "RFC 4533 3.5.1", first=be_alone, changes=True),
    Row("persisting where something else is", persist_where_another_comes, C.SYNC_REFRESH_REQUIRED, "is another entry now", "RFC 4533 3.5.1", first=be_alone, changes=True),
    Row("persisting without the rights", persist_until_the_rights_go, C.INSUFFICIENT_ACCESS_RIGHTS, "may not search here any more", "ours", first=be_alone, changes=True),
    Row("persisting with other rights", persist_until_the_rights_change, C.SYNC_REFRESH_REQUIRED, "have changed", "ours", first=be_alone, changes=True),
]  # fmt: skip

TABLES = {
    "paged results": PAGES,
    "sorting": SORTING,
    "list view": VIEWS,
    "synchronisation": SYNCHRONISING,
}
