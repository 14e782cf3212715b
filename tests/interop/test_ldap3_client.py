"""python-ldap3, a client with its own codec and its own idea of a schema: its strategies, controls, extended
operations and abstraction layer.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import ldap3
import pytest
from ldap3.core import exceptions
from ldap3.extend.standard.PagedSearch import paged_search_accumulator
from ldap3.operation.unbind import unbind_operation
from ldap3.protocol.rfc4527 import post_read_control, pre_read_control
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from plugins.served_instance import ADMINISTRATOR_PASSWORD, GLOBAL_USERS, user_dn
from quay import (
    ADMINISTRATOR,
    BINARY,
    CERTIFIED,
    EAST,
    ELSEWHERE,
    FLEET,
    INTEROP,
    PASSWORD,
    SHIPS,
    SIGNS,
    UNICODE,
    WEST,
    Quay,
    ship_dn,
    ship_weight,
)

AD = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
ADA = f"eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD}"
NEW = "Sluice-Compass-86"
PEOPLE = "(objectClass=person)"
MANAGE_DSA_IT = ("2.16.840.1.113730.3.4.2", True, None)
# ldap3 2.9.1 verifies host names with a function that Python 3.12 has no more.
pytestmark = pytest.mark.filterwarnings(r"ignore:ssl\.match_hostname:DeprecationWarning")

Connect = Callable[..., ldap3.Connection]


@pytest.fixture
def connect(quay: Quay) -> Iterator[Connect]:
    """`connect(name, password)`: bound as a global user over LDAPS, the certificate verified."""
    opened = []

    def connect(
        name: str = "etaadmin",
        password: str = ADMINISTRATOR_PASSWORD,
        *,
        port: str = "ldaps",
        authority: str = quay.authority,
        certificate: bool = False,
        info: Any = ldap3.NONE,
        bind: bool = True,
        **options: Any,
    ) -> ldap3.Connection:
        mine = {"local_certificate_file": quay.certificate, "local_private_key_file": quay.key}
        tls = ldap3.Tls(
            validate=ssl.CERT_REQUIRED,
            ca_certs_file=authority,
            **{key: str(mine[key]) for key in mine if certificate},
        )
        server = ldap3.Server(quay.served.url(port), tls=tls, get_info=info)
        who = {} if "authentication" in options else {"user": user_dn(name), "password": password}
        connection = ldap3.Connection(server, raise_exceptions=True, **who, **options)
        opened.append(connection)
        if bind:
            connection.bind()
        return connection

    yield connect
    for connection in opened:
        hang_up(connection)


def hang_up(connection: ldap3.Connection) -> None:
    """Unbind. `unbind` of the asynchronous strategy closes the socket under its reading thread, which may
    then read from the next connection of that number: here the server's closing ends the thread first.
    """
    receiver = getattr(connection.strategy, "receiver", None)
    with contextlib.suppress(exceptions.LDAPExceptionError):  # of connections that never came to be
        if receiver is None:
            connection.unbind()
        else:
            connection.send("unbindRequest", unbind_operation(), None)
            receiver.join(30)


def add_person(admin: ldap3.Connection, name: str, base: str = EAST, **attributes: Any) -> str:
    dn = f"cn={escape_rdn(name)},{base}"
    admin.add(dn, "inetOrgPerson", {"sn": name, **attributes})
    return dn


def admit(admin: ldap3.Connection, name: str) -> str:
    """A new global user."""
    dn = user_dn(name)
    admin.add(dn, "eTGlobalUser", {"eTPassword": PASSWORD})
    return dn


def names(connection: ldap3.Connection) -> list[str]:
    """Of the entries that the last search found."""
    return [one["dn"] for one in connection.response if one["type"] == "searchResEntry"]


# As provisioning agents and administrators


def test_it_makes_the_four_requests_and_reads_the_counts(connect: Connect) -> None:
    agent = connect("psync-ad-corp", "Gull-Ferry-Agent-11")
    for trigger in ("eTTestPassword", "eTSyncPassword"):
        agent.search(AD, "(&(objectClass=eTADSAccount)(eTADSsAMAccountName=aokafor))", attributes=[])
        assert names(agent) == [ADA]
        agent.modify(ADA, {trigger: [(ldap3.MODIFY_REPLACE, [NEW])]})
    assert agent.result["message"] == (
        ":ETA_S_0245<MGU>, Global User 'aokafor' and associated account passwords updated successfully: "
        "(accounts updated: 2, unchanged: 1, failures: 0)"
    )
    connect("aokafor", NEW)
    with pytest.raises(exceptions.LDAPInvalidCredentialsResult):
        connect("aokafor", "Quay-Lantern-41")
    with pytest.raises(exceptions.LDAPInsufficientAccessRightsResult):
        agent.modify(user_dn("aokafor"), {"eTTitle": [(ldap3.MODIFY_REPLACE, ["Captain"])]})


def test_a_global_user_is_added_found_changed_compared_and_deleted(connect: Connect) -> None:
    admin = connect()
    dn = user_dn("new (one)")
    admin.add(dn, "eTGlobalUser", {"eTFullName": "Nöel *Newcomer*", "eTPropagatePassword": "1"})
    admin.search(GLOBAL_USERS, "(eTFullName=nöel \\2aNew*)", attributes=["*", "+"])
    assert [entry.entry_dn for entry in admin.entries] == [dn]
    assert admin.entries[0].eTFullName.value == "Nöel *Newcomer*"
    assert admin.compare(dn, "eTFullName", "NÖEL *NEWCOMER*")
    admin.modify(
        dn, {"eTTitle": [(ldap3.MODIFY_ADD, ["Pilot"])], "eTFullName": [(ldap3.MODIFY_REPLACE, ["N. N."])]}
    )
    assert not admin.compare(dn, "eTFullName", "Nöel *Newcomer*")
    assert admin.search(dn, "(&(eTTitle=PIL*)(!(eTTitle=captain)))", search_scope=ldap3.BASE)
    admin.delete(dn)
    admin.search(GLOBAL_USERS, "(eTGlobalUserName=new \\28one\\29)")
    assert admin.entries == []


# Entries


def test_values_of_any_script_and_any_octets_come_back_as_they_went(connect: Connect) -> None:
    admin = connect()
    name = f'ldap3, "{UNICODE}" #+;<>\\'
    dn = add_person(admin, name, jpegPhoto=BINARY)
    admin.search(EAST, f"(cn={escape_filter_chars(name.upper())})", attributes=["cn", "jpegPhoto"])
    assert [(one["dn"], one["raw_attributes"]) for one in admin.response] == [
        (dn, {"cn": [name.encode()], "jpegPhoto": [BINARY]})
    ]


def test_entries_are_renamed_moved_and_counted_up(connect: Connect) -> None:
    admin = connect()
    dn = add_person(
        admin, "ldap3 moving", objectClass=["inetOrgPerson", "extensibleObject"], provRetryLimit=2
    )
    admin.modify(dn, {"provRetryLimit": [(ldap3.MODIFY_INCREMENT, [5])]})
    admin.modify_dn(dn, "cn=ldap3 moved", new_superior=WEST, delete_old_dn=False)
    admin.search(f"cn=ldap3 moved,{WEST}", PEOPLE, ldap3.BASE, attributes=["cn", "provRetryLimit"])
    assert admin.entries[0].cn.values == ["ldap3 moving", "ldap3 moved"]
    assert admin.entries[0].provRetryLimit.raw_values == [b"7"]
    with pytest.raises(exceptions.LDAPNoSuchObjectResult):
        admin.delete(dn)


def test_refusals_are_the_clients_own_exceptions(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "ldap3 faulty", title="mate")
    add, replace, delete = ldap3.MODIFY_ADD, ldap3.MODIFY_REPLACE, ldap3.MODIFY_DELETE

    def modify(attribute: str, *change: Any) -> None:
        admin.modify(dn, {attribute: [change]})

    for name, call in (
        ("EntryAlreadyExists", lambda: add_person(admin, "ldap3 faulty")),
        ("AttributeOrValueExists", lambda: modify("title", add, ["MATE"])),
        ("NoSuchAttribute", lambda: modify("description", delete, [])),
        ("UndefinedAttributeType", lambda: modify("noSuchType", add, ["x"])),
        ("ObjectClassViolation", lambda: modify("sn", delete, [])),
        ("InvalidAttributeSyntax", lambda: modify("seeAlso", add, ["no name"])),
        ("NotAllowedOnRDN", lambda: modify("cn", replace, ["another"])),
        ("NotAllowedOnNotLeaf", lambda: admin.delete(EAST)),
        ("NoSuchObject", lambda: admin.delete(f"cn=nobody,{EAST}")),
        ("NoSuchAttribute", lambda: admin.compare(dn, "description", "x")),
        ("UnavailableCriticalExtension", lambda: admin.delete(dn, [("1.2.3.4", True, b"")])),
    ):
        with pytest.raises(getattr(exceptions, f"LDAP{name}Result")) as refused:
            call()
        assert refused.value.message
    with pytest.raises(exceptions.LDAPInvalidCredentialsResult):
        connect(password="wrong")


def test_the_abstraction_layer_reads_and_writes_by_our_schema(connect: Connect) -> None:
    admin = connect(info=ldap3.ALL)
    person = ldap3.ObjectDef("inetOrgPerson", admin)
    assert {"cn", "sn", "jpegPhoto", "seeAlso"} <= {definition.name for definition in person}
    writer = ldap3.Writer(admin, person)
    new = writer.new(f"cn=ldap3 written,{EAST}")
    new.sn = "written"
    new.description = ["a", UNICODE]
    assert writer.commit()
    [found] = ldap3.Reader(admin, person, EAST, "cn: ldap3 written").search()
    entry = found.entry_writable()
    entry.description -= "a"
    entry.sn = "again"
    assert entry.entry_commit_changes()
    assert (entry.sn.value, entry.description.values) == ("again", [UNICODE])
    entry.entry_rename("cn=ldap3 rewritten")
    assert entry.entry_commit_changes()
    assert entry.entry_dn == f"cn=ldap3 rewritten,{EAST}"
    entry.entry_delete()
    assert entry.entry_commit_changes()


# Schema


def test_every_definition_of_the_schema_is_understood(connect: Connect) -> None:
    admin = connect(info=ldap3.ALL)
    schema, info = admin.server.schema, admin.server.info
    for read, raw in (
        (schema.object_classes, "objectClasses"),
        (schema.attribute_types, "attributeTypes"),
        (schema.matching_rules, "matchingRules"),
        (schema.ldap_syntaxes, "ldapSyntaxes"),
        (schema.matching_rule_uses, "matchingRuleUse"),
    ):
        told = schema.raw[raw]
        assert len({definition.oid for definition in read.values()}) == len(told) > 0, raw
        for definition in read.values():
            assert definition.oid[0].isdigit(), definition.raw_definition
    for definition in schema.attribute_types.values():
        for rule in (definition.equality, definition.ordering, definition.substring):
            assert rule is None or all(one in schema.matching_rules for one in rule), (
                definition.raw_definition
            )
        for superior in definition.superior or ():
            assert superior in schema.attribute_types
    for definition in schema.object_classes.values():
        for name in (*definition.must_contain, *definition.may_contain):
            assert name in schema.attribute_types, definition.raw_definition
    assert "eTGlobalUser" in schema.object_classes
    assert "eTSyncPassword" in schema.attribute_types
    assert info.naming_contexts == ["dc=im,dc=eta", "dc=im,dc=etadb"]
    assert info.supported_ldap_versions == ["3"]
    assert {"1.3.6.1.4.1.4203.1.11.1", "1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.4.1.1466.20037"} <= {
        oid for oid, *_ in info.supported_extensions
    }
    assert "1.2.840.113556.1.4.319" in {oid for oid, *_ in info.supported_controls}
    assert set(info.supported_sasl_mechanisms) == {"PLAIN"}


# Searches


def test_pages_add_up_to_the_whole(connect: Connect) -> None:
    admin = connect()
    standard = admin.extend.standard
    asked = {"search_base": FLEET, "search_filter": PEOPLE, "attributes": ["sn"], "paged_size": 333}
    found = [one for one in standard.paged_search(**asked, generator=True) if one["type"] == "searchResEntry"]
    assert {one["dn"]: one["attributes"]["sn"] for one in found} == {
        ship_dn(number): [ship_weight(number)] for number in range(SHIPS)
    }
    assert len(paged_search_accumulator(admin, **asked)) == SHIPS


def test_a_search_may_not_find_more_than_it_asks_for(connect: Connect) -> None:
    admin = connect()
    admin.search(FLEET, PEOPLE, size_limit=10)
    assert admin.result["description"] == "sizeLimitExceeded"
    assert len(names(admin)) == 10
    assert admin.search(FLEET, PEOPLE, attributes=["1.1"])
    assert len(names(admin)) == SHIPS


def test_aliases_and_referrals_are_the_clients_to_follow(connect: Connect) -> None:
    admin = connect(auto_referrals=False)
    alias, away = f"cn=flagship,{SIGNS}", f"ou=abroad,{SIGNS}"
    assert admin.search(alias, PEOPLE, ldap3.BASE, dereference_aliases=ldap3.DEREF_BASE)
    assert names(admin) == [ship_dn(0)]
    admin.search(SIGNS, "(objectClass=*)", dereference_aliases=ldap3.DEREF_NEVER)
    assert [one["uri"] for one in admin.response if one["type"] == "searchResRef"] == [[f"{ELSEWHERE}??sub"]]
    admin.search(away, "(objectClass=*)", ldap3.BASE)
    assert admin.result["description"] == "referral"
    assert admin.result["referrals"] == [f"{ELSEWHERE}??base"]
    admin.search(away, "(objectClass=*)", ldap3.BASE, attributes=["ref"], controls=[MANAGE_DSA_IT])
    assert admin.response[0]["raw_attributes"] == {"ref": [ELSEWHERE.encode()]}


@pytest.mark.parametrize("strategy", [ldap3.SAFE_SYNC, ldap3.ASYNC, ldap3.SAFE_RESTARTABLE, ldap3.REUSABLE])
def test_every_strategy_finds_what_there_is(connect: Connect, strategy: str) -> None:
    options = {"pool_name": "interop", "pool_size": 2} if strategy == ldap3.REUSABLE else {}
    connection = connect(client_strategy=strategy, **options)
    answer = connection.search(FLEET, PEOPLE, attributes=["sn"])
    if isinstance(answer, tuple):
        _, result, response, _ = answer
    else:
        response, result = connection.get_response(answer, timeout=30)
    assert result["result"] == 0
    assert len(response) == SHIPS


def test_requests_that_were_sent_together_are_all_answered(connect: Connect) -> None:
    """ldap3's asynchronous strategy pipelines on one connection."""
    together = connect(client_strategy=ldap3.ASYNC)
    sent = [together.search(GLOBAL_USERS, "(objectClass=*)", attributes=["1.1"]) for _ in range(50)]
    answers = [together.get_response(number, timeout=30) for number in sent]
    assert {result["result"] for _, result in answers} == {0}
    assert len({len(entries) for entries, _ in answers}) == 1


