"""The LDAP client: what it asks, what it believes, what it never shows."""

from __future__ import annotations

import gc
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher

from provserver.ldap.client import (
    Address,
    Found,
    LdapClient,
    LineLost,
    NotTrusted,
    TimedOut,
    Trust,
    Unreachable,
)
from provserver.ldap.encoding import encode_message
from provserver.ldap.filters import (
    And,
    Equality,
    Extensible,
    Filter,
    Not,
    Or,
    Present,
    Scope,
    Substrings,
)
from provserver.ldap.messages import (
    Change,
    ChangeKind,
    CompareRequest,
    Control,
    ExtendedRequest,
    Message,
    ModifyRequest,
    PartialAttribute,
)
from provserver.ldap.results import Refusal, ResultCode
from provserver.testing.slapd import SlapdServer, require_slapd
from provserver.vault.secret import Secret

PASSWORD = Secret.of_text("Harbour-Light-21")
SUCCESS_OF = {"bind": 0x61, "search": 0x65, "modify": 0x67, "extended": 0x78}


# -- addresses


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ldaps://h", Address("h", 636, True)),
        ("ldap://h/", Address("h", 389, False)),
        ("ldap://H.example:3890", Address("h.example", 3890, False)),
        ("ldaps://[::1]:6360", Address("::1", 6360, True)),
    ],
)
def test_an_address_is_a_host_and_a_port(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url", ["", "h", "http://h", "ldap://", "ldap://u:p@h", "ldap://h/dc=x", "ldap://h:x"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Address.parse(url)


def test_found_values_are_asked_for_in_any_case() -> None:
    found = Found("cn=x", {"userPassword": [b"1", b"2"]})
    assert found.values("USERPASSWORD") == [b"1", b"2"]
    assert found.values("cn") == []


# -- against a server of a few lines


class Server(Protocol):
    """Answers each message with what the test says; remembers what it heard."""

    def __init__(self, answer: Callable[[int, bytes], bytes | None]) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)
        said = self.answer(len(self.heard), data)
        if said is None:
            self.transport.abortConnection()  # type: ignore[union-attr]
        elif said:
            self.transport.write(said)  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


def result(id: int, tag: int, code: int = 0, text: bytes = b"") -> bytes:
    content = b"\x0a\x01" + bytes((code,)) + b"\x04\x00" + b"\x04" + bytes((len(text),)) + text
    op = bytes((tag, len(content))) + content
    return b"\x30" + bytes((len(op) + 3,)) + b"\x02\x01" + bytes((id,)) + op


class Place:
    """A listening port on the loopback address and the connections that came."""

    def __init__(self) -> None:
        self.answer: Callable[[int, bytes], bytes | None] = lambda number, data: b""
        self.servers: list[Server] = []
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.port = self.reactor.listenTCP(0, Factory.forProtocol(self._made), interface="127.0.0.1")
        self.url = f"ldap://127.0.0.1:{self.port.getHost().port}"

    def _made(self) -> Server:
        server = Server(lambda number, data: self.answer(number, data))
        self.servers.append(server)
        return server

    async def client(self, patience: float = 5.0) -> LdapClient:
        return await LdapClient.connect(self.url, reactor=self.reactor, trust=None, patience=patience)


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    pytest_twisted.blockon(maybeDeferred(place.port.stopListening))
    for server in place.servers:
        if not server.lost:
            server.transport.abortConnection()  # type: ignore[union-attr]


@pytest_twisted.ensureDeferred
async def test_answers_find_their_requests_in_any_order(place: Place) -> None:
    answers = result(2, 0x67, 50, b"second") + result(1, 0x67, 0, b"first")
    place.answer = lambda number, data: answers if b"cn=b" in data else b""
    client = await place.client()
    first = Deferred.fromCoroutine(client.modify("cn=a", []))
    second = Deferred.fromCoroutine(client.modify("cn=b", []))
    with pytest.raises(Refusal) as refused:
        await second
    assert refused.value.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert await first == "first"
    await client.close()


