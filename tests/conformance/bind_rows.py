"""Every way in which a bind fails (RFC 4511 4.2, RFC 4513 5), simple and SASL."""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

import pytest
from asking import Case, Row
from harbour import COMMON, OTHER, PASSWORDS, PROFILE, SUFFIX, administrator
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults

from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.messages import BindRequest, SaslCredentials
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace
from provserver.vault.secret import Secret

C = ResultCode
ADA, ELIF = user_dn("aokafor"), user_dn("eyilmaz")
UNASSIGNED = "\ue000"
CROWD = 50


def sasl(mechanism: str, credentials: bytes | None = None) -> Case:
    secret = None if credentials is None else Secret(credentials)
    return lambda c: c.ask(BindRequest(3, "", SaslCredentials(mechanism, secret)))


def plain(user: str, password: str, acting_as: str = "") -> Case:
    return sasl("PLAIN", f"{acting_as}\0{user}\0{password}".encode())


def plain_of(user: str, acting_as: str = "") -> Case:
    return plain(user, PASSWORDS[user], acting_as)


async def crowd(client: WireClient) -> Told:
    """Many who bind at once; the answer to one who is turned away."""
    host = client.transport.getPeer()  # type: ignore[union-attr]  # it is connected
    from twisted.internet import reactor

    clients = [await WireClient.connect(reactor, host.host, host.port) for _ in range(CROWD)]
    binds: list[Deferred[Told]] = [ensureDeferred(one.bind(ADA, OTHER)) for one in clients]
    told: list[Told] = await gatherResults(binds)
    for one in clients:
        one.hang_up()
        await one.closed
    return max(told, key=lambda one: one.code)


