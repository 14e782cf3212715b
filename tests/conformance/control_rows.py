"""Every way in which a control makes an operation fail (RFC 4511 4.1.11, and the RFC of each control)."""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from typing import Final

from asking import Case, Row
from harbour import AD_CORP, ADA_AD, ADA_UNIX, COMMON, HPDEV01, NEW, NOBODY_AD, SUFFIX, UNIX
from read_rows import search_request
from signposted import LOOPING
from write_rows import ACCOUNT, FRESH, allow_few

from provserver.ldap.controls import (
    REQUEST_CONTROLS,
    Assertion,
    ByOffset,
    Captured,
    ControlKind,
    ControlValue,
    ManageDsaIT,
    MatchedValues,
    PagedResults,
    PasswordPolicyRequest,
    PostRead,
    PreRead,
    ProxiedAuthorization,
    SortKey,
    SortRequest,
    Subentries,
    SyncMode,
    SyncRequest,
    TreeDelete,
    ViewRequest,
    encode_request,
)
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Present, Scope, parse_filter
from provserver.ldap.messages import (
    AddRequest,
    BindRequest,
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
from provserver.ldap.results import ResultCode
from provserver.testing.server import user_dn
from provserver.testing.wire import replace
from provserver.vault.secret import Secret

C = ResultCode
ADA, BORIS, GHOST = user_dn("aokafor"), user_dn("bnovak"), user_dn("ghost")
UNKNOWN: Final = "1.2.3"

BY_NAME = SortRequest((SortKey("eTETCAccountName"),))
GUESS = parse_filter("(eTTitle=admiral)")
FROM_ONE = ViewRequest(0, 0, ByOffset(1))

SAMPLES: Final[dict[type[ControlValue], ControlValue]] = {
    type(sample): sample
    for sample in (
        PagedResults(5),
        BY_NAME,
        FROM_ONE,
        Assertion(parse_filter("(objectClass=*)")),
        PreRead(("*",)),
        PostRead(("*",)),
        ProxiedAuthorization(""),
        ManageDsaIT(),
        MatchedValues(()),
        TreeDelete(),
        Subentries(visible=False),
        PasswordPolicyRequest(),
        SyncRequest(SyncMode.REFRESH_ONLY),
        Captured(b"1", 0.0, 0.0),
    )
}
"""One of each kind."""

REQUESTS: Final[dict[str, tuple[Request, ResultCode]]] = {
    "bind": (BindRequest(3, "", Secret(b"")), C.SUCCESS),
    "search": (search_request(UNIX, scope=Scope.BASE), C.SUCCESS),
    "compare": (CompareRequest(ADA, "eTTitle", b"admiral"), C.COMPARE_FALSE),
    "add": (AddRequest(ADA_UNIX, (PartialAttribute("objectClass", (b"eTETCAccount",)),)), C.ENTRY_ALREADY_EXISTS),
    "modify": (ModifyRequest(GHOST, (replace("eTTitle", "x"),)), C.NO_SUCH_OBJECT),
    "delete": (DeleteRequest(NOBODY_AD), C.NO_SUCH_OBJECT),
    "rename": (ModifyDNRequest(GHOST, "eTGlobalUserName=x", True), C.NO_SUCH_OBJECT),
    "extended": (extended(WhoAmI()), C.SUCCESS),
}  # fmt: skip
"""A request of each kind that changes nothing, and what it is answered without any control."""

MALFORMED: Final = b"\x30\x05\x02"
"""No control has such a value, and those without a value have none at all."""


def asking(request: Request, *controls: Control) -> Case:
    return lambda c: c.ask(request, controls)


def with_(request: Request, *values: ControlValue, critical: bool = True) -> Case:
    return asking(request, *[encode_request(value, critical=critical) for value in values])


def sample_of(kind: ControlKind, *, critical: bool) -> Control:
    return Control(kind.oid, critical, SAMPLES[kind.value].encode())


def _of_requests() -> list[Row]:
    """What any operation does with a control that it does not know."""
    rows = []
    for name, (request, code) in REQUESTS.items():
        text = "not supported"
        rows += [
            Row(f"unknown and critical, {name}", asking(request, Control(UNKNOWN, True)), C.UNAVAILABLE_CRITICAL_EXTENSION, text, "RFC 4511 4.1.11"),
            Row(f"unknown and critical after one that is not, {name}", asking(request, Control(UNKNOWN, False), Control(UNKNOWN, True)), C.UNAVAILABLE_CRITICAL_EXTENSION, text, "RFC 4511 4.1.11"),
            Row(f"unknown and not critical, {name}", asking(request, Control(UNKNOWN, False, b"x")), code, "", "RFC 4511 4.1.11", quiet=True),
        ]  # fmt: skip
    return rows


def _of_kinds() -> list[Row]:
    """What becomes of each control with each operation that it is not for, and of one that is malformed."""
    rows = []
    for kind in REQUEST_CONTROLS.values():
        for name, (request, code) in REQUESTS.items():
            if not kind.suits(request):
                rows += [
                    Row(f"{kind.name}, critical, {name}", asking(request, sample_of(kind, critical=True)), C.UNAVAILABLE_CRITICAL_EXTENSION, f"({kind.name}) is not for this operation", "RFC 4511 4.1.11"),
                    Row(f"{kind.name}, not critical, {name}", asking(request, sample_of(kind, critical=False)), code, "", "RFC 4511 4.1.11", quiet=True),
                ]  # fmt: skip
                continue
            sample = sample_of(kind, critical=True)
            rows += [
                Row(f"{kind.name}, malformed, {name}", asking(request, Control(kind.oid, True, MALFORMED)), C.PROTOCOL_ERROR, kind.name, "RFC 4511 4.1.11"),
                Row(f"{kind.name}, malformed and not critical, {name}", asking(request, Control(kind.oid, False, MALFORMED)), C.PROTOCOL_ERROR, kind.name, "RFC 4511 4.1.11"),
                Row(f"{kind.name}, twice, {name}", asking(request, sample, sample), C.PROTOCOL_ERROR, f"{kind.name}: given twice", "RFC 4511 4.1.11"),
            ]  # fmt: skip
            if kind.always_critical:
                rows.append(Row(f"{kind.name}, not critical, {name}", asking(request, sample_of(kind, critical=False)), C.PROTOCOL_ERROR, "expected to be critical", "RFC 4370 3"))  # fmt: skip
    return rows


# ---------------------------------------------------------------- assertions and conditions (RFC 4527, 4528)

TITLE = ModifyRequest(ADA, (replace("eTTitle", "x"),))
WRONG = Assertion(GUESS)
EXPLORATION = SearchRequest(
    HPDEV01, Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("objectClass"), ("eTExploreUpdateEtrust",)
)
OF_A_SECRET = Assertion(parse_filter("(!(eTPassword=x))"))

CONDITIONS = [
    Row("a modify", with_(TITLE, WRONG), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("not critical", with_(TITLE, WRONG, critical=False), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("of what nobody can say", with_(TITLE, Assertion(parse_filter("(!(nonesuch=x))"))), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("of a secret", with_(TITLE, OF_A_SECRET), C.ASSERTION_FAILED, "is not as the request asserts", "ours"),
    Row("an add, of the entry that would be", with_(AddRequest(FRESH, tuple(PartialAttribute(name, tuple(one.encode() for one in values)) for name, values in ACCOUNT.items())), WRONG), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("a delete", with_(DeleteRequest(ADA_UNIX), WRONG), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("the deletion of a tree", with_(DeleteRequest(UNIX), WRONG, TreeDelete()), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("a rename", with_(ModifyDNRequest(ADA, "eTGlobalUserName=x", True), WRONG), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("a compare", with_(CompareRequest(ADA, "eTTitle", b"x"), WRONG), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("a search, of its base", with_(search_request(SUFFIX), WRONG), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("a synchronisation", with_(search_request(SUFFIX), WRONG, SyncRequest(SyncMode.REFRESH_ONLY)), C.ASSERTION_FAILED, "is not as the request asserts", "RFC 4528 3"),
    Row("of a base that the caller may not read", with_(search_request(SUFFIX), WRONG), C.INSUFFICIENT_ACCESS_RIGHTS, "may not assert anything of", "RFC 4528 4", who="aokafor"),
    Row("of what is not there", with_(ModifyRequest(GHOST, (replace("eTTitle", "x"),)), WRONG), C.NO_SUCH_OBJECT, "does not exist", "RFC 4528 3"),
    Row("of what the caller may not write", with_(TITLE, WRONG), C.INSUFFICIENT_ACCESS_RIGHTS, "may not modify", "RFC 4528 4", who="bnovak"),
    Row("with a trigger", with_(ModifyRequest(ADA_AD, (replace("eTSyncPassword", NEW),)), WRONG), C.UNAVAILABLE_CRITICAL_EXTENSION, "goes without it", "ours"),
    Row("the entry before, with a trigger", with_(ModifyRequest(ADA_AD, (replace("eTSyncPassword", NEW),)), PreRead(("*",))), C.UNAVAILABLE_CRITICAL_EXTENSION, "goes without it", "ours"),
    Row("the entry after, with a trigger", with_(ModifyRequest(ADA_AD, (replace("eTSyncPassword", NEW),)), PostRead(("*",))), C.UNAVAILABLE_CRITICAL_EXTENSION, "goes without it", "ours"),
    Row("with an exploration", with_(EXPLORATION, PagedResults(5)), C.UNAVAILABLE_CRITICAL_EXTENSION, "an exploration goes without it", "ours"),
]  # fmt: skip

# ---------------------------------------------------------------- proxied authorization (RFC 4370)


def acting(authorization_id: str, request: Request = TITLE) -> Case:
    return with_(request, ProxiedAuthorization(authorization_id))


PROXIED = [
    Row("by a user", acting("u:bnovak"), C.AUTHORIZATION_DENIED, "may not act as others", "RFC 4370 4", who="aokafor"),
    Row("by a user, as itself", acting("u:aokafor"), C.AUTHORIZATION_DENIED, "may not act as others", "ours", who="aokafor"),
    Row("by nobody", acting("u:aokafor"), C.AUTHORIZATION_DENIED, "may not act as others", "RFC 4370 4", who=""),
    Row("by an agent, as who is not there", acting("u:ghost"), C.AUTHORIZATION_DENIED, "may not act as others", "RFC 4370 4", who="psync-ad-corp"),
    Row("as who is not there", acting("u:ghost"), C.AUTHORIZATION_DENIED, "there is no such global user", "RFC 4370 3"),
    Row("as what is no user", acting(f"dn:{ADA_AD}"), C.AUTHORIZATION_DENIED, "there is no such global user", "RFC 4370 3"),
    Row("as who is elsewhere", acting("dn:dc=elsewhere"), C.AUTHORIZATION_DENIED, "no such suffix", "RFC 4370 3"),
    Row("as who is suspended", acting("u:eyilmaz"), C.AUTHORIZATION_DENIED, "is suspended", "ours"),
    Row("as what is no name", acting("dn:=x"), C.AUTHORIZATION_DENIED, "not a distinguished name", "RFC 4370 3"),
    Row("as what is no user's name", acting("u:\ue000"), C.AUTHORIZATION_DENIED, "not the name of a global user", "RFC 4370 3"),
    Row("as what says neither dn: nor u:", asking(TITLE, Control(ProxiedAuthorization.oid, True, b"aokafor")), C.PROTOCOL_ERROR, "neither with dn: nor with u:", "RFC 4370 3"),
    Row("as who may not", acting("u:bnovak"), C.INSUFFICIENT_ACCESS_RIGHTS, "etaadmin for bnovak", "RFC 4370 3"),
    Row("as nobody", acting(""), C.INSUFFICIENT_ACCESS_RIGHTS, "may not modify", "RFC 4370 3"),
]  # fmt: skip

# ---------------------------------------------------------------- trees, and other servers

TREES = [
    Row("the domain", with_(DeleteRequest(SUFFIX), TreeDelete()), C.UNWILLING_TO_PERFORM, "the domain itself", "ours"),
    Row("with one's own entry in it", with_(DeleteRequest(COMMON), TreeDelete()), C.UNWILLING_TO_PERFORM, "your own entry", "ours"),
    Row("what is not there", with_(DeleteRequest(NOBODY_AD), TreeDelete()), C.NO_SUCH_OBJECT, "does not exist", "draft-armijo-ldap-treedelete"),
    Row("by a user", with_(DeleteRequest(UNIX), TreeDelete()), C.INSUFFICIENT_ACCESS_RIGHTS, "may not delete", "draft-armijo-ldap-treedelete", who="aokafor"),
    Row("too large a one", with_(DeleteRequest(AD_CORP), TreeDelete()), C.ADMIN_LIMIT_EXCEEDED, "entries to be changed at once", "draft-armijo-ldap-treedelete", first=allow_few),
    Row("a signpost as an entry", with_(search_request(LOOPING, scope=Scope.BASE), ManageDsaIT()), C.SUCCESS, "", "RFC 3296 3", scene="signposted"),
]  # fmt: skip

TABLES = {
    "control": [*_of_requests(), *_of_kinds()],
    "assertion": CONDITIONS,
    "proxied authorization": PROXIED,
    "tree delete": TREES,
}
