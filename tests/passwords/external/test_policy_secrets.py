"""Neither a password nor the shared secret shows, whatever the policy service does with what it is sent."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from advised_servers import ADA, OLD, Advised
from harbour import ADA_AD, NEW, OTHER, administrator, wire
from stand_in import KEY, SECRET, Asked, Behaviour, Blurters, breath, refusing, saying, settings
from twisted.logger import globalLogPublisher
from twisted.web.server import Request

from provserver.https.signing import SIGNATURE
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer
from provserver.testing.wire import add, delete, replace

HIDDEN = (NEW, OLD, OTHER, KEY.decode())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that is logged, with everything that hangs on it."""
    lines: list[str] = []

    def note(event: dict[str, Any]) -> None:
        lines.append(repr(event))
        failure = event.get("log_failure")
        if failure is not None:
            lines.append(failure.getTraceback(detail="verbose"))
            lines.extend(traceback.format_exception(failure.value))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


def repeated_in_json(asked: Asked, request: Request) -> None:
    saying({"verdict": asked.document["password"], "reasons": [asked.document]})(asked, request)


def repeated_in_a_reason(asked: Asked, request: Request) -> None:
    refusing(("passwordTooLong", f"{asked.document['password']} is too long"))(asked, request)


def repeated_in_the_head(asked: Asked, request: Request) -> None:
    request.setResponseCode(500, asked.document["password"].encode())
    request.setHeader("X-Password", asked.document["password"])
    request.setHeader(SIGNATURE, asked.document["password"])
    request.finish()


def thrown_back(asked: Asked, request: Request) -> None:
    request.setHeader(SIGNATURE, SECRET.of_answer(asked.nonce, asked.body))
    request.write(asked.body)
    request.finish()


WAYS: list[Behaviour] = [repeated_in_json, repeated_in_a_reason, repeated_in_the_head, thrown_back]


async def everything_told(server: RunningServer) -> list[str]:
    """What clients are told in each kind of exchange."""
    ad, ada, admin = (
        await wire(server, "psync-ad-corp"),
        await wire(server, "aokafor"),
        await administrator(server),
    )
    answers = [
        await ad.test(ADA_AD, NEW),
        await ad.sync(ADA_AD, NEW),
        await ada.modify(ADA, delete("eTPassword", OLD), add("eTPassword", NEW)),
        await admin.modify(ADA, replace("eTPassword", OTHER)),
    ]
    return [f"{told!r} {told.text}" for told in answers]


def demand_hidden(places: dict[str, str]) -> None:
    found = [
        f"{name}: secret {HIDDEN.index(one)}"
        for name, text in places.items()
        for one in HIDDEN
        if one in text
    ]
    assert found == []


async def all_places(server: RunningServer, folder: Path, logged: list[str]) -> dict[str, str]:
    places = {"told": "\n".join(await everything_told(server))}
    places["journal"] = "\n".join(map(repr, await server.journal()))
    await server.stop()
    await breath()
    gc.collect()
    places["log"] = "\n".join(logged)
    places |= {path.name: path.read_text("utf-8") for path in (folder / "logs").iterdir()}
    return places


@pytest.mark.parametrize("behave", WAYS)
@pytest_twisted.ensureDeferred
async def test_what_a_service_sends_back_is_not_shown(
    start_provserver: Starter, advised: Advised, tmp_path: Path, logged: list[str], behave: Behaviour
) -> None:
    (tmp_path / "logs").mkdir()
    server, service = await advised(behave, ("logging.etatrans=true",), logs=tmp_path / "logs")
    places = await all_places(server, tmp_path, logged)
    assert len(service.asked) == 4
    assert any(name.startswith("etatrans") for name in places)
    demand_hidden(places)


@pytest_twisted.ensureDeferred
async def test_nor_is_it_where_it_is_no_http(
    start_provserver: Starter, tmp_path: Path, logged: list[str]
) -> None:
    (tmp_path / "logs").mkdir()
    service = Blurters(f"{NEW} {OLD} {OTHER}\r\n\r\n".encode(), hangs_up=True)
    server = await start_provserver(
        settings=[*settings(tmp_path, [service.url()]), "logging.etatrans=true"], logs=tmp_path / "logs"
    )
    places = await all_places(server, tmp_path, logged)
    assert b"Compass" in service.heard
    assert "no HTTP answer" in places["log"]
    demand_hidden(places)
    await service.stop()