def test_an_abandoned_search_leaves_the_connection_as_it_was(connect: Connect) -> None:
    together = connect(client_strategy=ldap3.ASYNC)
    together.abandon(together.search(FLEET, PEOPLE))
    entries, result = together.get_response(together.search(ship_dn(1), PEOPLE), timeout=30)
    assert result["result"] == 0
    assert [one["dn"] for one in entries] == [ship_dn(1)]


# Controls on changes


def test_the_entry_is_shown_as_it_was_and_as_it_is(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "ldap3 shown")
    controls = [pre_read_control(["sn"], True), post_read_control(["sn"], True)]
    admin.modify(dn, {"sn": [(ldap3.MODIFY_REPLACE, ["after"])]}, controls)
    shown = [admin.result["controls"][f"1.3.6.1.1.13.{number}"]["value"]["result"] for number in (1, 2)]
    assert shown == [{"sn": ["ldap3 shown"]}, {"sn": ["after"]}]


# Identities, passwords, connections


def test_who_is_asked_for_is_told(connect: Connect) -> None:
    assert connect().extend.standard.who_am_i() == f"dn:{ADMINISTRATOR}"
    assert not connect(authentication=ldap3.ANONYMOUS).extend.standard.who_am_i()


def test_sasl_plain_and_external(connect: Connect) -> None:
    plain = {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.PLAIN}
    credentials = (None, "etaadmin", ADMINISTRATOR_PASSWORD)
    by_password = connect(**plain, sasl_credentials=credentials)
    assert by_password.extend.standard.who_am_i() == f"dn:{ADMINISTRATOR}"
    as_another = connect(**plain, sasl_credentials=("u:fgreco", *credentials[1:]))
    assert as_another.extend.standard.who_am_i() == f"dn:{user_dn('fgreco')}"
    external = {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.EXTERNAL}
    by_certificate = connect(**external, certificate=True)
    assert by_certificate.extend.standard.who_am_i() == f"dn:{user_dn(CERTIFIED)}"
    with pytest.raises(exceptions.LDAPInappropriateAuthenticationResult):
        connect(**external)