async def expire(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    admin = await administrator(server)
    assert (await admin.modify(ADA, replace("eTPasswordExpirationDate", "0000121365"))).code is C.SUCCESS


async def use_the_grace(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await expire(server, patches)
    admin = await administrator(server)
    assert (await admin.modify(PROFILE, replace("provGraceBinds", "1"))).code is C.SUCCESS
    await server.wire("aokafor", PASSWORDS["aokafor"])


async def policed(client: WireClient) -> Told:
    bind = BindRequest(3, ADA, Secret.of_text(PASSWORDS["aokafor"]))
    return await client.ask(bind, [encode_request(PasswordPolicyRequest())])


SIMPLE = [
    Row("nobody asks to be nobody", lambda c: c.bind("", ""), C.SUCCESS, "", "RFC 4513 5.1.1", who=""),
    Row("version 2", lambda c: c.ask(BindRequest(2, ADA, Secret(b"x"))), C.PROTOCOL_ERROR, "version 3", "RFC 4511 4.2"),
    Row("version 4", lambda c: c.ask(BindRequest(4, ADA, Secret(b"x"))), C.PROTOCOL_ERROR, "version 3", "RFC 4511 4.2"),
    Row("a name and no password", lambda c: c.bind(ADA, ""), C.UNWILLING_TO_PERFORM, "without a password", "RFC 4513 5.1.2", who=""),
    Row("a name elsewhere and no password", lambda c: c.bind("cn=a,dc=b", ""), C.UNWILLING_TO_PERFORM, "without a password", "RFC 4513 5.1.2", who=""),
    Row("a wrong password", lambda c: c.bind(ADA, OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("an unknown name", lambda c: c.bind(user_dn("ghost"), OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("a name elsewhere", lambda c: c.bind("cn=a,dc=b", OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("a bare name that is nobody's", lambda c: c.bind("jack@example.com", OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("a password and no name", lambda c: c.bind("", OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("an entry without a password", lambda c: c.bind(COMMON, OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("the domain", lambda c: c.bind(SUFFIX, OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who=""),
    Row("what is no name", lambda c: c.bind("=x", OTHER), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3", who=""),
    Row("a bare name that none can be", lambda c: c.bind(UNASSIGNED, OTHER), C.INVALID_DN_SYNTAX, "not the name of a global user", "RFC 4511 4.1.3", who=""),
    Row("a suspended user", lambda c: c.bind(ELIF, PASSWORDS["eyilmaz"]), C.UNWILLING_TO_PERFORM, "the user is suspended", "ours", who=""),
    Row("a suspended user, a wrong password", lambda c: c.bind(ELIF, OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "ours", who=""),
    Row("an expired password", policed, C.INVALID_CREDENTIALS, "Password expiration date has passed.", "draft-behera-ldap-password-policy 9.1", who="", first=expire, control=PasswordPolicyResponse(error=PolicyError.PASSWORD_EXPIRED)),
    Row("an expired password, and no grace left", policed, C.INVALID_CREDENTIALS, "Password expiration date has passed.", "draft-behera-ldap-password-policy 9.1", who="", first=use_the_grace, control=PasswordPolicyResponse(error=PolicyError.PASSWORD_EXPIRED)),
    Row("in clear from another machine", lambda c: c.bind(ADA, PASSWORDS["aokafor"]), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4513 6.3.2", who="", far=True),
    Row("too many who wait", crowd, C.BUSY, "waiting to be hashed", "RFC 4511 A.2", who="", scene="crowded"),
]  # fmt: skip

SASL = [
    Row("a mechanism that is unknown", sasl("DIGEST-MD5"), C.AUTH_METHOD_NOT_SUPPORTED, "expected EXTERNAL or PLAIN", "RFC 4513 5.2.1.2", tls=True),
    Row("a mechanism without a name", sasl(""), C.AUTH_METHOD_NOT_SUPPORTED, "expected EXTERNAL or PLAIN", "RFC 4511 4.2.1"),
    Row("EXTERNAL in clear", sasl("EXTERNAL"), C.INAPPROPRIATE_AUTHENTICATION, "client certificate", "RFC 4513 5.2.3"),
    Row("EXTERNAL without a certificate", sasl("EXTERNAL"), C.INAPPROPRIATE_AUTHENTICATION, "client certificate", "RFC 4513 5.2.3", who="", tls=True),
    Row("EXTERNAL, a certificate of nobody", sasl("EXTERNAL"), C.INVALID_CREDENTIALS, "the certificate is no user's", "RFC 4513 5.2.3", who="", scene="certified", certificate="nobody"),
    Row("EXTERNAL, a certificate of a suspended user", sasl("EXTERNAL"), C.UNWILLING_TO_PERFORM, "the user is suspended", "ours", who="", scene="certified", certificate="eyilmaz"),
    Row("EXTERNAL, a user as another", sasl("EXTERNAL", b"u:bnovak"), C.AUTHORIZATION_DENIED, "may not act as others", "RFC 4513 5.2.1.8", who="", scene="certified", certificate="aokafor"),
    Row("EXTERNAL, no authorization identity", sasl("EXTERNAL", b"bnovak"), C.AUTHORIZATION_DENIED, "expected dn:", "RFC 4513 5.2.1.8", who="", scene="certified", certificate="aokafor"),
    Row("EXTERNAL, names that are not UTF-8", sasl("EXTERNAL", b"u:\xff"), C.PROTOCOL_ERROR, "expected names in UTF-8", "RFC 4513 5.2.1.8", who="", scene="certified", certificate="aokafor"),
    Row("EXTERNAL, a certificate of a user", sasl("EXTERNAL"), C.SUCCESS, "", "RFC 4513 5.2.3", who="", scene="certified", certificate="aokafor"),
    Row("PLAIN in clear", plain_of("aokafor"), C.CONFIDENTIALITY_REQUIRED, "expected a connection under TLS", "RFC 4616 4"),
    Row("PLAIN without credentials", sasl("PLAIN"), C.PROTOCOL_ERROR, "NUL authcid NUL passwd", "RFC 4616 2", who="", tls=True),
    Row("PLAIN of two parts", sasl("PLAIN", b"aokafor\0x"), C.PROTOCOL_ERROR, "NUL authcid NUL passwd", "RFC 4616 2", who="", tls=True),
    Row("PLAIN of four parts", sasl("PLAIN", b"\0aokafor\0x\0y"), C.PROTOCOL_ERROR, "NUL authcid NUL passwd", "RFC 4616 2", who="", tls=True),
    Row("PLAIN without a name", plain("", OTHER), C.PROTOCOL_ERROR, "NUL authcid NUL passwd", "RFC 4616 2", who="", tls=True),
    Row("PLAIN without a password", plain("aokafor", ""), C.PROTOCOL_ERROR, "NUL authcid NUL passwd", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, a name that is not UTF-8", sasl("PLAIN", b"\0\xff\0x"), C.PROTOCOL_ERROR, "expected names in UTF-8", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, what is no name", plain("=x", OTHER), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3", who="", tls=True),
    Row("PLAIN, a wrong password", plain("aokafor", OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who="", tls=True),
    Row("PLAIN, an unknown name", plain("ghost", OTHER), C.INVALID_CREDENTIALS, "wrong name or password", "RFC 4511 A.2", who="", tls=True),
    Row("PLAIN, a suspended user", plain_of("eyilmaz"), C.UNWILLING_TO_PERFORM, "the user is suspended", "ours", who="", tls=True),
    Row("PLAIN, a user as another", plain_of("aokafor", "u:bnovak"), C.AUTHORIZATION_DENIED, "may not act as others", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, a user as one who is not there", plain_of("aokafor", "u:ghost"), C.AUTHORIZATION_DENIED, "may not act as others", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, as one who is not there", plain_of("etaadmin", "u:ghost"), C.AUTHORIZATION_DENIED, "there is no such global user", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, as what is no user", plain_of("etaadmin", f"dn:{COMMON}"), C.AUTHORIZATION_DENIED, "there is no such global user", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, as a suspended user", plain_of("etaadmin", "u:eyilmaz"), C.AUTHORIZATION_DENIED, "suspended", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, as what is no name", plain_of("etaadmin", "dn:=x"), C.AUTHORIZATION_DENIED, "not a distinguished name", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, no authorization identity", plain_of("etaadmin", "aokafor"), C.AUTHORIZATION_DENIED, "expected dn:", "RFC 4513 5.2.1.8", who="", tls=True),
    Row("PLAIN, a user as itself", plain_of("aokafor", "u:aokafor"), C.SUCCESS, "", "RFC 4616 2", who="", tls=True),
    Row("PLAIN, as another", plain_of("etaadmin", f"dn:{ADA}"), C.SUCCESS, "", "RFC 4616 2", who="", tls=True),
]  # fmt: skip

TABLES = {"bind": SIMPLE, "SASL bind": SASL}
