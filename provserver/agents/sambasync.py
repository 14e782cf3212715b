"""A password that a Samba domain controller has: told to the servers, or kept until one takes it.

Samba itself waits until the script has said that it is done, and brings the account again where it has not:
after a failure samba-tool ends, and begins with the same account when it is started the next time. So
whatever can be put right (the conf file, the spool, the key) is a failure, and nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from provserver.agents.agent import Agent
from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.encoding import encoded
from provserver.agents.flushing import flush
from provserver.agents.reporting import Report, report
from provserver.agents.sambachange import SambaChange
from provserver.agents.spool import Spool, SpoolError
from provserver.agents.verdicts import Verdict

_DAY: Final = 86_400.0


class ComesAgain(Exception):
    """It could not be told and not be kept; the text says why."""


def tell(conf: Conf, change: SambaChange, book: Book, wall: Callable[[], float]) -> str:
    """Tell the servers of it; a sentence about what became of it. ComesAgain."""
    what = f"{change.account}: change {change.id}"
    ignored = Agent(conf, book, wall).none_of_our_business(change.account)
    if ignored is not None:
        return ignored.text
    age = wall() - change.captured
    if age > conf.waiting.keep:
        return _noted(book.note, f"{what}: not told: it was made {age / _DAY:.0f} days ago")
    if change.secret is None:
        if change.sealed:
            raise ComesAgain(f"{what}: its password cannot be decrypted: is the secret key in GNUPGHOME?")
        return _noted(book.warn, f"{what}: not told: Samba has kept no clear text of it")
    captured = min(change.captured, wall())
    told = Report(change.id, change.account, captured, encoded(change.secret, conf.scheme))
    if conf.waiting.directory is None:
        return _told(conf, told, book, wall, what)
    try:
        return _kept_and_told(conf, conf.waiting.directory, told, book, wall, what)
    except SpoolError as error:
        raise ComesAgain(f"{what}: {error}") from None


def _kept_and_told(
    conf: Conf, directory: Path, told: Report, book: Book, wall: Callable[[], float], what: str
) -> str:
    with Spool(directory) as spool:
        spool.drop(told.id)  # it comes again, and perhaps under another name
        for id in spool.put(told, wall()):
            book.note(f"change {id} did not arrive and need not: its account has a newer one")
        flush(conf, spool, book, wall)
        held = next((held for held in spool.waiting() if held.id == told.id), None)
    if held is None:
        return f"{what}: told"
    return _noted(book.warn, f"{what}: it waits in the spool: {held.trouble or 'others are being told'}")


def _told(conf: Conf, told: Report, book: Book, wall: Callable[[], float], what: str) -> str:
    """Without a spool, Samba is what keeps it."""
    answers = report(conf, told, book, wall)
    said = "; ".join(f"{answer.server}: {answer.text}" for answer in answers)
    if not any(
        answer.verdict in (Verdict.ACCEPTED, Verdict.REFUSED, Verdict.NOT_TAKEN) for answer in answers
    ):
        raise ComesAgain(f"{what}: {said}")
    accepted = any(answer.verdict is Verdict.ACCEPTED for answer in answers)
    return _noted(book.note if accepted else book.wrong, f"{what}: {said}")


def _noted(write: Callable[[str], None], text: str) -> str:
    write(text)
    return text
