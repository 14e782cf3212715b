"""A change is told to a server, or to each of them; and what a change is while it is on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from provserver.agents.asking import in_turn, patience_of
from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.desk import SYNC, Desk, Unsure
from provserver.agents.verdicts import Answer, Verdict
from provserver.agents.wire import Deadline, NoAnswer
from provserver.ldap.messages import Control
from provserver.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class Report:
    """A password change as it is told: `id` is the same whenever it is told again; `captured`: wall clock."""

    id: str
    account: str
    captured: float
    secret: Secret

    def control(self, now: float) -> Control:
        """What goes with it when it is sent now."""
        # Imported here: by now the server has been greeted, and is busy with that.
        from provserver.ldap.controls.captured import Captured

        captured = Captured(self.id.encode(), self.captured, now)
        return Control(captured.oid, False, captured.encode())


def report(conf: Conf, told: Report, book: Book, wall: Callable[[], float]) -> list[Answer]:
    """Tell of a change: what each server that was tried said, in turn, until one answered (or all, with
    `ack = all`). Its answer that was not waited for counts as one.
    """
    answers: list[Answer] = []
    searching = Deadline(conf.times.search)
    whole = Deadline(conf.times.search + conf.times.update)
    for server, shared in in_turn(conf.servers, searching):
        try:
            with Desk.open(conf, server, book, shared) as desk:
                patience = partial(patience_of, conf.times.update, whole)
                answer = desk.tell(told.account, SYNC, told.secret, told.control(wall()), shared, patience)
        except NoAnswer as trouble:
            book.warn(f"{server}: {trouble}")
            sent = isinstance(trouble, Unsure)
            answer = Answer(Verdict.UNCONFIRMED if sent else Verdict.NOBODY, str(trouble), str(server))
            answers.append(answer)
            continue
        answers.append(answer)
        if not conf.waiting.everyone:
            break
    return answers
