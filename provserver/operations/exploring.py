"""Explorations as clients ask for them: by a search of an endpoint that asks for `eTExplore…` attributes
(KB 50746), or with an extended operation of our own, which tells how far it is.

Whoever may write the endpoint's accounts may explore it. The answer to the search comes when the exploration
has ended, and the attributes that were asked for say what was done (ours). An exploration goes on although
the search was abandoned or its time limit has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provserver.directory.access import Identity, may_write
from provserver.directory.entries import Attribute
from provserver.directory.filtering import compile_filter
from provserver.exploration.explorations import Exploration, Explorations
from provserver.exploration.wishes import Wish, actions_of
from provserver.imps.endpoints import Endpoints
from provserver.imps.messages import Message
from provserver.ldap.codec import encode_entry
from provserver.ldap.extended import ExploreEndpoint
from provserver.ldap.messages import SearchRequest
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.edits import Rooms
from provserver.operations.endpoint_names import endpoint_named
from provserver.operations.selection import Selection
from provserver.passwords.explaining import Json

_NEWS: Final = 1.0
"""Seconds after which an exploration that goes on is told of."""


class Exploring:
    """Explorations as clients ask for them."""

    def __init__(self, rooms: Rooms, endpoints: Endpoints, explorations: Explorations) -> None:
        self._rooms = rooms
        self._endpoints = endpoints
        self.explorations: Final = explorations

    async def explore(self, asked: ExploreEndpoint, who: Mapping[str, str]) -> Mapping[str, Json]:
        """Begin an exploration, or follow one: how far it is in a second, or how it ended.

        Refusal NO_SUCH_OBJECT, UNWILLING_TO_PERFORM, CONSTRAINT_VIOLATION (no such action), BUSY.
        """
        if asked.follow is not None:
            exploration = self.explorations.known(asked.follow)
        else:
            try:
                wish = Wish(actions_of(asked.actions), asked.dry_run)
            except ValueError as error:
                raise Refusal(ResultCode.CONSTRAINT_VIOLATION, f"actions: {error}") from None
            endpoint = await endpoint_named(asked.endpoint, self._rooms, self._endpoints)
            exploration = await self.explorations.begin(endpoint, wish, who)
        await self.explorations.wait(exploration, _NEWS)
        return exploration.told()

    async def by_search(
        self, request: SearchRequest, selection: Selection, identity: Identity, who: Mapping[str, str]
    ) -> tuple[Result, bytes]:
        """Explore the search's base: the answer, and the encoded entry with what was done; empty when the
        filter does not hold. Refusal INSUFFICIENT_ACCESS_RIGHTS, UNWILLING_TO_PERFORM, NO_SUCH_OBJECT,
        TIME_LIMIT_EXCEEDED, those of an exploration that broke off.
        """
        rooms = self._rooms
        base, view = rooms.views.resolve(request.base)
        if not may_write(identity, base):
            text = Message.NOT_ALLOWED.say(who=identity.name(), what="explore", dn=str(base))
            raise Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, text)
        entry = await rooms.store.read(base)
        if entry is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, f"'{base}' does not exist")
        endpoint = await self._endpoints.of_account(base.child("cn", "any account"))
        if endpoint is None or endpoint.id != entry.id:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM,
                f"'{base}' cannot be explored: expected the name of an endpoint",
            )
        if compile_filter(request.filter, rooms.schema)(entry) is not True:
            return Result(ResultCode.SUCCESS), b""
        exploration = await self.explorations.begin(
            endpoint, Wish(actions_of(selection.explores.values())), who
        )
        if not await self.explorations.wait(exploration, float(request.time_limit)):
            raise Refusal(
                ResultCode.TIME_LIMIT_EXCEEDED,
                f"exploring '{endpoint.name}' goes on; so far {exploration.sentence()}",
            )
        if exploration.refusal is not None:
            raise exploration.refusal
        attributes = [
            *selection.of(await rooms.store.read(base) or entry, view),
            *_done(exploration, selection),
        ]
        encoded = encode_entry(entry.dn.text + view.value, attributes)
        return Result(ResultCode.SUCCESS, f"'{endpoint.name}' explored: {exploration.sentence()}"), encoded


def _done(exploration: Exploration, selection: Selection) -> list[Attribute]:
    """The attributes that were asked for, each with the counts as its value."""
    told = (exploration.sentence().encode(),)
    return [Attribute(name, told) for name in selection.explores]
