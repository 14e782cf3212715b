"""What waits is delivered when a server is there: each change once, in order, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from harbour import ADA_UNIX, NEW, OTHER, holds, wire
from outpost import NOBODY, Outpost, a_report, bad_line, beside, place

from provserver.agents.decisions import Ending
from provserver.agents.pauses import MOST_TRIES
from provserver.agents.running import Runner
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD, SYNCHRONIZATION_MANAGERS
from provserver.journal.events import Event
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

PEOPLE = ("aokafor", "bnovak", "cmercier", "dsorensen")
HOUR = 3600.0


@pytest.fixture
def provserver(provserver: RunningServer) -> RunningServer:
    """Its users' first passwords are a day old: what waited for less is newer."""
    provserver.clock.turn(24 * HOUR)
    return provserver


async def accepted(server: RunningServer) -> list[str]:
    """Who was changed, in order, by what agents reported."""
    lines = [line for line in await server.journal() if line.event == Event.SYNC_ACCEPTED]
    return [next(name for name in PEOPLE if name in line.fields["user"]) for line in lines]


def new(person: str) -> str:
    return f"Kelp-Compass-{len(person)}{person[:2]}"


async def all_wait(server: RunningServer, post: Outpost) -> None:
    """Everybody has a new password here while no server is there."""
    post.set(host=NOBODY)
    for person in PEOPLE:
        post.time += 1
        assert (await post.sync(person, new(person))).ending is Ending.ACCEPT
    post.set(host=place(server.ldaps_url))


@pytest_twisted.ensureDeferred
async def test_what_waited_arrives_in_order_each_once(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path)
    await all_wait(provserver, post)
    assert [held.account for held in post.waiting()] == list(PEOPLE)
    flushed = await post.flush()
    assert (flushed.delivered, flushed.waiting, flushed.troubles) == (len(PEOPLE), 0, [])
    assert await accepted(provserver) == list(PEOPLE)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", new("aokafor"))
    for person in PEOPLE:
        assert await provserver.has_password(person, new(person))
        assert post.holds_nowhere(new(person))
    assert (await post.flush()).delivered == 0


@pytest.mark.parametrize("broken", range(1, 2 * len(PEOPLE) + 2))
@pytest_twisted.ensureDeferred
async def test_a_server_that_breaks_off_anywhere_has_the_rest_later(
    provserver: RunningServer, tmp_path: Path, broken: int
) -> None:
    """A bind, and then a search and a change of each: the answer to one of them never comes, be it done."""
    post = Outpost.of(provserver, tmp_path, use_tls="no")
    await all_wait(provserver, post)
    with bad_line(provserver) as line:
        post.set(host=line.place)
        line.withhold = broken
        flushed = await post.flush()
        assert flushed.delivered == max(0, broken - 2) // 2
        assert len(flushed.troubles) == 1
        line.withhold = None
        assert (await post.flush()).waiting == 0
    assert await accepted(provserver) == list(PEOPLE)


@pytest.mark.parametrize("step", ["sync", "change"])
@pytest_twisted.ensureDeferred
async def test_a_server_that_dies_before_its_answer_has_done_it_once(
    provserver: RunningServer, tmp_path: Path, step: str
) -> None:
    with bad_line(provserver) as line:
        line.withhold = 3
        post = Outpost.of(provserver, tmp_path, host=line.place, use_tls="no", profile_enable="no")
        decision = await getattr(post, step)("aokafor", NEW)
        assert (decision.ending, "it waits in the spool" in decision.text) == (Ending.ACCEPT, True)
    post.set(host=place(provserver.ldap_url))
    post.time += 60
    assert (await post.flush()).delivered == 1
    assert await accepted(provserver) == ["aokafor"]


@pytest_twisted.ensureDeferred
async def test_one_that_hangs_does_not_stop_the_others(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, use_tls="no", password_update_timeout="1")
    await all_wait(provserver, post)
    with bad_line(provserver) as line:
        post.set(host=line.place)
        line.withhold, line.hang = 3, True
        assert (await post.flush()).troubles == [f"{line.place}: it was sent, and no answer came in time"]
        line.withhold = None
        assert (await post.flush()).delivered == len(PEOPLE) - 1
        post.time += 60
        assert (await post.flush()).delivered == 1
    assert sorted(await accepted(provserver)) == sorted(PEOPLE)


