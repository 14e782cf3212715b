"""Every result code on every path that leads to it, and the clause that asks for it.

The rows are in the modules beside this one, by operation. That no refusal of the code is without a row is
shown in test_refusals.py, what is answered to octets that are no request in test_notices.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import pytest_twisted
from asking import Row
from bind_rows import crowd
from scenes import Scenes
from tables import ROWS, TABLES
from twisted.internet.defer import ensureDeferred

from provserver.ldap.extended import WhoAmI, encode_request
from provserver.ldap.results import ResultCode
from provserver.testing.wire import Told, WireClient

C = ResultCode
ENDS_WELL = frozenset({C.SUCCESS, C.COMPARE_TRUE, C.COMPARE_FALSE})
NAMES_WHAT_MATCHED = frozenset(
    {C.NO_SUCH_OBJECT, C.INVALID_DN_SYNTAX, C.ALIAS_PROBLEM, C.ALIAS_DEREFERENCING_PROBLEM}
)
"""RFC 4511 4.1.9: with others matchedDN is empty."""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    made = Scenes(tmp_path_factory.mktemp("scenes"))
    yield made
    pytest_twisted.blockon(ensureDeferred(made.close()))


def test_no_two_rows_are_about_the_same() -> None:
    assert len(ROWS) == sum(map(len, TABLES.values()))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
@pytest_twisted.ensureDeferred
async def test_the_result_is_the_one_of_the_clause(scenes: Scenes, row: Row) -> None:
    answered = await scenes.ask(row)
    told = answered.told
    assert told.code is row.code, told
    assert row.text in told.text, told
    if row.code not in ENDS_WELL:
        assert row.text or row.quiet
        assert told.text, "a refusal says why"
        assert told.text.isprintable()
        assert row.changes or not answered.changed, "what is refused changes nothing"
    if row.code not in NAMES_WHAT_MATCHED:
        assert told.result.matched_dn == ""
    assert bool(told.result.referrals) is (row.code is C.REFERRAL)
    if row.control is not None:
        assert told.control(type(row.control)) == row.control
    assert not answered.notices, "the connection goes on"


FAILED_BINDS = {
    name: row
    for name, row in ROWS.items()
    if row.code is not C.SUCCESS
    and row.ask is not crowd  # on lines of its own
    and (name.startswith(("bind:", "SASL bind:")) or name.endswith(", bind"))
}


@pytest.mark.parametrize("row", FAILED_BINDS.values(), ids=FAILED_BINDS.keys())
@pytest_twisted.ensureDeferred
async def test_a_bind_that_fails_leaves_nobody_bound(scenes: Scenes, row: Row) -> None:
    """RFC 4511 4.2.1, RFC 4513 4: whoever was bound before, and whatever is wrong with the bind."""

    async def ask(client: WireClient) -> Told:
        told = await row.ask(client)
        assert told.code is row.code
        return await client.ask(encode_request(WhoAmI()))

    answered = await scenes.ask(replace(row, who="etaadmin", ask=ask))
    assert answered.told.value == b""
