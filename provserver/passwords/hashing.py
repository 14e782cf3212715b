"""Deriving keys from passwords: in the right place, at the same cost for everyone, once per exchange.

A user keeps one salt for as long as scheme and parameters stay: `salt_for` gives it for a new password too,
so that one derivation answers "is it the current one?", "is it remembered?" and is the new hash. The cheap
schemes run where they are called; the others in a pool of threads of their own, whose queue is bounded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from provserver.vault.schemes import (
    SALT_SIZE,
    Argon2,
    Derived,
    Pbkdf2,
    Recipe,
    SaltedSha1,
    SaltedSha256,
    SaltedSha384,
    SaltedSha512,
    SchemeName,
    Scrypt,
    UnreadableHash,
    parse,
)
from provserver.vault.secret import Secret

T = TypeVar("T")


class HashSettings(Protocol):
    """What the section `passwords` of the settings says about hashing."""

    @property
    def scheme(self) -> str: ...
    @property
    def argon2_memory(self) -> int: ...
    @property
    def argon2_iterations(self) -> int: ...
    @property
    def argon2_lanes(self) -> int: ...
    @property
    def pbkdf2_iterations(self) -> int: ...
    @property
    def scrypt_n(self) -> int: ...
    @property
    def scrypt_r(self) -> int: ...
    @property
    def scrypt_p(self) -> int: ...


class HashingBusy(Exception):
    """More derivations are waiting than the pool will take: try again later (LDAP 51)."""


def recipe_for(settings: HashSettings) -> Recipe:
    """The recipe of new passwords. ValueError: no such scheme."""
    match SchemeName(settings.scheme):
        case SchemeName.ARGON2ID:
            return Argon2(settings.argon2_memory, settings.argon2_iterations, settings.argon2_lanes)
        case SchemeName.PBKDF2_SHA256:
            return Pbkdf2(settings.pbkdf2_iterations)
        case SchemeName.SCRYPT:
            return Scrypt(settings.scrypt_n, settings.scrypt_r, settings.scrypt_p)
        case SchemeName.SSHA512:
            return SaltedSha512()
        case SchemeName.SSHA384:
            return SaltedSha384()
        case SchemeName.SSHA256:
            return SaltedSha256()
        case SchemeName.SSHA:
            return SaltedSha1()


def hashing_pool(threads: int = 0, name: str = "provserver-hashing") -> ThreadPool:
    """A pool for derivations, not yet started: who puts the server together starts and stops it. 0 threads
    are one for each core that this process may use.
    """
    return ThreadPool(minthreads=0, maxthreads=threads or len(os.sched_getaffinity(0)), name=name)


class Hasher:
    """Derives and checks. Owns nothing: the pool belongs to who made it.

    `pool` and `reactor` are needed by the expensive schemes only; they may be None where every value is
    known to be cheap (offline commands pass None and derive where they are: then every scheme blocks).
    """

    def __init__(
        self,
        settings: HashSettings,
        pool: ThreadPool | None,
        reactor: IReactorFromThreads | None,
        *,
        random: Callable[[int], bytes] = os.urandom,
        waiting_limit: int = 1000,
    ) -> None:
        self.recipe = recipe_for(settings)
        self._pool = pool
        self._reactor = reactor
        self._random = random
        self._waiting_limit = waiting_limit
        self._nobody_salt = random(SALT_SIZE)
        self.waiting = 0
        """Derivations handed to the pool and not finished."""

    def fresh_salt(self) -> bytes:
        return self._random(SALT_SIZE)

    def salt_for(self, stored: Derived | None) -> bytes:
        """The salt of a user's next password: the present one while recipe and size are as they should be."""
        if stored is None or self.needs_upgrade(stored):
            return self.fresh_salt()
        return stored.salt

    def needs_upgrade(self, stored: Derived) -> bool:
        """Whether a new value would be made otherwise: another scheme, other parameters, a short salt."""
        return len(stored.salt) < SALT_SIZE or stored.recipe != self.recipe

    async def derive(self, secret: Secret, salt: bytes, recipe: Recipe | None = None) -> Derived:
        """The key of a secret, by the present recipe unless told. HashingBusy."""
        chosen = self.recipe if recipe is None else recipe
        if not chosen.expensive or self._pool is None or self._reactor is None:
            return Derived(chosen, salt, chosen.derive(salt, secret))
        if self.waiting >= self._waiting_limit:
            raise HashingBusy(f"{self.waiting} passwords are waiting to be hashed")
        self.waiting += 1
        deferred = deferToThreadPool(self._reactor, self._pool, chosen.derive, salt, secret)
        # Counted when the thread is done, not when the caller stops waiting: a caller that is cancelled
        # leaves the work behind in the queue.
        deferred.addBoth(self._finished)
        return Derived(chosen, salt, await deferred)

    def _finished(self, outcome: T) -> T:
        self.waiting -= 1
        return outcome

    async def verify(self, stored: str | None, secret: Secret) -> bool:
        """Whether the secret is the stored password; see `verified`."""
        return await self.verified(stored, secret) is not None

    async def verified(self, stored: str | None, secret: Secret) -> Derived | None:
        """What is stored, when the secret is that password; else None, which takes as long whether the secret
        is wrong, nothing is stored (no such user), or what is cannot be read. HashingBusy.
        """
        known = None
        if stored is not None:
            try:
                known = parse(stored)
            except UnreadableHash:
                known = None
        if known is not None:
            if known.matches(await self.derive(secret, known.salt, known.recipe)):
                return known
            if known.recipe == self.recipe:
                return None
        # A wrong password of a user whose hash is of another recipe, a fast one perhaps, pays this too: else
        # the time would tell that there is such a user.
        await self.derive(secret, self._nobody_salt)
        return None
