"""Entries that mean something to the server are looked at by whoever owns the meaning, before they are
written.

Values obey their types, and entries their classes, by the schema. Whether what they say together makes sense
only their reader knows: the Password Profile, a config parameter. `foundation` puts the readers together, and
`Edits` asks them about every entry that is added or changed, however it comes. A rename needs no such look:
what has a meaning stays where it is (`placement`). (Ours.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from provserver.directory.entries import Entry
from provserver.directory.tree import STRUCTURAL_KEY
from provserver.ldap.results import Refusal, ResultCode

Meanings = Mapping[str, Callable[[Entry], str | None]]
"""By the name of a structural object class: says what is wrong with an entry of it, and what was expected;
None: nothing.
"""


def demand_sense(entry: Entry, meanings: Meanings, before: Entry | None = None) -> None:
    """Refusal CONSTRAINT_VIOLATION: whoever reads the entry could do nothing with it. What was wrong in the
    same way `before` is not this change's fault: an endpoint whose connector was uninstalled can be paused.
    """
    problem_of = meanings.get(entry.text(STRUCTURAL_KEY))
    problem = problem_of(entry) if problem_of is not None else None
    if problem_of is not None and problem is not None:
        if before is not None and problem_of(before) == problem:
            return
        raise Refusal(ResultCode.CONSTRAINT_VIOLATION, problem)
