"""An agent at a server's desk: logged in, with its endpoint known there. Each thing that is told takes two
requests: the account is searched, then changed (seed 000 "Communication Flow"). With a template of names it
takes one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from provserver.agents.book import Book
from provserver.agents.conf import Conf, Server
from provserver.agents.line import Line
from provserver.agents.verdicts import Answer, Verdict, is_not_now, said, verdict_of
from provserver.agents.wire import Deadline, LineLost, NoAnswer, TimedOut
from provserver.directory.names import InvalidName
from provserver.ldap.filters import format_filter
from provserver.ldap.messages import Control
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

TEST: Final = "eTTestPassword"
SYNC: Final = "eTSyncPassword"
_NO_SUCH_BASE: Final = frozenset(
    {
        ResultCode.NO_SUCH_OBJECT,
        ResultCode.INSUFFICIENT_ACCESS_RIGHTS,  # said before existence is told
        ResultCode.INVALID_DN_SYNTAX,
        ResultCode.REFERRAL,
    }
)


class NotWelcome(NoAnswer):
    """The server does not let the agent in."""


class EndpointUnknown(NoAnswer):
    """The server does not know the endpoint of the conf file: nothing was sent."""


class NotNow(NoAnswer):
    """The server is there, and cannot."""


class Unsure(NoAnswer):
    """The line broke after the change was sent: whether it was done, nobody knows."""


class Desk:
    """Use it in a `with`."""

    def __init__(self, line: Line, conf: Conf, server: Server, book: Book) -> None:
        self._line = line
        self._conf = conf
        self._server = server
        self._book = book

    @classmethod
    def open(cls, conf: Conf, server: Server, book: Book, deadline: Deadline) -> Desk:
        """Connect and log in. NoAnswer."""
        line = Line.open(server, conf.trust, deadline)
        try:
            result = line.bind(conf.identity, conf.password, deadline)
        except NoAnswer:
            line.close()
            raise
        book.ldap(f"{server}: bind {conf.identity}: {_shown(result)}")
        if result.code is not ResultCode.SUCCESS:
            line.close()
            raise NotWelcome(f"{conf.identity} cannot log in: {said(result)}")
        return cls(line, conf, server, book)

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def find(self, account: str, deadline: Deadline) -> list[str]:
        """The names of the accounts that are called so: one, or it is not known. NoAnswer."""
        post = self._conf.post
        wanted = post.account(account)
        result, names = self._line.search(post.endpoint_dn, wanted, deadline)
        self._book.ldap(
            f"{self._server}: search {post.endpoint_dn} {format_filter(wanted)}: {_shown(result)}, "
            f"{len(names)} found"
        )
        if result.code in _NO_SUCH_BASE:
            raise EndpointUnknown(
                f"the endpoint {post.endpoint_dn} is not known there, or not to this agent ({said(result)}): "
                "was the conf file copied from another domain? Nothing was sent"
            )
        if result.code not in (ResultCode.SUCCESS, ResultCode.SIZE_LIMIT_EXCEEDED):
            raise NotNow(said(result))
        return names

    def tell(
        self,
        account: str,
        trigger: str,
        secret: Secret,
        control: Control | None,
        searching: Deadline,
        patience: Callable[[], float],
    ) -> Answer:
        """Set a trigger on the account: its answer, whatever that is. `patience`: asked when it is sent, the
        seconds that its answer is waited for. NoAnswer: nothing was sent, or may be sent again; Unsure: it
        was sent.
        """
        try:
            names = self._names(account, searching)
        except InvalidName as error:
            return self._answer(Verdict.NOT_TAKEN, f"{account} is no name of an account: {error}")
        if len(names) != 1:
            known = "is not known" if not names else "is the name of several accounts"
            return self._answer(Verdict.NOT_TAKEN, f"{account} {known} below {self._conf.post.endpoint_dn}")
        controls = () if control is None else (control,)
        number = self._line.begin_setting(names[0], trigger, secret, controls, searching)
        self._book.ldap(f"{self._server}: modify {names[0]} {trigger}: ********")
        seconds = patience()
        if not seconds:
            return self._answer(Verdict.UNCONFIRMED, "it was sent, and its answer not waited for")
        try:
            result = self._line.ended_setting(number, Deadline(seconds))
        except TimedOut:
            return self._answer(Verdict.UNCONFIRMED, "it was sent, and no answer came in time")
        except LineLost as lost:
            raise Unsure(f"it was sent, and then {lost}") from None
        self._book.ldap(f"{self._server}: {_shown(result)}")
        if is_not_now(result):
            raise NotNow(said(result))
        return self._answer(verdict_of(result), said(result))

    def _names(self, account: str, searching: Deadline) -> list[str]:
        """What the accounts that are called so are named. NoAnswer, InvalidName."""
        template = self._conf.post.template
        return self.find(account, searching) if template is None else [template.dn(account)]

    def _answer(self, verdict: Verdict, text: str) -> Answer:
        return Answer(verdict, text, str(self._server))


def _shown(result: Result) -> str:
    return f"{int(result.code)} {result.diagnostic}".rstrip()
