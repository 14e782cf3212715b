"""What a password filter is told, against a server over LDAPS."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import pytest_twisted
from harbour import NEW, OTHER, holds, snapshot
from outpost import NOBODY, Outpost, bad_line, beside, place

from provserver.agents.book import Book
from provserver.agents.checking import tried
from provserver.agents.decisions import Ending
from provserver.journal.events import Event
from provserver.testing.certificates import make_certificates
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer

WEAK = "short"


@pytest_twisted.ensureDeferred
async def test_a_change_is_four_requests_and_arrives_elsewhere(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path)
    decision = await post.change("aokafor", NEW)
    assert decision.ending is Ending.ACCEPT
    assert "updated successfully" in decision.text
    asked = [one for one in post.requests() if one != "bind"]
    assert asked == ["search", "eTTestPassword", "search", "eTSyncPassword"]
    await provserver.delivered()
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)
    assert post.holds_nowhere(NEW)


@pytest_twisted.ensureDeferred
async def test_without_the_profile_option_it_is_two(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, profile_enable="no")
    assert (await post.test("aokafor", WEAK)).ending is Ending.ACCEPT
    assert post.requests() == []
    assert (await post.change("aokafor", NEW)).ending is Ending.ACCEPT
    assert post.requests() == ["bind", "search", "eTSyncPassword"]


@pytest_twisted.ensureDeferred
async def test_the_conf_file_is_read_at_every_change(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path)
    assert (await post.test("aokafor", WEAK)).ending is Ending.REFUSE
    post.set(pwd_sync_enable="no")
    assert (await post.test("aokafor", WEAK)).ending is Ending.ACCEPT


@pytest.mark.parametrize("out_of_sync", ["yes", "no"])
@pytest_twisted.ensureDeferred
async def test_what_the_policy_refuses_is_refused_with_its_reasons_and_nothing_is_sent_or_kept(
    provserver: RunningServer, tmp_path: Path, out_of_sync: str
) -> None:
    post = Outpost.of(provserver, tmp_path, out_of_sync=out_of_sync)
    before = await snapshot(provserver)
    for decision in (await post.test("aokafor", WEAK), await post.change("aokafor", WEAK)):
        assert decision.ending is Ending.REFUSE
        assert "at least" in decision.text
    assert "eTSyncPassword" not in post.requests()
    assert await snapshot(provserver) == before
    assert post.waiting() == []


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("fgreco", "eTPropagatePassword"),
        ("stranger", "stranger is not known below eTADSDirectoryName=AD-Corp"),
    ],
)
@pytest.mark.parametrize("out_of_sync", ["yes", "no"])
@pytest_twisted.ensureDeferred
async def test_who_the_server_does_not_change_may_only_be_changed_out_of_sync(
    provserver: RunningServer, tmp_path: Path, account: str, reason: str, out_of_sync: str
) -> None:
    post = Outpost.of(provserver, tmp_path, out_of_sync=out_of_sync)
    decision = await post.change(account, NEW)
    assert decision.ending is (Ending.ACCEPT if out_of_sync == "yes" else Ending.REFUSE)
    assert reason in decision.text + post.log()
    assert bool(post.waiting()) is (out_of_sync == "yes")


@pytest.mark.parametrize("step", ["test", "sync", "change"])
@pytest_twisted.ensureDeferred
async def test_a_machine_is_none_of_its_business(tmp_path: Path, step: str) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e", profile_enable="yes")
    assert (await getattr(post, step)("WS-1042$", NEW)).ending is Ending.ACCEPT
    assert not (tmp_path / "spool").exists()
    post.set(machine_account="yes")
    decision = await post.test("WS-1042$", NEW)
    assert decision.ending is Ending.COULD_NOT_ASK


@pytest.mark.parametrize("step", ["test", "sync", "change"])
@pytest_twisted.ensureDeferred
async def test_an_agent_that_is_switched_off_accepts_and_asks_nobody(tmp_path: Path, step: str) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e", pwd_sync_enable="No")
    decision = await getattr(post, step)("aokafor", NEW)
    assert (decision.ending, decision.text) == (Ending.ACCEPT, "nothing was asked: pwd_sync_enable is no")
    assert not (tmp_path / "spool").exists()


# -- no server


@pytest.mark.parametrize(
    ("step", "out_of_sync", "ending", "waits"),
    [
        ("test", "no", Ending.COULD_NOT_ASK, False),
        ("test", "yes", Ending.ACCEPT, False),
        ("change", "no", Ending.COULD_NOT_ASK, False),
        ("change", "yes", Ending.ACCEPT, True),
        ("sync", "no", Ending.ACCEPT, True),
        ("sync", "yes", Ending.ACCEPT, True),
    ],
)
@pytest_twisted.ensureDeferred
async def test_where_no_server_is(
    tmp_path: Path, step: str, out_of_sync: str, ending: Ending, waits: bool
) -> None:
    post = Outpost(
        tmp_path,
        host=NOBODY,
        admin="a",
        password="b",
        endpoint_name="e",
        profile_enable="yes",
        out_of_sync=out_of_sync,
    )
    decision = await getattr(post, step)("aokafor", NEW)
    assert decision.ending is ending
    assert f"{NOBODY}: Connection refused" in decision.text
    assert bool(post.waiting()) is waits


@pytest_twisted.ensureDeferred
async def test_without_a_spool_a_change_that_nobody_takes_is_told_to_be_lost(tmp_path: Path) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e", spool_enable="no")
    assert (await post.sync("aokafor", NEW)).ending is Ending.COULD_NOT_ASK
    assert not (tmp_path / "spool").exists()


@pytest_twisted.ensureDeferred
async def test_a_veto_keeps_the_older_change_that_waits(tmp_path: Path) -> None:
    """Monday's password is the local one; Tuesday's was vetoed because nobody could be asked."""
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e")
    await post.sync("aokafor", NEW)
    (monday,) = post.waiting()
    post.time += 86_400
    assert (await post.change("aokafor", OTHER)).ending is Ending.COULD_NOT_ASK
    assert [held.id for held in post.waiting()] == [monday.id]


@pytest_twisted.ensureDeferred
async def test_the_next_server_is_asked_when_the_first_cannot_be(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, host=f"{NOBODY}, {place(provserver.ldaps_url)}")
    assert (await post.change("aokafor", NEW)).ending is Ending.ACCEPT
    assert await provserver.has_password("aokafor", NEW)
    assert f"WARNING {NOBODY}: Connection refused" in post.log()


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_leaves_time_for_the_next(
    provserver: RunningServer, tmp_path: Path
) -> None:
    with bad_line(provserver) as line:
        line.withhold, line.hang = 0, True
        post = Outpost.of(
            provserver,
            tmp_path,
            host=f"{line.place}, {place(provserver.ldap_url)}",
            use_tls="no",
            search_acct_dn_timeout="2",
        )
        begun = time.monotonic()
        assert (await post.change("aokafor", NEW)).ending is Ending.ACCEPT
        assert time.monotonic() - begun < 2 * 2 + 5
    assert await provserver.has_password("aokafor", NEW)


@pytest.mark.parametrize("withhold", [0, 1, 2, 3])
@pytest.mark.parametrize("step", ["test", "sync"])
@pytest_twisted.ensureDeferred
async def test_nothing_takes_longer_than_its_time_outs(
    provserver: RunningServer, tmp_path: Path, withhold: int, step: str
) -> None:
    """Bind, search and modify are the three requests whose answer may not come."""
    with bad_line(provserver) as line:
        line.withhold, line.hang = withhold, True
        post = Outpost.of(
            provserver,
            tmp_path,
            host=line.place,
            use_tls="no",
            search_acct_dn_timeout="1",
            pwd_quality_check_timeout="1",
            password_update_timeout="1",
        )
        begun = time.monotonic()
        decision = await getattr(post, step)("aokafor", NEW)
        assert time.monotonic() - begun < 2 + 5, "and five for a busy machine"
        asked = withhold == 3
        assert decision.ending is (Ending.ACCEPT if asked or step == "sync" else Ending.COULD_NOT_ASK)
        assert "in time" in decision.text
        assert ("WARNING proceeding: " in post.log()) is (decision.ending is Ending.ACCEPT)
        assert len(post.waiting()) == (step == "sync")


@pytest_twisted.ensureDeferred
async def test_0_is_not_to_wait_and_the_change_arrives_all_the_same(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, password_update_timeout="0")
    decision = await post.sync("aokafor", NEW)
    assert (decision.ending, "not waited for" in decision.text) == (Ending.ACCEPT, True)
    for _ in range(1_000):
        await provserver.breathe()
        if await provserver.has_password("aokafor", NEW):
            break
    assert await provserver.has_password("aokafor", NEW), "it was sent before the line was closed"
    assert len(post.waiting()) == 1
    assert (await post.flush()).delivered == 1, "it is confirmed, and was done once"
    assert len([line for line in await provserver.journal() if line.event == Event.SYNC_ACCEPTED]) == 1


@pytest_twisted.ensureDeferred
async def test_with_no_time_to_search_nobody_is_asked(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, search_acct_dn_timeout="0")
    assert (await post.test("aokafor", WEAK)).ending is Ending.ACCEPT
    assert (await post.sync("aokafor", NEW)).ending is Ending.ACCEPT
    assert post.requests() == []
    assert (await post.flush()).delivered == 1
    assert await provserver.has_password("aokafor", NEW)


# -- a wrong server


@pytest_twisted.ensureDeferred
async def test_a_conf_file_copied_from_another_domain_is_told_and_nothing_is_sent(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, endpoint_name="AD-Elsewhere")
    before = await snapshot(provserver)
    decision = await post.change("aokafor", NEW)
    assert decision.ending is Ending.COULD_NOT_ASK
    told = "was the conf file copied from another domain? Nothing was sent"
    assert "eTADSDirectoryName=AD-Elsewhere" in decision.text
    assert told in decision.text
    assert told in post.log()
    assert not {"eTTestPassword", "eTSyncPassword"} & set(post.requests())
    assert await snapshot(provserver) == before
    checked = list(await beside(lambda: list(tried(post.conf, Book(post.conf.logging)))))
    assert [fine for fine, _ in checked] == [False, True]
    assert told in checked[0][1]


@pytest_twisted.ensureDeferred
async def test_an_agent_whose_scope_is_elsewhere_is_told_the_same(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, admin="pam-hpdev01", password="Seal-Ferry-Agent-22")
    decision = await post.change("aokafor", NEW)
    assert (decision.ending, "or not to this agent" in decision.text) == (Ending.COULD_NOT_ASK, True)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [("stranger", "unable to get local issuer|self-signed|self signed"), ("name", "mismatch|not valid for")],
)
@pytest_twisted.ensureDeferred
async def test_a_certificate_that_does_not_verify_is_refused_with_the_reason(
    provserver: RunningServer, tmp_path: Path, wrong: str, reason: str
) -> None:
    post = Outpost.of(provserver, tmp_path)
    if wrong == "name":
        post.set(server_name="elsewhere.example.com")
    else:
        post.set(ca_file=str(make_certificates(tmp_path).authority))
    decision = await post.change("aokafor", NEW)
    assert decision.ending is Ending.COULD_NOT_ASK
    assert any(words in decision.text for words in reason.split("|")), decision.text
    assert post.requests() == [], "not even the agent's own password was sent"


@pytest_twisted.ensureDeferred
async def test_it_shows_a_certificate_of_its_own_where_it_has_one(
    start_provserver: Starter, tmp_path: Path
) -> None:
    """The server asks for one, needs none, and cuts off whoever shows one of a stranger."""
    ours, strangers = tmp_path / "ours", tmp_path / "strangers"
    ours.mkdir()
    strangers.mkdir()
    mine, other = make_certificates(ours), make_certificates(strangers)
    server = await start_provserver(settings=[f"server.tls_client_authority={mine.authority}"])
    post = Outpost.of(server, tmp_path)
    assert (await post.test("aokafor", NEW)).ending is Ending.ACCEPT
    post.set(cert_file=str(other.certificate), key_file=str(other.key))
    decision = await post.test("aokafor", NEW)
    assert decision.ending is Ending.COULD_NOT_ASK
    assert "the line broke" in decision.text or "the server closed the line" in decision.text
    post.set(key_file=str(tmp_path / "missing"))
    decision = await post.test("aokafor", NEW)
    assert f"cert_file {other.certificate} cannot be used: No such file" in decision.text


@pytest_twisted.ensureDeferred
async def test_a_ca_file_that_is_none_is_told(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, ca_file="nowhere.pem")
    assert "nowhere.pem cannot be used: No such file" in (await post.test("aokafor", NEW)).text
    (tmp_path / "nowhere.pem").write_text("no certificate")
    decision = await post.test("aokafor", NEW)
    assert (decision.ending, "nowhere.pem cannot be used: " in decision.text) == (Ending.COULD_NOT_ASK, True)


@pytest_twisted.ensureDeferred
async def test_an_agent_that_is_not_let_in_says_so(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, password="Not-The-Password-1")
    decision = await post.change("aokafor", NEW)
    assert (decision.ending, "cannot log in" in decision.text) == (Ending.COULD_NOT_ASK, True)
    assert "Not-The-Password-1" not in decision.text + post.log()
