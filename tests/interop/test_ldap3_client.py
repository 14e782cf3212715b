"""python-ldap3, a client with its own codec and its own idea of a schema, over LDAPS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import ldap3
import pytest
from ldap3.core.exceptions import LDAPInsufficientAccessRightsResult, LDAPInvalidCredentialsResult
from plugins.served_instance import ADMINISTRATOR_PASSWORD, GLOBAL_USERS, ServedInstance, user_dn

AD = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
ADA = f"eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD}"
NEW = "Sluice-Compass-86"
# ldap3 2.9.1 verifies host names with a function that Python 3.12 has no more.
pytestmark = pytest.mark.filterwarnings(r"ignore:ssl\.match_hostname:DeprecationWarning")

Connect = Callable[..., ldap3.Connection]


@pytest.fixture
def connect(demo_instance: Path, serve: Callable[..., ServedInstance]) -> Iterator[Connect]:
    """`connect(name, password)`: bound over LDAPS, the certificate verified."""
    served = serve(demo_instance)
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(served.authority))
    server = ldap3.Server(served.url(), tls=tls, get_info=ldap3.ALL)
    opened = []

    def connect(name: str, password: str) -> ldap3.Connection:
        connection = ldap3.Connection(server, user_dn(name), password, raise_exceptions=True)
        opened.append(connection)
        connection.bind()
        return connection

    yield connect
    for connection in opened:
        connection.unbind()


def test_it_binds_reads_schema_searches_modifies_compares_adds_and_deletes(connect: Connect) -> None:
    admin = connect("etaadmin", ADMINISTRATOR_PASSWORD)
    assert admin.server.info.naming_contexts == ["dc=im,dc=eta", "dc=im,dc=etadb"]
    assert "eTGlobalUser" in admin.server.schema.object_classes
    assert "eTSyncPassword" in admin.server.schema.attribute_types

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


def test_it_makes_the_four_requests_and_reads_the_counts(connect: Connect) -> None:
    agent = connect("psync-ad-corp", "Gull-Ferry-Agent-11")
    for trigger in ("eTTestPassword", "eTSyncPassword"):
        agent.search(AD, "(&(objectClass=eTADSAccount)(eTADSsAMAccountName=aokafor))", attributes=[])
        assert [entry["dn"] for entry in agent.response] == [ADA]
        agent.modify(ADA, {trigger: [(ldap3.MODIFY_REPLACE, [NEW])]})
    assert agent.result["message"] == (
        ":ETA_S_0245<MGU>, Global User 'aokafor' and associated account passwords updated successfully: "
        "(accounts updated: 2, unchanged: 1, failures: 0)"
    )
    connect("aokafor", NEW)
    with pytest.raises(LDAPInvalidCredentialsResult):
        connect("aokafor", "Quay-Lantern-41")
    with pytest.raises(LDAPInsufficientAccessRightsResult):
        agent.modify(user_dn("aokafor"), {"eTTitle": [(ldap3.MODIFY_REPLACE, ["Captain"])]})


def test_requests_that_were_sent_together_are_all_answered(connect: Connect) -> None:
    """ldap3's asynchronous strategy pipelines on one connection."""
    admin = connect("etaadmin", ADMINISTRATOR_PASSWORD)
    together = ldap3.Connection(
        admin.server, user_dn("etaadmin"), ADMINISTRATOR_PASSWORD, client_strategy=ldap3.ASYNC
    )
    together.bind()
    try:
        sent = [together.search(GLOBAL_USERS, "(objectClass=*)", attributes=["1.1"]) for _ in range(50)]
        answers = [together.get_response(number, timeout=30) for number in sent]
        assert {result["result"] for _, result in answers} == {0}
        assert len({len(entries) for entries, _ in answers}) == 1
    finally:
        together.unbind()
