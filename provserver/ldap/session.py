"""One LDAP session as the server sees it: bytes in, requests out, in the order in which they may start.

Sans-IO: no transport, no clock. The rules that it keeps (RFC 4511 in brackets):

- A message is refused as soon as its header is known to be wrong or too large; `30 80`, HTTP or a TLS hello
  never wait for more bytes. Only a well-formed header waits, and what it waits for is bounded.
- A bind starts when nothing else is in progress, and nothing starts while it is [4.2.1]. Until then the bytes
  after it are not even decoded: which size limit they are under depends on how the bind ends. Nothing starts
  behind StartTLS either, and nothing is decoded: what follows it in clear text is no request [4.14.1].
- At the limit of operations in progress nothing more starts, but for one Abandon or Unbind right behind.
- Message id 0, an id that is in progress, and a response are errors [4.1.1.1].

However the bytes are cut, the same requests come out, and then the same error, if there is one. After an
error the session is dead: it repeats the error. No byte is copied more than a few times.
"""

from __future__ import annotations

from typing import Final

from provserver.ldap.ber import long_length
from provserver.ldap.decoding import REQUEST_DECODERS, decode_content
from provserver.ldap.errors import LocalProtocolError, RemoteProtocolError
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.messages import (
    START_TLS,
    AbandonRequest,
    BindRequest,
    ExtendedRequest,
    Message,
    UnbindRequest,
)

_UNANSWERED: Final = frozenset({AbandonRequest, UnbindRequest})
_TAG: Final = 0x30
_SHORTEST_HEADER: Final = 2


class Session:
    """Framing and state of one connection; its owner says when each request has ended."""

    __slots__ = (
        "_alone",
        "_data",
        "_failure",
        "_limits",
        "_needed",
        "_pos",
        "_tail",
        "_waiting",
        "bound",
        "outstanding",
    )

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        # What is to be read: _data from _pos on, then _tail. _tail is appended to while a message is
        # incomplete, and joined to the rest of _data once, when there are the _needed octets: linear however
        # small the pieces are.
        self._data = b""
        self._pos = 0
        self._tail = bytearray()
        self._needed = _SHORTEST_HEADER
        self._waiting: Message | None = None
        self._alone: int | None = None
        self._failure: RemoteProtocolError | None = None
        self.outstanding: set[int] = set()
        """Ids of the requests that were handed out and not yet `answered`. To read, not to change."""
        self.bound = False
        """Whether somebody has authenticated: decides which size limit applies. Set by the owner."""

    @property
    def buffered(self) -> int:
        """Octets received and not yet decoded."""
        return len(self._data) - self._pos + len(self._tail)

    @property
    def binding(self) -> bool:
        """Whether a bind is in progress (or StartTLS, for the moment that it takes)."""
        return self._alone is not None

    @property
    def full(self) -> bool:
        """Whether reading more would only grow the buffer: something must be answered first."""
        if self._failure is not None or len(self.outstanding) >= self._limits.outstanding_operations:
            return True
        blocked = self._alone is not None or self._waiting is not None
        return blocked and self.buffered > self._limits.read_ahead

    def feed(self, data: bytes) -> None:
        """Take bytes as they came from the peer."""
        if self._failure is not None:
            return
        if not self._tail and self._pos == len(self._data):
            self._data = data
            self._pos = 0
        else:
            self._tail += data

    def next(self) -> Message | None:
        """The next request that may start now, or None. RemoteProtocolError, and then always the same."""
        if self._failure is not None:
            raise self._failure
        if self._alone is not None:
            return None
        message = self._waiting
        if message is None:
            try:
                message = self._decode()
                if message is None:
                    return None
                self._check_id(message)
            except RemoteProtocolError as failure:
                self._fail(failure)
                raise
        operation = message.operation
        kind = type(operation)
        if kind in _UNANSWERED:
            return message
        if kind is BindRequest:
            if self.outstanding:
                self._waiting = message
                return None
            self._alone = message.id
        elif len(self.outstanding) >= self._limits.outstanding_operations:
            self._waiting = message
            return None
        elif kind is ExtendedRequest and operation.oid == START_TLS:  # type: ignore[union-attr]  # by its kind
            self._alone = message.id
        self._waiting = None
        self.outstanding.add(message.id)
        return message

    def receive(self, data: bytes) -> list[Message]:
        """`feed`, and every request that may start now. An error behind them is raised by the next call."""
        self.feed(data)
        messages: list[Message] = []
        try:
            while (message := self.next()) is not None:
                messages.append(message)
        except RemoteProtocolError:
            if not messages:
                raise
        return messages

    def answered(self, message_id: int) -> None:
        """That request has ended, answered or not: its id is free, and what waited for it may start."""
        try:
            self.outstanding.remove(message_id)
        except KeyError:
            raise LocalProtocolError(f"message {message_id} was not in progress") from None
        if message_id == self._alone:
            self._alone = None

    def _decode(self) -> Message | None:
        """The next whole message, or None when there is none yet."""
        while True:
            data = self._data
            pos = self._pos
            available = len(data) - pos
            if available < self._needed:
                if not self._tail or available + len(self._tail) < self._needed:
                    if available + len(self._tail):
                        self._check_tag()
                    return None
                self._data = data = data[pos:] + self._tail
                self._pos = pos = 0
                self._tail = bytearray()
                available = len(data)
            if data[pos] != _TAG:
                raise _not_ldap()
            length = data[pos + 1]
            start = pos + 2
            if length > 127:
                if length <= 0x88 and available < 2 + (length & 0x7F):
                    # The one length that may be incomplete without being wrong: that of the message itself.
                    self._needed = 2 + (length & 0x7F)
                    continue
                length, start = long_length(data, start, len(data), length, "LDAPMessage")
            end = start + length
            limit = self._limits.message_after_bind if self.bound else self._limits.message_before_bind
            if end - pos > limit:
                name = "message_after_bind" if self.bound else "message_before_bind"
                raise RemoteProtocolError("LDAPMessage", f"is larger than {limit} octets", limit=name)
            if end > len(data):
                self._needed = end - pos
                continue
            message = decode_content(data, start, end, self._limits, REQUEST_DECODERS)
            if end == len(data):
                # Not kept until the next request comes: there may be a password in it.
                self._data, self._pos = b"", 0
            else:
                self._pos = end
            self._needed = _SHORTEST_HEADER
            return message

    def _check_tag(self) -> None:
        first = self._data[self._pos] if self._pos < len(self._data) else self._tail[0]
        if first != _TAG:
            raise _not_ldap()

    def _check_id(self, message: Message) -> None:
        if message.id == 0:
            raise RemoteProtocolError("LDAPMessage.messageID", "is 0, which is the server's")
        if message.id in self.outstanding and type(message.operation) is not UnbindRequest:
            raise RemoteProtocolError("LDAPMessage.messageID", "is that of a request in progress")

    def _fail(self, failure: RemoteProtocolError) -> None:
        self._failure = failure
        self._data, self._pos, self._tail = b"", 0, bytearray()


def _not_ldap() -> RemoteProtocolError:
    return RemoteProtocolError("LDAPMessage", "is no SEQUENCE: this is not LDAP")
