"""The oldest lines of the change log and of the journal removed, a few at a time."""

from __future__ import annotations

from typing import Final

from provserver.storage import statements as sql
from provserver.storage.contract import Pruned
from provserver.storage.database import Database

AT_ONCE: Final = 500
"""Lines of each in one transaction: some milliseconds."""


class Pruning:
    """Inside the writer's transaction. A log is cut at its start and has no gaps: what is younger than a line
    that stays, stays too. Its last line always does.
    """

    def __init__(self, database: Database) -> None:
        self._execute = database.writing.execute

    def prune(self, journal_before: float, changes_before: float) -> Pruned:
        """One batch."""
        changes = self._cut(sql.FIRST_CHANGES, changes_before)
        if changes:
            self._execute(sql.KEEP_BEGINNING)
            changes = self._execute(sql.PRUNE_CHANGES, (changes,)).rowcount
        journal = self._cut(sql.FIRST_JOURNAL, journal_before)
        if journal:
            journal = self._execute(sql.PRUNE_JOURNAL, (journal,)).rowcount
        return Pruned(journal, changes)

    def _cut(self, first_lines: str, before: float) -> int:
        """The number of the last line that goes; 0: none does."""
        cut = 0
        for sequence, at in self._execute(first_lines, (AT_ONCE,)).fetchall():
            if at >= before:
                break
            cut = sequence
        return cut
