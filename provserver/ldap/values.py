"""What the values of controls and of extended operations have in common.

Such a value is an OCTET STRING that carries BER, or plain text, or is absent. Each kind is a `WireValue`: a
record that knows its object identifier, reads itself from a value and writes itself. `Parts` reads the BER,
component by component in the order of the specification; below it are the elements to write it with.

The specifications use implicit tags and leave defaults away, and what RFC 4511 4 says of sequences goes for
theirs too: unrecognised components at the end are ignored (`ber.extensions`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar, Self, TypeVar

from provserver.ldap import ber, ber_writing
from provserver.ldap.ber_writing import BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, tlv
from provserver.ldap.decoding import MAX_INT
from provserver.ldap.errors import LocalProtocolError, RemoteProtocolError
from provserver.ldap.filter_decoding import decode_filter
from provserver.ldap.filters import Filter
from provserver.ldap.limits import DEFAULT_LIMITS, Limits
from provserver.ldap.results import ResultCode

T = TypeVar("T")
Choice = TypeVar("Choice", bound=IntEnum)


class MalformedValue(ValueError):
    """A value that is not as its specification has it; the message is meant for the peer (protocolError, 2).

    `name` and `oid` say whose value, `path` which component of it, `problem` what was expected there. None of
    them shows what came: it may be a secret.
    """

    def __init__(self, name: str, oid: str, path: str, problem: str) -> None:
        super().__init__(f"{name} ({oid}): {path} {problem}")
        self.name = name
        self.oid = oid
        self.path = path
        self.problem = problem


class WireValue(ABC):
    """The typed value of one kind of control or extended operation."""

    __slots__ = ()

    oid: ClassVar[str]
    name: ClassVar[str]
    """What it is called in errors."""
    malformed: ClassVar[type[MalformedValue]] = MalformedValue

    @classmethod
    def decode(cls, value: bytes | None, limits: Limits = DEFAULT_LIMITS) -> Self:
        """What the value says; None is a value that is absent. Raises `malformed`, and nothing else."""
        try:
            return cls._read(value, limits)
        except RemoteProtocolError as broken:
            raise cls.malformed(cls.name, cls.oid, broken.path, broken.problem) from None

    @classmethod
    @abstractmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        """As `decode`; raises RemoteProtocolError."""

    @abstractmethod
    def encode(self) -> bytes | None:
        """The value, None if it is to be absent. LocalProtocolError if it cannot be said."""


class NoValue(WireValue):
    """The shape of what is said by its object identifier alone."""

    __slots__ = ()

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        # Windows clients send an empty value where the specification has none.
        if value:
            raise RemoteProtocolError("the value", "is there, but none is expected")
        return cls()

    def encode(self) -> None:
        return None


class Parts:
    """The components of a value, read one after the other; each reading may raise RemoteProtocolError."""

    __slots__ = ("_buffer", "_end", "_optional", "_path", "_pos")

    def __init__(self, buffer: bytes, pos: int, end: int, path: str) -> None:
        self._buffer = buffer
        self._pos = pos
        self._end = end
        self._path = path
        self._optional = bytearray()

    @classmethod
    def of(cls, value: bytes | None, path: str) -> Self:
        """The value itself, which must be there; close the reading with `only`."""
        octets = present(value, path)
        return cls(octets, 0, len(octets), path)

    @classmethod
    def of_sequence(cls, value: bytes | None, path: str, tag: int = SEQUENCE) -> Self:
        """The components of the SEQUENCE that is the whole value; close the reading with `complete`."""
        whole = cls.of(value, path)
        start, stop = whole._enter(tag, path)
        return whole.only(cls(whole._buffer, start, stop, path))

    def has(self, tag: int) -> bool:
        """Is an optional component, or this one of a choice, what comes next?"""
        self._optional.append(tag)
        return self._pos < self._end and self._buffer[self._pos] == tag

    @property
    def rest(self) -> tuple[bytes, int, int]:
        """Where what is left is: buffer, start and end, for a decoder of `decoding`."""
        return self._buffer, self._pos, self._end

    def only(self, result: T) -> T:
        """The result, if nothing is left."""
        if self._pos != self._end:
            raise RemoteProtocolError(self._path, "is followed by other octets")
        return result

    def complete(self, result: T) -> T:
        """The result, if what is left is nothing but extensions of the SEQUENCE."""
        ber.extensions(self._buffer, self._pos, self._end, self._path, bytes(self._optional))
        return result

    def integer(self, name: str, tag: int = INTEGER) -> int:
        """An INTEGER (0 .. maxInt), as all are."""
        found, self._pos = ber.integer(self._buffer, self._pos, self._end, tag, MAX_INT, self._named(name))
        return found

    def enumerated(self, name: str, kind: type[Choice], tag: int = ENUMERATED) -> Choice:
        number = self.integer(name, tag)
        try:
            return kind(number)
        except ValueError:
            choices = ", ".join([f"{choice.name.lower()} ({choice.value})" for choice in kind])
            raise self.wrong(name, f"is none of {choices}") from None

    def result_code(self, name: str) -> ResultCode:
        """A result code; one that we do not know is an error of unknown kind (RFC 4511 4.1.9)."""
        number = self.integer(name, ENUMERATED)
        try:
            return ResultCode(number)
        except ValueError:
            return ResultCode.OTHER

    def boolean(self, name: str, tag: int = BOOLEAN) -> bool:
        found, self._pos = ber.boolean(self._buffer, self._pos, self._end, tag, self._named(name))
        return found

    def octets(self, name: str, tag: int = OCTET_STRING) -> bytes:
        found, self._pos = ber.octets(self._buffer, self._pos, self._end, tag, self._named(name))
        return found

    def text(self, name: str, tag: int = OCTET_STRING) -> str:
        found, self._pos = ber.text(self._buffer, self._pos, self._end, tag, self._named(name))
        return found

    def optional_boolean(self, name: str, default: bool, tag: int = BOOLEAN) -> bool:
        return self.boolean(name, tag) if self.has(tag) else default

    def optional_octets(self, name: str, tag: int = OCTET_STRING) -> bytes | None:
        return self.octets(name, tag) if self.has(tag) else None

    def optional_text(self, name: str, tag: int = OCTET_STRING) -> str | None:
        return self.text(name, tag) if self.has(tag) else None

    def filter(self, name: str, depth: int, nodes: list[int]) -> Filter:
        """A Filter; `depth` and `nodes` as `decode_filter` has them."""
        try:
            found, self._pos = decode_filter(self._buffer, self._pos, self._end, depth, nodes)
        except RemoteProtocolError as broken:
            # It takes itself for the filter of a search.
            within = broken.path.removeprefix("SearchRequest.filter")
            raise RemoteProtocolError(self._named(name) + within, broken.problem) from None
        return found

    def sequence(self, name: str, tag: int = SEQUENCE) -> Parts:
        """The components of the SEQUENCE, or of the explicitly tagged element, that comes next."""
        path = self._named(name)
        start, stop = self._enter(tag, path)
        return Parts(self._buffer, start, stop, path)

    def every(self, read: Callable[[], T], most: int) -> tuple[T, ...]:
        """All that is left, for a SEQUENCE OF."""
        found: list[T] = []
        while self._pos < self._end:
            if len(found) >= most:
                raise RemoteProtocolError(self._path, f"has more than {most} elements")
            found.append(read())
        return tuple(found)

    def wrong(self, name: str, problem: str) -> RemoteProtocolError:
        """The error of a component that its BER alone does not condemn."""
        return RemoteProtocolError(self._named(name), problem)

    def _named(self, name: str) -> str:
        return f"{self._path}.{name}"

    def _enter(self, tag: int, path: str) -> tuple[int, int]:
        start, self._pos = ber.element(self._buffer, self._pos, self._end, tag, path)
        return start, self._pos


def present(value: bytes | None, path: str) -> bytes:
    """The value, which must be there."""
    if value is None:
        raise RemoteProtocolError(path, "is missing")
    return value


def read_text(value: bytes, path: str) -> str:
    """The text that the value is, without BER around it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError(path, "is not UTF-8") from None


# -- what values are written with


def sequence(*components: bytes, tag: int = SEQUENCE) -> bytes:
    return tlv(tag, b"".join(components))


def integer(value: int, tag: int = INTEGER) -> bytes:
    """An INTEGER (0 .. maxInt) or an ENUMERATED."""
    if not 0 <= value <= MAX_INT:
        raise LocalProtocolError(f"{value} is not between 0 and {MAX_INT}")
    return ber_writing.integer(tag, value)


def text(value: str, tag: int = OCTET_STRING) -> bytes:
    return tlv(tag, utf8(value))


def optional(value: bytes | str | None, tag: int = OCTET_STRING) -> bytes:
    """An OCTET STRING or text, if there is one."""
    if value is None:
        return b""
    return tlv(tag, utf8(value) if isinstance(value, str) else value)


def boolean(value: bool, default: bool, tag: int = BOOLEAN) -> bytes:
    """A BOOLEAN, unless it has the default value (RFC 4511 5.1)."""
    return b"" if value == default else ber_writing.boolean(tag, value)


def utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        # `from None`: the error shows the text, which may be anything.
        raise LocalProtocolError("a text has no UTF-8 form") from None
