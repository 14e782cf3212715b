"""Operations that their client calls off (RFC 3909), as the server around them sees it."""

from __future__ import annotations

import contextlib

import pytest
from twisted.internet.defer import CancelledError, Deferred
from wire_stage import COMPARE, DELETE, Stage, success

from provserver.ldap.messages import (
    AbandonRequest,
    Message,
)
from provserver.ldap.results import ResultCode
from provserver.ldap.server import Connection


@pytest.fixture
def stage() -> Stage:
    return Stage()


def recalled(stage: Stage, message_id: int) -> list[bool]:
    """What is found out about it, when it is."""
    ended: list[bool] = []
    stage.connection.recall(message_id).addCallback(ended.append)
    return ended


def test_an_operation_that_is_called_off_ends_with_canceled(stage: Stage) -> None:
    stage.wait(1)
    stage.ask(COMPARE, DELETE)
    assert stage.connection.in_progress(1) == COMPARE
    assert stage.connection.in_progress(2) is None, "it is over"
    assert recalled(stage, 1) == [True]
    assert stage.happened[-1] == "1 cancelled"
    deleted, called_off = stage.answers()
    assert (deleted.id, called_off.id) == (2, 1)
    assert called_off.operation.result.code is ResultCode.CANCELED
    stage.script.clear()
    stage.ask(COMPARE)
    assert stage.answered() == [1], "its id is free"


def test_one_that_tidies_up_first_is_answered_when_it_has(stage: Stage) -> None:
    broom: Deferred[None] = Deferred()

    async def tidies(connection: Connection, message: Message) -> bytes:
        try:
            return await Deferred()
        finally:
            await broom

    stage.script[1] = tidies
    stage.ask(COMPARE)
    ended = recalled(stage, 1)
    assert (ended, stage.answers()) == ([], [])
    assert stage.connection.in_progress(1) is None, "it cannot be called off twice"
    broom.callback(None)
    assert ended == [True]
    assert stage.answers()[0].operation.result.code is ResultCode.CANCELED


def test_one_that_ends_all_the_same_is_answered_as_it_ended(stage: Stage) -> None:
    async def stubborn(connection: Connection, message: Message) -> bytes:
        with contextlib.suppress(CancelledError):
            await Deferred()
        return success(message)

    stage.script[1] = stubborn
    stage.ask(COMPARE)
    assert recalled(stage, 1) == [False]
    assert stage.answers()[0].operation.result.code is ResultCode.SUCCESS


def test_one_that_is_called_off_and_then_abandoned_is_not_answered(stage: Stage) -> None:
    broom: Deferred[None] = Deferred()

    async def tidies(connection: Connection, message: Message) -> bytes:
        try:
            return await Deferred()
        finally:
            await broom

    stage.script[1] = tidies
    stage.ask(COMPARE)
    ended = recalled(stage, 1)
    stage.ask(AbandonRequest(1), start=2)
    broom.callback(None)
    assert len(ended) == 1
    assert stage.answers() == []
