"""A question to one of several servers: the first that answers, in the time that there is.

The time for searching is shared: a server that hangs leaves as much to each of those behind it. So nothing
takes longer than the conf's time-outs say, however many servers there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from provserver.agents.book import Book
from provserver.agents.conf import Conf, Server
from provserver.agents.desk import TEST, Desk
from provserver.agents.verdicts import Answer, Verdict
from provserver.agents.wire import Deadline, NoAnswer
from provserver.vault.secret import Secret


def test(conf: Conf, account: str, secret: Secret, book: Book) -> Answer:
    """Would the server accept this password? Writes nothing, here or there."""
    if not conf.times.search or not conf.times.check:
        return Answer(Verdict.UNCONFIRMED, "it was not asked: its time-out is 0")
    searching = Deadline(conf.times.search)
    whole = Deadline(conf.times.search + conf.times.check)
    troubles: list[str] = []
    for server, shared in in_turn(conf.servers, searching):
        try:
            with Desk.open(conf, server, book, shared) as desk:
                patience = partial(patience_of, conf.times.check, whole)
                return desk.tell(account, TEST, secret, None, shared, patience)
        except NoAnswer as trouble:
            book.warn(f"{server}: {trouble}")
            troubles.append(f"{server}: {trouble}")
    return Answer(Verdict.NOBODY, "; ".join(troubles))


def patience_of(seconds: float, whole: Deadline) -> float:
    """Seconds that an answer is waited for, of those that there are for everything."""
    return min(seconds, whole.left)


def in_turn(servers: Sequence[Server], deadline: Deadline) -> Iterator[tuple[Server, Deadline]]:
    """Each server with its share of the time."""
    for number, server in enumerate(servers):
        yield server, deadline.share(len(servers) - number)
