"""LDIF records into the tree, through the same edits as LDAP's own add, modify, delete and rename."""

from __future__ import annotations

from provserver.directory.ldif import LdifRecord
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Edits, Rooms
from provserver.operations.renaming import one_rdn, renaming
from provserver.storage.contract import Commit


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
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM, f"changetype {record.kind} cannot be part of one commit"
        )


async def commit_of(record: LdifRecord, rooms: Rooms, by: str) -> Commit:
    """One record by itself, a rename too, as what is to be committed. Refusal."""
    if record.new_rdn is not None:
        return await _rename(record, record.new_rdn, rooms, by)
    edits = Edits(rooms, by)
    await apply(record, edits, rooms)
    return edits.commit()


async def _rename(record: LdifRecord, new_rdn: str, rooms: Rooms, by: str) -> Commit:
    dn, _ = rooms.views.resolve(record.dn)
    above = rooms.views.resolve(record.new_superior)[0] if record.new_superior is not None else dn.parent
    if dn == rooms.views.domain or above is None:
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "the domain itself cannot be renamed")
    return await renaming(rooms, by, dn, one_rdn(new_rdn), above, delete_old=record.delete_old_rdn)
