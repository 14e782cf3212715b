"""What a password filter is told, and when: accept, refuse, or that nobody could be asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.verdicts import Answer, Verdict


class Ending(IntEnum):
    """Exit codes that a password filter can act on."""

    ACCEPT = 0
    REFUSE = 1
    WRONG = 2
    COULD_NOT_ASK = 3


MEANINGS: Final = {
    Ending.ACCEPT: "accept: the server has accepted it, or it may be changed without that, as the conf file "
    "says; a warning in the log then says why",
    Ending.REFUSE: "refuse: the server has; standard output has its reason",
    Ending.WRONG: "the command line or the conf file is wrong: nothing was asked",
    Ending.COULD_NOT_ASK: "no server could be asked, and `out_of_sync` is no",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """How a change goes on here, and a sentence for whoever made it."""

    ending: Ending
    text: str


def decided(conf: Conf, book: Book, what: str, answer: Answer, *, waits: bool = False) -> Decision:
    """What an answer means for `what` was asked; logged. `waits`: whether the change is in the spool."""
    ending = _ending(conf, answer.verdict, waits)
    by = f"{answer.server}: " if answer.server else ""
    text = f"{what}: {by}{answer.text}"
    if waits:
        text = f"{text}; it waits in the spool"
    if answer.verdict is Verdict.ACCEPTED and not waits:
        book.note(text)
    elif ending is Ending.ACCEPT:
        book.warn(f"proceeding: {text}")
    else:
        book.wrong(text)
    return Decision(ending, text)


def _ending(conf: Conf, verdict: Verdict, waits: bool) -> Ending:
    if verdict in (Verdict.ACCEPTED, Verdict.UNCONFIRMED):
        return Ending.ACCEPT
    if verdict is Verdict.REFUSED:
        return Ending.REFUSE
    if conf.out_of_sync or (verdict is Verdict.NOBODY and waits):
        return Ending.ACCEPT
    return Ending.COULD_NOT_ASK if verdict is Verdict.NOBODY else Ending.REFUSE
