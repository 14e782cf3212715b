"""The agents, each in a thread of its own: it takes a turn, has its conversation, notes how that went.

Threads, because an agent blocks as the real one does, on the same line; they spend their time waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from provserver.agents.line import Line
from provserver.agents.rehearsal.cast import Part
from provserver.agents.rehearsal.conversation import Conversation
from provserver.agents.rehearsal.pace import Pace, Turn
from provserver.agents.rehearsal.tally import Step, Tally, Trouble
from provserver.agents.verdicts import is_not_now, said
from provserver.agents.wire import Deadline, NoAnswer, TimedOut
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

_STACK: Final = 512 * 1024
"""Bytes: thousands of threads, none of which calls deeply."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How agents behave. `timeout`: seconds for a connection, and for each step."""

    agents: int
    test_only: bool = False
    new_connection: bool = False
    timeout: float = 30.0


class Play:
    """Agents at work, from `start` until the pace has no further turn, or `stop`."""

    def __init__(
        self,
        conversation: Conversation,
        manner: Manner,
        parts: Sequence[Part],
        pace: Pace,
        password: Callable[[], Secret],
        tally: Tally,
        accepted: Callable[[Part], None] = lambda part: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`accepted` is told of each part whose sync was accepted."""
        self._conversation = conversation
        self._manner = manner
        self._parts = parts
        self._pace = pace
        self._password = password
        self._tally = tally
        self._accepted = accepted
        self._clock = clock
        self._enough = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> int:
        """How many agents there are: fewer than were wanted where the system gives no more threads."""
        before = threading.stack_size(_STACK)
        try:
            for number in range(self._manner.agents):
                # Daemons: whoever interrupts a rehearsal does not wait for answers.
                thread = threading.Thread(target=self._agent, name=f"agent {number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError:
            pass
        finally:
            threading.stack_size(before)
        return len(self._threads)

    @property
    def going_on(self) -> bool:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return bool(self._threads)

    def stop(self) -> None:
        """Nobody begins anything more; what was begun goes on to its end."""
        self._enough.set()

    def _agent(self) -> None:
        line: Line | None = None
        try:
            while not self._enough.is_set():
                turn = self._pace.take()
                if turn is None:
                    return
                ahead = turn.at - self._clock()
                if ahead > 0 and self._enough.wait(ahead):
                    return
                line = self._changed(turn, line)
        finally:
            if line is not None:
                line.close()

    def _changed(self, turn: Turn, line: Line | None) -> Line | None:
        """One change, on this line or a new one; the line, if it is for the next change too."""
        self._tally.began(max(0.0, self._clock() - turn.at))
        try:
            if line is None:
                began = self._clock()
                line = self._conversation.open(Deadline(self._manner.timeout))
                self._tally.connected(self._clock() - began)
            self._told(turn, line)
        except NoAnswer as trouble:
            kind = Trouble.TIMED_OUT if isinstance(trouble, TimedOut) else Trouble.ERROR
            self._tally.failed(kind, str(trouble))
            if line is not None:
                line.close()
            return None
        if self._manner.new_connection:
            line.close()
            return None
        return line

    def _told(self, turn: Turn, line: Line) -> None:
        part = self._parts[turn.account]
        secret = self._password()
        for step in (Step.TEST,) if self._manner.test_only else Step:
            began = self._clock()
            told = self._conversation.ask(line, step, part.account, secret, Deadline(self._manner.timeout))
            if told.code is not ResultCode.SUCCESS:
                self._refused(step, told)
                return
            self._tally.answered(step, self._clock() - began)
        self._tally.accepted(self._clock() - turn.at)
        if not self._manner.test_only:
            self._accepted(part)

    def _refused(self, step: Step, result: Result) -> None:
        if is_not_now(result):
            self._tally.failed(Trouble.ERROR, f"{step.value}: {said(result)}")
        else:
            self._tally.refused(step, result)