def test_passwords_are_changed_reset_and_made_up(connect: Connect) -> None:
    admin = connect()
    dn = admit(admin, "ldap3 changer")
    assert connect("ldap3 changer", PASSWORD).extend.standard.modify_password(None, PASSWORD, NEW)
    connect("ldap3 changer", NEW)
    made_up = admin.extend.standard.modify_password(dn)
    me = connect("ldap3 changer", made_up)
    with pytest.raises(exceptions.LDAPConstraintViolationResult, match="at least 10 characters"):
        me.extend.standard.modify_password(None, made_up, "Sh0rt")
    with pytest.raises(exceptions.LDAPInsufficientAccessRightsResult):
        me.extend.standard.modify_password(ADMINISTRATOR, None, NEW)


def test_start_tls_comes_before_the_bind_and_verifies_the_certificate(connect: Connect, quay: Quay) -> None:
    protected = connect(port="ldap", auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND)
    assert protected.tls_started
    assert protected.extend.standard.who_am_i() == f"dn:{ADMINISTRATOR}"
    stranger = str(quay.stranger)
    with pytest.raises(exceptions.LDAPStartTLSError):
        connect(port="ldap", authority=stranger, bind=False).start_tls()
    with pytest.raises(exceptions.LDAPSocketOpenError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(authority=stranger)


def test_nobody_sees_nothing(connect: Connect) -> None:
    nobody = connect(authentication=ldap3.ANONYMOUS)
    with pytest.raises(exceptions.LDAPInsufficientAccessRightsResult):
        nobody.search(INTEROP, "(objectClass=*)")
