"""What the external password policy says of a password, or that it says nothing: how the exchange carries it.

A judgement that needs an opinion it does not have ends with `Unasked`. The exchange then leaves its user's
queue, asks, and begins again with the opinion in hand: nobody waits for somebody else's policy service, and
a conflict keeps what was said (design "Concurrency"). Source: seed 000 (Use External Password Policies); the
result of a service that cannot be reached is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from provserver.directory.entries import Entry, EntryId
from provserver.imps.endpoints import leaf_value
from provserver.imps.messages import Reason
from provserver.imps.parameters import USE_EXTERNAL_PASSWORD_POLICIES, Parameters
from provserver.journal.events import Event, event
from provserver.ldap.results import ResultCode
from provserver.passwords.callers import Caller, fields_of
from provserver.passwords.gates import Closed, Subject
from provserver.passwords.reasons import PolicyRefusal
from provserver.records import record
from provserver.storage.contract import Store
from provserver.vault.schemes import Derived
from provserver.vault.secret import Secret


class Kind(Enum):
    """How a password came; the words that the policy service is told."""

    TEST = "test"
    """An agent asks whether a change would be accepted."""
    SYNC = "sync"
    """An agent reports a change."""
    SELF = "self"
    """A user changes its own password."""
    RESET = "reset"
    """An administrator sets it."""


@record
class Question:
    """What the policy service is asked about a password of a global user. `account`, `endpoint` and
    `namespace` go together: the account that an agent reports.
    """

    kind: Kind
    user: str
    account: str | None
    endpoint: str | None
    namespace: str | None
    secret: Secret


class External(Protocol):
    """Who is asked (`external.asking`)."""

    async def objections(self, question: Question) -> tuple[PolicyRefusal, ...] | None:
        """All objections to a password, none when it is accepted; None: nobody could be asked.
        Refusal BUSY.
        """


class Standing(Enum):
    """What became of the question."""

    HEARD = "heard"
    REFUSED = "nobody could be asked: refused"
    LEFT_TO_PROFILE = "nobody could be asked: left to the Password Profile"


@record
class Opinion:
    """About one password of one user."""

    user: EntryId
    standing: Standing
    objections: tuple[PolicyRefusal, ...]
    derived: Derived
    """What was derived before it was asked for, to be used again."""


class PolicyUnreachable(Closed):
    """Nobody could be asked, and the setting says that this is a refusal."""

    def __init__(self) -> None:
        super().__init__(Reason.POLICY_UNREACHABLE.value, ResultCode.UNAVAILABLE, None)


class Advice:
    """The external policy as judgements know it: whether it is in force, what it says, what its silence
    means.
    """

    def __init__(
        self,
        external: External,
        parameters: Parameters,
        store: Store,
        wall: Callable[[], float],
        *,
        silence_is_refusal: bool,
    ) -> None:
        self._external = external
        self._parameters = parameters
        self._store = store
        self._wall = wall
        self._silence = Standing.REFUSED if silence_is_refusal else Standing.LEFT_TO_PROFILE

    async def in_force(self) -> bool:
        """Use External Password Policies, as it is now."""
        return await self._parameters.get(USE_EXTERNAL_PASSWORD_POLICIES)

    async def opinion(
        self, unasked: Unasked, kind: Kind, caller: Caller, secret: Secret, subject: Subject | None
    ) -> Opinion:
        """Ask; takes seconds. Silence is noted in the journal. Refusal BUSY."""
        user = unasked.user
        question = Question(
            kind,
            leaf_value(user.dn),
            leaf_value(subject.account.dn) if subject is not None else None,
            subject.endpoint.name if subject is not None else None,
            subject.endpoint.namespace if subject is not None else None,
            secret,
        )
        objections = await self._external.objections(question)
        if objections is not None:
            return Opinion(user.id, Standing.HEARD, objections, unasked.derived)
        fields = fields_of(caller, subject, user)
        text = f"External password policy, {kind.value}: {self._silence.value}"
        self._store.note(event(self._wall(), Event.EXTERNAL_POLICY_SILENT, text, fields))
        return Opinion(user.id, self._silence, (), unasked.derived)


class Unasked(Exception):
    """A judgement needs the external policy's opinion, and has none about this user."""

    def __init__(self, advice: Advice, user: Entry, derived: Derived) -> None:
        super().__init__("the external password policy is to be asked first")
        self._advice = advice
        self.user = user
        self.derived = derived

    async def opinion(
        self, kind: Kind, caller: Caller, secret: Secret, subject: Subject | None = None
    ) -> Opinion:
        """Ask for it, outside of any queue. Refusal BUSY."""
        return await self._advice.opinion(self, kind, caller, secret, subject)
