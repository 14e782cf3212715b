"""Brings the index of an opened store in line with the schema: what is indexed, and by which equality rule.

Site files can add types, names and rules between two openings; an index by yesterday's rule would miss
entries.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from provserver.directory.schema import Schema
from provserver.storage import statements as sql
from provserver.storage.database import Database
from provserver.storage.postings import Postings
from provserver.storage.tree import read_row

_STEP: Final = 256


def index_by(schema: Schema, database: Database) -> Postings:
    """The postings for this schema; those that are missing or were made by another rule are made first.

    Reads the whole tree, a step at a time, when there is anything to make; all of it is one transaction.
    """
    wanted = {key: _rule(schema, key) for key in schema.indexed}
    execute = database.writing.execute
    known = {key: (number, rule) for key, number, rule in execute(sql.INDEXED)}
    if {key: rule for key, (_, rule) in known.items()} == wanted:
        return Postings(schema, _numbers(database))
    execute("BEGIN IMMEDIATE")
    try:
        numbers = {number for number, _ in known.values()}
        for key, (number, rule) in known.items():
            if wanted.get(key) != rule:
                execute(sql.DELETE_POSTINGS, (number,))
                execute(sql.DELETE_INDEXED, (number,))
        free = max(numbers, default=0) + 1
        new = sorted(key for key, rule in wanted.items() if known.get(key, (0, None))[1] != rule)
        for number, key in enumerate(new, free):
            execute(sql.INSERT_INDEXED, (key, number, wanted[key]))
        postings = Postings(schema, _numbers(database))
        _fill(postings, database, range(free, free + len(new)))
        execute("COMMIT")
    except BaseException:
        execute("ROLLBACK")
        raise
    return postings


def _numbers(database: Database) -> dict[str, int]:
    return {key: number for key, number, _ in database.writing.execute(sql.INDEXED)}


def _fill(postings: Postings, database: Database, numbers: range) -> None:
    after = 0
    while rows := database.writing.execute(sql.ENTRIES_AFTER, (after, _STEP)).fetchall():
        for row in rows:
            record = read_row(row)
            terms = [(*term, record.seq) for term in postings.of(record.entry) if term[0] in numbers]
            database.writing.executemany(sql.INSERT_POSTING, terms)
        after = rows[-1][0]


def _rule(schema: Schema, key: str) -> str:
    """What an attribute's terms depend on: its rule, its syntax; for identifiers, all names of the schema."""
    type = schema.attribute_types[key]
    rule = type.equality.name if type.equality is not None else ""
    if "objectidentifier" in rule.lower():
        names = blake2b(digest_size=16)
        for known in schema.attribute_types.values():
            names.update(" ".join((known.key, known.oid, *known.names, "\n")).encode())
        for kind in schema.object_classes.values():
            names.update(" ".join((kind.key, kind.oid, *kind.names, "\n")).encode())
        rule += " " + names.hexdigest()
    return f"{rule} {type.syntax.oid}"
