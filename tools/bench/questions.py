"""What the front is asked: each request by a dialect and a number."""

from __future__ import annotations

from population import HANDFUL, LOGON, TITLE, Dialect, user_password, value
from prepared import replace, search

from provserver.ldap.filters import And, Equality, Present, Scope
from provserver.ldap.messages import BindRequest, ModifyRequest, SearchRequest


def one_account(dialect: Dialect, number: int) -> SearchRequest:
    """By its logon name, below everything: `(uid=...)`; five attributes."""
    wanted = Equality(dialect.attributes[LOGON], value("logon", number).encode())
    return search(dialect.accounts + dialect.view, Scope.SUBTREE, wanted, dialect.attributes[:HANDFUL])


def one_account_of_its_class(dialect: Dialect, number: int) -> SearchRequest:
    """The same with the object class: `(&(objectClass=...)(uid=...))`, as agents ask."""
    wanted = And(
        (
            Equality("objectClass", dialect.account_class.encode()),
            Equality(dialect.attributes[LOGON], value("logon", number).encode()),
        )
    )
    return search(dialect.accounts + dialect.view, Scope.SUBTREE, wanted, dialect.attributes[:HANDFUL])


def listing(dialect: Dialect, container: int) -> SearchRequest:
    """A container's hundred accounts, all fifteen attributes."""
    wanted = Equality("objectClass", dialect.account_class.encode())
    base = dialect.container_dn(container) + dialect.view
    return search(base, Scope.ONE_LEVEL, wanted, dialect.attributes)


def everything(dialect: Dialect) -> SearchRequest:
    """All accounts, five attributes."""
    wanted = Equality("objectClass", dialect.account_class.encode())
    return search(dialect.accounts + dialect.view, Scope.SUBTREE, wanted, dialect.attributes[:HANDFUL])


def account_itself(dialect: Dialect, number: int) -> SearchRequest:
    """One entry by its name, all fifteen attributes."""
    base = dialect.account_dn(number) + dialect.view
    return search(base, Scope.BASE, Present("objectClass"), dialect.attributes)


def new_title(dialect: Dialect, number: int, title: bytes) -> ModifyRequest:
    """An ordinary attribute, which no index has."""
    return replace(dialect.account_dn(number) + dialect.view, dialect.attributes[TITLE], title)


def bind_as(dialect: Dialect, user: int) -> BindRequest:
    """Somebody with the right password."""
    return BindRequest(3, dialect.user_dn(user) + dialect.view, user_password(user))
