"""Every way in which a search or a compare fails (RFC 4511 4.5, 4.10), but for those of controls."""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

import pytest
from asking import Case, HastyClock, Row
from harbour import AD_CORP, ADA_AD, COMMON, LDAP_HQ, NOBODY_AD, OTHER, SUFFIX, UNIX
from signposted import BEYOND, DANGLING, LOOPING, OUT_OF_SIGHT, PHOTOGRAPHED, UNNAMED

from provserver.exploration.explorations import Exploration, Explorations
from provserver.ldap.filters import Filter, Not, Present, Scope
from provserver.ldap.messages import DerefAliases, SearchRequest
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn

C = ResultCode
ADA = user_dn("aokafor")


def search_request(
    base: str,
    wanted: Filter = Present("objectClass"),  # noqa: B008 -- immutable
    *,
    scope: Scope = Scope.SUBTREE,
    deref: DerefAliases = DerefAliases.NEVER,
    time_limit: int = 0,
) -> SearchRequest:
    return SearchRequest(base, scope, deref, 0, time_limit, False, wanted, ("1.1",))


def through_aliases(base: str, scope: Scope = Scope.BASE) -> Case:
    request = search_request(base, scope=scope, deref=DerefAliases.ALWAYS)
    return lambda c: c.ask(request)


def nested(depth: int) -> Filter:
    wanted: Filter = Present("objectClass")
    for _ in range(depth):
        wanted = Not(wanted)
    return wanted


