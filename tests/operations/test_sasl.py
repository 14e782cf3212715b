"""SASL binds: EXTERNAL by a client's certificate and PLAIN (RFC 4513 5.2, RFC 4616), over real TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from client_certificates import ClientAuthority, Shown, under_tls
from cryptography.x509.oid import NameOID, ObjectIdentifier
from harbour import OTHER, PASSWORDS, SUFFIX, administrator, wire
from twisted.python.failure import Failure

from provserver.foundation import load_schema
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.filters import Scope
from provserver.ldap.messages import BindRequest, SaslCredentials
from provserver.ldap.results import ResultCode
from provserver.operations.certified import names_in, subject_of
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Hung, Told, WireClient, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
BORIS = user_dn("bnovak")
CN, UID, MAIL = NameOID.COMMON_NAME, NameOID.USER_ID, NameOID.EMAIL_ADDRESS
ADMINISTRATOR = (
    "eTAdminProfileName=DomainAdministrator,eTAdminProfileContainerName=Admin Profiles,"
    f"eTNamespaceName=CommonObjects,{SUFFIX}"
)
MAILBOX = f"dn: {user_dn('ada@port.example')}\nobjectClass: eTGlobalUser\n"
C = ResultCode


@pytest.fixture
def clients(tmp_path: Path) -> ClientAuthority:
    return ClientAuthority(tmp_path)


async def trusting(start_provserver: Starter, clients: ClientAuthority, *more: str) -> RunningServer:
    return await start_provserver(settings=[f"server.tls_client_authority={clients.file}"], more=more)


async def sasl(client: WireClient, mechanism: str, credentials: bytes | None = None) -> Told:
    secret = None if credentials is None else Secret(credentials)
    return await client.ask(BindRequest(3, "", SaslCredentials(mechanism, secret)))


async def who(client: WireClient) -> str:
    told = await client.ask(extended(WhoAmI()))
    assert told.value is not None
    return told.value.decode()


def plain(name: str, password: str, authorization_id: str = "") -> bytes:
    return f"{authorization_id}\0{name}\0{password}".encode()


# ---------------------------------------------------------------- which mechanisms there are


async def offered(client: WireClient) -> list[str]:
    told = await client.search("", "(objectClass=*)", "supportedSASLMechanisms", scope=Scope.BASE)
    return told.values("supportedSASLMechanisms")


@test
async def test_the_root_dse_offers_what_can_be_used_on_this_connection(
    start_provserver: Starter, clients: ClientAuthority
) -> None:
    server = await trusting(start_provserver, clients)
    assert await offered(await server.wire()) == []
    assert await offered(await under_tls(server)) == ["PLAIN"]
    shown = clients.vouches_for((CN, "aokafor"))
    assert await offered(await under_tls(server, shown)) == ["EXTERNAL", "PLAIN"]


@pytest.mark.parametrize("mechanism", ["GSSAPI", "SCRAM-SHA-256", "external", "PLAIN ", ""])
@test
async def test_another_mechanism_is_not_supported(provserver: RunningServer, mechanism: str) -> None:
    client = await wire(provserver, "aokafor")
    told = await sasl(client, mechanism, b"x")
    assert (told.code, told.text) == (
        C.AUTH_METHOD_NOT_SUPPORTED,
        "SASL: expected EXTERNAL or PLAIN, under TLS",
    )
    assert await who(client) == ""


# ---------------------------------------------------------------- PLAIN


@pytest.mark.parametrize(
    ("name", "authorization_id"),
    [
        ("aokafor", ""),
        ("AOKAFOR", ""),
        (ADA, ""),
        (ADA.removesuffix(",dc=eta"), ""),
        ("aokafor", "u:aokafor"),
        ("aokafor", f"dn:{ADA}"),
        ("aokafor", f"dn:{ADA.removesuffix(',dc=eta')},dc=etadb"),
    ],
)
@test
async def test_plain_is_a_name_and_its_password(
    provserver: RunningServer, name: str, authorization_id: str
) -> None:
    client = await under_tls(provserver)
    told = await sasl(client, "PLAIN", plain(name, PASSWORDS["aokafor"], authorization_id))
    assert (told.code, told.text) == (0, "")
    assert await who(client) == f"dn:{ADA}"


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (plain("aokafor", OTHER), C.INVALID_CREDENTIALS),
        (plain("ghost", OTHER), C.INVALID_CREDENTIALS),
        (plain("cn=a,dc=b", OTHER), C.INVALID_CREDENTIALS),
        (plain("eyilmaz", OTHER), C.INVALID_CREDENTIALS),
        (plain("eyilmaz", PASSWORDS["eyilmaz"]), C.UNWILLING_TO_PERFORM),
        (plain("aokafor", OTHER, "u:etaadmin"), C.INVALID_CREDENTIALS),
        (plain("no name = x", OTHER), C.INVALID_DN_SYNTAX),
        (plain("aokafor", ""), C.PROTOCOL_ERROR),
        (plain("", PASSWORDS["aokafor"]), C.PROTOCOL_ERROR),
        (b"aokafor\0x", C.PROTOCOL_ERROR),
        (b"\0aokafor\0x\0y", C.PROTOCOL_ERROR),
        (b"\0\xff\0x", C.PROTOCOL_ERROR),
        (b"", C.PROTOCOL_ERROR),
        (None, C.PROTOCOL_ERROR),
    ],
)
@test
async def test_what_is_wrong_leaves_the_connection_anonymous(
    provserver: RunningServer, credentials: bytes | None, code: ResultCode
) -> None:
    client = await under_tls(provserver)
    assert (await client.bind("bnovak", PASSWORDS["bnovak"])).code == 0
    told = await sasl(client, "PLAIN", credentials)
    assert (told.code, bool(told.text)) == (code, True)
    assert PASSWORDS["aokafor"] not in told.text
    assert await who(client) == ""


@test
async def test_plain_without_tls_is_refused_even_on_this_machine(provserver: RunningServer) -> None:
    """RFC 4616 and RFC 4513 6.3: never in clear."""
    client = await provserver.wire()
    told = await sasl(client, "PLAIN", plain("aokafor", PASSWORDS["aokafor"]))
    assert told.code is C.CONFIDENTIALITY_REQUIRED
    assert await who(client) == ""


@test
async def test_the_password_policy_control_comes_with_it(provserver: RunningServer) -> None:
    client = await under_tls(provserver)
    credentials = SaslCredentials("PLAIN", Secret(plain("eyilmaz", PASSWORDS["eyilmaz"])))
    told = await client.ask(BindRequest(3, "", credentials), [encode_request(PasswordPolicyRequest())])
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None
    assert answer.error is PolicyError.ACCOUNT_LOCKED


# ---------------------------------------------------------------- to be somebody else


@test
async def test_an_administrator_may_be_somebody_else_from_the_start(provserver: RunningServer) -> None:
    client = await under_tls(provserver)
    as_ada = plain("etaadmin", PASSWORDS["etaadmin"], "u:aokafor")
    assert (await sasl(client, "PLAIN", as_ada)).code == 0
    assert await who(client) == f"dn:{ADA}"
    assert (await client.search(ADA, scope=Scope.BASE)).names == [ADA]
    told = await client.search(BORIS, scope=Scope.BASE)
    assert (told.code, "etaadmin for aokafor" in told.text) == (C.INSUFFICIENT_ACCESS_RIGHTS, True)
    assert (await sasl(client, "PLAIN", plain("etaadmin", PASSWORDS["etaadmin"], "dn:"))).code == 0
    assert await who(client) == ""


@pytest.mark.parametrize("authorization_id", ["u:bnovak", "u:ghost", f"dn:{BORIS}", "dn:", "bnovak", "u:"])
@test
async def test_nobody_else_may(provserver: RunningServer, authorization_id: str) -> None:
    client = await under_tls(provserver)
    told = await sasl(client, "PLAIN", plain("aokafor", PASSWORDS["aokafor"], authorization_id))
    assert told.code is C.AUTHORIZATION_DENIED
    assert await who(client) == ""


@pytest.mark.parametrize("authorization_id", ["u:ghost", "u:eyilmaz", "bnovak", "dn:no name"])
@test
async def test_nor_be_anybody_who_cannot_log_in(provserver: RunningServer, authorization_id: str) -> None:
    client = await under_tls(provserver)
    told = await sasl(client, "PLAIN", plain("etaadmin", PASSWORDS["etaadmin"], authorization_id))
    assert told.code is C.AUTHORIZATION_DENIED
    assert await who(client) == ""


@pytest.mark.parametrize("what", ["eTUserAdminProfile", "eTSuspended"])
@pytest.mark.parametrize("whose", [BORIS, ADA])
@test
async def test_it_ends_when_who_is_behind_it_may_no_longer(
    provserver: RunningServer, what: str, whose: str
) -> None:
    admin, client = await administrator(provserver), await under_tls(provserver)
    assert (await admin.modify(BORIS, replace("eTUserAdminProfile", ADMINISTRATOR))).code == 0
    assert (await sasl(client, "PLAIN", plain("bnovak", PASSWORDS["bnovak"], "u:aokafor"))).code == 0
    assert (await admin.modify(ADA, replace("eTTitle", "Admiral"))).code == 0
    assert await who(client) == f"dn:{ADA}"
    taken = replace(what, "1") if what == "eTSuspended" else replace(what)
    assert (await admin.modify(whose, taken)).code == 0
    stays = whose == ADA and what == "eTUserAdminProfile"
    assert await who(client) == (f"dn:{ADA}" if stays else "")


# ---------------------------------------------------------------- EXTERNAL


SUBJECTS = [
    pytest.param([(CN, "aokafor")], [], id="CN"),
    pytest.param([(UID, "AOKAFOR"), (CN, "Ada Okafor")], [], id="UID"),
    pytest.param([(CN, "Ada Okafor"), (MAIL, "ada@port.example")], [], id="e-mail"),
    pytest.param([(CN, "Ada Okafor")], ["nobody@x.example", "ada@port.example"], id="alternative e-mail"),
    pytest.param([(NameOID.ORGANIZATION_NAME, "Port"), (CN, "x"), (CN, "aokafor")], [], id="second CN"),
]


@pytest.mark.parametrize(("subject", "mail"), SUBJECTS)
@test
async def test_external_finds_the_user_whose_name_the_certificate_has(
    start_provserver: Starter,
    clients: ClientAuthority,
    subject: list[tuple[ObjectIdentifier, str]],
    mail: list[str],
) -> None:
    server = await trusting(start_provserver, clients, MAILBOX)
    client = await under_tls(server, clients.vouches_for(*subject, mail=mail))
    assert (await sasl(client, "EXTERNAL")).code == 0
    named = "ada@port.example" if mail or subject[-1][0] == MAIL else "aokafor"
    assert await who(client) == f"dn:{user_dn(named)}"
    assert (await client.search(user_dn(named), scope=Scope.BASE)).names == [user_dn(named)]


def oid_of(name: str) -> ObjectIdentifier:
    schema = load_schema()
    return ObjectIdentifier(schema.attribute(name).oid)


@pytest.mark.parametrize("tail", [["eta"], []], ids=["the server's view", "inside"])
@test
async def test_a_subject_that_is_a_users_name_means_that_user_whatever_else_it_says(
    start_provserver: Starter, clients: ClientAuthority, tail: list[str]
) -> None:
    server = await trusting(start_provserver, clients)
    subject = [
        *[(NameOID.DOMAIN_COMPONENT, part) for part in [*tail, "im"]],
        (oid_of("eTNamespaceName"), "CommonObjects"),
        (oid_of("eTGlobalUserContainerName"), "Global Users"),
        (oid_of("eTGlobalUserName"), "aokafor"),
    ]
    shown = clients.vouches_for(*subject, mail=["bnovak"])
    assert (
        subject_of(shown.certificate, load_schema()).lower()
        == ADA.removesuffix("" if tail else ",dc=eta").lower()
    )
    client = await under_tls(server, shown)
    assert (await sasl(client, "EXTERNAL")).code == 0
    assert await who(client) == f"dn:{ADA}"


@pytest.mark.parametrize(
    "subject",
    [
        [(CN, "ghost")],
        [(NameOID.ORGANIZATION_NAME, "aokafor")],
        [(CN, "aokafor"), (UID, "bnovak")],
        [(CN, "aokafor"), (CN, "etaadmin")],
        [(CN, "u:aokafor")],
        [(CN, "Ada Okafor")],
        [],
    ],
    ids=str,
)
@test
async def test_a_certificate_that_names_nobody_or_several_is_nobodys(
    start_provserver: Starter, clients: ClientAuthority, subject: list[tuple[ObjectIdentifier, str]]
) -> None:
    server = await trusting(start_provserver, clients)
    client = await under_tls(server, clients.vouches_for(*subject))
    told = await sasl(client, "EXTERNAL")
    assert (told.code, told.text) == (
        C.INVALID_CREDENTIALS,
        ":ETA_E_9042<BGU>, Bind to provisioning server failed: the certificate is no user's",
    )
    assert await who(client) == ""


@test
async def test_a_suspended_user_cannot_log_in_by_certificate_either(
    start_provserver: Starter, clients: ClientAuthority
) -> None:
    server = await trusting(start_provserver, clients)
    client = await under_tls(server, clients.vouches_for((CN, "eyilmaz")))
    told = await sasl(client, "EXTERNAL")
    assert (told.code, "suspended" in told.text) == (C.UNWILLING_TO_PERFORM, True)


@pytest.mark.parametrize(
    ("authorization_id", "code", "then"),
    [
        (b"", C.SUCCESS, ADA),
        (b"u:aokafor", C.SUCCESS, ADA),
        (f"dn:{ADA}".encode(), C.SUCCESS, ADA),
        (b"u:bnovak", C.AUTHORIZATION_DENIED, None),
        (b"dn:", C.AUTHORIZATION_DENIED, None),
        (b"\xff", C.PROTOCOL_ERROR, None),
    ],
)
@test
async def test_external_takes_an_authorization_identity(
    start_provserver: Starter,
    clients: ClientAuthority,
    authorization_id: bytes,
    code: ResultCode,
    then: str | None,
) -> None:
    server = await trusting(start_provserver, clients)
    client = await under_tls(server, clients.vouches_for((CN, "aokafor")))
    assert (await sasl(client, "EXTERNAL", authorization_id)).code is code
    assert await who(client) == (f"dn:{then}" if then else "")


@test
async def test_without_a_certificate_there_is_nothing_to_go_by(
    start_provserver: Starter, clients: ClientAuthority
) -> None:
    """RFC 4511 A.2: inappropriateAuthentication, no credentials were supplied."""
    trusting_server = await trusting(start_provserver, clients)
    other = await start_provserver()
    shown = clients.vouches_for((CN, "etaadmin"))
    for client in (
        await trusting_server.wire(),
        await under_tls(trusting_server),
        await under_tls(other, shown),
    ):
        told = await sasl(client, "EXTERNAL")
        assert (told.code, await who(client)) == (C.INAPPROPRIATE_AUTHENTICATION, "")


@test
async def test_a_certificate_of_another_authority_ends_the_handshake(
    start_provserver: Starter, clients: ClientAuthority, tmp_path: Path
) -> None:
    server = await trusting(start_provserver, clients)
    stranger: Shown = ClientAuthority(tmp_path, "stranger").vouches_for((CN, "etaadmin"))
    try:
        client = await under_tls(server, stranger)
        await sasl(client, "EXTERNAL")
    except (Hung, Failure):
        return
    pytest.fail("it was let in")


def test_names_in_a_certificate_are_those_of_its_subject_and_its_mail_addresses(tmp_path: Path) -> None:
    shown = ClientAuthority(tmp_path).vouches_for((CN, "b"), (UID, "a"), (MAIL, "c@x"), mail=["d@x", "e@x"])
    assert names_in(shown.certificate) == ["a", "b", "c@x", "d@x", "e@x"]
