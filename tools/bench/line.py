"""A blocking connection for one question at a time: how a runner looks at what a server holds."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from generator import HOST, BenchFailed

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.messages import (
    Control,
    Message,
    Request,
    SearchResultEntry,
    SearchResultReference,
)
from provserver.ldap.results import Result, ResultCode

PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    result: Result
    entries: tuple[SearchResultEntry, ...]
    controls: tuple[Control, ...]

    @property
    def said(self) -> str:
        return f"{self.result.code.name}: {self.result.diagnostic}"


class Line:
    """Connected, and bound by the request given. BenchFailed when it is not, or when an answer takes longer
    than `patience` seconds.
    """

    def __init__(self, port: int, bind: bytes, *, patience: float = PATIENCE) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=patience)
        self._patience = patience
        self._buffer = b""
        self._start = 0
        self._socket.sendall(bind)
        answer = self._answer()
        if answer.result.code is not ResultCode.SUCCESS:
            raise BenchFailed(f"the runner cannot bind: {answer.said}")

    def ask(self, operation: Request, controls: Sequence[Control] = ()) -> Answer:
        """The answer to a request, whatever it is."""
        self._socket.sendall(encode_message(Message(2, operation, tuple(controls))))
        return self._answer()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> Answer:
        entries = []
        while True:
            message = self._message()
            operation = message.operation
            if isinstance(operation, SearchResultEntry):
                entries.append(operation)
            elif not isinstance(operation, SearchResultReference):
                result = getattr(operation, "result", None)
                if not isinstance(result, Result):
                    raise BenchFailed(f"the server sent a {type(operation).__name__}")
                return Answer(result, tuple(entries), message.controls)

    def _message(self) -> Message:
        """The next message; they come with definite lengths."""
        while (end := _end(self._buffer, self._start)) > len(self._buffer):
            try:
                more = self._socket.recv(1 << 18)
            except TimeoutError:
                raise BenchFailed(f"no answer within {self._patience:g} s") from None
            if not more:
                raise BenchFailed("the server closed the runner's connection")
            self._buffer = self._buffer[self._start :] + more
            self._start = 0
        start, self._start = self._start, end
        return decode_message(self._buffer, start, end)


def values_of(entry: SearchResultEntry) -> Mapping[str, tuple[bytes, ...]]:
    """An entry's values by description in lower case."""
    return {attribute.description.lower(): attribute.values for attribute in entry.attributes}


def _end(buffer: bytes, start: int) -> int:
    """Where the message at `start` ends; beyond the buffer when more is needed to know, or to have it."""
    head = buffer[start : start + 6]
    if len(head) < 2 or (head[1] > 0x80 and len(head) < 2 + (head[1] & 0x7F)):
        return len(buffer) + 1
    if head[1] < 0x80:
        return start + 2 + head[1]
    size = head[1] & 0x7F
    return start + 2 + size + int.from_bytes(head[2 : 2 + size], "big")
