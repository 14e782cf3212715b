"""LDIF records into the tree, through the same edits as LDAP's own add, modify and delete."""

from __future__ import annotations

from provserver.directory.ldif import LdifRecord
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Edits, Rooms


async def apply(record: LdifRecord, edits: Edits, rooms: Rooms) -> None:
    """One record onto the edits. Refusal says what is wrong with it; then nothing of it is in the edits."""
    dn, _ = rooms.views.resolve(record.dn)
    if record.kind == "add":
        await edits.add(dn, record.attributes)
    elif record.kind == "modify":
        await edits.modify(dn, record.changes)
    elif record.kind == "delete":
        await edits.delete(dn)
    else:
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, f"changetype {record.kind} is not supported yet")
