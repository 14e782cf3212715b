"""Why an account's password is taken or refused, and where it goes or not: what an administrator asks (ours).

An explanation changes nothing, and rests on the rules that the exchange itself follows: gates, guard, plan.
It is made of what JSON has, for it goes over the wire; times are text in UTC (`…At`, `…Until`) or seconds.
Nothing in it is a password, or of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from provserver.delivery.plan import Disposition, PlannedAccount, plan
from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint, Endpoints, leaf_value
from provserver.imps.inclusions import Inclusions
from provserver.imps.messages import Reason
from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    CHECK_ACCOUNT_PASSWORDS,
    UPDATE_ONLY_GLOBAL_USER,
    Parameters,
)
from provserver.passwords.gates import Gates, Owner, Subject, closed_reasons
from provserver.passwords.guard import MUST_CHANGE, cleared_at, known_until, refuses_until
from provserver.storage.contract import Mark, Store

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_SHOWN_MARKS: Final = 20
"""The newest; a test account may have hundreds in a day."""


class Explainer:
    """`echo_memory`: the setting, in seconds."""

    def __init__(
        self,
        store: Store,
        gates: Gates,
        inclusions: Inclusions,
        endpoints: Endpoints,
        parameters: Parameters,
        echo_memory: float,
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._gates = gates
        self._inclusions = inclusions
        self._endpoints = endpoints
        self._parameters = parameters
        self._echo_memory = echo_memory
        self._wall = wall

    async def explain(self, dn: DN) -> dict[str, Json]:
        """All about one account. Refusal NO_SUCH_OBJECT, OBJECT_CLASS_VIOLATION."""
        subject = await self._gates.subject(dn)
        owner = await self._gates.correlated(subject)
        now = self._wall()
        return {
            "at": utc(now),
            "account": {"dn": str(subject.account.dn), "name": subject.name},
            "endpoint": await self._endpoint(subject.endpoint),
            "owner": str(owner.user.dn) if owner is not None else None,
            "gates": _gates(owner),
            "guard": await self._guard(subject, now),
            "deliveries": await self._deliveries(subject.account),
            "plan": await self._plan(subject, owner),
        }

    async def _endpoint(self, endpoint: Endpoint) -> Json:
        checks = await self._parameters.get(CHECK_ACCOUNT_PASSWORDS)
        return {
            "namespace": endpoint.namespace,
            "name": endpoint.name,
            "connector": endpoint.connector,
            "propagation": not endpoint.propagation_disabled,
            "agentInstalled": endpoint.agent_installed,
            "resetsChecked": checks.cover(endpoint.namespace, endpoint.name),
        }

    async def _guard(self, subject: Subject, now: float) -> Json:
        threshold = await self._parameters.get(AGENT_RESPONSE_THRESHOLD)
        marks = await self._store.marks(subject.account.id)
        cleared = cleared_at(subject.account)
        on = threshold > 0
        until = refuses_until(marks, threshold, cleared)
        refuses = on and subject.endpoint.agent_installed and now < until
        known = [mark for mark in marks if on and now < known_until(mark, threshold, self._echo_memory)]
        return {
            "on": on,
            "threshold": threshold,
            "refuses": refuses,
            "attemptLasts": refuses and math.isinf(until),
            "refusesUntil": utc(until) if refuses else None,
            "secondsLeft": round(until - now, 3) if refuses and math.isfinite(until) else None,
            "clearedAt": utc(cleared),
            "echoes": len(known),
            "sent": [self._mark(mark, threshold) for mark in known[-_SHOWN_MARKS:]],
        }

    def _mark(self, mark: Mark, threshold: float) -> Json:
        return {
            "sentAt": utc(mark.sent),
            "endedAt": None if mark.ended is None else utc(mark.ended),
            "echoUntil": utc(known_until(mark, threshold, self._echo_memory)),
            "mustChange": bool(mark.options & MUST_CHANGE),
            "change": mark.change,
        }

    async def _deliveries(self, account: Entry) -> Json:
        """What is on its way to an account, and how the last one that ended did."""
        status = await self._store.status(account.id)
        waiting: list[Json] = [
            {
                "state": row.state.value,
                "since": utc(row.created),
                "dueAt": utc(row.due),
                "attempts": row.attempts,
                "event": row.event,
                "text": row.text,
            }
            for row in await self._store.deliveries(account=account.id)
        ]
        last: Json = None
        if status is not None:
            last = {
                "state": status.state.value,
                "at": utc(status.at),
                "event": status.event,
                "text": status.text,
            }
        return {"waiting": waiting, "last": last}

    async def _plan(self, subject: Subject, owner: Owner | None) -> Json:
        """`sync`: what a report from this account would go to; `elsewhere`: what one from another account of
        the user would mean for this one.
        """
        owned = await self._inclusions.accounts(owner.user) if owner is not None else ()
        own = subject.account.id
        from_here = await self._planned(owned, originating=own)
        from_elsewhere = await self._planned([subject.account], originating=None)
        elsewhere = _line(from_elsewhere[0])
        if owner is None or owner.correlate:
            elsewhere |= {"in": False, "why": Reason.NOT_CORRELATED.value}
        return {
            "sync": [
                {**_line(planned), "deliveries": await self._deliveries(planned.account)}
                for planned in from_here
                if planned.account.id != own
            ],
            "elsewhere": elsewhere,
        }

    async def _planned(
        self, accounts: Sequence[Entry], originating: EntryId | None
    ) -> Sequence[PlannedAccount]:
        only_global_user = await self._parameters.get(UPDATE_ONLY_GLOBAL_USER)
        return await plan(
            accounts, self._endpoints, originating=originating, only_global_user=only_global_user
        )


def _gates(owner: Owner | None) -> Json:
    """Each gate that is closed, and the first in any case: the others are behind it."""
    if owner is None:
        return [{"open": False, "why": Reason.NOT_CORRELATED.value}]
    how = "would be correlated by a sync" if owner.correlate else "correlated"
    found: list[Json] = [{"open": True, "why": f"{how} to Global User '{leaf_value(owner.user.dn)}'"}]
    found += [{"open": False, "why": reason} for reason in closed_reasons(owner.user)]
    return found


def _line(planned: PlannedAccount) -> dict[str, Json]:
    account, endpoint = planned.account, planned.endpoint
    return {
        "dn": str(account.dn),
        "name": endpoint.account_name(account) if endpoint is not None else leaf_value(account.dn),
        "in": planned.disposition is Disposition.DELIVER,
        "why": planned.disposition.value,
    }


def utc(at: float) -> str | None:
    """UTC as ISO 8601 has it; None for what has no end yet, or never was."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) if math.isfinite(at) else None
