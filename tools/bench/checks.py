"""Does a server answer what the population says? Asked before anything is measured, on a sample."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from generator import BenchFailed
from line import Line, values_of
from population import CONTAINER_SIZE, HANDFUL, Dialect, Size
from questions import account_itself, bind_as, listing, one_account, one_account_of_its_class
from sites import Front

from provserver.ldap.messages import BindRequest, SearchRequest, SearchResultEntry
from provserver.ldap.results import ResultCode
from provserver.vault.secret import Secret

ACCOUNTS: Final = 20
CONTAINERS: Final = 3
USERS: Final = 5
WRONG: Final = Secret(b"not-the-password")


def check_front(front: Front, size: Size, randomness: random.Random) -> None:
    """BenchFailed when an answer is not what was loaded: then there is nothing to compare."""
    dialect = front.dialect
    with Line(front.port, front.reader) as line:
        for number in sample(randomness, size.accounts, ACCOUNTS):
            for wanted in (one_account(dialect, number), one_account_of_its_class(dialect, number)):
                (entry,) = demand_entries(dialect, line, wanted, 1)
                demand_account(dialect, entry, number, HANDFUL)
            (entry,) = demand_entries(dialect, line, account_itself(dialect, number), 1)
            demand_account(dialect, entry, number, len(dialect.attributes))
        for container in sample(randomness, size.accounts // CONTAINER_SIZE, CONTAINERS):
            found = demand_entries(dialect, line, listing(dialect, container), CONTAINER_SIZE)
            by_name = {entry.dn.lower(): entry for entry in found}
            for number in range(container * CONTAINER_SIZE, (container + 1) * CONTAINER_SIZE):
                name = (dialect.account_dn(number) + dialect.view).lower()
                demand_account(dialect, by_name[name], number, len(dialect.attributes))
        for user in sample(randomness, size.users, USERS):
            right = bind_as(dialect, user)
            wrong = BindRequest(right.version, right.name, WRONG)
            for request, code in ((right, ResultCode.SUCCESS), (wrong, ResultCode.INVALID_CREDENTIALS)):
                answer = line.ask(request)
                if answer.result.code is not code:
                    raise BenchFailed(
                        f"{dialect.side}: bind as {right.name}: expected {code.name}, not {answer.said}"
                    )


def demand_entries(
    dialect: Dialect, line: Line, request: SearchRequest, count: int
) -> tuple[SearchResultEntry, ...]:
    answer = line.ask(request)
    if answer.result.code is not ResultCode.SUCCESS or len(answer.entries) != count:
        raise BenchFailed(
            f"{dialect.side}: search below {request.base}: expected {count} entries, "
            f"got {len(answer.entries)} and {answer.said}"
        )
    return answer.entries


def demand_account(
    dialect: Dialect,
    entry: SearchResultEntry,
    number: int,
    attributes: int,
    changed: Mapping[str, tuple[bytes, ...]] | None = None,
) -> None:
    """The entry is this account with its first so many attributes, as loaded but for what was changed."""
    name = dialect.account_dn(number) + dialect.view
    expected = dict(list(dialect.expected(number).items())[:attributes]) | dict(changed or {})
    if entry.dn.lower() != name.lower() or dict(values_of(entry)) != expected:
        raise BenchFailed(f"{dialect.side}: {entry.dn} does not hold what {name} must")


def sample(randomness: random.Random, below: int, most: int) -> list[int]:
    return randomness.sample(range(below), min(below, most))
