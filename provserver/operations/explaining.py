"""Two extended operations of our own, for administrators: why an account's password goes where it goes, and
the echo guard of an account cleared (`passwords.explaining`, `passwords.clearing`).

Both name the account by its DN under any suffix or as `Namespace:Directory:name`, and are answered with the
explanation as JSON, so that any LDAP client can ask.
"""

from __future__ import annotations

import json

from provserver.directory.access import Identity
from provserver.directory.names import DN
from provserver.imps.accounts import account_of, read_account_name
from provserver.ldap.extended import ClearGuard, Explain, Explained, GuardCleared, encode_response
from provserver.ldap.messages import ExtendedResponse
from provserver.operations.asked import Asked
from provserver.operations.context import House, Line
from provserver.operations.monitor import demand_administrator
from provserver.operations.triggers import caller_on
from provserver.passwords.callers import fields_of


async def explain(request: Explain, identity: Identity, house: House) -> ExtendedResponse:
    """Refusal INSUFFICIENT_ACCESS_RIGHTS, whether or not there is such an account; those of
    `imps.accounts` and of `Explainer`.
    """
    dn = await _account(request, identity, house)
    return encode_response(Explained(json.dumps(await house.explainer.explain(dn))))


async def clear_guard(
    request: ClearGuard, identity: Identity, line: Line, house: House, asked: Asked
) -> ExtendedResponse:
    """As `explain`, when it is done; Refusal BUSY."""
    dn = await _account(request, identity, house)
    who = fields_of(caller_on(line, identity, asked), None, None)
    cleared = await house.lasting.finish(house.clearing.clear(dn, who))
    explanation = {"cleared": cleared, **await house.explainer.explain(dn)}
    return encode_response(GuardCleared(json.dumps(explanation)))


async def _account(request: Explain, identity: Identity, house: House) -> DN:
    name = read_account_name(request.account, house.rooms.views)
    demand_administrator(identity, str(name))
    return await account_of(name, house.rooms.views, house.rooms.store)