@pytest_twisted.ensureDeferred
async def test_mondays_change_does_not_undo_tuesdays(start_provserver: Starter, tmp_path: Path) -> None:
    server = await start_provserver()
    server.clock.turn(24 * HOUR)
    await server.set_parameter(AGENT_RESPONSE_THRESHOLD, "0")
    post = Outpost.of(server, tmp_path, host=NOBODY)
    await post.sync("aokafor", OTHER)
    post.time += 2 * HOUR
    server.clock.turn(HOUR)
    unix = await wire(server, "pam-hpdev01")
    assert (await unix.modify(ADA_UNIX, replace("eTSyncPassword", NEW))).code == 0
    server.clock.turn(HOUR / 2)
    post.set(host=place(server.ldaps_url))
    assert (await post.flush()).delivered == 1
    assert "is out of date" in post.log()
    assert await server.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_of_an_account_only_the_newest_is_sent(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, host=NOBODY)
    await post.sync("aokafor", OTHER)
    post.time += 1
    await post.sync("AOKAFOR", NEW)
    post.set(host=place(provserver.ldaps_url))
    assert (await post.flush()).delivered == 1
    assert await accepted(provserver) == ["aokafor"]
    assert await provserver.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_a_change_that_arrives_at_once_needs_no_older_one(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, host=NOBODY)
    await post.sync("aokafor", OTHER)
    post.set(host=place(provserver.ldaps_url))
    post.time += 1
    assert (await post.change("aokafor", NEW)).ending is Ending.ACCEPT
    assert post.waiting() == []


# -- what a server says no to


@pytest_twisted.ensureDeferred
async def test_what_the_policy_refuses_later_is_given_up_and_told(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path, host=NOBODY)
    await post.sync("aokafor", "short")
    post.set(host=place(provserver.ldaps_url))
    flushed = await post.flush()
    assert (flushed.refused, flushed.waiting) == (1, 0)
    assert "the password here is another one than there" in post.log()


@pytest_twisted.ensureDeferred
async def test_another_no_is_asked_again_for_half_an_hour(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path)
    assert (await post.sync("stranger", NEW)).ending is Ending.REFUSE
    tries = 1
    begun = post.time
    while post.waiting():
        assert (await post.flush()).delivered == 0
        post.time = max(post.time, *(held.due for held in post.waiting()), 0) if post.waiting() else post.time
        tries += 1
    assert post.log().count("it will be offered again") == MOST_TRIES - 2
    assert "it is given up" in post.log()
    assert 1800 <= post.time - begun <= HOUR


@pytest_twisted.ensureDeferred
async def test_it_arrives_when_the_reason_is_gone_meanwhile(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path)
    assert (await post.sync("fgreco", NEW)).ending is Ending.REFUSE
    administrator = await wire(provserver, "etaadmin")
    assert not (await administrator.modify(user_dn("fgreco"), replace("eTPropagatePassword", "1"))).code
    post.time += 60
    assert (await post.flush()).delivered == 1
    assert await provserver.has_password("fgreco", NEW)


@pytest_twisted.ensureDeferred
async def test_after_a_week_a_change_is_given_up_with_a_line(tmp_path: Path) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e")
    await post.sync("aokafor", NEW)
    post.time += 7 * 24 * HOUR - 1
    assert (await post.flush()).waiting == 1
    post.time += 2
    flushed = await post.flush()
    assert (flushed.given_up, flushed.waiting) == (1, 0)
    assert "is given up: nobody took it in time" in post.log()


@pytest_twisted.ensureDeferred
async def test_a_change_that_cannot_be_read_does_not_stop_the_others(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path)
    with post.spool() as spool:
        spool.put(a_report("bnovak", OTHER, id="1", captured=post.time), 0)
        spool.put(a_report("aokafor", NEW, id="2", captured=post.time), 0)
        spool._base.execute("UPDATE change SET sealed = x'00' WHERE id = '1'")
    assert (await post.flush()).delivered == 1
    assert "change 1 cannot be read" in post.log()


# -- every server