@pytest_twisted.ensureDeferred
async def test_an_answer_in_pieces_is_one_answer(place: Place) -> None:
    whole = result(1, 0x61)
    place.answer = lambda number, data: whole[:3]
    client = await place.client()
    bound = Deferred.fromCoroutine(client.bind("cn=a", PASSWORD))
    while not place.servers[0].heard:
        await _turn(place)
    for octet in whole[3:]:
        await _turn(place)
        place.servers[0].transport.write(bytes((octet,)))  # type: ignore[union-attr]
    await bound
    await client.close()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01",  # 2 GiB are announced
        b"\x30\x80\x02\x01\x01",  # indefinite length
        b"\x30\x06\x02\x01\x01\x61\x40\x0a",  # truncated inside
        b"\x30\x05\x02\x01\x01\x7f\x00",  # a tag nobody knows
        b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00",  # a request
        b"\x30\x00",
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_makes_no_sense_ends_the_line(place: Place, said: bytes) -> None:
    place.answer = lambda number, data: said
    client = await place.client()
    with pytest.raises(LineLost, match="makes no sense"):
        await client.bind("cn=a", PASSWORD)
    assert not client.connected


@pytest_twisted.ensureDeferred
async def test_an_answer_to_nobody_is_passed_over(place: Place) -> None:
    place.answer = lambda number, data: result(77, 0x61, 49) + result(1, 0x61)
    client = await place.client()
    await client.bind("cn=a", PASSWORD)
    await client.close()


@pytest_twisted.ensureDeferred
async def test_a_result_code_nobody_knows_keeps_its_number(place: Place) -> None:
    place.answer = lambda number, data: result(1, 0x61, 99, b"odd")
    client = await place.client()
    with pytest.raises(Refusal, match="result 99: odd"):
        await client.bind("cn=a", PASSWORD)
    await client.close()


@pytest_twisted.ensureDeferred
async def test_no_answer_in_time_closes_the_line(place: Place) -> None:
    client = await place.client(patience=0.05)
    with pytest.raises(TimedOut):
        await client.bind("cn=a", PASSWORD)
    assert not client.connected
    with pytest.raises(Unreachable, match="closed before"):
        await client.bind("cn=a", PASSWORD)


@pytest_twisted.ensureDeferred
async def test_a_line_lost_in_the_middle_fails_everything_that_waits(place: Place) -> None:
    place.answer = lambda number, data: None
    client = await place.client()
    both = [Deferred.fromCoroutine(client.modify(name, [])) for name in ("cn=a", "cn=b")]
    searched = Deferred.fromCoroutine(client.search("", Scope.BASE, Present("objectClass")))
    for waiting in (*both, searched):
        with pytest.raises(LineLost):
            await waiting


@pytest_twisted.ensureDeferred
async def test_a_notice_of_disconnection_is_told(place: Place) -> None:
    place.answer = lambda number, data: result(0, 0x78, 52, b"going down")
    client = await place.client()
    with pytest.raises(LineLost, match="the server closes the line: going down"):
        await client.bind("cn=a", PASSWORD)


@pytest_twisted.ensureDeferred
async def test_nobody_listening_is_unreachable(place: Place) -> None:
    await place.port.stopListening()
    with pytest.raises(Unreachable):
        await place.client()


@pytest_twisted.ensureDeferred
async def test_what_follows_the_answer_to_starttls_in_clear_is_an_attack(place: Place) -> None:
    place.answer = lambda number, data: result(1, 0x78) + result(2, 0x61)
    with pytest.raises(NotTrusted, match="data in clear followed"):
        await LdapClient.connect(place.url, reactor=place.reactor)


@pytest.mark.parametrize("code", [1, 2, 13, 52])
@pytest_twisted.ensureDeferred
async def test_a_refused_starttls_is_never_followed_by_anything_in_clear(place: Place, code: int) -> None:
    place.answer = lambda number, data: result(1, 0x78, code)
    with pytest.raises(Refusal) as refused:
        await LdapClient.connect(place.url, reactor=place.reactor)
    assert refused.value.code == code
    while not place.servers[0].lost:
        await _turn(place)
    assert len(place.servers[0].heard) == 1


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_yes_to_starttls_and_no_tls_is_not_trusted(place: Place) -> None:
    place.answer = lambda number, data: result(1, 0x78) if number == 1 else b"\x30\x00 not tls at all"
    with pytest.raises(NotTrusted):
        await LdapClient.connect(place.url, reactor=place.reactor)


