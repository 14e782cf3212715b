"""The Active Directory connector: what it sends, what it makes of a server's answers, which settings it
takes. The server is a few lines that say what Windows says; the real one is Samba's, in test_ad_samba.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from provserver.connectors.contract import (
    AccessDenied,
    Account,
    BadServerCredentials,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    NotSupported,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    SettingsError,
)
from provserver.connectors.directories.ad import POLICY_HINTS, AdConnector, quoted
from provserver.connectors.directories.addresses import Resting
from provserver.connectors.directories.adwords import bind_code, sub_code
from provserver.directory.names import DN
from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.filters import parse_filter
from provserver.ldap.messages import (
    BindRequest,
    BindResponse,
    Change,
    ChangeKind,
    Control,
    Message,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
)
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.ldap.tls import PemFiles, tls_options
from provserver.testing.certificates import Certificates, make_certificates
from provserver.vault.secret import Secret

NEW: Final = Secret.of_text("Gull-Ferry-Grün-1")
OLD: Final = Secret.of_text("Gull-Ferry-Blau-2")
SETTINGS: Final = {"url": "ldaps://dc1.example.com", "bind_dn": "provserver@example.com"}
SECRETS: Final = {"bind_password": Secret.of_text("Service-Pass-1")}


def make(**settings: str) -> AdConnector:
    return AdConnector({**SETTINGS, **settings}, SECRETS, None)


# -- how a password is written


@given(st.text())
def test_a_password_is_written_between_quotation_marks_in_utf_16(password: str) -> None:
    value = quoted(Secret.of_text(password)).reveal()
    assert value[:2] == b'"\x00'  # no mark of the order of octets before it
    assert value.decode("utf-16-le") == f'"{password}"'


def test_the_example_of_microsofts_specification() -> None:
    """MS-ADTS 3.1.1.3.1.5.1 (the password "new")."""
    assert quoted(Secret(b"new")).reveal() == bytes.fromhex("22006e00650077002200")


@pytest.mark.parametrize("value", [b"\xff", b"abc\xed\xa0\x80def", b"caf\xe9"])
def test_what_is_no_text_is_ill_formed_and_kept_nowhere(value: bytes) -> None:
    with pytest.raises(PasswordIllFormed) as failed:
        quoted(Secret(value))
    assert failed.value.__context__ is None
    assert "abc" not in str(failed.value)


def test_a_written_password_does_not_show_itself() -> None:
    assert "G" not in repr(quoted(NEW))


# -- what a server's words mean

WINDOWS_RESET: Final = "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0"
WINDOWS_CHANGE: Final = (
    "0000052D: AtrErr: DSID-03191083, #1:\n\t0: 0000052D: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), "
    "data 0, Att 9005a (unicodePwd)"
)
SAMBA: Final = "0000052D: Constraint violation - check_password_restrictions: the password "


@pytest.mark.parametrize(
    ("code", "diagnostic", "kind"),
    [
        (53, WINDOWS_RESET, PasswordPolicyViolation),
        (19, WINDOWS_CHANGE, PasswordPolicyViolation),
        (19, SAMBA + "is too short. It should be equal or longer!", PasswordPolicyViolation),
        (19, SAMBA + "does not meet the complexity criteria!", PasswordPolicyViolation),
        (19, SAMBA + "was already used (in history)!", PasswordInHistory),
        (53, "0000001F: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), data 0", PasswordIllFormed),
        (50, "00000005: SecErr: DSID-031A11D5, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0", AccessDenied),
        (50, "error in module acl: insufficient access rights during LDB_MODIFY (50)", AccessDenied),
        (1, "000004DC: LdapErr: DSID-0C090A37, comment: In order to perform this operation a successful bind "
            "must be completed on the connection., data 0, v3839", DroppedConnection),
        (1, "00002020: Operation unavailable without authentication", ConnectorError),
        (19, "00000775: Password change not permitted, account locked out!", ConnectorError),
        (53, "00002035: something else", ConnectorError),
    ],
)  # fmt: skip
def test_a_refused_password_is_told_by_its_code(
    code: int, diagnostic: str, kind: type[ConnectorFailure]
) -> None:
    refusal = Refusal(ResultCode(code), diagnostic)
    for failure in (
        AdConnector.meanings.of_set(refusal, "cn=kit"),
        AdConnector.meanings.of_change(refusal, "cn=kit"),
    ):
        assert type(failure) is kind
        assert diagnostic in str(failure)


@pytest.mark.parametrize("code", ["00000056", "0000056A"])
def test_a_wrong_old_password_is_no_policy(code: str) -> None:
    refusal = Refusal(ResultCode.CONSTRAINT_VIOLATION, f"{code}: AtrErr: DSID-03191083, #1: ...")
    assert type(AdConnector.meanings.of_change(refusal, "cn=kit")) is OldPasswordIncorrect


def test_who_lacks_a_right_is_told_which() -> None:
    refusal = Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, "00000005: SecErr: DSID-031A11D5")
    assert '"Reset password"' in str(AdConnector.meanings.of_set(refusal, "cn=kit"))


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        ("525", "no such user"),
        ("52e", "write bind_password anew"),
        ("530", "logon hours"),
        ("531", "workstations"),
        ("532", "expired"),
        ("533", "enable it"),
        ("701", "account has expired"),
        ("773", "must change its password"),
        ("775", "unlock it"),
    ],
)
def test_a_refused_login_of_ours_says_what_a_person_should_do(data: str, advice: str) -> None:
    diagnostic = (
        f"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v3839\x00"
    )
    failure = AdConnector.meanings.of_bind(
        Refusal(ResultCode.INVALID_CREDENTIALS, diagnostic), "provserver@example.com"
    )
    assert type(failure) is BadServerCredentials
    assert advice in str(failure)


def test_a_refused_login_without_a_code_is_told_as_it_is() -> None:
    failure = AdConnector.meanings.of_bind(Refusal(ResultCode.INVALID_CREDENTIALS, "no"), "cn=x")
    assert type(failure) is BadServerCredentials


@given(st.text())
def test_codes_are_found_in_any_text_or_not_at_all(text: str) -> None:
    for code in (sub_code(text), bind_code(text)):
        assert code is None or code >= 0


# -- settings


def test_an_endpoint_needs_a_url_and_a_login_only_and_is_secure() -> None:
    for url in ("ldaps://dc1.example.com", "ldap://dc1.example.com", "ldaps://dc1 ldaps://dc2:6360"):
        assert make(url=url).security is Security.SECURE


@pytest.mark.parametrize(
    ("settings", "key", "expected"),
    [
        ({"url": "ldap://dc1", "starttls": "no"}, "starttls", "unknown setting"),
        ({"attribute": "userPassword"}, "attribute", "unknown setting"),
        ({"url": "ldaps://dc1:3269"}, "url", "global catalog"),
        ({"url": "ldap://dc1:3268"}, "url", "global catalog"),
        ({"account": "cn)(x"}, "account", "sAMAccountName"),
        ({"policy_hints": "yes"}, "policy_hints", "own, always, never"),
        ({"filter": "(sAMAccountName=kit)"}, "filter", "place for the account"),
        ({"dn": "cn={name},dc=x", "base": "dc=x"}, "dn", "either dn, or base"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, str], key: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected) as refused:
        make(**settings)
    assert refused.value.key == key


# -- against a server of a few lines

ROOT_DSE: Final = {
    "defaultNamingContext": ["DC=ad,DC=example,DC=com"],
    "supportedCapabilities": ["1.2.840.113556.1.4.800"],
    "supportedControl": ["1.2.840.113556.1.4.319", *reversed(POLICY_HINTS)],
    "vendorName": ["Microsoft Corporation"],
}
KIT: Final = "CN=Test\\, Kit,OU=People,DC=ad,DC=example,DC=com"


class Windows(Protocol):
    """One connection: every bind is good, one account is found, what is modified is kept."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._heard = b""

    def dataReceived(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) > 1:
            first = self._heard[1]
            count = first & 0x7F if first & 0x80 else 0
            if len(self._heard) < 2 + count:
                return
            end = 2 + count + (int.from_bytes(self._heard[2 : 2 + count], "big") if count else first)
            if len(self._heard) < end:
                return
            message = decode_message(self._heard, 0, end)
            self._heard = self._heard[end:]
            for answer in self._domain.answers(message):
                self.transport.write(encode_message(Message(message.id, answer)))  # type: ignore[union-attr]


