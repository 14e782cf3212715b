"""Whose account is it? The rules of correlation (CA docs 421677, 387480), and what follows from them.

A global user of the account's name (its logon name first, then the name in its DN); else the one user whose
full name is the account's full name or description; else a user is made, if that was asked for, or the
account goes to `[default user]`. What goes to nobody: an account whose user holds an admin profile, which is
never correlated automatically. An account of `[default user]` is looked at again every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import InvalidName
from provserver.directory.schema import Schema
from provserver.exploration.ground import Ground
from provserver.exploration.portions import Portion
from provserver.exploration.seen import Seen
from provserver.exploration.users import NewUsers, changes_of
from provserver.exploration.wishes import Action, Wish
from provserver.imps.inclusions import SUBORDINATE_KEY, SUPERIOR_KEY
from provserver.imps.namespaces import Namespace
from provserver.imps.profiles import holds_admin_profile
from provserver.imps.users import global_user_dn, is_global_user
from provserver.ldap.results import Refusal

DEFAULT_USER: Final = "[default user]"
_FULL_NAME: Final = "etfullname"
_ALSO_FULL_NAMES: Final = (_FULL_NAME, "etadsdisplayname", "etdescription")


class Correlation:
    """Of one exploration."""

    def __init__(self, ground: Ground, row: Namespace, wish: Wish, new_users: NewUsers) -> None:
        self._ground = ground
        self._wish = wish
        self._new_users = new_users
        schema = ground.schema
        self._names = tuple(dict.fromkeys([schema.key(row.logon), schema.key(row.account.rdn_type)]))
        self._default = global_user_dn(DEFAULT_USER, ground.domain)
        self._updated = Seen(ground.random(16))
        self._pretended = Seen(ground.random(16)) if wish.dry_run else None
        """Names and full names of the users that a dry run would have made by now."""

    async def judge(self, account: Entry, portion: Portion, *, is_new: bool) -> None:
        """Join the account to whoever it belongs to, and bring that user up to date, as far as was asked."""
        owner, by_default = (None, []) if is_new else await self._owner(account)
        if owner is None and Action.CORRELATE in self._wish.actions:
            owner = await self._correlate(account, by_default, portion)
        if owner is not None and Action.UPDATE in self._wish.actions:
            self._update(owner, account, portion)

    def committed(self, portion: Portion) -> None:
        """What the portion says is true now (or would be, of a dry run)."""
        for user_id in portion.updated:
            self._updated.add(user_id)
        if self._pretended is not None:
            for key, user in portion.users.items():
                self._pretended.add(key)
                for name in user.values(_FULL_NAME):
                    self._pretended.add(_comparable(name, self._ground.schema).decode(errors="replace"))

    async def _owner(self, account: Entry) -> tuple[Entry | None, list[Entry]]:
        """Whose account it is, and the inclusions by which it is only `[default user]`'s."""
        store, by_default = self._ground.store, []
        for inclusion in await store.read_ids(await store.find(SUBORDINATE_KEY, account.id.encode())):
            for user in await store.read_ids([EntryId(inclusion.text(SUPERIOR_KEY))]):
                if user.dn != self._default:
                    return user, []
                by_default.append(inclusion)
        return None, by_default

    async def _correlate(self, account: Entry, by_default: list[Entry], portion: Portion) -> Entry | None:
        counts = portion.report.counts
        user = await self._match(account, portion)
        if user is not None and holds_admin_profile(user):
            counts.left += 1
            return None
        if user is None and Action.CREATE in self._wish.actions:
            if self._is_pretended(account):
                counts.correlated += 1
                return None
            user = self._create(account, portion)
        if user is None:
            if by_default:
                return None
            user = await self._ground.store.read(self._default)
            if user is None:
                counts.left += 1
                return None
            counts.defaulted += 1
        else:
            counts.correlated += 1
        for inclusion in by_default:
            portion.remove(inclusion)
        dn, attributes = self._ground.inclusions.attributes(user, account)
        portion.add(dn, attributes)
        if self._wish.dry_run:
            portion.report.difference(f"{account.dn}: would be {user.dn.rdns[0].pairs[0][1]}'s")
        return user if user.dn != self._default else None

    async def _match(self, account: Entry, portion: Portion) -> Entry | None:
        store, domain = self._ground.store, self._ground.domain
        for name in self._names_of(account):
            dn = global_user_dn(name, domain)
            user = portion.users.get(dn.key) or await store.read(dn)
            if user is not None and user.dn != self._default:
                return user
        for full in _full_names(account):
            known = portion.full_names.get(_comparable(full, self._ground.schema))
            users = [known] if known is not None else []
            for user_id in await store.find(_FULL_NAME, full):
                user = await store.read_id(user_id)
                if user is not None and is_global_user(user) and user.dn != self._default:
                    users.append(user)
            if len(users) == 1:
                return users[0]
        return None

    def _names_of(self, account: Entry) -> Iterator[str]:
        for key in self._names:
            for name in account.texts(key):
                try:
                    global_user_dn(name, self._ground.domain)
                except InvalidName:
                    continue
                yield name

    def _create(self, account: Entry, portion: Portion) -> Entry | None:
        """The user who is made; None: no user can be called so, and the problems say why."""
        for name in self._names_of(account):
            dn = global_user_dn(name, self._ground.domain)
            if dn == self._default:
                continue
            try:
                user = portion.add(dn, self._new_users.attributes(account))
            except Refusal as refusal:
                portion.report.problem(f"{dn}: {refusal.result.diagnostic}")
                return None
            portion.users[dn.key] = user
            for value in user.values(_FULL_NAME):
                portion.full_names.setdefault(_comparable(value, self._ground.schema), user)
            portion.report.counts.created += 1
            if self._wish.dry_run:
                portion.report.difference(f"{dn}: would be made")
            return user
        return None

    def _is_pretended(self, account: Entry) -> bool:
        """Whether a dry run would have made the account's user before."""
        pretended = self._pretended
        if pretended is None or not len(pretended):
            return False
        domain, schema = self._ground.domain, self._ground.schema
        keys = [global_user_dn(name, domain).key for name in self._names_of(account)]
        keys += [_comparable(full, schema).decode(errors="replace") for full in _full_names(account)]
        return any(key in pretended for key in keys)

    def _update(self, user: Entry, account: Entry, portion: Portion) -> None:
        """A user is updated from the first of its accounts on an endpoint, so that two of them do not take
        turns.
        """
        if user.id in portion.updated or user.id in self._updated or user.dn.key in portion.users:
            return
        if holds_admin_profile(user):
            return
        portion.updated.add(user.id)
        changes = changes_of(user, account)
        if not changes:
            return
        try:
            portion.change(user, changes)
        except Refusal as refusal:
            portion.report.problem(f"{user.dn}: {refusal.result.diagnostic}")
            return
        portion.report.counts.updated += 1
        if self._wish.dry_run:
            names = ", ".join([str(name) for _, name, _ in changes])
            portion.report.difference(f"{user.dn}: would be updated: {names}")


def _full_names(account: Entry) -> list[bytes]:
    return [value for key in _ALSO_FULL_NAMES for value in account.values(key)]


def _comparable(name: bytes, schema: Schema) -> bytes:
    """A full name as the store compares it; as it is, where it is no text."""
    try:
        return schema.normalise(_FULL_NAME, name)
    except Refusal:
        return name
