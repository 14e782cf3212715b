"""The walker: goes on with the cookie it was given, counts what comes, and says when a walk is not whole."""

from __future__ import annotations

import importlib
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.controls.paging import PagedResults
from provserver.ldap.filters import Present, Scope
from provserver.ldap.messages import (
    BindRequest,
    BindResponse,
    Control,
    Message,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
)
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

ENTRIES = 250
PAGE = 100

Walk = Callable[..., dict[str, Any]]


class Pages:
    """Talks like a server with 250 entries, whose cookie says where to go on, after some filling."""

    def __init__(self, filling: int = 0, *, entries: int = ENTRIES, controls: bool = True) -> None:
        self.filling = b"!" * filling
        self.entries = entries
        self.controls = controls
        self.searches: list[Message] = []

    def __call__(self, client: socket.socket) -> None:
        while data := client.recv(1 << 16):
            message = decode_message(data, 0, len(data))
            if isinstance(message.operation, BindRequest):
                client.sendall(encode_message(Message(message.id, BindResponse(Result()))))
            else:
                client.sendall(self.page(message))

    def page(self, message: Message) -> bytes:
        self.searches.append(message)
        (control,) = message.controls
        asked = PagedResults.decode(control.value)
        start = int(asked.cookie.removeprefix(self.filling) or b"0")
        stop = min(start + asked.size, self.entries)
        out = [
            encode_message(Message(message.id, SearchResultEntry(f"cn={n}", ()))) for n in range(start, stop)
        ]
        cookie = self.filling + b"%d" % stop if stop < self.entries else b""
        answered = Control(PagedResults.oid, False, PagedResults(0, cookie).encode())
        other = Control("1.2.3", False, b"\x04\x00")
        controls = (other, answered) if self.controls else (other,)
        return b"".join(out) + encode_message(Message(message.id, SearchResultDone(Result()), controls))


@pytest.fixture
def walk(compiled: Callable[[str], Path], listen: Any, tmp_path: Path) -> Walk:
    """One walk at least on each connection against a server; the report."""
    prepared = importlib.import_module("prepared")
    path = tmp_path / "walk.cycles"
    search = prepared.search("dc=x", Scope.SUBTREE, Present("objectClass"), ["cn"])
    bind = prepared.bind_request("", Secret(b""))
    prepared.write_cycles(path, bind, [prepared.Step(SearchRequest)], [[prepared.first_step(search)]])

    def run(talk: Any, connections: int = 1) -> dict[str, Any]:
        arguments = ["127.0.0.1", listen(talk), connections, "0.01", PAGE, ENTRIES]
        done = subprocess.run(
            [compiled("walk"), path, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return run


@pytest.mark.parametrize("filling", [0, 100, 200, 4000])
def test_each_page_is_asked_for_with_the_cookie_of_the_one_before(walk: Walk, filling: int) -> None:
    pages = Pages(filling)
    report = walk(pages)
    assert report["refusals"] == []
    assert report["walks"] >= 1
    assert report["entries"] == ENTRIES * report["walks"]
    assert report["latency"]["count"] == 3 * report["walks"] == len(pages.searches)
    controls = [message.controls[0] for message in pages.searches[:3]]
    assert all(control.critical for control in controls)
    cookies = [PagedResults.decode(control.value).cookie for control in controls]
    assert cookies == [b"", pages.filling + b"100", pages.filling + b"200"]


def test_every_connection_ends_its_walk(walk: Walk) -> None:
    report = walk(Pages(), connections=3)
    assert report["walks"] >= 3
    assert report["entries"] == ENTRIES * report["walks"]


@pytest.mark.parametrize("entries", [ENTRIES - 1, ENTRIES + 1])
def test_a_walk_with_another_number_of_entries_is_refused(walk: Walk, entries: int) -> None:
    report = walk(Pages(entries=entries))
    assert (report["walks"], report["refused"]) == (0, 1)
    assert f"{entries} in the walk" in report["refusals"][0]["text"]


def test_a_page_without_the_control_is_refused(walk: Walk) -> None:
    report = walk(Pages(controls=False))
    assert report["refusals"][0]["text"] == "a page without the control that says how to go on"


def test_a_page_that_the_server_refuses_is_quoted(walk: Walk) -> None:
    class Unwilling(Pages):
        def page(self, message: Message) -> bytes:
            refusal = Result(ResultCode.UNWILLING_TO_PERFORM, "no pages today")
            return encode_message(Message(message.id, SearchResultDone(refusal)))

    report = walk(Unwilling())
    assert report["refusals"] == [{"step": 1, "code": 53, "count": 1, "text": "no pages today"}]