class Domain:
    """A listening port with TLS, and what it was asked."""

    def __init__(self, certificates: Certificates) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.root_dse: dict[str, list[str]] = dict(ROOT_DSE)
        self.refusals: list[Result] = []
        self.modified: list[tuple[ModifyRequest, tuple[Control, ...]]] = []
        self.searched: list[SearchRequest] = []
        self._authority = certificates.authority
        files = PemFiles(certificates.certificate, certificates.key)
        self.port = self.reactor.listenSSL(
            0, Factory.forProtocol(lambda: Windows(self)), tls_options(files), interface="127.0.0.1"
        )

    def answers(self, message: Message) -> Iterator[Any]:
        asked = message.operation
        if isinstance(asked, BindRequest):
            yield BindResponse(Result(ResultCode.SUCCESS))
        elif isinstance(asked, SearchRequest):
            self.searched.append(asked)
            if asked.base:
                yield SearchResultEntry(KIT, ())
            else:
                yield SearchResultEntry(
                    "",
                    tuple(
                        PartialAttribute(name, tuple(value.encode() for value in values))
                        for name, values in self.root_dse.items()
                    ),
                )
            yield SearchResultDone(Result(ResultCode.SUCCESS))
        elif isinstance(asked, ModifyRequest):
            self.modified.append((asked, message.controls))
            yield ModifyResponse(self.refusals.pop(0) if self.refusals else Result(ResultCode.SUCCESS))

    def connector(self, **settings: str) -> AdConnector:
        return AdConnector(
            {
                "url": f"ldaps://127.0.0.1:{self.port.getHost().port}",
                "bind_dn": "provserver@ad.example.com",
                "ca_file": str(self._authority),
                **settings,
            },
            SECRETS,
            self.reactor,
            resting=Resting(lambda: 0.0),
        )

    async def set(self, options: PasswordOption = PasswordOption.NONE, **settings: str) -> None:
        connector = self.connector(**settings)
        try:
            await connector.open()
            await connector.set_password(person("kit"), NEW, options)
        finally:
            await connector.close()

    async def misfits(self, **settings: str) -> list[str]:
        connector = self.connector(**settings)
        try:
            return [f"{one.what}: {one.advice}" for one in await connector.misfits()]
        finally:
            await connector.close()


