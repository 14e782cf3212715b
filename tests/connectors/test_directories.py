"""What all LDAP connectors share, at directories that say what a test has written: fail-over, referrals, what
does not fit, and exploring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import pytest_twisted
from quarterdeck import person
from scripted_directory import Said, ScriptedDirectory, ended, entry, root_dse
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from provserver.connectors.contract import (
    Account,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    DroppedConnection,
    Misfit,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    ServerDown,
    SettingsError,
)
from provserver.connectors.directories import exploring
from provserver.connectors.directories.addresses import REST, Resting
from provserver.connectors.directories.base import DirectoryConnector
from provserver.connectors.directories.ds389 import Ds389Connector
from provserver.connectors.directories.generic import LdapConnector
from provserver.connectors.directories.openldap import OpenLdapConnector
from provserver.ldap.controls.paging import PagedResults
from provserver.ldap.controls.password_policy import PasswordPolicyResponse, PolicyError
from provserver.ldap.messages import (
    BindRequest,
    Control,
    ExtendedRequest,
    Message,
    ModifyRequest,
    SearchRequest,
)
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

SECRETS: Mapping[str, Secret] = {"bind_password": Secret.of_text("Service-Pass-1")}
NEW = Secret.of_text("Harbour-Light-21")
PASSWORD_MODIFY = "1.3.6.1.4.1.4203.1.11.1"


def settings(url: str, **changes: str | None) -> dict[str, str]:
    told: dict[str, str | None] = {
        "url": url,
        "starttls": "no",
        "bind_dn": "cn=service,dc=example",
        "dn": "uid={name},ou=people,dc=example",
        "timeout": "2",
        **changes,
    }
    return {key: value for key, value in told.items() if value is not None}


def connector_for(
    url: str,
    kind: type[DirectoryConnector] = LdapConnector,
    *,
    clock: Clock | None = None,
    resting: Resting | None = None,
    **changes: str | None,
) -> DirectoryConnector:
    from twisted.internet import reactor

    rest = resting or Resting((clock or Clock()).seconds)
    return kind(settings(url, **changes), SECRETS, reactor, resting=rest)


async def set_password(connector: DirectoryConnector) -> None:
    await connector.open()
    await connector.set_password(person("kit"), NEW, PasswordOption.NONE)


def sets(directory: ScriptedDirectory) -> int:
    return sum(isinstance(one, ExtendedRequest) for one in directory.asked)


class TestFailOver:
    @test
    async def test_the_first_server_that_answers_is_used(self) -> None:
        async with ScriptedDirectory() as first, ScriptedDirectory() as second:
            connector = connector_for(f"{first.url} {second.url}")
            await set_password(connector)
            assert (sets(first), second.asked) == (1, [])
            await connector.close()

    @test
    async def test_the_next_one_stands_in_for_one_that_is_away_which_then_rests(self) -> None:
        clock = Clock()
        async with ScriptedDirectory() as first, ScriptedDirectory() as second:
            await first.end()
            connector = connector_for(f"{first.url},{second.url}", clock=clock)
            await set_password(connector)
            assert sets(second) == 1
            await connector.close()
            first.begin()
            clock.advance(REST - 1)
            await set_password(connector)
            assert (first.binds, sets(second)) == (0, 2)
            await connector.close()
            clock.advance(2)
            await set_password(connector)
            assert (sets(first), sets(second)) == (1, 2)
            await connector.close()

    @test
    async def test_other_lines_know_what_one_found_out(self) -> None:
        resting = Resting(Clock().seconds)
        async with ScriptedDirectory() as first, ScriptedDirectory() as second:
            await first.end()
            urls = f"{first.url} {second.url}"
            one, other = connector_for(urls, resting=resting), connector_for(urls, resting=resting)
            await one.open()
            first.begin()
            await other.open()
            assert (first.binds, second.binds) == (0, 2)
            for connector in (one, other):
                await connector.close()

    @test
    async def test_a_line_that_stands_goes_back_to_the_first_and_lets_what_is_on_the_way_arrive(
        self,
    ) -> None:
        clock = Clock()
        waiting: list[Message] = []

        def keep_waiting(message: Message) -> Sequence[Said] | None:
            if isinstance(message.operation, ExtendedRequest):
                waiting.append(message)
                return []
            return None

        async with ScriptedDirectory() as first, ScriptedDirectory(keep_waiting) as second:
            await first.end()
            connector = connector_for(f"{first.url} {second.url}", clock=clock)
            await connector.open()
            on_the_way = Deferred.fromCoroutine(set_password(connector))
            while not waiting:
                await turn()
            first.begin()
            await connector.open()
            assert first.binds == 0, "it rests"
            clock.advance(REST + 1)
            await set_password(connector)
            assert (first.binds, sets(first), len(second.lines)) == (1, 1, 1)
            assert not on_the_way.called
            (line,) = second.lines
            line.transport.write(answer_to(waiting[0]))  # type: ignore[union-attr]
            await on_the_way
            while second.lines:
                await turn()
            await connector.close()

    @test
    async def test_a_line_that_stands_is_kept_when_the_first_is_still_away(self) -> None:
        clock = Clock()
        async with ScriptedDirectory() as first, ScriptedDirectory() as second:
            await first.end()
            connector = connector_for(f"{first.url} {second.url}", clock=clock)
            await set_password(connector)
            clock.advance(REST + 1)
            await set_password(connector)
            assert (second.binds, sets(second)) == (1, 2)
            await connector.close()

    @test
    async def test_a_first_that_comes_back_and_refuses_our_login_is_not_asked_at_every_password(self) -> None:
        def wrong(message: Message) -> Sequence[Said] | None:
            return [ended(message.operation, Result(ResultCode.INVALID_CREDENTIALS))]

        clock = Clock()
        async with ScriptedDirectory(wrong) as first, ScriptedDirectory() as second:
            await first.end()
            connector = connector_for(f"{first.url} {second.url}", clock=clock)
            await set_password(connector)
            first.begin()
            clock.advance(REST + 1)
            for _ in range(3):
                await set_password(connector)
            assert (first.binds, sets(second)) == (1, 4)
            await connector.close()

    @test
    async def test_when_all_are_away_each_is_named_and_the_failure_passes(self) -> None:
        async with ScriptedDirectory() as first, ScriptedDirectory() as second:
            for one in (first, second):
                await one.end()
            connector = connector_for(f"{first.url} {second.url}")
            for _ in range(2):  # those that rest are better than none
                with pytest.raises(ServerDown) as down:
                    await connector.open()
                assert first.url in str(down.value)
                assert second.url in str(down.value)

    @test
    async def test_a_server_that_is_busy_is_passed_over_and_all_busy_is_busy(self) -> None:
        def busy(message: Message) -> Sequence[Said] | None:
            if isinstance(message.operation, BindRequest):
                return [ended(message.operation, Result(ResultCode.BUSY))]
            return None

        async with ScriptedDirectory(busy) as first, ScriptedDirectory() as second:
            connector = connector_for(f"{first.url} {second.url}")
            await set_password(connector)
            assert sets(second) == 1
            await connector.close()
            second.say = busy
            with pytest.raises(Busy):
                await connector_for(f"{first.url} {second.url}").open()

    @test
    async def test_a_wrong_password_of_ours_is_tried_at_one_server_only(self) -> None:
        def wrong(message: Message) -> Sequence[Said] | None:
            return [ended(message.operation, Result(ResultCode.INVALID_CREDENTIALS))]

        async with ScriptedDirectory(wrong) as first, ScriptedDirectory() as second:
            with pytest.raises(BadServerCredentials):
                await connector_for(f"{first.url} {second.url}").open()
            assert (first.binds, second.binds) == (1, 0)

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("ldaps://a ldap://b", "all of them ldaps:// or all of them ldap://"),
            ("ldap://a ldap://a", "different urls"),
            ("ldap://a, http://b", "expected ldaps://host"),
            (" , ", "different urls"),
        ],
    )
    def test_urls_that_do_not_go_together_are_refused(self, url: str, expected: str) -> None:
        with pytest.raises(SettingsError, match=expected):
            connector_for(url, starttls=None)


async def turn() -> None:
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    await deferLater(reactor, 0)  # type: ignore[arg-type]


def answer_to(message: Message) -> bytes:
    from provserver.ldap.codec import encode_message

    return encode_message(Message(message.id, ended(message.operation)[0]))


class TestReferrals:
    """A replica that takes no writes says who does. Neither our login nor a password goes where it points."""

    @pytest.mark.parametrize(
        ("operation", "request_type"), [("exop", ExtendedRequest), ("replace", ModifyRequest)]
    )
    @test
    async def test_a_password_is_not_sent_where_a_server_points(
        self, operation: str, request_type: type
    ) -> None:
        async with ScriptedDirectory() as elsewhere:

            def refer(message: Message) -> Sequence[Said] | None:
                if isinstance(message.operation, request_type):
                    pointed = Result(ResultCode.REFERRAL, referrals=(f"{elsewhere.url}/uid=kit",))
                    return [ended(message.operation, pointed)]
                return None

            async with ScriptedDirectory(refer) as replica:
                connector = connector_for(replica.url, operation=operation)
                with pytest.raises(ConnectorError) as failed:
                    await set_password(connector)
                assert not failed.value.transient
                assert not failed.value.outcome_unknown
                assert f"points to {elsewhere.url}/uid=kit" in str(failed.value)
                assert "give a server that takes writes as url" in str(failed.value)
                assert elsewhere.asked == []
                await connector.close()


OPENLDAP = {"objectClass": ("top", "OpenLDAProotDSE"), "subschemaSubentry": "cn=Subschema"}
SCHEMA = (
    "( 2.5.4.35 NAME 'userPassword' )",
    "( 1.3.6.1.4.1.42.2.27.8.1.22 NAME ( 'pwdReset' 'mustReset' ) )",
    "( 1.3.6.1.4.1.42.2.27.8.1.17 NAME 'pwdAccountLockedTime' NO-USER-MODIFICATION )",
)


async def misfits(
    says: Mapping[str, Any], kind: type[DirectoryConnector] = LdapConnector, **changes: str | None
) -> list[Misfit]:
    def say(message: Message) -> Sequence[Said] | None:
        asked = message.operation
        if isinstance(asked, SearchRequest) and asked.base == "cn=Subschema":
            return [entry("cn=Subschema", attributeTypes=SCHEMA), ended(asked)]
        return root_dse(message, **says)

    async with ScriptedDirectory(say) as directory:
        connector = connector_for(directory.url, kind, **changes)
        try:
            return list(await connector.misfits())
        finally:
            await connector.close()


class TestMisfits:
    @test
    async def test_a_server_without_password_modify_wants_another_operation(self) -> None:
        (found,) = await misfits({"supportedExtension": "1.3.6.1.1.8", "vendorName": "Anybody"})
        assert found.grave
        assert "does not have RFC 3062" in found.what
        assert "operation=replace" in found.advice
        assert await misfits({"supportedExtension": "1.3.6.1.1.8"}, operation="replace") == []

    @test
    async def test_a_server_that_says_nothing_is_believed_to_fit(self) -> None:
        assert await misfits({}) == []

    @test
    async def test_a_line_in_clear_where_tls_is_offered_is_a_warning(self) -> None:
        offered = {"supportedExtension": (PASSWORD_MODIFY, "1.3.6.1.4.1.1466.20037")}
        (found,) = await misfits(offered)
        assert not found.grave
        assert "StartTLS" in found.what

    @pytest.mark.parametrize(
        ("says", "kind", "wanted", "grave"),
        [
            ({"forestFunctionality": "7"}, LdapConnector, "ad", True),
            ({"supportedCapabilities": "1.2.840.113556.1.4.1851"}, OpenLdapConnector, "ad", True),
            ({"vendorName": "389 Project"}, OpenLdapConnector, "389ds", False),
            (OPENLDAP, Ds389Connector, "openldap", False),
        ],
    )
    @test
    async def test_another_family_than_the_connectors_is_told(
        self, says: Any, kind: type[DirectoryConnector], wanted: str, grave: bool
    ) -> None:
        found = (await misfits(says, kind))[0]
        assert found.advice == f"set provConnector to {wanted}"
        assert found.grave is grave

    @pytest.mark.parametrize("says", [OPENLDAP, {"vendorVersion": "389-Directory/2.3.1"}])
    @test
    async def test_the_generic_connector_goes_with_every_family_but_active_directory(self, says: Any) -> None:
        assert await misfits(says) == []

    @test
    async def test_wishes_for_attributes_that_cannot_be_written_there_are_told(self) -> None:
        (found,) = await misfits(OPENLDAP, OpenLdapConnector, ppolicy="yes")
        assert found.grave
        assert "pwdAccountLockedTime" in found.what
        assert "ppolicy overlay" in found.advice
        (unknown,) = await misfits(OPENLDAP, unlock="lockedByIntruder=FALSE", must_change="MUSTRESET=TRUE")
        assert "lockedByIntruder" in unknown.what


class TestWishes:
    """Of a directory that we do not know: the settings name what is written."""

    @test
    async def test_each_wish_replaces_what_its_setting_names(self) -> None:
        async with ScriptedDirectory() as directory:
            connector = connector_for(
                directory.url,
                unlock="lockedByIntruder=FALSE, loginIntruderResetTime",
                must_change="passwordExpirationTime=19700101000000Z",
            )
            await connector.open()
            for options in (
                PasswordOption.NONE,
                PasswordOption.UNLOCK_ACCOUNT,
                PasswordOption.FORCE_CHANGE_AT_LOGON | PasswordOption.UNLOCK_ACCOUNT,
            ):
                await connector.set_password(person("kit"), NEW, options)
            modified = [
                {change.attribute.description: change.attribute.values for change in one.changes}
                for one in directory.asked
                if isinstance(one, ModifyRequest)
            ]
            unlocked = {"lockedByIntruder": (b"FALSE",), "loginIntruderResetTime": ()}
            assert modified == [
                unlocked,
                {**unlocked, "passwordExpirationTime": (b"19700101000000Z",)},
            ]
            await connector.close()

    @pytest.mark.parametrize("text", ["=x", "a b=c", "lock=", "a,,b"])
    def test_a_wish_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(SettingsError, match="unlock: expected"):
            connector_for("ldap://h", unlock=text)

    def test_what_389_ds_cannot_verify_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="ARGON2"):
            connector_for("ldap://h", Ds389Connector, schemes="SSHA,ARGON2")


class TestWordlessRefusals:
    """389-ds answers every refused Password Modify alike (the real one is in test_389ds)."""

    wordless = Result(ResultCode.CONSTRAINT_VIOLATION, "Failed to update password\n")

    def directory(self, replaced: Result, *controls: Control) -> ScriptedDirectory:
        def say(message: Message) -> Sequence[Said] | None:
            asked = message.operation
            if isinstance(asked, ExtendedRequest):
                return [ended(asked, self.wordless, *controls)]
            return [ended(asked, replaced)] if isinstance(asked, ModifyRequest) else None

        return ScriptedDirectory(say)

    @test
    async def test_a_replace_is_asked_why(self) -> None:
        why = Result(ResultCode.CONSTRAINT_VIOLATION, "password in history")
        async with self.directory(why) as directory:
            connector = connector_for(directory.url, Ds389Connector)
            with pytest.raises(PasswordInHistory, match="password in history"):
                await set_password(connector)
            await connector.close()

    @test
    async def test_what_the_replace_may_do_is_done(self) -> None:
        async with self.directory(Result()) as directory:
            connector = connector_for(directory.url, Ds389Connector)
            await set_password(connector)
            await connector.close()

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (PasswordPolicyResponse(error=PolicyError.PASSWORD_IN_HISTORY).encode(), PasswordInHistory),
            (PasswordPolicyResponse().encode(), PasswordPolicyViolation),
            (b"no sense", PasswordPolicyViolation),
            (None, PasswordPolicyViolation),
        ],
        ids=["an error", "no error", "no sense", "no value"],
    )
    @test
    async def test_of_a_change_the_control_tells_why_and_one_that_makes_no_sense_tells_nothing(
        self, value: bytes | None, kind: type[ConnectorFailure]
    ) -> None:
        control = Control(PasswordPolicyResponse.oid, False, value)
        async with self.directory(Result(), control) as directory:
            connector = connector_for(directory.url, Ds389Connector)
            with pytest.raises(ConnectorFailure) as failed:
                await connector.change_password(person("kit"), NEW, NEW)
            assert type(failed.value) is kind
            assert not any(isinstance(one, ModifyRequest) for one in directory.asked)
            await connector.close()


def crowd(count: int) -> list[Said]:
    return [entry(f"uid=p{number},ou=people,dc=example", uid=f"p{number}") for number in range(count)]


class Paging:
    """A directory with people, on pages or not."""

    def __init__(self, count: int, *, pages: bool, most: int = 1_000_000) -> None:
        self.people = crowd(count)
        self.pages = pages
        self.most = most
        self.sizes: list[int] = []

    def __call__(self, message: Message) -> Sequence[Said] | None:
        asked = message.operation
        if not isinstance(asked, SearchRequest):
            return None
        for control in message.controls:
            if not self.pages:
                assert control.critical
                return [ended(asked, Result(ResultCode.UNAVAILABLE_CRITICAL_EXTENSION))]
            wanted = PagedResults.decode(control.value)
            begin = int(wanted.cookie or b"0")
            end = begin + wanted.size
            cookie = str(end).encode() if end < len(self.people) else b""
            told = Control(PagedResults.oid, False, PagedResults(0, cookie).encode())
            self.sizes.append(len(self.people[begin:end]))
            return [*self.people[begin:end], ended(asked, Result(), told)]
        limit = min(asked.size_limit or self.most, self.most)
        code = ResultCode.SIZE_LIMIT_EXCEEDED if len(self.people) > limit else ResultCode.SUCCESS
        return [*self.people[:limit], ended(asked, Result(code))]


async def explored(directory: ScriptedDirectory, **changes: str | None) -> list[Account]:
    return [account async for account in connector_for(directory.url, **changes).explore()]


class TestExploring:
    @pytest.mark.parametrize("pages", [True, False], ids=["pages", "no pages"])
    @test
    async def test_everybody_is_found_once_on_pages_or_without(
        self, pages: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exploring, "PAGE", 10)
        paging = Paging(25, pages=pages)
        async with ScriptedDirectory(paging) as directory:
            found = await explored(directory)
            assert [account.name for account in found] == [f"p{number}" for number in range(25)]
            assert paging.sizes == ([10, 10, 5] if pages else [])
            while directory.lines:
                await turn()

    @test
    async def test_without_pages_there_is_a_limit_which_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exploring, "UNPAGED", 20)
        async with ScriptedDirectory(Paging(25, pages=False)) as directory:
            with pytest.raises(ConnectorError, match="narrower explore_filter"):
                await explored(directory)

    @test
    async def test_no_more_than_two_pages_are_asked_for_before_the_first_is_used(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exploring, "PAGE", 10)
        paging = Paging(200, pages=True)
        async with ScriptedDirectory(paging) as directory:
            people = connector_for(directory.url).explore()
            assert (await anext(people)).name == "p0"
            for _ in range(50):
                await turn()
            assert len(paging.sizes) == 2
            await people.aclose()  # type: ignore[attr-defined]
            while directory.lines:
                await turn()

    @test
    async def test_a_line_that_is_lost_meanwhile_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exploring, "PAGE", 10)
        async with ScriptedDirectory(Paging(200, pages=True)) as directory:
            people = connector_for(directory.url).explore()
            await anext(people)
            directory.say = lambda message: []
            await directory.end()
            with pytest.raises(DroppedConnection):
                async for _ in people:
                    pass

    @test
    async def test_names_attributes_and_base_are_what_the_settings_say(self) -> None:
        asked: list[SearchRequest] = []

        def say(message: Message) -> Sequence[Said] | None:
            if isinstance(message.operation, SearchRequest):
                asked.append(message.operation)
                two = entry("employeeNumber=7+uid=x,dc=example", employeeNumber=["8", "7"], sn="Seven")
                nameless = entry("cn=printer,dc=example", sn="Printer")
                return [two, nameless, ended(message.operation)]
            return None

        async with ScriptedDirectory(say) as directory:
            (found,) = await explored(
                directory,
                explore_base="dc=example",
                explore_filter="(objectClass=person)",
                explore_name="employeenumber",
                explore_attributes="sn, mail",
            )
        assert (found.name, found.dn.text) == ("7", "")
        assert found.attributes["sn"] == ("Seven",)
        assert found.attributes["entryDN"] == ("employeeNumber=7+uid=x,dc=example",)
        (search,) = asked
        assert (search.base, search.attributes) == ("dc=example", ("employeenumber", "sn", "mail"))

    @pytest.mark.parametrize(
        ("templates", "base", "name"),
        [
            ({}, "ou=people,dc=example", "uid"),
            ({"dn": "cn={name},ou={ou},ou=people,dc=example"}, "ou=people,dc=example", "cn"),
            ({"dn": None, "base": "dc=example", "filter": "(&(mail=*)(mail={name}))"}, "dc=example", "mail"),
        ],
    )
    @test
    async def test_where_people_are_and_what_they_are_called_is_told_by_the_templates(
        self, templates: dict[str, str | None], base: str, name: str
    ) -> None:
        async with ScriptedDirectory() as directory:
            await explored(directory, **templates)
            (search,) = [one for one in directory.asked if isinstance(one, SearchRequest)]
        assert search.base == base
        assert search.attributes[0] == name
        assert "userPassword" not in search.attributes

    @test
    async def test_templates_that_do_not_say_what_a_name_is_are_told_so(self) -> None:
        async with ScriptedDirectory() as directory:
            with pytest.raises(ConnectorError, match="explore_name must be given"):
                await explored(directory, dn="uid={mail},dc=example")

    @pytest.mark.parametrize("text", ["*", "cn,userPassword", "sambaNTPassword", "unicodePwd", "+"])
    def test_no_password_is_ever_read(self, text: str) -> None:
        with pytest.raises(SettingsError, match="none of a password"):
            connector_for("ldap://h", explore_attributes=text)
