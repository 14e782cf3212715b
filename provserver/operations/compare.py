"""Compare (RFC 4511 4.10)."""

from __future__ import annotations

from provserver.directory.access import Identity, may_read
from provserver.directory.filtering import compile_filter
from provserver.imps.messages import Message
from provserver.ldap.filters import Equality
from provserver.ldap.messages import CompareRequest
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.asked import NOTHING_ASKED, Asked
from provserver.operations.conditions import demand_assertion
from provserver.operations.context import House, Line
from provserver.operations.monitor import HELD_PASSWORD_KEY, compare_held


async def compare(
    request: CompareRequest, identity: Identity, line: Line, house: House, asked: Asked = NOTHING_ASKED
) -> Result:
    """compareTrue, compareFalse, or why neither can be said."""
    rooms = house.rooms
    dn, _ = rooms.views.resolve(request.dn)
    if not may_read(identity, dn):
        raise Refusal(
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
            Message.NOT_ALLOWED.say(who=identity.name(), what="compare", dn=str(dn)),
        )
    key = rooms.schema.key(request.description)
    asks_endpoint = key == HELD_PASSWORD_KEY
    if rooms.schema.is_secret(key) and not asks_endpoint:
        raise Refusal(ResultCode.INSUFFICIENT_ACCESS_RIGHTS, f"{request.description} cannot be compared")
    entry = await rooms.store.read(dn)
    if entry is None:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, Message.OBJECT_NOT_FOUND.say(dn=str(dn)))
    demand_assertion(asked, entry, rooms)
    if asks_endpoint:
        return await compare_held(entry, request.value, identity, line, house)
    if not any(subtype in entry.attributes for subtype in rooms.schema.subtypes(key)):
        raise Refusal(ResultCode.NO_SUCH_ATTRIBUTE, f"{request.description} has no value")
    value = request.value
    if rooms.schema.is_name_valued(request.description):
        value = rooms.views.inside_value(value)
    verdict = compile_filter(Equality(request.description, value), rooms.schema)(entry)
    if verdict is None:
        if rooms.schema.type_of(key).comparable is None:
            raise Refusal(ResultCode.INAPPROPRIATE_MATCHING, f"{request.description} cannot be compared")
        text = f"{request.description} cannot have this value"
        raise Refusal(ResultCode.INVALID_ATTRIBUTE_SYNTAX, text)
    return Result(ResultCode.COMPARE_TRUE if verdict else ResultCode.COMPARE_FALSE)
