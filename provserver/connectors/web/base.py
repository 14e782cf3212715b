"""What the connectors for web services have in common: a session that is looked at before it is used."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from provserver.connectors.contract import (
    Accepts,
    ConnectorFailure,
    Fold,
    Security,
    keep_as_is,
)
from provserver.connectors.web import failures
from provserver.connectors.web.calling import ANSWER_LIMIT, Answer, Call, Calls, Unanswered
from provserver.connectors.web.login import Login, Session
from provserver.connectors.web.place import Place


class WebConnector:
    """A line to one service. Whoever derives from it says what a check is."""

    random: Callable[[int], bytes] = staticmethod(os.urandom)
    pipeline: int = 1
    accepts: Accepts = Accepts()
    fold: Fold = staticmethod(keep_as_is)

    def __init__(self, where: str, place: Place, login: Login, reactor: Any) -> None:
        """`where`: what failures say before anything else."""
        self.security: Security = place.security
        self._where, self._place, self._login, self._reactor = where, place, login, reactor
        self._session: Session | None = None

    async def open(self, partition: str = "") -> None:
        """The service is asked whether it lets us in, whenever the connection has gone meanwhile."""
        session, self._session = self._session, None
        if session is None:
            session = Session(self._login, Calls(self._place, self._reactor))
        try:
            if not session.is_connected:
                await self._check(session)
        except BaseException:
            await session.close()
            raise
        self._session = session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _check(self, session: Session) -> None:
        """Whether the service is there, and lets us in. ConnectorFailure."""
        raise NotImplementedError

    async def _opened(self) -> Session:
        if self._session is None:
            await self.open()
        assert self._session is not None  # noqa: S101  open() has returned
        return self._session

    async def _asked(self, session: Session, call: Call, most: int = ANSWER_LIMIT) -> Answer:
        """ConnectorFailure: no answer."""
        try:
            return await session.call(call, most)
        except Unanswered as error:
            opening = session is not self._session
            failure = failures.unanswered(error, opening=opening, sending=call.body is not None)
        raise self._placed(failure)

    def _placed(self, failure: ConnectorFailure) -> ConnectorFailure:
        return failures.placed(self._where, failure)
