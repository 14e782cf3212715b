"""Add, modify, delete and rename in the tree (RFC 4511 4.6-4.9), and the deletion of whole trees: one
request, one commit.

A modify that touches a trigger attribute is no tree operation: `triggers` has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import replace
from typing import Final

from provserver.directory.access import Identity, may_write
from provserver.directory.names import DN
from provserver.imps.messages import Message
from provserver.imps.views import View
from provserver.journal.events import Event, event
from provserver.ldap.controls import TreeDelete
from provserver.ldap.messages import AddRequest, DeleteRequest, ModifyDNRequest, ModifyRequest
from provserver.ldap.results import SUCCESS, Refusal, Result, ResultCode
from provserver.operations.asked import NOTHING_ASKED, Asked
from provserver.operations.conditions import Conditions
from provserver.operations.context import House, Line, demand_confidentiality
from provserver.operations.edits import Edits
from provserver.operations.proxying import asker_of
from provserver.operations.renaming import one_rdn, renaming
from provserver.operations.triggers import caller_on
from provserver.passwords.callers import fields_of
from provserver.storage.contract import Commit, Conflict, Move, Remove

_TRIES: Final = 20
"""Conflicts that one request may lose before it is told that the server is busy."""
_GROWN: Final = frozenset({ResultCode.NOT_ALLOWED_ON_NON_LEAF, ResultCode.NO_SUCH_OBJECT})
"""What a store says when others added to a tree, or took from it, while it was looked through."""


async def add(
    request: AddRequest, identity: Identity, line: Line, house: House, asked: Asked = NOTHING_ASKED
) -> Result:
    _demand_confidentiality([attribute.description for attribute in request.attributes], line, house)
    dn, view = _writable(request.dn, "add", identity, house)
    conditions = Conditions(asked, identity, view, house.rooms)
    attributes = [(attribute.description, attribute.values) for attribute in request.attributes]

    async def edit(edits: Edits) -> None:
        conditions.added(await edits.add(dn, attributes))

    return await _edited(house, identity, conditions, edit)


async def modify(
    request: ModifyRequest, identity: Identity, line: Line, house: House, asked: Asked = NOTHING_ASKED
) -> Result:
    _demand_confidentiality([change.attribute.description for change in request.changes], line, house)
    dn, view = _writable(request.dn, "modify", identity, house)
    conditions = Conditions(asked, identity, view, house.rooms)
    changes = [(int(c.kind), c.attribute.description, c.attribute.values) for c in request.changes]

    async def edit(edits: Edits) -> None:
        before = await edits.read(dn)
        await conditions.before(before)
        after = await edits.modify(dn, changes)
        conditions.after(after)
        edits.pausing(before, after, lambda: fields_of(caller_on(line, identity, asked), None, None))

    return await _edited(house, identity, conditions, edit)


async def delete(
    request: DeleteRequest, identity: Identity, house: House, asked: Asked = NOTHING_ASKED
) -> Result:
    """Delete a leaf; with the tree delete control as `delete_tree`."""
    if asked.get(TreeDelete) is not None:
        return await delete_tree(request.dn, identity, house, asked)
    dn, view = _deletable(request.dn, identity, house)
    conditions = Conditions(asked, identity, view, house.rooms)

    async def edit(edits: Edits) -> None:
        await conditions.before(await edits.read(dn))
        await edits.delete(dn)

    return await _edited(house, identity, conditions, edit)


async def delete_tree(text: str, identity: Identity, house: House, asked: Asked = NOTHING_ASKED) -> Result:
    """Delete an entry and all that is below it, at once or not at all: a delete with the control
    1.2.840.113556.1.4.805 (draft-armijo-ldap-treedelete). Never the tree that the caller's own entry is in.
    """
    dn, view = _deletable(text, identity, house)
    if identity.dn is not None and identity.dn.is_within(dn):
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "a tree with your own entry in it cannot be deleted")
    conditions = Conditions(asked, identity, view, house.rooms)

    async def edit(edits: Edits) -> None:
        await conditions.before(await edits.read(dn))
        await edits.delete_tree(dn)

    return await _edited(house, identity, conditions, edit, again=_GROWN)


async def rename(
    request: ModifyDNRequest, identity: Identity, house: House, asked: Asked = NOTHING_ASKED
) -> Result:
    """Modify DN, with or without a new superior, of a leaf or of a whole subtree (`renaming`)."""
    rooms = house.rooms
    dn, view = _writable(request.dn, "rename", identity, house)
    superior = dn.parent
    if request.new_superior is not None:
        superior, _ = _writable(request.new_superior, "move entries below", identity, house)
    if dn == rooms.views.domain or superior is None:
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "the domain itself cannot be renamed")
    above, rdn = superior, one_rdn(request.new_rdn)
    by, delete_old = str(identity.dn), request.delete_old_rdn
    conditions = Conditions(asked, identity, view, rooms)

    async def make() -> Commit:
        await conditions.before(await rooms.store.read(dn))
        commit = await renaming(rooms, by, dn, rdn, above, delete_old=delete_old)
        move = commit.writes[0]
        assert isinstance(move, Move)  # noqa: S101 -- `renaming` says so
        conditions.after(move.entry)
        return commit

    return await _committed(house, identity, conditions, make)


def _demand_confidentiality(descriptions: Sequence[str], line: Line, house: House) -> None:
    """A new user's password and an endpoint's secrets travel no less protected than triggers."""
    if any(house.rooms.schema.hides(description) for description in descriptions):
        demand_confidentiality(line, house)


def _deletable(text: str, identity: Identity, house: House) -> tuple[DN, View]:
    dn, view = _writable(text, "delete", identity, house)
    if dn == house.rooms.views.domain:
        raise Refusal(ResultCode.UNWILLING_TO_PERFORM, "the domain itself cannot be deleted")
    return dn, view


def _writable(text: str, what: str, identity: Identity, house: House) -> tuple[DN, View]:
    dn, view = house.rooms.views.resolve(text)
    if not may_write(identity, dn):
        raise Refusal(
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
            Message.NOT_ALLOWED.say(who=identity.name(), what=what, dn=str(dn)),
        )
    return dn, view


async def _edited(
    house: House,
    identity: Identity,
    conditions: Conditions,
    edit: Callable[[Edits], Awaitable[None]],
    *,
    again: Container[ResultCode] = (),
) -> Result:
    async def make() -> Commit:
        edits = Edits(house.rooms, str(identity.dn))
        await edit(edits)
        return edits.commit()

    return await _committed(house, identity, conditions, make, again=again)


async def _committed(
    house: House,
    identity: Identity,
    conditions: Conditions,
    make: Callable[[], Awaitable[Commit]],
    *,
    again: Container[ResultCode] = (),
) -> Result:
    """A commit made of what is there now, made again when somebody else was faster: on a Conflict, or when
    the store refuses with one of `again`.
    """
    for _ in range(_TRIES):
        commit = conditions.bound(await make())
        try:
            if commit.writes:
                await house.rooms.store.commit(_witnessed(commit, identity))
                house.requests.committed(commit, conditions.cause)
        except Conflict:
            continue
        except Refusal as refusal:
            if refusal.code not in again:
                raise
            continue
        await conditions.answer()
        return SUCCESS
    raise Refusal(ResultCode.BUSY, "others keep changing this entry: try again")


def _witnessed(commit: Commit, identity: Identity) -> Commit:
    """What somebody does as another one is in the journal: the change log has only whom it was done as."""
    asker = asker_of(identity)
    if asker is None:
        return commit
    names = [str(write.dn if isinstance(write, Remove) else write.entry.dn) for write in commit.writes[:1]]
    fields = {"by": commit.by, "asked by": str(asker), "entry": "".join(names)}
    text = f"The tree was changed by {identity.name()}"
    return replace(commit, journal=(*commit.journal, event(commit.at, Event.TREE_CHANGED, text, fields)))
