"""Add, modify and delete of the tree (RFC 4511 4.6-4.8): one edit, one commit.

A modify that touches a trigger attribute is no tree operation: `triggers` has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from provserver.directory.access import Identity, may_write
from provserver.directory.names import DN
from provserver.imps.messages import Message
from provserver.ldap.messages import AddRequest, DeleteRequest, ModifyDNRequest, ModifyRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.context import House, Line, demand_confidentiality
from provserver.operations.edits import Edits
from provserver.storage.contract import Conflict

_TRIES: Final = 20
"""Conflicts that one request may lose before it is told that the server is busy."""


async def add(request: AddRequest, identity: Identity, line: Line, house: House) -> Result:
    _demand_confidentiality([attribute.description for attribute in request.attributes], line, house)
    dn = _writable(request.dn, "add", identity, house)
    attributes = [(attribute.description, attribute.values) for attribute in request.attributes]
    return await _committed(house, identity, lambda edits: edits.add(dn, attributes))


async def modify(request: ModifyRequest, identity: Identity, line: Line, house: House) -> Result:
    _demand_confidentiality([change.attribute.description for change in request.changes], line, house)
    dn = _writable(request.dn, "modify", identity, house)
    changes = [(int(c.kind), c.attribute.description, c.attribute.values) for c in request.changes]
    return await _committed(house, identity, lambda edits: edits.modify(dn, changes))


async def delete(request: DeleteRequest, identity: Identity, house: House) -> Result:
    dn = _writable(request.dn, "delete", identity, house)
    if dn == house.rooms.views.domain:
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "the domain itself cannot be deleted")
    return await _committed(house, identity, lambda edits: edits.delete(dn))


async def rename(request: ModifyDNRequest, identity: Identity, house: House) -> Result:
    _writable(request.dn, "rename", identity, house)
    raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "renaming entries is not supported yet")


def _demand_confidentiality(descriptions: Sequence[str], line: Line, house: House) -> None:
    """A new user's password and an endpoint's secrets travel no less protected than triggers."""
    if any(house.rooms.schema.hides(description) for description in descriptions):
        demand_confidentiality(line, house)


def _writable(text: str, what: str, identity: Identity, house: House) -> DN:
    dn, _ = house.rooms.views.resolve(text)
    if not may_write(identity, dn):
        raise Refusal(
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
            Message.NOT_ALLOWED.say(who=identity.name(), what=what, dn=str(dn)),
        )
    return dn


async def _committed(house: House, identity: Identity, edit: Callable[[Edits], Awaitable[object]]) -> Result:
    """The edit on what is there now, again when somebody else was faster."""
    for _ in range(_TRIES):
        edits = Edits(house.rooms, str(identity.dn))
        await edit(edits)
        if not len(edits):
            return SUCCESS
        try:
            await house.rooms.store.commit(edits.commit())
        except Conflict:
            continue
        return SUCCESS
    raise Refusal(ResultCode.BUSY, "others keep changing this entry: try again")
