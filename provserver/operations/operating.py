"""Three extended operations of our own, for administrators: deliveries tried again or given up
(`outbox_acts`), and an endpoint checked (`endpoint_checks`). Answered in JSON, so that any LDAP client can
ask.

They go on to their end although nobody waits any more: what was begun is in the journal as it ended.
"""

from __future__ import annotations

import json

from provserver.directory.access import Identity
from provserver.ldap.extended import (
    CheckEndpoint,
    DeliveriesDropped,
    DeliveriesRetried,
    DropDeliveries,
    EndpointChecked,
    RetryDeliveries,
    encode_response,
)
from provserver.ldap.messages import ExtendedResponse
from provserver.operations.asked import Asked
from provserver.operations.context import House, Line
from provserver.operations.monitor import demand_administrator
from provserver.operations.monitoring.deliveries import OUTBOX
from provserver.operations.monitoring.endpoints import ENDPOINTS
from provserver.operations.triggers import caller_on
from provserver.passwords.callers import fields_of

Operating = RetryDeliveries | DropDeliveries | CheckEndpoint


async def operate(
    request: Operating, identity: Identity, line: Line, house: House, asked: Asked
) -> ExtendedResponse:
    """Refusal INSUFFICIENT_ACCESS_RIGHTS, whatever is asked about; those of `OutboxActs` and
    `EndpointChecks`.
    """
    who = fields_of(caller_on(line, identity, asked), None, None)
    if isinstance(request, CheckEndpoint):
        demand_administrator(identity, str(ENDPOINTS))
        checked = await house.lasting.finish(house.endpoint_checks.check(request, who))
        return encode_response(EndpointChecked(json.dumps(checked)))
    demand_administrator(identity, str(OUTBOX))
    if isinstance(request, DropDeliveries):
        dropped = await house.lasting.finish(house.outbox_acts.drop(request, who))
        return encode_response(DeliveriesDropped(json.dumps(dropped)))
    retried = await house.lasting.finish(house.outbox_acts.retry(request, who))
    return encode_response(DeliveriesRetried(json.dumps(retried)))
