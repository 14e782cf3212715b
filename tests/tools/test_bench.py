"""The password cycle's tools tell the truth: the generator counts what it is answered, the runner runs."""

from __future__ import annotations

import importlib
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from generator import HERE as BENCH

from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    BindResponse,
    Change,
    ChangeKind,
    CompareRequest,
    CompareResponse,
    ExtendedResponse,
    Message,
    ModifyRequest,
    ModifyResponse,
    PartialAttribute,
)
from provserver.ldap.results import Result, ResultCode
from provserver.testing.slapd import require_slapd
from provserver.vault.secret import Secret

PASSWORD = b"0123456789abcdef"


@pytest.fixture(scope="module")
def prepared() -> ModuleType:
    return importlib.import_module("prepared")


@pytest.fixture
def program(compiled: Callable[[str], Path]) -> Path:
    return compiled("cycle")


def modify(prepared: ModuleType, dn: str = "cn=x") -> Any:
    change = Change(ChangeKind.REPLACE, PartialAttribute("userPassword", (prepared.PLACEHOLDER,)))
    return prepared.Template(2, ModifyRequest(dn, (change,)))


@pytest.fixture
def cycles(prepared: ModuleType, tmp_path: Path) -> Path:
    """Twenty cycles: a modify, then a compare that must be true."""
    path = tmp_path / "some.cycles"
    steps = [prepared.Step(ModifyRequest), prepared.Step(CompareRequest, ResultCode.COMPARE_TRUE)]
    compare = prepared.Template(3, CompareRequest("cn=x", "cn", b"x"))
    requests = [[modify(prepared).with_password(PASSWORD), compare.with_password(b"")] for _ in range(20)]
    bind = prepared.bind_request("cn=a", Secret(b"secret"))
    assert prepared.write_cycles(path, bind, steps, requests) == 20
    return path


Answers = Callable[[Message, int], bytes]
"""The bytes for a request, given it and how many requests came before it on its connection."""


def answering(answers: Answers) -> Callable[[socket.socket], None]:
    """Talks as the answers say, one byte at a time; nothing closes the connection."""

    def talk(client: socket.socket) -> None:
        count = 0
        while data := client.recv(4096):  # the generator never pipelines: one request is one read
            answer = answers(decode_message(data, 0, len(data)), count)
            if not answer:
                return
            for octet in answer:
                client.sendall(bytes([octet]))
            count += 1

    return talk


@pytest.fixture
def served(program: Path, cycles: Path, listen: Any) -> Callable[..., tuple[dict[str, Any], bytes]]:
    """Runs the generator against a server that answers as the test says; its report and the outcomes."""

    def run(answers: Answers, connections: int = 1) -> tuple[dict[str, Any], bytes]:
        port = listen(answering(answers))
        outcomes = cycles.with_suffix(".outcomes")
        done = subprocess.run(
            [program, "run", cycles, "127.0.0.1", str(port), str(connections), "0", outcomes],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), outcomes.read_bytes()

    return run


def good(request: Message, count: int) -> bytes:
    if count == 0:
        return encode_message(Message(request.id, BindResponse(Result())))
    if isinstance(request.operation, ModifyRequest):
        return encode_message(Message(request.id, ModifyResponse(Result())))
    return encode_message(Message(request.id, CompareResponse(Result(ResultCode.COMPARE_TRUE))))


def test_answers_in_single_bytes_are_understood_and_every_cycle_is_acknowledged(served: Any) -> None:
    report, outcomes = served(good, connections=3)
    assert outcomes == b"K" * 20
    assert report["cycles"] == 20
    assert report["refusals"] == []
    assert report["latency"]["count"] == 20
    assert [report["steps"][step]["count"] for step in ("1", "2")] == [20, 20]


def test_an_unexpected_code_ends_its_cycle_and_is_shown_with_its_text(served: Any) -> None:
    def answers(request: Message, count: int) -> bytes:
        if count == 5:
            refusal = Result(ResultCode.UNWILLING_TO_PERFORM, 'not "now"')
            return encode_message(Message(request.id, ModifyResponse(refusal)))
        return good(request, count)

    report, outcomes = served(answers)
    assert outcomes == b"KKR" + b"K" * 17
    assert report["refusals"] == [{"step": 1, "code": 53, "count": 1, "text": 'not "now"'}]
    assert (report["cycles"], report["refused"]) == (19, 1)


def test_a_lost_connection_leaves_its_cycle_unknown_and_the_rest_not_begun(served: Any) -> None:
    report, outcomes = served(lambda request, count: good(request, count) if count < 4 else b"")
    assert outcomes == b"K?" + b"-" * 18
    assert report["unknown"] == 1
    assert report["refusals"][0]["text"] == "the server closed the connection"


def test_a_notice_of_disconnection_is_quoted(served: Any) -> None:
    notice = ExtendedResponse(Result(ResultCode.UNAVAILABLE, "going down"), NOTICE_OF_DISCONNECTION)
    report, _ = served(
        lambda request, count: good(request, count) if count < 3 else encode_message(Message(0, notice))
    )
    assert report["refusals"][0]["text"] == "Notice of Disconnection, code 52: going down"


