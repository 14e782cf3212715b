"""python-ldap: OpenLDAP's library as Python programs have it; controls and schema parser are its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from plugins.served_instance import ADMINISTRATOR_PASSWORD, user_dn
from quay import (
    ADMINISTRATOR,
    BINARY,
    CERTIFIED,
    EAST,
    ELSEWHERE,
    FLEET,
    INTEROP,
    PASSWORD,
    SASL_PLAIN,
    SHIPS,
    SIGNS,
    UNICODE,
    WEST,
    Quay,
    require_client,
    ship_dn,
    ship_weight,
)

ldap: Any = None
try:
    for part in ["asyncsearch", "extop", "filter", "modlist", "sasl", "schema", "syncrepl"] + [
        f"controls.{family}" for family in ("ppolicy", "readentry", "sss", "vlv")
    ]:
        importlib.import_module(f"ldap.{part}")
    import ldap
except ModuleNotFoundError:  # `ldap` alone would be found: a folder of tests is called so
    pass

NEW = "Sluice-Compass-86"
PEOPLE = "(objectClass=person)"

Connect = Callable[..., Any]


@pytest.fixture
def connect(quay: Quay) -> Iterator[Connect]:
    """`connect(who, password)`: over LDAPS, the server's certificate verified; as etaadmin if nobody is
    named, without a bind if that is None.
    """
    require_client("python-ldap", is_here=ldap is not None)
    opened = []

    def connect(
        who: str | None = ADMINISTRATOR,
        password: str = ADMINISTRATOR_PASSWORD,
        *,
        url: str = quay.ldaps,
        authority: str = quay.authority,
        start_tls: bool = False,
        certificate: Path | None = None,
    ) -> Any:
        connection = ldap.initialize(url)
        opened.append(connection)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, 30)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        connection.set_option(ldap.OPT_X_TLS_CACERTFILE, authority)
        if certificate is not None:
            connection.set_option(ldap.OPT_X_TLS_CERTFILE, str(certificate))
            connection.set_option(ldap.OPT_X_TLS_KEYFILE, str(quay.key))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if start_tls:
            connection.start_tls_s()
        if who is not None:
            connection.simple_bind_s(who, password)
        return connection

    yield connect
    for connection in opened:
        connection.unbind_s()


def person(name: str) -> list[tuple[str, list[bytes]]]:
    return [("objectClass", [b"inetOrgPerson"]), ("cn", [name.encode()]), ("sn", [name.encode()])]


def add_person(connection: Any, name: str, base: str = EAST) -> str:
    dn = f"cn={ldap.dn.escape_dn_chars(name)},{base}"
    connection.add_s(dn, person(name))
    return dn


def admit(connection: Any, name: str) -> str:
    """A new global user."""
    dn = user_dn(name)
    connection.add_s(dn, [("objectClass", [b"eTGlobalUser"]), ("eTPassword", [PASSWORD.encode()])])
    return dn


def names(found: list[Any]) -> list[str]:
    return [dn for dn, *_ in found]


def with_controls(
    connection: Any, base: str, controls: list[Any], filter: str = PEOPLE
) -> tuple[list[str], Any]:
    """Names that a search finds, and the controls of its result."""
    sent = connection.search_ext(base, ldap.SCOPE_SUBTREE, filter, ["1.1"], serverctrls=controls)
    _, found, _, answers = connection.result3(sent, timeout=30)
    return names(found), answers


# Entries


def test_values_of_any_script_and_any_octets_come_back_as_they_went(connect: Connect) -> None:
    admin = connect()
    name = f'python-ldap, "{UNICODE}" #+;<>\\ '
    dn = f"cn={ldap.dn.escape_dn_chars(name)},{EAST}"
    admin.add_s(dn, [*person(name), ("jpegPhoto", [BINARY])])
    by_name = ldap.filter.filter_format("(cn=%s)", [name.upper()])
    [(found, values)] = admin.search_s(EAST, ldap.SCOPE_SUBTREE, by_name)
    assert ldap.dn.str2dn(found) == ldap.dn.str2dn(dn)
    assert values["sn"] == [name.encode()]
    assert values["jpegPhoto"] == [BINARY]
    admin.delete_s(found)


def test_an_entry_is_changed_by_the_difference_of_two_states(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "python-ldap changed")
    [(_, old)] = admin.search_s(dn, ldap.SCOPE_BASE)
    wanted = {**old, "sn": [b"after"], "title": [b"mate", b"cook"], "description": [UNICODE.encode()]}
    admin.modify_s(dn, ldap.modlist.modifyModlist(old, wanted))
    assert admin.search_s(dn, ldap.SCOPE_BASE) == [(dn, wanted)]
    admin.modify_s(dn, [(ldap.MOD_DELETE, "title", [b"COOK"]), (ldap.MOD_REPLACE, "description", None)])
    [(_, values)] = admin.search_s(dn, ldap.SCOPE_BASE, attrlist=["title", "description"])
    assert values == {"title": [b"mate"]}
    counted = [("objectClass", [b"extensibleObject"]), ("provRetryLimit", [b"3"])]
    admin.modify_s(dn, [(ldap.MOD_ADD, *change) for change in counted])
    admin.modify_s(dn, [(ldap.MOD_INCREMENT, "provRetryLimit", [b"-5"])])
    assert admin.read_s(dn)["provRetryLimit"] == [b"-2"]


def test_entries_are_renamed_moved_and_compared(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "python-ldap moving")
    admin.rename_s(dn, "cn=python-ldap moved", newsuperior=WEST, delold=0)
    moved = f"cn=python-ldap moved,{WEST}"
    assert admin.read_s(moved)["cn"] == [b"python-ldap moving", b"python-ldap moved"]
    assert admin.compare_s(moved, "cn", b"PYTHON-LDAP MOVING") is True
    assert admin.compare_s(moved, "cn", b"another") is False
    with pytest.raises(ldap.NO_SUCH_ATTRIBUTE):
        admin.compare_s(moved, "title", b"x")
    admin.rename_s(moved, "cn=python-ldap moved", newsuperior=EAST)
    with pytest.raises(ldap.NO_SUCH_OBJECT):
        admin.read_s(moved)


def test_refusals_are_the_clients_own_exceptions_with_all_that_the_server_said(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "python-ldap faulty")
    admin.modify_s(dn, [(ldap.MOD_ADD, "title", [b"mate"])])
    modify = admin.modify_s
    for wanted, call in (
        (ldap.ALREADY_EXISTS, lambda: add_person(admin, "python-ldap faulty")),
        (ldap.TYPE_OR_VALUE_EXISTS, lambda: modify(dn, [(ldap.MOD_ADD, "title", [b"MATE"])])),
        (ldap.NO_SUCH_ATTRIBUTE, lambda: modify(dn, [(ldap.MOD_DELETE, "description", None)])),
        (ldap.UNDEFINED_TYPE, lambda: modify(dn, [(ldap.MOD_ADD, "noSuchType", [b"x"])])),
        (ldap.OBJECT_CLASS_VIOLATION, lambda: modify(dn, [(ldap.MOD_ADD, "eTUserid", [b"x"])])),
        (ldap.OBJECT_CLASS_VIOLATION, lambda: modify(dn, [(ldap.MOD_DELETE, "sn", None)])),
        (ldap.INVALID_SYNTAX, lambda: modify(dn, [(ldap.MOD_ADD, "seeAlso", [b"no name"])])),
        (ldap.NOT_ALLOWED_ON_RDN, lambda: modify(dn, [(ldap.MOD_DELETE, "cn", None)])),
        (ldap.NOT_ALLOWED_ON_NONLEAF, lambda: admin.delete_s(EAST)),
        (ldap.INVALID_DN_SYNTAX, lambda: admin.delete_s("no name")),
        (ldap.NO_SUCH_OBJECT, lambda: admin.rename_s(dn, "cn=x", newsuperior=f"ou=nowhere,{EAST}")),
    ):
        with pytest.raises(wanted) as refused:
            call()
        assert refused.value.args[0]["info"]
    with pytest.raises(ldap.NO_SUCH_OBJECT) as missing:
        admin.delete_s(f"cn=nobody,cn=nowhere,{EAST}")
    assert missing.value.args[0]["matched"] == EAST
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        connect(password="wrong")
    with pytest.raises(ldap.INSUFFICIENT_ACCESS):
        connect(None).search_s(INTEROP, ldap.SCOPE_SUBTREE)


# Searches


def test_a_thousand_entries_come_at_once_or_as_they_are_asked_for(connect: Connect) -> None:
    admin = connect()
    everything = admin.search_s(FLEET, ldap.SCOPE_ONELEVEL, PEOPLE)
    assert [(dn, values["sn"]) for dn, values in everything] == [
        (ship_dn(number), [ship_weight(number).encode()]) for number in range(SHIPS)
    ]
    listed = ldap.asyncsearch.List(admin)
    listed.startSearch(FLEET, ldap.SCOPE_ONELEVEL, PEOPLE, ["1.1"])
    assert listed.processResults() == 0
    assert [dn for _, (dn, _) in listed.allResults] == names(everything)


def test_a_limit_cuts_a_search_off(connect: Connect) -> None:
    limited = ldap.asyncsearch.List(connect())
    limited.startSearch(FLEET, ldap.SCOPE_ONELEVEL, PEOPLE, ["1.1"], sizelimit=10)
    with pytest.raises(ldap.SIZELIMIT_EXCEEDED):
        limited.processResults()
    assert len(limited.allResults) == 10


def test_searches_on_one_connection_do_not_wait_for_each_other(connect: Connect) -> None:
    admin = connect()
    sent = {
        admin.search(FLEET, ldap.SCOPE_ONELEVEL, f"(cn=ship {number:04})", ["sn"]): number
        for number in range(100)
    }
    for message, number in reversed(sent.items()):
        _, found = admin.result(message, timeout=30)
        assert found == [(ship_dn(number), {"sn": [ship_weight(number).encode()]})]


def test_pages_add_up_to_the_whole_and_are_given_up_with_a_page_of_none(connect: Connect) -> None:
    admin = connect()
    control = ldap.controls.SimplePagedResultsControl(True, size=250, cookie="")
    pages = []
    while True:
        found, answers = with_controls(admin, FLEET, [control])
        pages.append(found)
        [control.cookie] = [one.cookie for one in answers if one.controlType == control.controlType]
        if not control.cookie:
            break
    assert [len(page) for page in pages] == [250, 250, 250, 250, 200]
    assert [dn for page in pages for dn in page] == [ship_dn(number) for number in range(SHIPS)]
    _, [begun] = with_controls(admin, FLEET, [control])
    control.size, control.cookie = 0, begun.cookie
    found, [ended] = with_controls(admin, FLEET, [control])
    assert (found, ended.cookie) == ([], b"")


def test_the_server_sorts_and_shows_windows(connect: Connect) -> None:
    admin = connect()
    order = [ship_dn(number) for number in sorted(range(SHIPS), key=ship_weight)]

    def sss(*keys: str) -> Any:
        return ldap.controls.sss.SSSRequestControl(criticality=True, ordering_rules=list(keys))

    found, [told] = with_controls(admin, FLEET, [sss("sn")])
    assert (found, int(told.result)) == (order, 0)
    assert with_controls(admin, FLEET, [sss("-sn:caseIgnoreOrderingMatch")])[0] == order[::-1]
    with pytest.raises(ldap.UNAVAILABLE_CRITICAL_EXTENSION):
        with_controls(admin, FLEET, [sss("noSuchType")])

    def window(**where: Any) -> tuple[list[str], Any]:
        view = ldap.controls.vlv.VLVRequestControl(criticality=True, **where)
        found, answers = with_controls(admin, FLEET, [sss("sn"), view])
        [told] = [
            one for one in answers if one.controlType == ldap.controls.vlv.VLVResponseControl.controlType
        ]
        return found, told

    found, told = window(before_count=2, after_count=3, offset=100, content_count=0)
    assert found == order[97:103]
    assert (told.targetPosition, told.contentCount, told.virtualListViewResult) == (100, SHIPS, 0)
    found, told = window(
        before_count=0,
        after_count=1,
        greater_than_or_equal="0500",
        context_id=told.contextID,
    )
    assert found == order[500:502]
    assert told.targetPosition == 501


def test_aliases_and_referrals_are_the_clients_to_follow(connect: Connect) -> None:
    admin = connect()
    alias, away = f"cn=flagship,{SIGNS}", f"ou=abroad,{SIGNS}"
    assert names(admin.search_s(alias, ldap.SCOPE_BASE)) == [alias]
    found = admin.search_s(SIGNS, ldap.SCOPE_SUBTREE, attrlist=["1.1"])
    assert [uris for dn, uris in found if dn is None] == [[f"{ELSEWHERE}??sub"]]
    with pytest.raises(ldap.REFERRAL) as sent_away:
        admin.read_s(away)
    assert sent_away.value.args[0]["info"].startswith(f"Referral:\n{ELSEWHERE}")
    managed = [ldap.controls.simple.ManageDSAITControl(criticality=True)]
    assert admin.read_s(away, attrlist=["ref"], serverctrls=managed) == {"ref": [ELSEWHERE.encode()]}
    admin.set_option(ldap.OPT_DEREF, ldap.DEREF_ALWAYS)
    assert names(admin.search_s(alias, ldap.SCOPE_BASE)) == [ship_dn(0)]


# Schema


def test_every_definition_of_the_schema_is_understood(connect: Connect) -> None:
    nobody = connect(None)
    entry = nobody.read_subschemasubentry_s(nobody.search_subschemasubentry_s(""))
    schema = ldap.schema.SubSchema(entry, check_uniqueness=2)
    for kind, attribute in (
        (ldap.schema.ObjectClass, "objectClasses"),
        (ldap.schema.AttributeType, "attributeTypes"),
        (ldap.schema.MatchingRule, "matchingRules"),
        (ldap.schema.LDAPSyntax, "ldapSyntaxes"),
        (ldap.schema.MatchingRuleUse, "matchingRuleUse"),
    ):
        assert len(schema.listall(kind)) == len(entry[attribute]), attribute
    assert not schema.non_unique_oids
    assert not any(len(same) for same in schema.non_unique_names.values())
    for oid in schema.listall(ldap.schema.AttributeType):
        definition = schema.get_obj(ldap.schema.AttributeType, oid)
        syntax = schema.get_inheritedattr(ldap.schema.AttributeType, oid, "syntax")
        assert schema.get_obj(ldap.schema.LDAPSyntax, syntax), f"the syntax {syntax} of {definition.names}"
        for rule in (definition.equality, definition.ordering, definition.substr):
            assert rule is None or schema.get_obj(ldap.schema.MatchingRule, rule), rule
    for oid in schema.listall(ldap.schema.ObjectClass):
        definition = schema.get_obj(ldap.schema.ObjectClass, oid)
        for name in (*definition.must, *definition.may):
            assert schema.get_obj(ldap.schema.AttributeType, name), f"{name} of {definition.names}"
        for name in definition.sup:
            assert schema.get_obj(ldap.schema.ObjectClass, name), f"{name} of {definition.names}"
    must, _ = schema.attribute_types(["inetOrgPerson"])
    assert {definition.names[0] for definition in must.values()} == {"objectClass", "cn", "sn"}


def test_the_root_dse_tells_what_is_here(connect: Connect) -> None:
    nobody = connect(None)
    root = nobody.read_rootdse_s(attrlist=["*", "+"])
    assert nobody.get_naming_contexts() == [b"dc=im,dc=eta", b"dc=im,dc=etadb"]
    assert root["supportedLDAPVersion"] == [b"3"]
    assert set(root["supportedControl"]) >= {
        getattr(ldap, f"CONTROL_{name}").encode()
        for name in (
            *("ASSERT", "MANAGEDSAIT", "PAGEDRESULTS", "PASSWORDPOLICYREQUEST", "POST_READ", "PRE_READ"),
            *("PROXY_AUTHZ", "SORTREQUEST", "SUBENTRIES", "SYNC", "VALUESRETURNFILTER"),
        )
    }


# Controls on changes


def test_changes_are_asserted_and_shown(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "python-ldap shown")
    change = [(ldap.MOD_REPLACE, "sn", [b"after"])]
    with pytest.raises(ldap.ASSERTION_FAILED):
        admin.modify_ext_s(dn, change, [ldap.controls.AssertionControl(True, "(sn=another)")])
    asked = [
        ldap.controls.AssertionControl(True, "(sn=python-ldap shown)"),
        ldap.controls.readentry.PreReadControl(True, ["sn"]),
        ldap.controls.readentry.PostReadControl(True, ["sn", "entryUUID"]),
    ]
    *_, answers = admin.modify_ext_s(dn, change, asked)
    before, after = (
        next(one for one in answers if one.controlType == kind.controlType)
        for kind in (ldap.controls.readentry.PreReadControl, ldap.controls.readentry.PostReadControl)
    )
    assert (before.dn, before.entry) == (dn, {"sn": [b"python-ldap shown"]})
    assert after.entry["sn"] == [b"after"]
    [uuid] = after.entry["entryUUID"]
    *_, [deleted] = admin.delete_ext_s(dn, [ldap.controls.readentry.PreReadControl(True, ["entryUUID"])])
    assert deleted.entry == {"entryUUID": [uuid]}


def test_matched_values_leaves_out_the_others(connect: Connect) -> None:
    admin = connect()
    dn = add_person(admin, "python-ldap titled")
    admin.modify_s(dn, [(ldap.MOD_ADD, "title", [b"mate", b"master", b"cook"])])
    only = [ldap.controls.MatchedValuesControl(True, "((title=ma*))")]
    assert sorted(admin.read_s(dn, attrlist=["title"], serverctrls=only)["title"]) == [b"master", b"mate"]


# Identities and passwords


def test_an_administrator_acts_as_another(connect: Connect) -> None:
    def acting_as(name: str) -> list[Any]:
        return [ldap.controls.ProxyAuthzControl(True, f"u:{name}".encode())]

    admin = connect()
    assert admin.whoami_s() == f"dn:{ADMINISTRATOR}"
    told = admin.whoami_s(ldap.controls.RequestControlTuples(acting_as("aokafor")))
    assert told == f"dn:{user_dn('aokafor')}"
    assert connect(None).whoami_s() == ""
    with pytest.raises(ldap.INSUFFICIENT_ACCESS):
        admin.delete_ext_s(f"cn=nobody,{EAST}", acting_as("aokafor"))
    with pytest.raises(ldap.PROXIED_AUTHORIZATION_DENIED):
        admin.delete_ext_s(f"cn=nobody,{EAST}", acting_as("nobody-of-that-name"))


def test_sasl_plain_and_external(connect: Connect, quay: Quay) -> None:
    by_password = connect(None)
    credentials = {ldap.sasl.CB_AUTHNAME: "etaadmin", ldap.sasl.CB_PASS: ADMINISTRATOR_PASSWORD}
    try:
        by_password.sasl_interactive_bind_s("", ldap.sasl.sasl(credentials, "PLAIN"))
    except ldap.AUTH_UNKNOWN:
        require_client(SASL_PLAIN, is_here=False)
    assert by_password.whoami_s() == f"dn:{ADMINISTRATOR}"
    by_certificate = connect(None, certificate=quay.certificate)
    by_certificate.sasl_external_bind_s()
    assert by_certificate.whoami_s() == f"dn:{user_dn(CERTIFIED)}"
    wrong = {**credentials, ldap.sasl.CB_PASS: "wrong"}
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        connect(None).sasl_interactive_bind_s("", ldap.sasl.sasl(wrong, "PLAIN"))
    with pytest.raises(ldap.INAPPROPRIATE_AUTH):
        connect(None).sasl_bind_s("", "EXTERNAL", "")


def test_passwords_are_changed_reset_and_made_up(connect: Connect) -> None:
    admin = connect()
    dn = admit(admin, "python-ldap changer")
    connect(dn, PASSWORD).passwd_s(None, PASSWORD, NEW)
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        connect(dn, PASSWORD)
    me = connect(dn, NEW)
    _, made_up = admin.passwd_s(dn, None, None, extract_newpw=True)
    connect(dn, made_up.genPasswd.decode())
    policy = ldap.controls.ppolicy.PasswordPolicyControl()
    sent = admin.passwd(dn, None, "Sh0rt", serverctrls=[policy])
    with pytest.raises(ldap.CONSTRAINT_VIOLATION) as refused:
        admin.result4(sent, add_extop=1)
    [(kind, _, value)] = refused.value.args[0]["ctrls"]
    policy.decodeControlValue(value)
    assert (kind, policy.error) == (policy.controlType, 6)
    with pytest.raises(ldap.INSUFFICIENT_ACCESS):
        me.passwd_s(ADMINISTRATOR, None, NEW)


# Operations in progress, connections


def test_an_operation_that_does_not_end_is_cancelled_or_abandoned(connect: Connect) -> None:
    admin = connect()

    def begin() -> int:
        control = ldap.syncrepl.SyncRequestControl(mode="refreshAndPersist")
        sent: int = admin.search_ext(SIGNS, ldap.SCOPE_BASE, serverctrls=[control])
        assert names(admin.result(sent, all=0, timeout=30)[1]) == [SIGNS]
        return sent

    def read_to_the_end(message: int) -> None:
        while admin.result(message, all=0, timeout=30)[0] != ldap.RES_SEARCH_RESULT:
            pass

    cancelled = begin()
    admin.cancel_s(cancelled)
    with pytest.raises(ldap.CANCELLED):
        read_to_the_end(cancelled)
    abandoned = begin()
    admin.abandon(abandoned)
    with pytest.raises(ldap.NO_SUCH_OPERATION):
        admin.cancel_s(abandoned)
    assert admin.whoami_s() == f"dn:{ADMINISTRATOR}"


def test_an_abandoned_search_leaves_the_connection_as_it_was(connect: Connect) -> None:
    admin = connect()
    for _ in range(20):
        admin.abandon(admin.search(FLEET, ldap.SCOPE_SUBTREE))
    assert admin.whoami_s() == f"dn:{ADMINISTRATOR}"
    assert names(admin.search_s(ship_dn(1), ldap.SCOPE_BASE)) == [ship_dn(1)]


def test_start_tls_verifies_the_certificate(connect: Connect, quay: Quay) -> None:
    protected = connect(url=quay.ldap, start_tls=True)
    assert protected.get_option(ldap.OPT_X_TLS_VERSION).startswith("TLS1.")
    assert protected.whoami_s() == f"dn:{ADMINISTRATOR}"
    with pytest.raises(ldap.CONNECT_ERROR):
        connect(None, url=quay.ldap, start_tls=True, authority=str(quay.stranger))
    with pytest.raises(ldap.SERVER_DOWN):
        connect(authority=str(quay.stranger))


def test_a_connection_survives_a_bind_that_fails_and_one_as_another(connect: Connect) -> None:
    connection = connect()
    with pytest.raises(ldap.INVALID_CREDENTIALS):
        connection.simple_bind_s(ADMINISTRATOR, "wrong")
    assert connection.whoami_s() == ""
    dn = admit(connect(), "python-ldap again")
    connection.simple_bind_s(dn, PASSWORD)
    assert connection.whoami_s() == f"dn:{dn}"


def test_an_extended_operation_that_we_do_not_have_is_a_protocol_error(connect: Connect) -> None:
    unknown = ldap.extop.ExtendedRequest("1.2.3.4", b"data")
    with pytest.raises(ldap.PROTOCOL_ERROR):
        connect().extop_s(unknown)
