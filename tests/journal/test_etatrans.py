"""The transaction log: its form, as facts/imps.md 3.5 shows it, and what it never says."""

# ruff: noqa: E501 -- log lines as they are

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pytest_twisted
from harbour import ADA_AD, NEW, OTHER, administrator, wire
from hypothesis import given
from hypothesis import strategies as st

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.imps.parameters import TRANSACTION_LOG_LEVEL
from provserver.journal.etatrans import MASK, Etatrans
from provserver.ldap.filters import Scope
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

LINE = re.compile(
    r"\d{8}:\d{6}:TID=[0-9a-f]{6}:(?P<operation>[A-Z][A-Za-z]* *):(?P<own>[A-Z]\d{3}):(?P<parent>[A-Z]\d{3}|----):"
    r"(?P<kind>[SPF]):[ +].*"
)
HEAD = r"20[0-9]{6}:[0-9]{6}:TID=000b38:"


class Lines:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def without_heads(self) -> list[str]:
        """The lines from the operation on."""
        return [re.sub(f"^{HEAD}", "", line) for line in self.text.splitlines()]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log(lines: Lines) -> Etatrans:
    return Etatrans(lines, lambda: 1_554_204_000.0, 0xB38)


def test_a_modify_looks_as_in_the_article(log: Etatrans, lines: Lines) -> None:
    """KB 130383: wrapped after 81 columns, `+` marks the rest, parameters stay indented."""
    transaction = log.begin("E", "Modify")
    transaction.start("External Modify (eTGlobalUserName=testuser) Requested by User imadmin - TenantNotSet")
    transaction.parameters(
        "eTGlobalUserName=a1,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im",
        [("eTTitle", "New_Title [REPLACE]"), ("eTSyncAccounts", "1 [REPLACE]")],
    )
    transaction.success("done")
    assert lines.without_heads() == [
        "Modify    :E001:----:S: External Modify (eTGlobalUserName=testuser) Requested by User imadmin - TenantNot",
        "Modify    :E001:----:S:+Set",
        "Modify    :E001:----:P:     dn: eTGlobalUserName=a1,eTGlobalUserContainerName=Global Users,eTNamespaceNam",
        "Modify    :E001:----:P:+    e=CommonObjects,dc=im",
        "Modify    :E001:----:P:     eTTitle:  New_Title [REPLACE]",
        "Modify    :E001:----:P:     eTSyncAccounts:  1 [REPLACE]",
        "Modify    :E001:----:S: SUCCESS: done",
    ]


def test_a_failure_says_what_code_and_message(log: Etatrans, lines: Lines) -> None:
    transaction = log.begin("S", "Add", "C957")
    transaction.failure("Connector Server Add (x)", 19, "Constraint violation", "it failed")
    assert lines.without_heads() == [
        "Add       :S001:C957:F: FAILURE: Connector Server Add (x)",
        "Add       :S001:C957:F:     rc: 0x0013 (Constraint violation)",
        "Add       :S001:C957:F:     msg: it failed",
    ]


def test_nothing_is_written_before_the_transaction_ends(log: Etatrans, lines: Lines) -> None:
    first, second = log.begin("E", "Add"), log.begin("E", "Delete")
    first.start("first")
    second.start("second")
    assert lines.text == ""
    second.success("")
    first.success("")
    assert [line.partition(":")[0].strip() for line in lines.without_heads()] == ["Delete"] * 2 + ["Add"] * 2


@given(st.text(max_size=400))
def test_whatever_a_client_wrote_a_line_is_one_line_of_the_form(text: str) -> None:
    lines = Lines()
    transaction = Etatrans(lines, lambda: 0.0).begin("E", "Modify")
    transaction.start(text)
    transaction.parameters(text, [(text, text)])
    transaction.failure(text, 53, text, text)
    assert lines.text.isascii() or lines.text.replace("\n", "").isprintable()
    for line in lines.text.split("\n")[:-1]:
        assert LINE.fullmatch(line), line


def test_ids_begin_again_after_a_thousand(log: Etatrans) -> None:
    ids = [log.begin("E", "Add").id for _ in range(10_001)]
    assert ids[0] == "E001"
    assert len({len(one) for one in ids}) <= 2


def test_without_a_sink_nothing_is_asked_for() -> None:
    assert not Etatrans(None, lambda: 0.0).enabled


# ---------------------------------------------------------------- in the server


async def logged(server: RunningServer, folder: Path) -> str:
    """What is in the log after a second."""
    server.clock.turn(1)
    (file,) = folder.glob("etatrans*.log")  # noqa: ASYNC240  a test's folder
    return file.read_text()


