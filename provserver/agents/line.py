"""A line to a server that blocks, but never longer than it is told: for commands that start and end within
one password change.

The client side of `ldap.codec` on a socket, without Twisted, which takes longer to import than the whole
conversation lasts. Whatever goes wrong below LDAP is a NoAnswer, whose text is a sentence; passwords are in
none of them.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import Final

from provserver.agents.conf import Server, Trust
from provserver.agents.wire import Deadline, LineLost, TimedOut, open_wire, reason_of
from provserver.ldap.ber import long_length
from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.errors import RemoteProtocolError
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.limits import DEFAULT_LIMITS
from provserver.ldap.messages import (
    BindRequest,
    BindResponse,
    Change,
    ChangeKind,
    Control,
    DerefAliases,
    ExtendedResponse,
    Message,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
    Request,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    UnbindRequest,
)
from provserver.ldap.results import Result
from provserver.vault.secret import Secret

_AT_ONCE: Final = 65_536
_MOST_FOUND: Final = 2
"""One account is wanted; a second one is enough to know that the name means none."""


class Line:
    """One connection; everything on it, one after the other. Use it in a `with`."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._buffer = b""
        self._last = 0

    @classmethod
    def open(cls, server: Server, trust: Trust | None, deadline: Deadline) -> Line:
        """Connect. NoAnswer."""
        return cls(open_wire(server, trust, deadline))

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye; waits for nobody. What was sent before arrives."""
        with contextlib.suppress(OSError):
            self._wire.settimeout(0)
            self._wire.send(encode_message(Message(self._last + 1, UnbindRequest())))
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_WR)
        self._wire.close()

    def bind(self, name: str, secret: Secret, deadline: Deadline) -> Result:
        number = self.send(BindRequest(3, name, secret), (), deadline)
        answer = self.answer(number, deadline).operation
        if not isinstance(answer, BindResponse):
            raise _not_expected()
        return answer.result

    def search(self, base: str, wanted: Filter, deadline: Deadline) -> tuple[Result, list[str]]:
        """The names of what matches at or below the base: at most two of them."""
        seconds = max(1, int(deadline.left))
        request = SearchRequest(
            base, Scope.SUBTREE, DerefAliases.NEVER, _MOST_FOUND, seconds, False, wanted, ("1.1",)
        )
        number = self.send(request, (), deadline)
        names: list[str] = []
        while True:
            answer = self.answer(number, deadline).operation
            if isinstance(answer, SearchResultEntry):
                names.append(answer.dn)
            elif isinstance(answer, SearchResultDone):
                return answer.result, names

    def begin_setting(
        self, dn: str, trigger: str, secret: Secret, controls: Sequence[Control], deadline: Deadline
    ) -> int:
        """Send the change of a password; its number, for `ended_setting`."""
        change = Change(ChangeKind.REPLACE, PartialAttribute(trigger, (secret.reveal(),)))
        return self.send(ModifyRequest(dn, (change,)), controls, deadline)

    def ended_setting(self, number: int, deadline: Deadline) -> Result:
        """The answer to it. LineLost, TimedOut."""
        answer = self.answer(number, deadline).operation
        if not isinstance(answer, ModifyResponse):
            raise _not_expected()
        return answer.result

    # -- messages

    def send(self, request: Request, controls: Sequence[Control], deadline: Deadline) -> int:
        """Send a request; its number, for `answer`. LineLost, TimedOut."""
        self._last += 1
        try:
            self._wire.settimeout(deadline.demand())
            self._wire.sendall(encode_message(Message(self._last, request, tuple(controls))))
        except TimeoutError:
            raise TimedOut("it takes nothing more") from None
        except OSError as error:
            raise LineLost(f"the line broke: {reason_of(error)}") from None
        return self._last

    def answer(self, number: int, deadline: Deadline) -> Message:
        """The next message about that request. LineLost, TimedOut."""
        while True:
            message = self._message(deadline)
            if message.id == 0 and isinstance(message.operation, ExtendedResponse):
                raise LineLost(f"the server ended it: {message.operation.result.diagnostic}")
            if message.id == number:
                return message

    def _message(self, deadline: Deadline) -> Message:
        try:
            while (end := _end(self._buffer)) is None or end > len(self._buffer):
                self._wire.settimeout(deadline.demand())
                piece = self._wire.recv(_AT_ONCE)
                if not piece:
                    raise LineLost("the server closed the line")
                self._buffer += piece
            message = decode_message(self._buffer, 0, end)
        except TimeoutError:
            raise TimedOut("no answer in time") from None
        except OSError as error:
            raise LineLost(f"the line broke: {reason_of(error)}") from None
        except RemoteProtocolError as error:
            raise LineLost(f"what it answered is not LDAP: {error}") from None
        self._buffer = self._buffer[end:]
        return message


def _not_expected() -> LineLost:
    return LineLost("it answered something else")


def _end(buffer: bytes) -> int | None:
    """Where the first message ends; None: its header is not complete. RemoteProtocolError."""
    if len(buffer) < 2:
        return None
    length, start = buffer[1], 2
    if length > 0x7F:
        if len(buffer) < 2 + (length & 0x7F):
            return None
        length, start = long_length(buffer, 2, len(buffer), length, "LDAPMessage")
    if length > DEFAULT_LIMITS.message_after_bind:
        raise RemoteProtocolError("LDAPMessage", "is too long")
    return start + length