@pytest_twisted.ensureDeferred
async def test_ldaps_without_trust_is_refused(place: Place) -> None:
    with pytest.raises(ValueError, match="needs trust"):
        await LdapClient.connect("ldaps://localhost", reactor=place.reactor, trust=None)


@pytest_twisted.ensureDeferred
async def test_message_ids_begin_at_one_on_every_line(place: Place) -> None:
    place.answer = lambda number, data: result(data[4], 0x61)
    for _ in range(2):
        client = await place.client()
        await client.bind("cn=a", PASSWORD)
        assert place.servers[-1].heard[0][2:5] == b"\x02\x01\x01"
        await client.close()


@pytest_twisted.ensureDeferred
async def test_closing_says_unbind_and_is_harmless_twice(place: Place) -> None:
    client = await place.client()
    await client.close()
    await client.close()
    while not (place.servers and place.servers[0].lost):
        await _turn(place)
    assert place.servers[0].heard[0][5:] == b"\x42\x00"


@pytest_twisted.ensureDeferred
async def test_controls_go_with_the_request(place: Place) -> None:
    place.answer = lambda number, data: result(1, 0x67)
    client = await place.client()
    control = Control("1.2.3.4", False, b"change-id")
    await client.set_attribute("cn=a", "eTSyncPassword", PASSWORD, controls=[control])
    assert b"1.2.3.4" in place.servers[0].heard[0]
    assert b"change-id" in place.servers[0].heard[0]
    await client.close()


@pytest_twisted.ensureDeferred
async def test_a_generated_password_comes_as_a_secret(place: Place) -> None:
    value = b"\x8b\x09\x30\x07\x80\x05Gen-1"
    content = b"\x0a\x01\x00\x04\x00\x04\x00" + value
    op = b"\x78" + bytes((len(content),)) + content
    place.answer = lambda number, data: b"\x30" + bytes((len(op) + 3,)) + b"\x02\x01\x01" + op
    client = await place.client()
    assert await client.password_modify(None) == Secret(b"Gen-1")
    await client.close()


@pytest_twisted.ensureDeferred
async def test_no_log_event_no_error_and_no_object_that_stays_holds_a_password(place: Place) -> None:
    secret = Secret.of_text("Grep-" + secrets.token_hex(8))
    needle = secret.reveal()
    events: list[str] = []

    def observe(event: Any) -> None:
        events.append(repr(event))

    globalLogPublisher.addObserver(observe)
    try:
        client = await place.client(patience=0.05)
        failures = []
        for asked in (
            client.bind("cn=a", secret),
            client.set_attribute("cn=a", "userPassword", secret),
            client.password_modify("cn=a", old=secret, new=secret),
            client.compare("cn=a", "userPassword", secret),
        ):
            if not client.connected:
                client = await place.client(patience=0.05)
            with pytest.raises((TimedOut, Unreachable)) as failed:
                await asked
            failures.append(repr(failed.value) + str(failed.value))
            del failed
    finally:
        globalLogPublisher.removeObserver(observe)
    heard = b"".join(chunk for server in place.servers for chunk in server.heard)
    assert needle in heard, "the test looks for the right thing"
    assert needle.decode() not in "".join(events + failures)
    place.servers.clear()
    gc.collect()
    kinds = (ModifyRequest, CompareRequest, ExtendedRequest)
    left = [one for one in gc.get_objects() if isinstance(one, kinds)]
    assert not [one for one in left if needle in _octets_of(one)]


def _octets_of(request: ModifyRequest | CompareRequest | ExtendedRequest) -> bytes:
    return encode_message(Message(1, request))


async def _turn(place: Place) -> None:
    passed: Deferred[None] = Deferred()
    place.reactor.callLater(0, passed.callback, None)
    await passed


# -- against a real one

PEOPLE = """\
dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=ada,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada
cn: Ada
sn: Lovelace
"""
ADA = "uid=ada,ou=people,dc=example,dc=com"


@pytest.fixture(scope="module")
def slapd() -> Iterator[SlapdServer]:
    require_slapd()
    with SlapdServer(ldif=PEOPLE) as server:
        yield server


async def administrator(slapd: SlapdServer, url: str = "") -> LdapClient:
    from twisted.internet import reactor

    client = await LdapClient.connect(
        url or slapd.ldaps_url, reactor=reactor, trust=Trust(str(slapd.certificates.authority))
    )
    await client.bind(slapd.root_dn, Secret.of_text(slapd.root_password))
    return client