async def make_haste(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """From now on time passes whenever somebody looks."""
    assert isinstance(server.clock, HastyClock)
    server.clock.step = 0.7


async def break_store(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """Whatever is read from now on: a bug."""

    def fail(*asked: object, **how: object) -> None:
        raise RuntimeError("a bug")

    for name in ("read", "search"):
        patches.setattr(server.service.foundation.store, name, fail)


def exploring(base: str, time_limit: int = 0) -> Case:
    request = SearchRequest(
        base,
        Scope.BASE,
        DerefAliases.NEVER,
        0,
        time_limit,
        False,
        Present("objectClass"),
        ("eTExploreUpdateEtrust",),
    )
    return lambda c: c.ask(request)


async def answer_late(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """The endpoint is asked, and the client's second passes."""

    async def wait(explorations: Explorations, exploration: Exploration, seconds: float = 0.0) -> bool:
        return False

    patches.setattr(Explorations, "wait", wait)


SEARCHES = [
    Row("an endpoint explored by its agent", exploring(AD_CORP), C.INSUFFICIENT_ACCESS_RIGHTS, "may not explore", "ours", who="psync-ad-corp"),
    Row("an endpoint explored that is not there", exploring(f"cn=x,{UNIX}"), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.5.1.1"),
    Row("an entry explored that is no endpoint", exploring(UNIX), C.UNWILLING_TO_PERFORM, "expected the name of an endpoint", "KB 50746"),
    Row("an exploration that takes longer than it was given", exploring(LDAP_HQ, 1), C.TIME_LIMIT_EXCEEDED, "goes on", "RFC 4511 4.5.1.5", first=answer_late),
    Row("it finds nothing", lambda c: c.search(SUFFIX, "(eTTitle=none)"), C.SUCCESS, "", "RFC 4511 4.5.2"),
    Row("an attribute that no schema has", lambda c: c.search(SUFFIX, "(nonesuch=x)", "nonesuch"), C.SUCCESS, "", "RFC 4511 4.5.1.7"),
    Row("a base that is not there", lambda c: c.search(NOBODY_AD), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.5.1.1"),
    Row("a base elsewhere", lambda c: c.search("dc=elsewhere"), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.5.1.1"),
    Row("the root, not in base scope", lambda c: c.search(""), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.5.1.1"),
    Row("what is no name", lambda c: c.search("no name"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("nobody", lambda c: c.search(SUFFIX), C.INSUFFICIENT_ACCESS_RIGHTS, "may not search here", "RFC 4511 A.2", who=""),
    Row("nobody, a base that is not there", lambda c: c.search(NOBODY_AD), C.INSUFFICIENT_ACCESS_RIGHTS, "may not search here", "RFC 4511 A.2", who=""),
    Row("an agent out of its scope", lambda c: c.search(UNIX), C.INSUFFICIENT_ACCESS_RIGHTS, "may not search here", "RFC 4511 A.2", who="psync-ad-corp"),
    Row("the monitor, by a user", lambda c: c.search("cn=monitor", scope=Scope.BASE), C.INSUFFICIENT_ACCESS_RIGHTS, "cn=monitor", "ours", who="aokafor"),
    Row("more entries than asked for", lambda c: c.search(UNIX, size=1), C.SIZE_LIMIT_EXCEEDED, "more than 1", "RFC 4511 4.5.1.4"),
    Row("more entries than we send", lambda c: c.search(SUFFIX), C.SIZE_LIMIT_EXCEEDED, "more than 3", "RFC 4511 4.5.1.4", scene="tight"),
    Row("more time than it was given", lambda c: c.ask(search_request(SUFFIX, time_limit=1)), C.TIME_LIMIT_EXCEEDED, "more than 1 s", "RFC 4511 4.5.1.5", scene="hasty", first=make_haste),
    Row("more entries than we look at", lambda c: c.search(SUFFIX, "(eTTitle=none)"), C.ADMIN_LIMIT_EXCEEDED, "more than 10", "RFC 4511 A.2", scene="tight"),
    Row("a filter that is too deep", lambda c: c.ask(search_request(SUFFIX, nested(150))), C.ADMIN_LIMIT_EXCEEDED, "filter: expected at most", "RFC 4511 A.2", scene="tight"),
    Row("a base that another server holds", lambda c: c.search(BEYOND, scope=Scope.BASE), C.REFERRAL, "another server holds", "RFC 3296 5.3", scene="signposted"),
    Row("a base below what another server holds", lambda c: c.search(f"ou=x,{BEYOND}"), C.REFERRAL, "another server holds", "RFC 3296 5.3", scene="signposted"),
    Row("an alias that names no entry", through_aliases(DANGLING), C.ALIAS_PROBLEM, "names no entry", "RFC 4511 A.2", scene="signposted"),
    Row("an alias that holds no name", through_aliases(UNNAMED), C.ALIAS_PROBLEM, "names no entry", "RFC 4511 A.2", scene="signposted"),
    Row("an alias to where the caller may not search", through_aliases(OUT_OF_SIGHT), C.ALIAS_DEREFERENCING_PROBLEM, "may not search", "RFC 4511 A.2", scene="signposted", who="psync-ad-corp"),
    Row("aliases in a circle", through_aliases(LOOPING), C.LOOP_DETECT, "aliases on the way", "RFC 4511 A.2", scene="signposted"),
    Row("aliases to everywhere", through_aliases(COMMON, Scope.SUBTREE), C.ADMIN_LIMIT_EXCEEDED, "lead to more than 1000 places", "RFC 4511 A.2", scene="crossroads"),
    Row("a bug of ours", lambda c: c.search(SUFFIX), C.OTHER, "internal error, incident", "RFC 4511 A.2", first=break_store),
]  # fmt: skip

COMPARES = [
    Row("the value is there", lambda c: c.compare(ADA, "eTTitle", "berth planner"), C.COMPARE_TRUE, "", "RFC 4511 4.10"),
    Row("it is not", lambda c: c.compare(ADA, "eTTitle", "admiral"), C.COMPARE_FALSE, "", "RFC 4511 4.10"),
    Row("no such entry", lambda c: c.compare(NOBODY_AD, "cn", "x"), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.10"),
    Row("an entry elsewhere", lambda c: c.compare("dc=elsewhere", "cn", "x"), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.10"),
    Row("what is no name", lambda c: c.compare("no name", "cn", "x"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("no such attribute type", lambda c: c.compare(ADA, "nonesuch", "x"), C.UNDEFINED_ATTRIBUTE_TYPE, "no such attribute type", "RFC 4511 A.2"),
    Row("the entry has no such attribute", lambda c: c.compare(ADA, "eTOffice", "x"), C.NO_SUCH_ATTRIBUTE, "has no value", "RFC 4511 4.10"),
    Row("values without an equality rule", lambda c: c.compare(PHOTOGRAPHED, "jpegPhoto", "x"), C.INAPPROPRIATE_MATCHING, "cannot be compared", "RFC 4511 4.10", scene="signposted"),
    Row("what can be no value", lambda c: c.compare(user_dn("eyilmaz"), "eTSuspended", "one"), C.INVALID_ATTRIBUTE_SYNTAX, "cannot have this value", "RFC 4511 A.2"),
    Row("a secret", lambda c: c.compare(ADA, "eTPassword", OTHER), C.INSUFFICIENT_ACCESS_RIGHTS, "cannot be compared", "ours"),
    Row("an endpoint's secret", lambda c: c.compare(LDAP_HQ, "provSecret", "a=b"), C.INSUFFICIENT_ACCESS_RIGHTS, "cannot be compared", "ours"),
    Row("nobody", lambda c: c.compare(ADA, "eTTitle", "x"), C.INSUFFICIENT_ACCESS_RIGHTS, "may not compare", "RFC 4511 A.2", who=""),
    Row("nobody, no such entry", lambda c: c.compare(NOBODY_AD, "cn", "x"), C.INSUFFICIENT_ACCESS_RIGHTS, "may not compare", "RFC 4511 A.2", who=""),
    Row("another server holds it", lambda c: c.compare(BEYOND, "ou", "x"), C.REFERRAL, "another server holds", "RFC 3296 5.2", scene="signposted"),
    Row("what an endpoint holds, by an agent", lambda c: c.compare(ADA_AD, "provHeldPassword", OTHER), C.INSUFFICIENT_ACCESS_RIGHTS, "may not ask about", "ours", who="psync-ad-corp"),
    Row("what an endpoint holds, in clear", lambda c: c.compare(ADA_AD, "provHeldPassword", OTHER), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4511 A.2", far=True),
    Row("what is no account at an endpoint", lambda c: c.compare(ADA, "provHeldPassword", OTHER), C.NO_SUCH_ATTRIBUTE, "only emulated endpoints", "ours"),
]  # fmt: skip

TABLES = {"search": SEARCHES, "compare": COMPARES}