@pytest_twisted.ensureDeferred
async def test_with_all_each_server_must_have_it_and_none_gets_it_twice(
    provserver: RunningServer, start_provserver: Starter, tmp_path: Path
) -> None:
    other = await start_provserver()
    other.clock.turn(24 * HOUR)
    here, there = place(provserver.ldaps_url), place(other.ldaps_url)
    post = Outpost.of(provserver, tmp_path, host=f"{here}, {NOBODY}", ack="all")
    decision = await post.change("aokafor", NEW)
    assert (decision.ending, "it waits in the spool" in decision.text) == (Ending.ACCEPT, True)
    (held,) = post.waiting()
    assert held.taken == {here}
    assert (await post.flush()).waiting == 1
    post.set(host=f"{here}, {there}")
    flushed = await post.flush()
    assert (flushed.delivered, flushed.waiting) == (1, 0)
    for server in (provserver, other):
        assert await accepted(server) == ["aokafor"]
        assert await server.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_with_all_and_everybody_there_nothing_waits(
    provserver: RunningServer, start_provserver: Starter, tmp_path: Path
) -> None:
    other = await start_provserver()
    other.clock.turn(24 * HOUR)
    post = Outpost.of(provserver, tmp_path, ack="all")
    post.set(host=f"{place(provserver.ldaps_url)} {place(other.ldaps_url)}")
    assert (await post.sync("aokafor", NEW)).ending is Ending.ACCEPT
    assert post.waiting() == []
    assert await other.has_password("aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_with_any_one_is_enough(
    provserver: RunningServer, start_provserver: Starter, tmp_path: Path
) -> None:
    other = await start_provserver()
    other.clock.turn(24 * HOUR)
    post = Outpost.of(provserver, tmp_path)
    await all_wait(provserver, post)
    post.set(host=f"{place(provserver.ldaps_url)} {place(other.ldaps_url)}")
    assert (await post.flush()).delivered == len(PEOPLE)
    assert await accepted(other) == []


# -- hashed on the host


@pytest.mark.parametrize("scheme", ["ssha", "ssha256", "ssha384", "ssha512"])
@pytest_twisted.ensureDeferred
async def test_a_hash_is_all_that_leaves_the_host(
    provserver: RunningServer, tmp_path: Path, scheme: str
) -> None:
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, user_dn("psync-ad-corp"))
    post = Outpost.of(provserver, tmp_path, send=scheme, host=NOBODY)
    await post.change("aokafor", "short")
    await post.sync("aokafor", NEW)
    with post.spool() as spool:
        (held,) = spool.waiting()
        assert spool.report(held).secret.reveal().startswith(b"{" + scheme.upper().encode() + b"}")
    post.set(host=place(provserver.ldaps_url))
    assert (await post.flush()).delivered == 1
    assert "eTTestPassword" not in post.requests()
    assert await provserver.has_password("aokafor", NEW)
    assert not await provserver.has_password("aokafor", OTHER)


@pytest_twisted.ensureDeferred
async def test_a_server_that_takes_no_hash_says_so(provserver: RunningServer, tmp_path: Path) -> None:
    post = Outpost.of(provserver, tmp_path, send="ssha256")
    decision = await post.sync("aokafor", NEW)
    assert (decision.ending, "expected clear text" in decision.text) == (Ending.REFUSE, True)


# -- in the background


@pytest_twisted.ensureDeferred
async def test_the_background_delivers_when_a_server_is_back_and_tells_troubles_once(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path)
    await all_wait(provserver, post)
    host = post.conf.servers[0]
    post.set(host=NOBODY)
    runner = Runner(lambda: post.conf, post.wall)
    looks = iter([lambda: None, lambda: post.set(host=str(host)), lambda: post.set(ack="perhaps")])
    asked: list[float] = []

    def pause(seconds: float) -> bool:
        asked.append(seconds)
        look = next(looks, None)
        if look is not None:
            look()
        return look is None

    await beside(runner.run, pause)
    assert asked == [15.0] * 4
    lines = [line.split(" ", 3)[2:] for line in post.log().splitlines() if "LDAP" not in line]
    told = [text for level, text in lines[2 * len(PEOPLE) :]]
    assert told[0] == "the agent delivers what waits"
    assert told[1] == f"{NOBODY}: Connection refused"
    assert told[2].endswith("it had waited 3 s")
    assert told[2 + len(PEOPLE)] == "the trouble is over"
    assert "ack: expected any or all, found 'perhaps'" in told[3 + len(PEOPLE)]
    assert told[4 + len(PEOPLE) :] == ["the agent has stopped"]
    assert post.waiting() == []


def test_without_a_spool_there_is_nothing_to_do_in_the_background(tmp_path: Path) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", endpoint_name="e", spool_enable="no")
    Runner(lambda: post.conf, post.wall).look()
    assert "there is nothing to deliver: spool_enable is no" in post.log()
    assert not (tmp_path / "spool").exists()
