"""Requests to explore an endpoint (`exploring`), and to check the inclusions: the latter, and explorations
whose progress is told, are extended operations of our own, for administrators, answered in JSON.
"""

from __future__ import annotations

import json

from provserver.directory.access import Identity
from provserver.ldap.codec import enveloped
from provserver.ldap.controls import ManageDsaIT, ProxiedAuthorization
from provserver.ldap.extended import (
    CheckTree,
    EndpointExplored,
    ExploreEndpoint,
    TreeChecked,
    encode_response,
)
from provserver.ldap.messages import ExtendedResponse, SearchRequest
from provserver.ldap.results import Result
from provserver.operations.asked import Asked
from provserver.operations.context import House, Line
from provserver.operations.monitor import demand_administrator
from provserver.operations.selection import Selection
from provserver.operations.triggers import caller_on
from provserver.passwords.callers import fields_of


async def explore_by_search(
    message_id: int,
    request: SearchRequest,
    selection: Selection,
    identity: Identity,
    line: Line,
    house: House,
    asked: Asked,
) -> Result:
    """Explore, and send the entry. Refusal UNAVAILABLE_CRITICAL_EXTENSION; those of `Exploring.by_search`."""
    asked.demand_only(ManageDsaIT, ProxiedAuthorization, why="an exploration goes without it")
    who = fields_of(caller_on(line, identity, asked), None, None)
    result, encoded = await house.exploring.by_search(request, selection, identity, who)
    if encoded:
        line.send(enveloped(message_id, encoded))
    return result


async def explore_or_check(
    request: ExploreEndpoint | CheckTree, identity: Identity, line: Line, house: House, asked: Asked
) -> ExtendedResponse:
    """Refusal INSUFFICIENT_ACCESS_RIGHTS, whatever is asked about; those of `Exploring`."""
    demand_administrator(identity, str(house.rooms.views.domain))
    who = fields_of(caller_on(line, identity, asked), None, None)
    if isinstance(request, CheckTree):
        checking = house.exploring.explorations.check(who, repair=request.repair)
        return encode_response(TreeChecked(json.dumps(await house.lasting.finish(checking))))
    return encode_response(EndpointExplored(json.dumps(await house.exploring.explore(request, who))))
