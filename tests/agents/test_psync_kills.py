"""The server is killed while changes are reported, and comes back: each account has its last password."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from outpost import Outpost, place
from plugins.served_instance import ServedInstance

from provserver.agents.agent import Agent
from provserver.agents.book import Book
from provserver.agents.decisions import Ending
from provserver.agents.flushing import flush
from provserver.agents.spool import Spool
from provserver.vault.secret import Secret

PEOPLE = ("aokafor", "bnovak", "cmercier", "dsorensen")
ROUNDS = 4


def test_no_change_is_lost_however_the_server_dies(
    demo_instance: Path, tmp_path: Path, serve: Callable[..., ServedInstance]
) -> None:
    folder = tmp_path / "agent"
    folder.mkdir()
    post = Outpost(
        folder,
        ca_file=str(demo_instance / "tls" / "ca.pem"),
        admin="psync-ad-corp",
        password="Gull-Ferry-Agent-11",
        endpoint_name="AD-Corp",
        password_update_timeout="30",
    )
    chance = random.Random(7)
    last: dict[str, str] = {}
    for number in range(ROUNDS):
        server = serve(demo_instance)
        post.set(host=place(server.url()))
        for place_in_round, person in enumerate(PEOPLE):
            last[person] = f"Kelp-Compass-{number}{person[:3]}"
            agent = Agent(post.conf, Book(post.conf.logging))
            killer = threading.Timer(chance.uniform(0.0, 0.2), server.process.kill)
            if place_in_round == number % (len(PEOPLE) - 1):
                killer.start()
            decision = agent.sync(person, Secret.of_text(last[person]))
            assert decision.ending is Ending.ACCEPT, decision.text
            if killer.ident is not None:
                killer.join()
        server.kill()
    assert post.log().count("it waits in the spool") > 0
    server = serve(demo_instance)
    post.set(host=place(server.url()))
    with Spool(folder / "spool") as spool:
        flushed = flush(post.conf, spool, Book(post.conf.logging), time.time)
    assert flushed is not None
    assert (flushed.refused, flushed.given_up, flushed.waiting) == (0, 0, 0), post.log()
    for person in PEOPLE:
        assert server.accepts_password(person, last[person])
        assert post.holds_nowhere(last[person])
