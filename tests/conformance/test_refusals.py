"""Each place in the code that refuses a client is reached by a row of the tables, and each result code is in
one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from refusal_sites import Site, reached, sites
from scenes import Scenes
from tables import ROWS

from provserver.ldap.controls import SortResult, ViewResult
from provserver.ldap.results import ResultCode

C = ResultCode

NOT_REACHED: dict[tuple[str, str], str] = {
    ("directory/classes.py", "expected names of classes"): "the syntax of objectClass has refused it before",
    ("directory/schema.py", "its values cannot be compared"): "an index asks, and then does without",
    ("directory/schema.py", "{type.name}: expected {error}"): "an index asks, and then does without",
    ("directory/tree.py", "the root of the tree"): "the root is below none of our suffixes: 32 before",
    ("directory/tree.py", "a change of kind 0, 1, 2 or 3"): "the wire knows no others: a notice before",
    ("storage/transactions.py", "the root is no entry"): "the root is below none of our suffixes: 32 before",
    (
        "operations/aliases.py",
        "alias, 'names no entry') from",
    ): "the syntax of aliasedObjectName has refused it",
    (
        "operations/cancel.py",
        "it ended at the same moment",
    ): "a read that is called off ends with nothing else",
}
"""Places, by module and a part of their text, and why no client is refused there."""

NEVER_SAID: dict[ResultCode, str] = {
    C.STRONGER_AUTH_REQUIRED: "what is not protected enough is told 13 (RFC 4511 A.2)",
    C.SASL_BIND_IN_PROGRESS: "each of our mechanisms has one step",
}


def test_every_code_is_in_a_row_or_never_said() -> None:
    said = {row.code for row in ROWS.values()}
    inside = {row.control.code for row in ROWS.values() if isinstance(row.control, SortResult | ViewResult)}
    assert (said | inside) ^ set(NEVER_SAID) == set(ResultCode)


def exempt(site: Site) -> bool:
    return any(site.module == module and text in site.text for module, text in NOT_REACHED)


@pytest.mark.sources
@pytest_twisted.ensureDeferred
async def test_every_refusal_is_reached_by_a_row(tmp_path: Path) -> None:
    scenes = Scenes(tmp_path)
    with reached() as lines:
        for row in ROWS.values():
            await scenes.ask(row)
    await scenes.close()
    found = {site: site.is_among(lines) for site in sites()}
    assert "\n".join([str(site) for site, hit in found.items() if not hit and not exempt(site)]) == ""
    assert "\n".join([str(site) for site, hit in found.items() if hit and exempt(site)]) == ""


@pytest.mark.parametrize("place", NOT_REACHED, ids=" ".join)
def test_what_is_left_out_is_still_there(place: tuple[str, str]) -> None:
    module, text = place
    assert [site for site in sites() if site.module == module and text in site.text]
