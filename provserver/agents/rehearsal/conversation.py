"""What an agent says to a server for one change, on the blocking line that every agent has."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol, Self

from provserver.agents.conf import Server, Trust
from provserver.agents.desk import SYNC, TEST, NotWelcome
from provserver.agents.line import Line
from provserver.agents.post import Post
from provserver.agents.rehearsal.tally import Step
from provserver.agents.verdicts import said
from provserver.agents.wire import Deadline, context_of, open_wire
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

_TRIGGERS: Final[Mapping[Step, str]] = {Step.TEST: TEST, Step.SYNC: SYNC}


@dataclass(frozen=True, slots=True)
class Door:
    """Where thousands of lines are opened: what they have in common is looked up once."""

    server: Server
    trust: Trust | None
    context: ssl.SSLContext | None
    identity: str
    password: Secret

    @classmethod
    def to(
        cls, server: Server, trust: Trust | None, identity: str, password: Secret, deadline: Deadline
    ) -> Self:
        """Connect once, to see which of the server's addresses answers. NoAnswer."""
        with open_wire(server, trust, deadline) as wire:
            there = Server(wire.getpeername()[0], server.port)
        if trust is None:
            return cls(there, None, None, identity, password)
        trust = replace(trust, server_name=trust.server_name or server.host)
        return cls(there, trust, context_of(trust), identity, password)

    def of(self, identity: str, password: Secret) -> Door:
        """The same for somebody else."""
        return replace(self, identity=identity, password=password)

    def open(self, deadline: Deadline) -> Line:
        """Connect and log in. NoAnswer."""
        line = Line(open_wire(self.server, self.trust, deadline, self.context))
        try:
            result = line.bind(self.identity, self.password, deadline)
            if result.code is not ResultCode.SUCCESS:
                raise NotWelcome(f"{self.identity} cannot log in: {said(result)}")
        except BaseException:
            line.close()
            raise
        return line


class Conversation(Protocol):
    """What is said for one change. All raise NoAnswer."""

    def open(self, deadline: Deadline) -> Line: ...

    def ask(self, line: Line, step: Step, account: str, secret: Secret, deadline: Deadline) -> Result:
        """The two requests of a step: the account is searched, then told of the password."""


@dataclass(frozen=True, slots=True)
class Psync:
    """The PSYNC agent's."""

    door: Door
    post: Post

    def open(self, deadline: Deadline) -> Line:
        return self.door.open(deadline)

    def ask(self, line: Line, step: Step, account: str, secret: Secret, deadline: Deadline) -> Result:
        def tell(dn: str) -> Result:
            number = line.begin_setting(dn, _TRIGGERS[step], secret, (), deadline)
            return line.ended_setting(number, deadline)

        return found_and_told(line, self.post, account, deadline, tell)


def found_and_told(
    line: Line, post: Post, account: str, deadline: Deadline, tell: Callable[[str], Result]
) -> Result:
    """Search the one account of that name, or make its name of the post's template, and tell the server about
    it. NoAnswer.
    """
    if post.template is not None:
        return tell(post.template.dn(account))
    result, names = line.search(post.endpoint_dn, post.account(account), deadline)
    if result.code not in (ResultCode.SUCCESS, ResultCode.SIZE_LIMIT_EXCEEDED):
        return result
    if len(names) != 1:
        known = "is not known" if not names else "is the name of several accounts"
        return Result(ResultCode.NO_SUCH_OBJECT, f"{account} {known}")
    return tell(names[0])