def test_an_answer_to_another_request_is_not_taken_for_the_one_under_way(served: Any) -> None:
    def answers(request: Message, count: int) -> bytes:
        return encode_message(Message(9, ModifyResponse(Result()))) if count == 1 else good(request, count)

    report, outcomes = served(answers)
    assert outcomes[:1] == b"?"
    assert report["refusals"][0]["text"] == "an answer to another request than the one under way"


def test_a_bind_that_is_refused_is_no_run_at_all(program: Path, cycles: Path, listen: Any) -> None:
    refusal = Result(ResultCode.INVALID_CREDENTIALS, "who are you")
    port = listen(answering(lambda request, count: encode_message(Message(1, BindResponse(refusal)))))
    done = subprocess.run(
        [program, "run", cycles, "127.0.0.1", str(port), "1", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "bind refused with code 49: who are you" in done.stderr


def test_a_loop_begins_where_it_is_told_and_goes_on_from_the_start(
    program: Path, prepared: ModuleType, tmp_path: Path, listen: Any
) -> None:
    path = tmp_path / "three.cycles"
    requests = [[modify(prepared, f"cn={name}").with_password(PASSWORD)] for name in "abc"]
    prepared.write_cycles(
        path, prepared.bind_request("", Secret(b"")), [prepared.Step(ModifyRequest)], requests
    )
    asked: list[str] = []

    def answers(request: Message, count: int) -> bytes:
        if count:
            asked.append(request.operation.dn)  # type: ignore[union-attr]
        return good(request, count) if count < 5 else b""

    port = listen(answering(answers))
    subprocess.run([program, "loop", path, "127.0.0.1", str(port), "1", "60", "2"], check=True)
    assert asked == ["cn=c", "cn=a", "cn=b", "cn=c", "cn=a"]


def test_a_file_that_is_cut_off_is_not_run(program: Path, cycles: Path) -> None:
    cycles.write_bytes(cycles.read_bytes()[:-1])
    done = subprocess.run([program, "echo", cycles, "1", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cut off in request 39 of 40" in done.stderr


def test_alone_against_its_null_server_the_generator_finishes_the_file(program: Path, cycles: Path) -> None:
    done = subprocess.run([program, "echo", cycles, "4", "30"], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["cycles"] == 20
    assert report["exhausted"]


def test_a_spliced_request_is_what_the_codec_would_have_written(prepared: ModuleType) -> None:
    spliced = modify(prepared).with_password(PASSWORD)
    change = Change(ChangeKind.REPLACE, PartialAttribute("userPassword", (PASSWORD,)))
    assert spliced == encode_message(Message(2, ModifyRequest("cn=x", (change,))))


def test_spaced_draws_come_evenly_and_never_again_within_the_gap(prepared: ModuleType) -> None:
    import itertools
    import random

    drawn = list(itertools.islice(prepared.spaced_draws(100, random.Random(3)), 5000))
    assert set(drawn) == set(range(100))
    for start in range(len(drawn) - 50):
        assert len(set(drawn[start : start + 50])) == 50


def test_entries_before_the_final_answer_are_counted_against_what_is_expected(
    prepared: ModuleType, program: Path, tmp_path: Path
) -> None:
    """The null server answers each search with one entry; a file that expects two is refused throughout."""
    from provserver.ldap.filters import Present, Scope
    from provserver.ldap.messages import DerefAliases, SearchRequest

    path = tmp_path / "search.cycles"
    request = SearchRequest("", Scope.BASE, DerefAliases.NEVER, 0, 0, False, Present("cn"), ())
    search = prepared.Template(2, request).with_password(b"")
    for expected, outcome in ((1, "cycles"), (2, "refused")):
        steps = [prepared.Step(SearchRequest, entries=expected)]
        prepared.write_cycles(path, prepared.bind_request("", Secret(b"")), steps, [[search]] * 10)
        done = subprocess.run([program, "echo", path, "1", "30"], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)[outcome] == 10


def test_the_files_head_is_as_prepared_h_describes_it(cycles: Path) -> None:
    head = cycles.read_bytes()
    assert struct.unpack_from("<8sII", head) == (b"PVCYCLE1", 2, 20)
    assert struct.unpack_from("<4B4B", head, 20) == (2, 0x67, 0, 255, 3, 0x6F, 6, 255)


@pytest.mark.slapd
@pytest.mark.parametrize(("hashing", "side"), [("cheap", "slapd"), ("cheap", "ours"), ("argon2", "ours")])
def test_the_whole_benchmark_runs(tmp_path: Path, hashing: str, side: str) -> None:
    """Every rule is on. Both sides refuse what they should, or there would be no table."""
    require_slapd()
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, BENCH / "cycle.py", "--only", side, "--hash", hashing, "--wait", "2"),
            *("--users", "16", "--connections", "2", "--seconds", "0.2", "--json", report),
            *("--directory", tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "slapd's module" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(report.read_text())["measurements"]
    assert (one["hash"], one["generator"]["refused"]) == (hashing, 0)
    assert one["generator"]["cycles"] + one["generator"]["late"] > 0
    assert "cycles/s" in done.stdout
    if side == "ours":
        assert "verified at their endpoints" in one["verified"]
