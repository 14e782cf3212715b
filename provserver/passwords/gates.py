"""Who an exchange is about, and the gates it passes before a password is looked at.

The order binds, each with its own message and result 53: correlated · `eTPropagatePassword` = 1 · not
suspended. Source: seed 000, facts/imps.md 1.2 and section 9; design "The exchange" 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint, Endpoints, leaf_value
from provserver.imps.inclusions import Inclusions, account_class_of
from provserver.imps.messages import Message, Reason
from provserver.imps.parameters import AUTOMATIC_CORRELATION, Parameters
from provserver.imps.profiles import holds_admin_profile
from provserver.imps.users import global_user_dn, is_suspended, may_propagate
from provserver.ldap.controls import PolicyError
from provserver.ldap.results import Refusal, ResultCode
from provserver.records import record
from provserver.storage.contract import Store


@record
class Subject:
    """The account that a trigger was set on, and its endpoint."""

    account: Entry
    endpoint: Endpoint

    @property
    def name(self) -> str:
        """As messages say it: `Active Directory Account 'test, user' on 'AD-Test'`."""
        return self.endpoint.account_name(self.account)


@record
class Owner:
    """The global user, and whether the inclusion is still to be written (Automatic Correlation)."""

    user: Entry
    correlate: bool = False


class Closed(Exception):
    """A gate is closed: the reason, in words; the result, and what the password policy control says of it."""

    def __init__(
        self,
        reason: str,
        code: ResultCode = ResultCode.UNWILLING_TO_PERFORM,
        policy_error: PolicyError | None = PolicyError.PASSWORD_MOD_NOT_ALLOWED,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.policy_error = policy_error


def closed_reasons(user: Entry) -> Iterator[str]:
    """Why agents may not change this user's password, in the order of the gates; nothing when they may."""
    if not may_propagate(user):
        yield Reason.NOT_ENABLED.value.format(user=leaf_value(user.dn))
    if is_suspended(user):
        yield Reason.SUSPENDED.value.format(user=leaf_value(user.dn))


class Gates:
    def __init__(
        self, store: Store, domain: DN, inclusions: Inclusions, endpoints: Endpoints, parameters: Parameters
    ) -> None:
        self._store = store
        self._domain = domain
        self._inclusions = inclusions
        self._endpoints = endpoints
        self._parameters = parameters

    async def subject(self, dn: DN) -> Subject:
        """The account of that name. Refusal NO_SUCH_OBJECT, OBJECT_CLASS_VIOLATION."""
        account = await self._store.read(dn)
        if account is None:
            raise Refusal(ResultCode.NO_SUCH_OBJECT, Message.OBJECT_NOT_FOUND.say(dn=str(dn)))
        endpoint = await self._endpoints.of_account(dn) if account_class_of(account) else None
        if endpoint is None:
            raise Refusal(ResultCode.OBJECT_CLASS_VIOLATION, Message.NOT_AN_ACCOUNT.say(dn=str(dn)))
        return Subject(account, endpoint)

    async def owner(self, subject: Subject) -> Owner:
        """The global user behind the account, through all gates. Closed."""
        owner = await self.correlated(subject)
        if owner is None:
            raise Closed(Reason.NOT_CORRELATED.value)
        for reason in closed_reasons(owner.user):
            raise Closed(reason)
        return owner

    async def correlated(self, subject: Subject) -> Owner | None:
        """The global user behind the account, whether or not anything may be changed; None: nobody's."""
        user = await self._inclusions.owner(subject.account)
        if user is not None:
            return Owner(user)
        candidate = await self._candidate(subject.account)
        return Owner(candidate, correlate=True) if candidate is not None else None

    async def _candidate(self, account: Entry) -> Entry | None:
        """With Automatic Correlation, the global user of the account's name; never one who holds an admin
        profile.
        """
        if not await self._parameters.get(AUTOMATIC_CORRELATION):
            return None
        user = await self._store.read(global_user_dn(leaf_value(account.dn), self._domain))
        return None if user is None or holds_admin_profile(user) else user
