#!/usr/bin/env python3
"""Millions of spoilt LDAP messages against the codec and the session.

    python tools/fuzz/pdus.py [--count N] [--seed N]

The invariant is h11's: whatever the bytes, however they are cut, a session gives requests or
RemoteProtocolError, nothing else, and the same ones for every cut. What it gives can be encoded and decoded
again. The suite runs the same generator, bounded (`tests/property/test_codec_fuzz.py`). A failure prints the
input and how to repeat it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random

from provserver.ldap.codec import RemoteProtocolError, decode_message, encode_message
from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    Filter,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Scope,
    Substrings,
)
from provserver.ldap.limits import Limits
from provserver.ldap.messages import (
    AbandonRequest,
    AddRequest,
    BindRequest,
    BindResponse,
    Change,
    ChangeKind,
    CompareRequest,
    Control,
    DeleteRequest,
    DerefAliases,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
    Request,
    Response,
    SaslCredentials,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    UnbindRequest,
)
from provserver.ldap.results import Result, ResultCode
from provserver.ldap.session import Session
from provserver.vault.secret import Secret

LIMITS = Limits(message_before_bind=4096, ber_depth=8, filter_nodes=40, values=60)
"""Small enough for inputs to run into them."""

_SIZES = (0, 1, 2, 5, 20, 126, 127, 128, 129, 255, 256, 300)
_LENGTH_OCTETS = (
    b"\x80",
    b"\xff",
    b"\x81\x05",
    b"\x84\x00\x00\x00\x05",
    b"\x84\xff\xff\xff\xff",
    b"\x89",
    b"\x00",
)
_TAGS = bytes(
    (0x00, 0x02, 0x04, 0x0A, 0x30, 0x31, 0x80, 0x87, 0xA0, 0xA2, 0xA3, 0xA4, 0xA9, 0x1F, 0xBF, 0x61, 0x78)
)
_INVITED = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x30\x80",
    b"\x30\x84\x7f\xff\xff\xff",
)


def messages(random: Random) -> Iterator[Message]:
    """Valid messages without end, mostly requests, with the sizes where lengths change their form."""
    while True:
        operation = _response(random) if random.random() < 0.1 else _request(random)
        controls = tuple([_control(random) for _ in range(random.choice((0, 0, 0, 1, 2)))])
        yield Message(random.choice((1, 2, 127, 128, 255, 256, 2**31 - 1)), operation, controls)


def spoilt(random: Random) -> Iterator[bytes]:
    """Inputs without end: valid messages in a row, most of them damaged, and what other protocols say."""
    source = messages(random)
    while True:
        data = bytearray()
        for _ in range(random.choice((1, 1, 2, 4))):
            data += encode_message(next(source))
        for _ in range(random.choice((0, 1, 1, 2, 5))):
            _damage(random, data)
        if random.random() < 0.02:
            data += random.choice(_INVITED)
        yield bytes(data)


def transcript(pieces: Iterator[bytes], limits: Limits = LIMITS) -> list[Message | str]:
    """What a session makes of the pieces, each request answered at once: requests, then at most one error."""
    session = Session(limits)
    said: list[Message | str] = []
    try:
        for piece in pieces:
            session.feed(piece)
            while (message := session.next()) is not None:
                said.append(message)
                if message.id in session.outstanding:
                    session.answered(message.id)
    except RemoteProtocolError as failure:
        said.append(str(failure))
    return said


def check(data: bytes, random: Random) -> int:
    """Hold the invariant against one input; the number of requests found."""
    whole = transcript(iter((data,)))
    _demand(transcript(bytes((octet,)) for octet in data) == whole, "octet by octet it means something else")
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(3))
    pieces = [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    _demand(transcript(iter(pieces)) == whole, "in other pieces it means something else")
    requests = [said for said in whole if isinstance(said, Message)]
    for message in requests:
        again = encode_message(message)
        _demand(decode_message(again, 0, len(again)) == message, "it is not what it encodes to")
    with suppress(RemoteProtocolError):
        decode_message(data, 0, len(data), LIMITS)
    return len(requests)


def _demand(held: bool, otherwise: str) -> None:
    if not held:
        raise AssertionError(otherwise)


def _request(random: Random) -> Request:
    match random.randrange(12):
        case 0:
            return BindRequest(random.randrange(1, 128), _text(random), Secret(_octets(random)))
        case 1:
            credentials = Secret(_octets(random)) if random.random() < 0.5 else None
            return BindRequest(3, _text(random), SaslCredentials(_text(random), credentials))
        case 2:
            return UnbindRequest()
        case 3 | 4:
            selectors = tuple([_text(random) for _ in range(random.randrange(4))])
            scope, deref = random.choice(tuple(Scope)), random.choice(tuple(DerefAliases))
            limit = random.choice((0, 1, 127, 128, 2**31 - 1))
            wanted = _filter(random, 4)
            return SearchRequest(
                _text(random), scope, deref, limit, limit, random.random() < 0.5, wanted, selectors
            )
        case 5 | 6:
            kinds = tuple(ChangeKind)
            changes = [Change(random.choice(kinds), _attribute(random)) for _ in range(random.randrange(4))]
            return ModifyRequest(_text(random), tuple(changes))
        case 7:
            return AddRequest(_text(random), tuple([_attribute(random) for _ in range(random.randrange(4))]))
        case 8:
            return DeleteRequest(_text(random))
        case 9:
            superior = _text(random) if random.random() < 0.5 else None
            return ModifyDNRequest(_text(random), _text(random), random.random() < 0.5, superior)
        case 10:
            if random.random() < 0.5:
                return AbandonRequest(random.choice((0, 1, 128, 2**31 - 1)))
            return CompareRequest(_text(random), _text(random), _octets(random))
        case _:
            return ExtendedRequest(_text(random), _octets(random) if random.random() < 0.5 else None)


def _response(random: Random) -> Response:
    referrals = tuple([_text(random) for _ in range(random.choice((0, 0, 1, 3)))])
    result = Result(random.choice(tuple(ResultCode)), _text(random), _text(random), referrals)
    octets = _octets(random) if random.random() < 0.5 else None
    attributes = tuple([_attribute(random) for _ in range(random.randrange(4))])
    return random.choice(
        (
            BindResponse(result, octets),
            SearchResultEntry(_text(random), attributes),
            SearchResultReference((_text(random),)),
            SearchResultDone(result),
            ModifyResponse(result),
            ExtendedResponse(result, _text(random), octets),
            IntermediateResponse(None, octets),
        )
    )


def _filter(random: Random, depth: int) -> Filter:
    kind = random.randrange(10 if depth else 7)
    if kind == 0:
        return Present(_text(random))
    if kind < 5:
        comparison = (Equality, GreaterOrEqual, LessOrEqual, Approximate)[kind - 1]
        return comparison(_text(random), _octets(random))
    if kind == 5:
        between = tuple([_octets(random) for _ in range(random.randrange(3))])
        return Substrings(
            _text(random), _octets(random), between, _octets(random) if random.random() < 0.5 else None
        )
    if kind == 6:
        return Extensible(_text(random), _text(random), _octets(random), random.random() < 0.5)
    if kind == 7:
        return Not(_filter(random, depth - 1))
    parts = tuple([_filter(random, depth - 1) for _ in range(random.randrange(4))])
    return And(parts) if kind == 8 else Or(parts)


def _attribute(random: Random) -> PartialAttribute:
    return PartialAttribute(_text(random), tuple([_octets(random) for _ in range(random.randrange(4))]))


def _control(random: Random) -> Control:
    return Control(_text(random), random.random() < 0.5, _octets(random) if random.random() < 0.5 else None)


def _octets(random: Random) -> bytes:
    return random.randbytes(random.choice(_SIZES[:5] if random.random() < 0.9 else _SIZES))


def _text(random: Random) -> str:
    return random.choice(
        ("", "cn", "userPassword", "dc=im,dc=eta", "ö" * 20, "x" * 127, "1.2.840.113556.1.4.319")
    )


def _damage(random: Random, data: bytearray) -> None:
    if not data:
        return
    at = random.randrange(len(data))
    match random.randrange(8):
        case 0:
            data[at] ^= 1 << random.randrange(8)
        case 1:
            data[at] = random.choice(_TAGS)
        case 2:
            del data[at:]
        case 3:
            del data[at : at + random.randrange(1, 4)]
        case 4:
            data[at:at] = random.randbytes(random.randrange(1, 4))
        case 5:
            data[at : at + 1] = random.choice(_LENGTH_OCTETS)
        case 6:
            data[at:at] = data[at : at + random.randrange(1, 40)]
        case _:
            data[at] = (data[at] + random.choice((-1, 1))) % 256


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="how many inputs")
    parser.add_argument("--seed", type=int, default=0, help="which inputs")
    arguments = parser.parse_args()
    random = Random(arguments.seed)  # noqa: S311  not for secrets: it must be repeatable
    inputs = spoilt(random)
    started = time.perf_counter()
    requests = slowest = 0.0
    for number in range(arguments.count):
        data = next(inputs)
        begun = time.perf_counter()
        try:
            requests += check(data, random)
        except Exception as failure:
            print(f"input {number} of seed {arguments.seed}: {failure!r}\n{data.hex()}", file=sys.stderr)
            raise
        slowest = max(slowest, time.perf_counter() - begun)
    took = time.perf_counter() - started
    print(
        f"{arguments.count} inputs, {requests:.0f} requests found in them, {took:.1f} s, "
        f"slowest input {slowest * 1000:.1f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
