"""Inclusions that join nothing any more, or not what they say: found, and repaired.

An inclusion is by eTID, so a user who was deleted and made anew is another one, and the old inclusion is
stale (KB 207933). The server passes over such inclusions; other readers of the repository may not. What a
repair does: an inclusion without a user or an account, or a second one, is removed; a wrong name in one is
put right. It never makes one: `provserver explore --correlate` finds the owner again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.exploration.counts import Json
from provserver.exploration.ground import Ground
from provserver.exploration.portions import Portion
from provserver.imps.inclusions import SUBORDINATE_KEY, SUPERIOR_KEY, account_class_of
from provserver.imps.namespaces import ACCOUNT_CLASSES
from provserver.imps.users import is_global_user
from provserver.journal.events import Event, event
from provserver.ldap.filters import Equality, Or, Scope
from provserver.ldap.results import Refusal
from provserver.storage.contract import Commit, Conflict, SearchLimits

_BATCH: Final = 100
_TRIES: Final = 10
_MOST_LINES: Final = 100
_OF_ACCOUNTS: Final = Or(tuple([Equality("objectClass", name) for name in ACCOUNT_CLASSES]))
_OF_INCLUSIONS: Final = Equality("objectClass", b"eTInclusionObject")
_USER_NAME, _ACCOUNT_NAME = "eTSuperiorClassEntry", "eTSubordinateClassEntry"


class Fault(Enum):
    """What can be wrong with an inclusion."""

    NO_USER = "no global user has its eTPID"
    USER_ANEW = "its global user was deleted and made anew: the eTPID is the old one's"
    NO_ACCOUNT = "no account has its eTCID"
    SECOND = "the account has another inclusion, which counts"
    RENAMED = "the name of its global user or account is out of date"

    @property
    def repair(self) -> str:
        return "put the name right" if self is Fault.RENAMED else "remove it"


@dataclass(slots=True)
class _Findings:
    inclusions: int = 0
    accounts: int = 0
    uncorrelated: int = 0
    found: dict[str, int] = field(default_factory=dict)
    repaired: int = 0
    lines: list[dict[str, Json]] = field(default_factory=list)

    def take(self, inclusion: DN, fault: Fault) -> None:
        self.found[fault.name.lower()] = self.found.get(fault.name.lower(), 0) + 1
        if len(self.lines) < _MOST_LINES:
            self.lines.append({"inclusion": str(inclusion), "fault": fault.value, "repair": fault.repair})

    def told(self) -> dict[str, Json]:
        faults = sum(self.found.values())
        return {
            "inclusions": self.inclusions,
            "accounts": self.accounts,
            "uncorrelated": self.uncorrelated,
            "faults": faults,
            "repaired": self.repaired,
            "found": dict(self.found),
            "lines": list(self.lines),
            "good": self.repaired == faults,
        }


async def check(ground: Ground, who: Mapping[str, str], *, repair: bool) -> dict[str, Json]:
    """What was found, as JSON has it: counts, the first hundred `lines`, and whether all is `good` now.
    `who`: for the journal.
    """
    findings = _Findings()
    top = DN.parse(f"eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,{ground.domain}")
    limits = SearchLimits(batch=_BATCH)
    async with aclosing(ground.store.search(top, Scope.SUBTREE, _OF_INCLUSIONS, limits)) as batches:
        async for batch in batches:
            findings.inclusions += len(batch)
            faulty = [(one, fault) for one in batch if (fault := await _fault(ground, one)) is not None]
            for inclusion, fault in faulty:
                findings.take(inclusion.dn, fault)
            if faulty and repair:
                findings.repaired += await _repair(ground, who["by"], [one for one, _ in faulty])
    async with aclosing(ground.store.search(ground.domain, Scope.SUBTREE, _OF_ACCOUNTS, limits)) as batches:
        async for batch in batches:
            findings.accounts += len(batch)
            for account in batch:
                if not await ground.store.find(SUBORDINATE_KEY, account.id.encode()):
                    findings.uncorrelated += 1
    if findings.repaired:
        at, text = ground.wall(), f"{findings.repaired} inclusions were repaired"
        fields = {**who, "repaired": str(findings.repaired)}
        line = event(at, Event.INCLUSIONS_REPAIRED, text, fields)
        await ground.store.commit(Commit(at=at, by=who["by"], journal=(line,)))
    return findings.told()


async def _fault(ground: Ground, inclusion: Entry) -> Fault | None:
    store = ground.store
    user = await _user(ground, inclusion)
    if user is None:
        named = inclusion.text(_USER_NAME.lower())
        anew = await store.read(DN.parse(named)) if named else None
        return Fault.USER_ANEW if anew is not None and is_global_user(anew) else Fault.NO_USER
    account = await store.read_id(EntryId(inclusion.text(SUBORDINATE_KEY)))
    if account is None or account_class_of(account) is None:
        return Fault.NO_ACCOUNT
    if (await _counting(ground, account)) != inclusion.id:
        return Fault.SECOND
    if _misnamed(inclusion, user, account):
        return Fault.RENAMED
    return None


async def _user(ground: Ground, inclusion: Entry) -> Entry | None:
    user = await ground.store.read_id(EntryId(inclusion.text(SUPERIOR_KEY)))
    return user if user is not None and is_global_user(user) else None


async def _counting(ground: Ground, account: Entry) -> EntryId | None:
    """The inclusion that says whose the account is: the first with a user (`Inclusions.owner`)."""
    for inclusion_id in await ground.store.find(SUBORDINATE_KEY, account.id.encode()):
        inclusion = await ground.store.read_id(inclusion_id)
        if inclusion is not None and await _user(ground, inclusion) is not None:
            return inclusion_id
    return None


def _misnamed(inclusion: Entry, user: Entry, account: Entry) -> list[tuple[int, str, list[bytes]]]:
    """The changes that put its names right."""
    return [
        (2, name, [entry.dn.text.encode()])
        for name, entry in ((_USER_NAME, user), (_ACCOUNT_NAME, account))
        if DN.parse(inclusion.text(name.lower())) != entry.dn
    ]


async def _repair(ground: Ground, by: str, faulty: Sequence[Entry]) -> int:
    """How many were repaired; others may have been at work on the rest."""
    for _ in range(_TRIES):
        portion, repaired = Portion(ground, by), 0
        for known in faulty:
            inclusion = await ground.store.read_id(known.id)
            fault = await _fault(ground, inclusion) if inclusion is not None else None
            if inclusion is not None and fault is Fault.RENAMED:
                user = await _user(ground, inclusion)
                account = await ground.store.read_id(EntryId(inclusion.text(SUBORDINATE_KEY)))
                if user is not None and account is not None:
                    portion.change(inclusion, _misnamed(inclusion, user, account))
            elif inclusion is not None and fault is not None:
                portion.remove(inclusion)
            repaired += 1
        commit = portion.commit()
        try:
            if commit is not None:
                await ground.store.commit(commit)
        except (Conflict, Refusal):
            continue
        return repaired
    return 0
