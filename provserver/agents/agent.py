"""The agent, for one change: what each of its commands does.

`sync` is for after the local change, which then has happened. `change` is for whoever can still veto.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from provserver.agents import asking
from provserver.agents.book import Book
from provserver.agents.conf import CLEAR, Conf
from provserver.agents.decisions import Decision, Ending, decided
from provserver.agents.verdicts import Answer, Verdict
from provserver.vault.secret import Secret


class Agent:
    """The agent of one conf, for one change."""

    def __init__(self, conf: Conf, book: Book, wall: Callable[[], float] = time.time) -> None:
        self._conf = conf
        self._book = book
        self._wall = wall

    def test(self, account: str, secret: Secret) -> Decision:
        """Whether the password may be set: the first two requests."""
        return self.none_of_our_business(account) or self._tested(account, secret)[0]

    def sync(self, account: str, secret: Secret) -> Decision:
        """The password has been set here: the last two requests."""
        return self.none_of_our_business(account) or self._told(account, secret, vetoable=False)

    def change(self, account: str, secret: Secret) -> Decision:
        """The password will be set here if this accepts: all four requests."""
        ignored = self.none_of_our_business(account)
        if ignored is not None:
            return ignored
        decision, answer = self._tested(account, secret)
        if decision.ending is not Ending.ACCEPT:
            return decision
        nobody = answer if answer is not None and answer.verdict is Verdict.NOBODY else None
        return self._told(account, secret, vetoable=True, nobody=nobody)

    def none_of_our_business(self, account: str) -> Decision | None:
        """The end of a change that the conf file has us ignore; None: of any other. Logged."""
        if not self._conf.enabled:
            text = "nothing was asked: pwd_sync_enable is no"
        elif account.endswith("$") and not self._conf.machine_accounts:
            text = f"{account}: nothing was asked: machine_account is no"
        else:
            return None
        self._book.note(text)
        return Decision(Ending.ACCEPT, text)

    def _tested(self, account: str, secret: Secret) -> tuple[Decision, Answer | None]:
        conf = self._conf
        if not conf.judged_first:
            reason = "profile_enable is no" if conf.scheme == CLEAR else f"send is {conf.scheme}"
            return Decision(Ending.ACCEPT, f"{account}: not tested: {reason}"), None
        answer = asking.test(conf, account, secret, self._book)
        return decided(conf, self._book, f"{account}: test", answer), answer

    def _told(
        self, account: str, secret: Secret, *, vetoable: bool, nobody: Answer | None = None
    ) -> Decision:
        # Imported here: a test, for which somebody waits at a prompt, needs neither SQLite nor a cipher.
        from provserver.agents.telling import Telling

        telling = Telling(self._conf, self._book, self._wall)
        return telling.tell(account, secret, vetoable=vetoable, nobody=nobody)
