"""Whether an endpoint's entry makes sense: asked before it is written (`operations.meanings`).

What a connector says of its settings when it is made, it says here first, so that it is the administrator
who reads it and not somebody whose password waits. What becomes wrong later (a connector that was
uninstalled) holds that endpoint's deliveries, and no others.
"""

from __future__ import annotations

from collections.abc import Callable

from provserver.directory.entries import Entry
from provserver.imps.endpoints import Endpoint, problem_of_endpoint, read_endpoint
from provserver.vault.sealing import SealBroken


def sense_of_endpoint(make: Callable[[Endpoint], object]) -> Callable[[Entry], str | None]:
    """Says what is wrong with an endpoint that is about to be written, and what was expected; None: nothing.

    `make` makes its connector. LookupError, ValueError: there can be none.
    """

    def problem_of(entry: Entry) -> str | None:
        problem = problem_of_endpoint(entry)
        if problem is not None or not entry.text("provconnector"):
            return problem
        try:
            make(read_endpoint(entry))
        except (LookupError, ValueError) as error:
            return f"provConnector, provSetting or provSecret: {error}"
        except SealBroken:
            return None  # of secrets that were there before: not what is written now
        return None

    return problem_of
