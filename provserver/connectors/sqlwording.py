"""What is executed in a database: a column of a table is set, or a statement of one's own runs.

Values are bound, whatever they are; only the names of tables and columns become part of a statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from provserver.connectors.contract import Account, ObjectMissing, SettingsError
from provserver.connectors.registry import Settings

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable
    from sqlalchemy.sql.expression import ColumnClause, TableClause

SETTING_NAMES: Final[Mapping[str, str]] = {
    "table": "the table, or schema.table; with account_column and password_column, instead of statement",
    "account_column": "the column with the account's name",
    "password_column": "the column with the password",
    "attributes": "further columns that an exploration reads, with commas between them",
    "statement": "what sets a password, instead of a table. Bound: :name, :password, :must_change and "
    ":unlock (1 or 0), and by its name any attribute of the account",
    "confirm": "rows (the default): the statement has changed one row, or the account is missing; none: what "
    "raises no error was done (stored procedures)",
    "accounts": "the query that lists accounts where there is no table: the name first, then attributes",
}


class Confirm(Enum):
    ROWS = "rows"
    NONE = "none"


_OWN_PARAMETERS: Final = frozenset(("name", "password", "must_change", "unlock"))


@dataclass(frozen=True, slots=True)
class Columns:
    """A table with its columns."""

    table: TableClause
    account: ColumnClause[str]
    password: ColumnClause[str]
    attributes: tuple[ColumnClause[Any], ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """What is executed. Values are bound, whatever they are; only names of tables and columns are text."""

    setting: Executable
    places: frozenset[str]
    """The statement's parameters beyond ours: attributes of the account."""
    confirm: Confirm
    columns: Columns | None
    accounts: Executable | None
    own: frozenset[str] = _OWN_PARAMETERS

    def bound(self, account: Account, flags: Mapping[str, int]) -> dict[str, Any]:
        """The parameters without the password. ObjectMissing: the account lacks an attribute."""
        known = {name.casefold(): values for name, values in account.attributes.items() if values}
        given: dict[str, Any] = {"name": account.name, **flags}
        given = {name: value for name, value in given.items() if name in self.own}
        for place in self.places:
            if place.casefold() not in known:
                raise ObjectMissing(f"account {account.name!r} has no attribute {place}")
            given[place] = known[place.casefold()][0]
        return given


_NAME: Final = re.compile(r"[^.\s\"'`;\[\]][^.\"'`;\[\]]*")


def read_wording(given: Settings) -> Wording:
    """From a table and its columns, or from a statement. SettingsError."""
    confirm = given.choice("confirm", Confirm.ROWS)
    accounts = _query(given) if "accounts" in given else None
    if "statement" in given:
        for key in ("table", "account_column", "password_column", "attributes"):
            if key in given:
                raise SettingsError(key, "expected either a statement, or a table with its columns")
        return _of_statement(given.text("statement"), confirm, accounts)
    for key in ("confirm", "accounts"):
        if key in given:
            raise SettingsError(key, "expected only with a statement")
    if "table" not in given:
        raise SettingsError("table", "expected a table with its columns, or a statement")
    return _of_table(given, confirm)


def _query(given: Settings) -> Executable:
    from sqlalchemy import text

    query = text(given.text("accounts"))
    if query.compile().params:
        raise SettingsError("accounts", "expected a query without parameters")
    return query


def _of_statement(text_given: str, confirm: Confirm, accounts: Executable | None) -> Wording:
    from sqlalchemy import text

    statement = text(text_given)
    places = frozenset(statement.compile().params)
    if "password" not in places:
        raise SettingsError("statement", "expected the parameter :password in it")
    if not places - {"password", "must_change", "unlock"}:
        raise SettingsError("statement", "expected :name, or an attribute, to say which account it is")
    return Wording(statement, places - _OWN_PARAMETERS, confirm, None, accounts, own=places & _OWN_PARAMETERS)


def _of_table(given: Settings, confirm: Confirm) -> Wording:
    from sqlalchemy import bindparam, column, table, update

    schema, _, name = given.text("table").rpartition(".")
    for part in (schema, name) if schema else (name,):
        _checked("table", part)
    account: ColumnClause[str] = column(_checked("account_column", given.text("account_column")))
    password: ColumnClause[str] = column(_checked("password_column", given.text("password_column")))
    if account.name == password.name:
        raise SettingsError("password_column", "expected another column than the account's")
    wanted = [part.strip() for part in given.text("attributes", "").split(",") if part.strip()]
    if password.name in wanted:
        raise SettingsError("attributes", "expected all but the password")
    attributes: tuple[ColumnClause[Any], ...] = tuple(column(_checked("attributes", part)) for part in wanted)
    where = table(name, account, password, *attributes, schema=schema or None)
    condition: ColumnElement[bool] = account == bindparam("name")
    statement = update(where).where(condition).values({password.name: bindparam("password")})
    columns = Columns(where, account, password, attributes)
    return Wording(statement, frozenset(), confirm, columns, None, own=frozenset(("name", "password")))


def _checked(key: str, name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise SettingsError(key, f"expected a name without quotes, dots or brackets, got {name!r}")
    return name