def person(name: str) -> Account:
    return Account(name, DN.parse("cn=x,dc=im"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def domain(certificates: Certificates) -> Iterator[Domain]:
    domain = Domain(certificates)
    yield domain
    pytest_twisted.blockon(maybeDeferred(domain.port.stopListening))


@pytest_twisted.ensureDeferred
async def test_a_reset_is_one_replace_of_the_account_that_the_domain_has(domain: Domain) -> None:
    await domain.set()
    change = Change(ChangeKind.REPLACE, PartialAttribute("unicodePwd", (quoted(NEW).reveal(),)))
    assert domain.modified == [(ModifyRequest(KIT, (change,)), ())]
    looked_up = domain.searched[-1]
    assert looked_up.base == "DC=ad,DC=example,DC=com"
    assert looked_up.filter == parse_filter(
        "(&(objectCategory=person)(objectClass=user)(sAMAccountName=kit))"
    )


@pytest_twisted.ensureDeferred
async def test_a_change_deletes_the_old_and_adds_the_new_password_in_one_modify(domain: Domain) -> None:
    connector = domain.connector()
    await connector.change_password(person("kit"), OLD, NEW)
    await connector.close()
    changes = (
        Change(ChangeKind.DELETE, PartialAttribute("unicodePwd", (quoted(OLD).reveal(),))),
        Change(ChangeKind.ADD, PartialAttribute("unicodePwd", (quoted(NEW).reveal(),))),
    )
    assert domain.modified == [(ModifyRequest(KIT, changes), ())]


@pytest_twisted.ensureDeferred
async def test_wishes_follow_the_password(domain: Domain) -> None:
    await domain.set(PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT)
    assert [
        (change.kind, change.attribute.description, change.attribute.values)
        for request, _ in domain.modified[1:]
        for change in request.changes
    ] == [(ChangeKind.REPLACE, "pwdLastSet", (b"0",)), (ChangeKind.REPLACE, "lockoutTime", (b"0",))]


@pytest_twisted.ensureDeferred
async def test_wishes_that_are_refused_leave_a_password_that_was_set(domain: Domain) -> None:
    refused = Result(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, diagnostic="00000005: SecErr")
    domain.refusals = [Result(ResultCode.SUCCESS), refused]
    with pytest.raises(ConnectorError, match="the password was set") as failed:
        await domain.set(PasswordOption.UNLOCK_ACCOUNT)
    assert failed.value.outcome_unknown


@pytest.mark.parametrize("known", POLICY_HINTS)
@pytest_twisted.ensureDeferred
async def test_the_policy_hints_that_the_server_knows_go_with_a_reset_that_has_to_obey_history(
    domain: Domain, known: str
) -> None:
    domain.root_dse["supportedControl"] = [known]
    hint = Control(known, True, bytes.fromhex("3003020101"))
    await domain.set(PasswordOption.VALIDATE_PASSWORD)
    await domain.set(policy_hints="always")
    await domain.set()
    await domain.set(PasswordOption.VALIDATE_PASSWORD, policy_hints="never")
    assert [controls for _, controls in domain.modified] == [(hint,), (hint,), (), ()]


@pytest_twisted.ensureDeferred
async def test_of_two_policy_hints_the_newer_is_used(domain: Domain) -> None:
    await domain.set(policy_hints="always")
    assert [control.oid for control in domain.modified[0][1]] == [POLICY_HINTS[0]]


@pytest_twisted.ensureDeferred
async def test_hints_that_the_server_does_not_know_are_sent_by_nobody(domain: Domain) -> None:
    domain.root_dse["supportedControl"] = []
    await domain.set(PasswordOption.VALIDATE_PASSWORD)
    assert domain.modified[0][1] == ()
    with pytest.raises(NotSupported, match="policy_hints=always"):
        await domain.set(policy_hints="always")
    assert len(domain.modified) == 1


@pytest_twisted.ensureDeferred
async def test_a_line_whose_login_was_forgotten_is_a_lost_line(domain: Domain) -> None:
    domain.refusals = [
        Result(ResultCode.OPERATIONS_ERROR, diagnostic="000004DC: LdapErr: DSID-0C090A37, comment: ...")
    ]
    with pytest.raises(DroppedConnection) as lost:
        await domain.set()
    assert lost.value.transient


@pytest_twisted.ensureDeferred
async def test_a_server_without_a_domain_needs_a_base(domain: Domain) -> None:
    """As AD LDS is, unless it was given a default."""
    del domain.root_dse["defaultNamingContext"]
    with pytest.raises(ConnectorError, match="base must be given"):
        await domain.set()
    await domain.set(base="OU=People,DC=app", account="userPrincipalName")
    assert domain.searched[-1].base == "OU=People,DC=app"
    assert "userPrincipalName" in repr(domain.searched[-1].filter)


@pytest_twisted.ensureDeferred
async def test_an_account_that_says_its_logon_name_apart_is_found_by_it(domain: Domain) -> None:
    account = Account("Okafor, Ada", DN.parse("cn=x"), {"eTADSsAMAccountName": ("aokafor",)})
    by_default: dict[str, str] = {}
    by_cn = {"account": "cn"}
    for settings, sought in ((by_default, "sAMAccountName=aokafor"), (by_cn, "cn=Okafor, Ada")):
        connector = domain.connector(**settings)
        await connector.locate(account)
        await connector.close()
        assert domain.searched[-1].filter == parse_filter(
            f"(&(objectCategory=person)(objectClass=user)({sought}))"
        )


@pytest_twisted.ensureDeferred
async def test_an_account_can_be_named_by_a_template_instead(domain: Domain) -> None:
    await domain.set(dn="CN={name},OU=People,DC=app")
    assert domain.modified[0][0].dn == "CN=kit,OU=People,DC=app"


@pytest_twisted.ensureDeferred
async def test_settings_that_go_with_the_server_leave_nothing_to_say(domain: Domain) -> None:
    assert await domain.misfits() == []
    assert await domain.misfits(policy_hints="always") == []


@pytest.mark.parametrize(
    ("root_dse", "settings", "said"),
    [
        ({"supportedCapabilities": [], "vendorName": ["OpenLDAP"]}, {}, "set provConnector to openldap"),
        ({"supportedCapabilities": ["1.2.840.113556.1.4.1851"]}, {}, "AD LDS.*set account"),
        ({"supportedCapabilities": ["1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1920"]}, {}, "read-only"),
        ({"supportedControl": []}, {"policy_hints": "always"}, "set policy_hints to own"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_settings_that_do_not_go_with_the_server_are_told(
    domain: Domain, root_dse: dict[str, list[str]], settings: dict[str, str], said: str
) -> None:
    domain.root_dse |= root_dse
    [misfit] = await domain.misfits(**settings)

    assert re.search(said, misfit)


@pytest_twisted.ensureDeferred
async def test_ad_lds_with_names_of_its_own_is_no_misfit(domain: Domain) -> None:
    domain.root_dse["supportedCapabilities"] = ["1.2.840.113556.1.4.1851"]
    for settings in ({"account": "cn"}, {"dn": "CN={name},DC=app"}, {"filter": "(userPrincipalName={name})"}):
        assert await domain.misfits(**settings) == []
