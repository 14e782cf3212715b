"""The hostile clients do what they are named for, and a server of ours goes on answering the others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attack
import pytest
from attack import DEEP, KINDS, TOO_DEEP, Speech
from line import Line
from plugins.served_instance import ADMINISTRATOR_PASSWORD, ServedInstance, user_dn
from prepared import bind_request, first_step, search

from provserver.ldap.codec import RemoteProtocolError, decode_message
from provserver.ldap.filters import Not, Present, Scope
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import ResultCode
from provserver.vault.secret import Secret

BIND = bind_request(user_dn("etaadmin"), Secret.of_text(ADMINISTRATOR_PASSWORD))
EVERYTHING = search("dc=im,dc=eta", Scope.SUBTREE, Present("objectClass"), [])
SPEECH = Speech(BIND, first_step(EVERYTHING))


def test_a_nested_filter_is_as_deep_as_it_says() -> None:
    message = attack.nested_search(DEEP)
    operation = decode_message(message, 0, len(message)).operation
    assert isinstance(operation, SearchRequest)
    depth, filter = 0, operation.filter
    while isinstance(filter, Not):
        depth, filter = depth + 1, filter.part
    assert depth == DEEP


def test_a_filter_that_is_too_deep_is_for_ours() -> None:
    message = attack.nested_search(TOO_DEEP)
    with pytest.raises(RemoteProtocolError):
        decode_message(message, 0, len(message))


def test_a_hello_is_the_beginning_of_a_handshake() -> None:
    assert attack.tls_hello()[:2] == b"\x16\x03"  # a record of kind handshake, RFC 8446 5.1


def test_every_kind_keeps_going_whether_it_is_cut_off_or_nobody_answers(listen: Any) -> None:
    """Odd connections are cut at their first byte, even ones never hear anything."""
    came = iter(range(1_000_000))

    def talk(client: socket.socket) -> None:
        odd = next(came) % 2
        while client.recv(65536) and not odd:
            pass

    port = listen(talk)

    async def attacked() -> Any:
        enough = asyncio.Event()
        return await attack.attack(
            "127.0.0.1",
            port,
            SPEECH,
            asyncio.wait_for(enough.wait(), 30),
            clients=12,
            pace=0.01,
            begun=enough.set,
        )

    counts = asyncio.run(attacked())
    assert list(counts) == list(KINDS)
    for kind, count in counts.items():
        assert count.connections >= 2, kind
        assert count.acts >= 2, kind
    assert sum(count.cut_off for count in counts.values()) > 0


def test_a_server_of_ours_goes_on_answering_while_it_is_attacked(
    demo_instance: Path, serve: Callable[..., ServedInstance]
) -> None:
    served = serve(demo_instance)
    host, _, port = served.url("ldap").removeprefix("ldap://").rpartition(":")

    def honest() -> int:
        """As many searches as an honest client needs; how many entries each found."""
        with Line(int(port), BIND) as line:
            found = {len(line.ask(EVERYTHING).entries) for _ in range(20)}
            assert len(found) == 1
            return found.pop()

    before = honest()
    during: list[int] = []

    async def work() -> None:
        during.append(await asyncio.to_thread(honest))

    counts = asyncio.run(attack.attack(host, int(port), SPEECH, work(), clients=24, pace=0.05))
    assert during == [before]
    assert honest() == before
    assert counts["garbage"].cut_off > 0
    assert counts["tls-hello"].cut_off > 0
    with Line(int(port), BIND) as line:
        assert line.ask(EVERYTHING).result.code is ResultCode.SUCCESS
    assert served.stop() == 0
