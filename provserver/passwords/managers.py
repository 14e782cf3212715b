"""What a caller's word counts for, beyond its rights: whether a reset demands a change at next logon, and
whether a password may come encoded.

The list `provserver`/`Synchronization Managers` names those who pass on what users have chosen elsewhere (as
FreeIPA's passSyncManagersDNs, seed 001). To be on it gives no right to change anybody's password: that is for
profiles and scopes. But who has such a right and is on the list
- sets passwords that their users need not change again, and
- may send encoded ones, which nobody can judge: the policy does not hold for them.
Ours, and so is that a DomainAdministrator may send encoded ones without being listed: it may load anything.
"""

from __future__ import annotations

from dataclasses import replace

from provserver.directory.access import Role
from provserver.directory.entries import Entry
from provserver.imps.parameters import CHANGE_AFTER_RESET, SYNCHRONIZATION_MANAGERS, Parameters
from provserver.imps.profiles import holds_admin_profile
from provserver.imps.users import must_change
from provserver.imps.views import Views
from provserver.ldap.results import Refusal
from provserver.passwords.callers import Caller
from provserver.passwords.changes import DEMANDED, OWN, Change
from provserver.passwords.encoded import Encoded, may_be_encoded, read_encoded
from provserver.passwords.judging import NotAnother
from provserver.vault.secret import Secret


class Managers:
    def __init__(self, parameters: Parameters, views: Views) -> None:
        self._parameters = parameters
        self._views = views

    async def lists(self, caller: Caller) -> bool:
        """Whether the caller is one of the synchronisation managers, as the list is now."""
        for name in await self._parameters.get(SYNCHRONIZATION_MANAGERS):
            try:
                if self._views.resolve(name)[0] == caller.identity.dn:
                    return True
            except Refusal:  # a name of another tree
                continue
        return False

    async def demand_change(self, caller: Caller, user: Entry | None, asked: bool | None = None) -> bool:
        """Whether a reset by this caller is to be followed by a change by its user; `asked`: the reset itself
        says so, or that it is not. `user` is None for an account of nobody.

        Who holds an admin profile is spared unless that is asked for: most of them are programs, and a
        program that may do nothing any more is an outage (ours).
        """
        if asked is not None:
            return asked
        if user is not None and holds_admin_profile(user):
            return False
        return await self._parameters.get(CHANGE_AFTER_RESET) and not await self.lists(caller)

    async def on_terms(self, caller: Caller, change: Change, asked: bool | None) -> Change:
        """A change of a global user's password, by itself or by an administrator, with what it asks of the
        user and of endpoints. Closed: it had to be another one.
        """
        if caller.identity.dn == change.user.dn:
            if change.repeated and must_change(change.user):
                raise NotAnother()
            return replace(change, options=change.options | OWN)
        if await self.demand_change(caller, change.user, asked):
            return replace(change, options=change.options | DEMANDED, must_change=True)
        return replace(change, must_change=asked)

    async def encoded(self, caller: Caller, secret: Secret) -> Encoded | None:
        """What an encoded password says; None: it is clear text. NotTaken."""
        if not may_be_encoded(secret):
            return None
        trusted = caller.identity.role is Role.DOMAIN_ADMINISTRATOR or await self.lists(caller)
        return read_encoded(secret, trusted=trusted)
