"""Add, modify and delete end to end: codes, and what makes the tree an IMPS."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    LDAP_HQ,
    NEW,
    SUFFIX,
    UNIX,
    administrator,
    id_of,
    wire,
)

from provserver.imps.parameters import TRANSACTION_LOG_LEVEL
from provserver.ldap.filters import Scope
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import add, delete, replace


def files_with(folder: Path, *secrets: str) -> list[str]:
    """The files below a folder that hold one of these."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file.name for file in files if any(secret.encode() in file.read_bytes() for secret in secrets)]


INCLUSIONS = "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im,dc=etadb"
FRESH = f"eTETCAccountName=fresh,{UNIX}"
ACCOUNT = {"objectClass": ["eTETCAccount"], "eTETCAccountName": ["fresh"]}
USER = {"objectClass": ["eTGlobalUser"], "eTGlobalUserName": ["zoe"]}
ZOE = user_dn("zoe")


# ---------------------------------------------------------------- add


@pytest_twisted.ensureDeferred
async def test_what_is_added_is_there_under_every_view_with_an_id_of_its_own(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    assert (await admin.add(ZOE, USER | {"eTFullName": ["Zoë Adeyemi"]})).code == 0
    for tail in (",dc=eta", ",dc=etadb", ""):
        found = await admin.search(
            ZOE.removesuffix(",dc=eta") + tail, "(objectClass=*)", "*", "+", scope=Scope.BASE
        )
        assert found.values("eTFullName") == ["Zoë Adeyemi"]
        assert len(found.values("eTID")[0]) == 36
        assert found.values("creatorsName") == [user_dn("etaadmin").removesuffix(",dc=eta")]
        assert found.values("createTimestamp") == ["20260921141320Z"]


@pytest_twisted.ensureDeferred
async def test_a_user_added_with_a_password_can_bind_and_the_password_is_nowhere(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    assert (await admin.add(ZOE, USER | {"eTPassword": [NEW]})).code == 0
    assert (await provserver.wire("zoe", NEW)).notices == []
    entry = await provserver.entry(ZOE)
    assert entry is not None
    assert NEW.encode() not in b"".join(v for a in entry.attributes.values() for v in a.values)
    assert "etpassword" not in entry.attributes


@pytest_twisted.ensureDeferred
async def test_provglobaluser_becomes_the_inclusion_and_is_not_stored(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.add(FRESH, ACCOUNT | {"provGlobalUser": [user_dn("bnovak")]})).code == 0
    entry = await provserver.entry(FRESH)
    assert entry is not None
    assert "provglobaluser" not in entry.attributes
    found = await admin.search(INCLUSIONS, f"(eTCID={entry.id})")
    user = await id_of(provserver, user_dn("bnovak"))
    assert found.values("eTInclusionID") == [f"{user}@{entry.id}"]
    assert found.values("eTPID") == [user]
    assert found.values("eTSuperiorClassEntry") == [user_dn("bnovak").removesuffix(",dc=eta")]
    assert found.values("eTSubordinateClassEntry") == [FRESH.removesuffix(",dc=eta")]
    agent = await wire(provserver, "pam-hpdev01")
    assert (await agent.sync(FRESH, NEW)).code == 0
    assert await provserver.has_password("bnovak", NEW)


BAD_ADDS = [
    ("there already", ADA_UNIX, ACCOUNT, ResultCode.ENTRY_ALREADY_EXISTS),
    (
        "no parent",
        f"eTETCAccountName=x,eTETCAccountContainerName=Ghost,{HPDEV01}",
        ACCOUNT,
        ResultCode.NO_SUCH_OBJECT,
    ),
    ("outside", "dc=elsewhere", {"objectClass": ["domain"]}, ResultCode.NO_SUCH_OBJECT),
    ("no name", "x", ACCOUNT, ResultCode.INVALID_DN_SYNTAX),
    ("no class", FRESH, {"eTETCAccountName": ["fresh"]}, ResultCode.OBJECT_CLASS_VIOLATION),
    ("unknown class", FRESH, {"objectClass": ["nonesuch"]}, ResultCode.OBJECT_CLASS_VIOLATION),
    ("unknown type", FRESH, ACCOUNT | {"nonesuch": ["x"]}, ResultCode.UNDEFINED_ATTRIBUTE_TYPE),
    (
        "not allowed by its class",
        FRESH,
        ACCOUNT | {"provMinLength": ["1"]},
        ResultCode.OBJECT_CLASS_VIOLATION,
    ),
    (
        "a value twice",
        FRESH,
        ACCOUNT | {"objectClass": ["eTETCAccount", "ETETCACCOUNT"]},
        ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
    ),
    ("bad syntax", ZOE, USER | {"eTSuspended": ["yes"]}, ResultCode.INVALID_ATTRIBUTE_SYNTAX),
    ("two values of one", ZOE, USER | {"eTFullName": ["a", "b"]}, ResultCode.CONSTRAINT_VIOLATION),
    ("not UTF-8", ZOE, USER | {"eTFullName": [b"\xff"]}, ResultCode.INVALID_ATTRIBUTE_SYNTAX),
    ("no values", ZOE, USER | {"eTFullName": []}, ResultCode.PROTOCOL_ERROR),
    (
        "only the server sets it",
        ZOE,
        USER | {"createTimestamp": ["20260101000000Z"]},
        ResultCode.CONSTRAINT_VIOLATION,
    ),
    ("a hash", ZOE, USER | {"provPasswordHash": ["{SSHA}x"]}, ResultCode.UNWILLING_TO_PERFORM),
    ("two passwords", ZOE, USER | {"eTPassword": ["a", "b"]}, ResultCode.CONSTRAINT_VIOLATION),
    ("a password for an account", FRESH, ACCOUNT | {"eTPassword": [NEW]}, ResultCode.OBJECT_CLASS_VIOLATION),
    (
        "an owner that is not there",
        FRESH,
        ACCOUNT | {"provGlobalUser": [user_dn("ghost")]},
        ResultCode.CONSTRAINT_VIOLATION,
    ),
    (
        "an owner that is no user",
        FRESH,
        ACCOUNT | {"provGlobalUser": [ADA_AD]},
        ResultCode.CONSTRAINT_VIOLATION,
    ),
    (
        "an owner that is no name",
        FRESH,
        ACCOUNT | {"provGlobalUser": [b"\xff\xfe"]},
        ResultCode.INVALID_ATTRIBUTE_SYNTAX,
    ),
    (
        "two owners",
        FRESH,
        ACCOUNT | {"provGlobalUser": [user_dn("bnovak"), user_dn("aokafor")]},
        ResultCode.CONSTRAINT_VIOLATION,
    ),
    (
        "an owner of a user",
        ZOE,
        USER | {"provGlobalUser": [user_dn("bnovak")]},
        ResultCode.OBJECT_CLASS_VIOLATION,
    ),
    ("an id that is no text", ZOE, USER | {"eTID": [b"\xff\xfe"]}, ResultCode.INVALID_ATTRIBUTE_SYNTAX),
    ("two ids", ZOE, USER | {"eTID": ["a", "b"]}, ResultCode.CONSTRAINT_VIOLATION),
]


@pytest.mark.parametrize(("what", "dn", "attributes", "code"), BAD_ADDS, ids=[row[0] for row in BAD_ADDS])
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_added(
    provserver: RunningServer,
    what: str,
    dn: str,
    attributes: dict[str, list[str | bytes]],
    code: ResultCode,
) -> None:
    admin = await administrator(provserver)
    last = (await provserver.service.foundation.store.changes(0, 1_000_000))[-1].sequence
    told = await admin.add(dn, attributes)
    assert (told.code, bool(told.text)) == (code, True), told
    assert NEW not in told.text
    assert (await provserver.service.foundation.store.changes(0, 1_000_000))[-1].sequence == last


# ---------------------------------------------------------------- modify


@pytest_twisted.ensureDeferred
async def test_changes_of_one_request_happen_in_order_and_together(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(
        user_dn("aokafor"),
        delete("eTTitle", "Berth planner"),
        add("eTTitle", "Admiral"),
        replace("eTOffice", "Quay 7"),
        delete("eTDepartment"),
    )
    assert told.code == 0
    found = await admin.search(user_dn("aokafor"), scope=Scope.BASE)
    assert (found.values("eTTitle"), found.values("eTOffice"), found.values("eTDepartment")) == (
        ["Admiral"],
        ["Quay 7"],
        [],
    )


ADA = user_dn("aokafor")
INCREMENT = Change(ChangeKind.INCREMENT, PartialAttribute("eTSuspended", (b"1",)))
BAD_CHANGES = [
    ("missing entry", user_dn("ghost"), replace("eTTitle", "x"), ResultCode.NO_SUCH_OBJECT),
    ("missing value", ADA, delete("eTTitle", "x"), ResultCode.NO_SUCH_ATTRIBUTE),
    ("missing attribute", ADA, delete("eTOffice"), ResultCode.NO_SUCH_ATTRIBUTE),
    ("value there already", ADA, add("objectClass", "eTGlobalUser"), ResultCode.ATTRIBUTE_OR_VALUE_EXISTS),
    ("second value", ADA, add("eTTitle", "x"), ResultCode.CONSTRAINT_VIOLATION),
    ("bad syntax", ADA, replace("eTSuspended", "on"), ResultCode.INVALID_ATTRIBUTE_SYNTAX),
    ("unknown type", ADA, replace("nonesuch", "x"), ResultCode.UNDEFINED_ATTRIBUTE_TYPE),
    ("not allowed", ADA, replace("provMinLength", "1"), ResultCode.OBJECT_CLASS_VIOLATION),
    ("the name", ADA, replace("eTGlobalUserName", "else"), ResultCode.NOT_ALLOWED_ON_RDN),
    ("the class", ADA, replace("objectClass", "eTADSAccount"), ResultCode.OBJECT_CLASS_MODS_PROHIBITED),
    ("no class", ADA, delete("objectClass"), ResultCode.OBJECT_CLASS_VIOLATION),
    ("the id", ADA, replace("eTID", "x"), ResultCode.CONSTRAINT_VIOLATION),
    ("increment of nothing", ADA, INCREMENT, ResultCode.NO_SUCH_ATTRIBUTE),
    ("the hash", ADA, replace("provPasswordHash", "{SSHA}x"), ResultCode.UNWILLING_TO_PERFORM),
    ("the hash away", ADA, delete("provPasswordHash"), ResultCode.CONSTRAINT_VIOLATION),
    ("the owner", ADA_UNIX, replace("provGlobalUser", ADA), ResultCode.UNWILLING_TO_PERFORM),
    ("a secret without a key", LDAP_HQ, add("provSecret", "hush"), ResultCode.INVALID_ATTRIBUTE_SYNTAX),
]


@pytest.mark.parametrize(("what", "dn", "change", "code"), BAD_CHANGES, ids=[row[0] for row in BAD_CHANGES])
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_modified(
    provserver: RunningServer, what: str, dn: str, change: Change, code: ResultCode
) -> None:
    admin = await administrator(provserver)
    before = await provserver.entry(dn)
    told = await admin.modify(dn, replace("eTDescription", "half done"), change)
    assert (told.code, bool(told.text)) == (code, True), told
    assert await provserver.entry(dn) == before


@pytest_twisted.ensureDeferred
async def test_an_increment_adds_to_a_number(provserver: RunningServer) -> None:
    """RFC 4525."""
    admin = await administrator(provserver)
    more = Change(ChangeKind.INCREMENT, PartialAttribute("provRetryLimit", (b"5",)))
    assert (await admin.modify(LDAP_HQ, replace("provRetryLimit", "10"), more)).code == 0
    found = await admin.search(LDAP_HQ, "(objectClass=*)", "provRetryLimit", scope=Scope.BASE)
    assert found.values("provRetryLimit") == ["15"]


@pytest_twisted.ensureDeferred
async def test_a_modify_without_changes_is_success(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert (await admin.modify(ADA)).code == 0


@pytest_twisted.ensureDeferred
async def test_dn_values_are_stored_ending_in_the_domain(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    agent, scope = user_dn("psync-ad-corp"), (AD_CORP, HPDEV01.replace("eta", "etadb"))
    assert (await admin.modify(agent, replace("provAgentScope", *scope))).code == 0
    stored = await provserver.entry(user_dn("psync-ad-corp"))
    assert stored is not None
    assert all(value.endswith(",dc=im") for value in stored.texts("provagentscope")), "dc=eta is a view"


@pytest_twisted.ensureDeferred
async def test_an_endpoints_secret_is_sealed_at_rest(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(directory=tmp_path)
    admin = await administrator(server)
    hush = "Whale-Song-55"
    bare = replace("provConnector")  # whose connector would have no use for it
    assert (await admin.modify(LDAP_HQ, bare, add("provSecret", f"password={hush}"))).code == 0
    entry = await server.entry(LDAP_HQ)
    assert entry is not None
    (stored,) = entry.values("provsecret")
    assert stored.startswith(b"password=")
    assert hush.encode() not in stored
    twice = await admin.modify(HPDEV01, bare, add("provSecret", f"password={hush}"))
    other = await server.entry(HPDEV01)
    assert twice.code == 0
    assert other is not None
    assert other.values("provsecret") != (stored,), "sealed for this entry, with a nonce of its own"
    await server.stop()
    assert files_with(tmp_path, hush) == []


@pytest_twisted.ensureDeferred
async def test_no_password_is_in_the_store_s_files(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(
        directory=tmp_path, logs=tmp_path / "logs", settings=["logging.etatrans=true"]
    )
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "7")
    agent = await wire(server, "psync-ad-corp")
    for name in ("AD-Corp", "hpdev01"):
        server.endpoint(name).down()
    weak, misspelt = "weakling", "Barnacle-Scraper-6"
    await agent.test(ADA_AD, weak)
    await agent.test(ADA_AD, NEW)
    await agent.sync(ADA_AD, NEW)
    await agent.modify(ADA_AD, replace("eTSyncPasword", misspelt))
    await agent.search(AD_CORP, f"(eTPassword={misspelt})")
    await server.stop()
    assert files_with(tmp_path, weak, NEW, misspelt) == []
    assert len(files_with(tmp_path, "eTSyncPassword:  ********")) == 1, "it was logged, and masked"
    assert files_with(tmp_path, "aokafor"), "this finds what is there"


# ---------------------------------------------------------------- delete


@pytest.mark.parametrize("dn", [user_dn("bnovak"), f"eTETCAccountName=bnovak,{UNIX}"])
@pytest_twisted.ensureDeferred
async def test_a_user_and_an_account_go_with_their_inclusions(provserver: RunningServer, dn: str) -> None:
    admin = await administrator(provserver)
    entry_id = await id_of(provserver, dn)
    wanted = f"(|(eTPID={entry_id})(eTCID={entry_id}))"
    assert (await admin.search(INCLUSIONS, wanted)).names
    assert (await admin.delete(dn)).code == 0
    assert (await admin.search(INCLUSIONS, wanted)).names == []
    assert (await admin.search(dn, scope=Scope.BASE)).code is ResultCode.NO_SUCH_OBJECT


@pytest_twisted.ensureDeferred
async def test_a_user_made_again_owns_nothing(provserver: RunningServer) -> None:
    """facts/imps.md 1.5: stale inclusions are a support problem; a new user has a new eTID."""
    admin, agent = await administrator(provserver), await wire(provserver, "pam-hpdev01")
    await admin.delete(user_dn("bnovak"))
    made = {"objectClass": ["eTGlobalUser"], "eTPropagatePassword": ["1"]}
    assert (await admin.add(user_dn("bnovak"), made)).code == 0
    told = await agent.sync(f"eTETCAccountName=bnovak,{UNIX}", NEW)
    assert (told.code, "not yet correlated" in told.text) == (ResultCode.UNWILLING_TO_PERFORM, True)


@pytest.mark.parametrize(
    ("dn", "code"),
    [
        (user_dn("ghost"), ResultCode.NO_SUCH_OBJECT),
        (COMMON, ResultCode.NOT_ALLOWED_ON_NON_LEAF),
        (AD_CORP, ResultCode.NOT_ALLOWED_ON_NON_LEAF),
        (SUFFIX, ResultCode.UNWILLING_TO_PERFORM),
        ("dc=elsewhere", ResultCode.NO_SUCH_OBJECT),
        ("??", ResultCode.INVALID_DN_SYNTAX),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_deleted(provserver: RunningServer, dn: str, code: ResultCode) -> None:
    admin = await administrator(provserver)
    assert (await admin.delete(dn)).code is code


@pytest_twisted.ensureDeferred
async def test_the_example_of_the_seed(provserver: RunningServer) -> None:
    """Seed 000: eTPropagatePassword set on a user over LDAP, and from then on agents may change it."""
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    franco = f"eTADSAccountName=Franco Greco,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD_CORP}"
    assert (await agent.sync(franco, NEW)).code is ResultCode.UNWILLING_TO_PERFORM
    assert (await admin.modify(user_dn("fgreco"), replace("eTPropagatePassword", "1"))).code == 0
    assert (await agent.sync(franco, NEW)).code == 0
