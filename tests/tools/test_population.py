"""The front's data: the same on both sides, and what the checks expect is what the LDIF says."""

from __future__ import annotations

import population
import pytest
from population import HANDFUL, LOGON, NAME, TITLE, Dialect, Size

from provserver.directory.ldif import read_ldif
from provserver.foundation import load_schema

SIZE = Size(accounts=250, users=3)
DIALECTS = [population.OUR_DIALECT, population.SLAPD_DIALECT]
both = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.side)


def records(dialect: Dialect) -> list[tuple[str, dict[str, list[bytes]]]]:
    lines = "".join(dialect.ldif(SIZE)).encode().splitlines(keepends=True)
    found = []
    for record in read_ldif(lines):
        attributes: dict[str, list[bytes]] = {}
        for description, values in record.attributes:
            attributes.setdefault(description.lower(), []).extend(values)
        found.append((record.dn, attributes))
    return found


@both
def test_the_ldif_has_every_container_account_and_user_once(dialect: Dialect) -> None:
    names = [dn for dn, _ in records(dialect)]
    assert len(names) == len(set(names)) == 3 + SIZE.accounts + SIZE.users
    assert {dialect.account_dn(number) for number in range(SIZE.accounts)} < set(names)
    assert {dialect.user_dn(user) for user in range(SIZE.users)} < set(names)


@both
def test_an_account_holds_what_is_expected_of_it(dialect: Dialect) -> None:
    loaded = dict(records(dialect))
    for number in (0, 99, 100, 249):
        attributes = loaded[dialect.account_dn(number)]
        assert attributes.pop("objectclass") == [dialect.account_class.encode()]
        assert {key: tuple(values) for key, values in attributes.items()} == dict(dialect.expected(number))


@both
def test_an_account_has_fifteen_values_of_twenty_bytes(dialect: Dialect) -> None:
    values = [value for one in dialect.expected(123_456).values() for value in one]
    assert len(values) == len(set(values)) == 15
    assert {len(value) for value in values} == {20}


def test_both_sides_index_the_same_four_of_the_fifteen() -> None:
    """Otherwise one side would write more index at each load."""
    indexed = load_schema().indexed
    ours = [name.lower() in indexed for name in population.OUR_DIALECT.attributes]
    told = {line.split()[0].lower() for line in population.SLAPD_INDEXES}
    slapds = [name.lower() in told for name in population.SLAPD_DIALECT.attributes]
    assert ours == slapds
    assert sum(ours) == 4
    assert ours[NAME]
    assert ours[LOGON]
    assert not ours[TITLE]
    assert TITLE < HANDFUL