@pytest.mark.slapd
@pytest_twisted.ensureDeferred
async def test_every_operation_works_with_openldap(slapd: SlapdServer) -> None:
    client = await administrator(slapd)
    assert client.secure
    name = f"uid=new-{secrets.token_hex(4)},ou=people,dc=example,dc=com"
    await client.add(name, {"objectClass": [b"inetOrgPerson"], "cn": [b"New", b"N"], "sn": ["Ü".encode()]})
    with pytest.raises(Refusal) as twice:
        await client.add(name, {"objectClass": [b"inetOrgPerson"], "cn": [b"New"], "sn": [b"x"]})
    assert twice.value.code is ResultCode.ENTRY_ALREADY_EXISTS
    await client.modify(
        name,
        [
            Change(ChangeKind.ADD, PartialAttribute("title", (b"a", b"b"))),
            Change(ChangeKind.DELETE, PartialAttribute("cn", (b"N",))),
        ],
    )
    [found] = await client.search(name, Scope.BASE, Present("objectClass"), ["cn", "sn", "title"])
    assert found.dn == name
    assert found.attributes == {"cn": [b"New"], "sn": ["Ü".encode()], "title": [b"a", b"b"]}
    await client.set_attribute(name, "userPassword", PASSWORD)
    assert slapd.accepts_password(name, PASSWORD.reveal_text())
    assert await client.compare(name, "sn", "Ü".encode())
    assert not await client.compare(name, "sn", b"x")
    with pytest.raises(Refusal) as missing:
        await client.compare(name, "mail", b"x")
    assert missing.value.code is ResultCode.NO_SUCH_ATTRIBUTE
    generated = await client.password_modify(name)
    assert generated
    assert slapd.accepts_password(name, generated.reveal_text())
    who = await client.extended("1.3.6.1.4.1.4203.1.11.3")  # Who am I? RFC 4532
    assert who.value is not None
    assert who.value.startswith(b"dn:cn=admin")
    await client.delete(name)
    with pytest.raises(Refusal) as gone:
        await client.search(name, Scope.BASE, Present("objectClass"))
    assert gone.value.code is ResultCode.NO_SUCH_OBJECT
    assert gone.value.result.matched_dn == "ou=people,dc=example,dc=com"
    await client.close()


@pytest.mark.slapd
@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Equality("uid", b"ADA"), 1),
        (And((Present("sn"), Substrings("cn", b"A", (), b"a"))), 1),
        (Or((Equality("uid", b"no"), Substrings("sn", None, (b"ov", b"la"), None))), 1),
        (Not(Present("objectClass")), 0),
        (And((Present("uid"), Not(Equality("uid", b"ada")))), 0),
        (Extensible("caseExactMatch", "cn", b"Ada"), 1),
        (Extensible("caseExactMatch", "cn", b"ada"), 0),
        (Extensible(None, "ou", b"people", True), 2),
        (And(()), 3),
        (Or(()), 0),
    ],
)
@pytest_twisted.ensureDeferred
async def test_openldap_understands_our_filters(slapd: SlapdServer, wanted: Filter, count: int) -> None:
    client = await administrator(slapd)
    found = await client.search("dc=example,dc=com", Scope.SUBTREE, wanted, ["1.1"])
    assert len(found) == count
    await client.close()


@pytest.mark.slapd
@pytest_twisted.ensureDeferred
async def test_a_size_limit_is_a_refusal(slapd: SlapdServer) -> None:
    client = await administrator(slapd)
    with pytest.raises(Refusal) as refused:
        await client.search("dc=example,dc=com", Scope.SUBTREE, Present("objectClass"), size_limit=1)
    assert refused.value.code is ResultCode.SIZE_LIMIT_EXCEEDED
    await client.close()


@pytest.mark.slapd
@pytest_twisted.ensureDeferred
async def test_starttls_protects_the_line(slapd: SlapdServer) -> None:
    client = await administrator(slapd, slapd.ldap_url)
    assert client.secure
    with pytest.raises(Refusal) as refused:
        await client.bind(ADA, Secret.of_text("wrong"))
    assert refused.value.code is ResultCode.INVALID_CREDENTIALS
    await client.close()