@pytest_twisted.ensureDeferred
async def test_the_server_writes_what_the_level_asks_for(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(logs=tmp_path, settings=["logging.etatrans=true"])
    admin = await administrator(server)
    await admin.search(user_dn("aokafor"), scope=Scope.BASE)
    await admin.modify(user_dn("aokafor"), replace("eTTitle", "Admiral"))
    text = await logged(server, tmp_path)
    assert "Search" not in text
    assert "S: External Modify (eTGlobalUserName=aokafor) Requested by User etaadmin" in text
    assert "P:     eTTitle:  Admiral [REPLACE]" in text
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "7")
    await admin.search(user_dn("aokafor"), scope=Scope.BASE)
    assert "S: External Search (eTGlobalUserName=aokafor)" in await logged(server, tmp_path)
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "0")
    before = await logged(server, tmp_path)
    await admin.modify(user_dn("ghost"), replace("eTTitle", "Admiral"))
    assert await logged(server, tmp_path) == before


@pytest_twisted.ensureDeferred
async def test_passwords_are_masked_and_failures_told(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver(logs=tmp_path, settings=["logging.etatrans=true"])
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "7")
    ad = await wire(server, "psync-ad-corp")
    await ad.test(ADA_AD, "weakling")
    await ad.sync(ADA_AD, NEW)
    await ad.modify(ADA_AD, replace("eTSyncPasword", OTHER))
    text = await logged(server, tmp_path)
    for line in text.splitlines():
        assert LINE.fullmatch(line), line
    assert f"P:     eTTestPassword:  {MASK} [REPLACE]" in text
    assert f"P:     eTSyncPassword:  {MASK} [REPLACE]" in text
    assert f"P:     eTSyncPasword:  {MASK} [REPLACE]" in text, "what is not known may be a slip"
    assert "F:     rc: 0x0013 (CONSTRAINT_VIOLATION)" in text
    assert "(accounts updated: 2, unchanged: 1, failures: 0)" in re.sub(r"\n.*?:S:\+", "", text)
    for secret in ("weakling", NEW, OTHER):
        assert secret not in text


@pytest_twisted.ensureDeferred
async def test_what_follows_from_a_request_names_it_as_its_parent(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(logs=tmp_path, settings=["logging.etatrans=true"])
    ad = await wire(server, "psync-ad-corp")
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "5")
    await ad.test(ADA_AD, NEW)  # from here on the level is known
    server.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("too plain"))
    await ad.sync(ADA_AD, NEW)
    await server.delivered()
    text = await logged(server, tmp_path)
    assert NEW not in text
    found = [found for found in map(LINE.fullmatch, text.splitlines()) if found is not None]
    assert len(found) == len(text.splitlines())
    starts = {}
    for line in found:
        starts.setdefault(line["own"], (line["parent"], line[0].partition(f"{line['kind']}: ")[2]))
    [(sync, _)] = [
        (own, told) for own, told in starts.items() if own[0] == "E" and f"{own}:----:P:     eTSync" in text
    ]
    [written] = [told for own, told in starts.items() if own[0] == "D"]
    assert written == (sync, "DB Modify (eTGlobalUserName=aokafor)")
    [(propagation, told)] = [(own, told) for own, told in starts.items() if own[0] == "C"]
    assert told == (sync, "Password Propagation (eTGlobalUserName=aokafor)")
    assert sorted(told for own, told in starts.items() if own[0] == "S") == [
        (propagation, "Connector Server Modify (eTDYNAccountName=aokafor)"),
        (propagation, "Connector Server Modify (eTETCAccountName=aokafor)"),
    ]
    assert f"P:     eTPassword:  {MASK} [REPLACE]" in text
    assert "F: FAILURE: Connector Server Modify (eTETCAccountName=aokafor)" in text
    assert "F:     msg: Connector Server Modify failed: code 19 (CONSTRAINT_VIOLATION): " in text


@pytest_twisted.ensureDeferred
async def test_what_an_administrator_writes_is_followed_into_the_store(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(logs=tmp_path, settings=["logging.etatrans=true"])
    admin = await administrator(server)
    await server.set_parameter(TRANSACTION_LOG_LEVEL, "5")
    await admin.modify(user_dn("aokafor"), replace("eTTitle", "Admiral"))
    await admin.modify(user_dn("aokafor"), replace("eTTitle", "Captain"))
    text = await logged(server, tmp_path)
    assert re.search(r":D\d{3}:E\d{3}:S: DB Modify \(eTGlobalUserName=aokafor\)\n", text)
