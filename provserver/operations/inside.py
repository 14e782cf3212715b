"""What a client asks about, as the tree has it: DN values end in the domain, an entryUUID is the eTID."""

from __future__ import annotations

from provserver.directory.computed import as_stored
from provserver.ldap.filters import And, Equality, Extensible, Filter, Not, Or
from provserver.operations.edits import Rooms


def filter_inside(asked: Filter, rooms: Rooms) -> Filter:
    """The same question about what is stored."""
    if isinstance(asked, Equality):
        asked = as_stored(asked, rooms.schema)
        if not rooms.schema.is_name_valued(asked.attribute):
            return asked
        return Equality(asked.attribute, rooms.views.inside_value(asked.value))
    if isinstance(asked, And):
        return And(tuple([filter_inside(part, rooms) for part in asked.parts]))
    if isinstance(asked, Or):
        return Or(tuple([filter_inside(part, rooms) for part in asked.parts]))
    if isinstance(asked, Not):
        return Not(filter_inside(asked.part, rooms))
    if isinstance(asked, Extensible) and asked.attribute and rooms.schema.is_name_valued(asked.attribute):
        value = rooms.views.inside_value(asked.value)
        return Extensible(asked.rule, asked.attribute, value, asked.dn_attributes)
    return asked
