"""Prepared requests: what the load generators send, as complete LDAPMessages in one file.

A cycle is a request per step, done one after the other: a password change has four, most others one. Every
step has a fixed message id, so the generator patches nothing. Where only a password differs from cycle to
cycle, it is spliced into bytes that were encoded once.
"""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provserver.ldap.codec import RESPONSE_TAGS, encode_message
from provserver.ldap.filters import Filter, Scope
from provserver.ldap.messages import (
    BindRequest,
    Change,
    ChangeKind,
    DerefAliases,
    Message,
    ModifyRequest,
    PartialAttribute,
    Request,
    SearchRequest,
)
from provserver.ldap.results import ResultCode
from provserver.vault.secret import Secret

MAGIC: Final = b"PVCYCLE1"
ANY_NUMBER: Final = 255
BIND_ID: Final = 1
PLACEHOLDER: Final = b"\xf0\x9f\x94\x91placeholder!"  # 16 bytes that occur in nothing else
PASSWORD_LENGTH: Final = len(PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class Step:
    """What answer one request of the cycle must get. The id of step n (from 0) is n + 2; 1 is the bind."""

    request: type[Request]
    result: ResultCode = ResultCode.SUCCESS
    entries: int = ANY_NUMBER


class Template:
    """A request in bytes, with a hole for the password (or none)."""

    __slots__ = ("_head", "_tail")

    def __init__(self, message_id: int, request: Request) -> None:
        head, found, tail = encode_message(Message(message_id, request)).partition(PLACEHOLDER)
        self._head = head
        self._tail = tail if found else None

    def with_password(self, password: bytes) -> bytes:
        if self._tail is None:
            return self._head
        return self._head + password + self._tail


def bind_request(dn: str, password: Secret) -> bytes:
    """What each connection says first."""
    return encode_message(Message(BIND_ID, BindRequest(3, dn, password)))


def search(base: str, scope: Scope, filter: Filter, attributes: Sequence[str]) -> SearchRequest:
    """A search without limits of its own."""
    return SearchRequest(base, scope, DerefAliases.NEVER, 0, 0, False, filter, tuple(attributes))


def replace(dn: str, attribute: str, value: bytes) -> ModifyRequest:
    """A modify that gives an attribute this one value."""
    return ModifyRequest(dn, (Change(ChangeKind.REPLACE, PartialAttribute(attribute, (value,))),))


def first_step(request: Request) -> bytes:
    """The one request of a cycle that has one."""
    return encode_message(Message(BIND_ID + 1, request))


def write_cycles(path: Path, bind: bytes, steps: Sequence[Step], cycles: Iterable[Sequence[bytes]]) -> int:
    """Write the generator's file (the format is described in prepared.h); the number of cycles in it."""
    count = 0
    length = struct.Struct("<I").pack
    with path.open("wb") as file:
        file.write(struct.pack("<8sIII", MAGIC, len(steps), 0, len(bind)))
        for number, step in enumerate(steps):
            tag = RESPONSE_TAGS[step.request]
            file.write(struct.pack("<BBBB", number + 2, tag, step.result, step.entries))
        file.write(bind)
        for cycle in cycles:
            for request in cycle:
                file.write(length(len(request)))
                file.write(request)
            count += 1
        file.seek(len(MAGIC) + 4)
        file.write(length(count))
    return count


def spaced_draws(count: int, randomness: random.Random) -> Iterator[int]:
    """Numbers below `count` drawn at random, without end; none comes again within 1,024 draws (half of them,
    when there are fewer).

    So two cycles of one user, or entry, never overlap, and which value was acknowledged last is certain.
    """
    gap = min(1024, count // 2)
    recent: deque[int] = deque()
    members: set[int] = set()
    while True:
        drawn = randomness.randrange(count)
        if drawn in members:
            continue
        recent.append(drawn)
        members.add(drawn)
        if len(recent) > gap:
            members.remove(recent.popleft())
        yield drawn
