"""Commands on this machine: no shell, an environment of our own, the password on standard input."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from typing import Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from provserver.connectors.contract import ConnectorError, DroppedConnection
from provserver.connectors.unixcommand import MOST_SAID, Ended
from provserver.vault.secret import Secret

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LocalRunner:
    """Runs one command at a time, for at most `patience` seconds."""

    where = "this machine"

    def __init__(self, reactor: object, patience: float, programs: Sequence[str]) -> None:
        self._reactor = reactor
        self._patience = patience
        self._programs = programs

    async def open(self) -> None:
        for program in self._programs:
            if shutil.which(program, path=PATH) is None:
                raise ConnectorError(f"{program}: expected a program on this machine")

    async def close(self) -> None:
        pass

    async def run(self, words: Sequence[str], given: Secret, most: int) -> Ended:
        executable = shutil.which(words[0], path=PATH)
        if executable is None:
            raise ConnectorError(f"{words[0]}: expected a program on this machine")
        process = _Process(given, most)
        cast(IReactorProcess, self._reactor).spawnProcess(
            process, executable, list(words), {"LC_ALL": "C", "PATH": PATH}, "/"
        )
        alarm = cast(IReactorTime, self._reactor).callLater(self._patience, process.end)
        try:
            ended = await process.ended
        finally:
            if alarm.active():
                alarm.cancel()
        if process.killed:
            failure = DroppedConnection(f"{words[0]} did not end within {self._patience:g} s")
            failure.outcome_unknown = True
            raise failure
        return ended


class _Process(ProcessProtocol):
    transport: IProcessTransport

    def __init__(self, given: Secret, most: int) -> None:
        self.ended: Deferred[Ended] = Deferred(lambda _: self.end())
        self.killed = False
        self._given = given
        self._most = most
        self._output = bytearray()
        self._errors = bytearray()
        self._exit: Failure | None = None

    def end(self) -> None:
        """Wait no longer: for the command, or for what it left behind with its pipes open."""
        self.killed = self._exit is None
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        if self._exit is not None:
            self._settle()

    def connectionMade(self) -> None:  # noqa: N802  Twisted's name
        if self._given:
            self.transport.writeToChild(0, self._given.reveal())
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:  # noqa: N802  Twisted's name
        self._output += data[: max(0, self._most - len(self._output))]

    def errReceived(self, data: bytes) -> None:  # noqa: N802  Twisted's name
        self._errors += data[: max(0, MOST_SAID - len(self._errors))]

    def processExited(self, reason: Failure) -> None:  # noqa: N802  Twisted's name
        self._exit = reason
        if self.killed:
            self._settle()

    def processEnded(self, reason: Failure) -> None:  # noqa: N802  Twisted's name
        self._settle()

    def _settle(self) -> None:
        self.transport.loseConnection()
        if self._exit is None or self.ended.called:
            return
        reason = self._exit.value
        code = reason.exitCode if isinstance(reason, ProcessTerminated) else 0
        self.ended.callback(Ended(code, bytes(self._output), bytes(self._errors)))
