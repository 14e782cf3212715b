"""Deliveries that an administrator has tried again at once, or gives up for good.

Both name deliveries by their ids or by what they have in common, and are for what waits or is held: what a
courier has is left alone. Who did it is in the journal, of each delivery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from provserver.delivery.events import Outcome, sentence
from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.accounts import account_of, read_account_name
from provserver.imps.endpoints import Endpoints, leaf_value
from provserver.imps.users import is_global_user
from provserver.imps.views import Views
from provserver.journal.events import Event, event
from provserver.ldap.extended import RetryDeliveries
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Rooms
from provserver.operations.endpoint_names import endpoint_named
from provserver.passwords.explaining import Json
from provserver.records import record
from provserver.storage.contract import Commit, Delivery, DeliveryId, DeliveryState, JournalEvent

_BATCH: Final = 256
_SHOWN: Final = 100
"""Deliveries that an answer names."""
_WAITING: Final = (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.HELD)
STATES: Final = tuple([state.value for state in _WAITING])
"""The states that a selection may name."""
RETRIED: Final = (DeliveryState.HELD, DeliveryState.RETRYING)
"""Whose states a retry is for, unless ids or a state are given."""
DROPPED: Final = (DeliveryState.HELD,)

Done = Callable[[Sequence[DeliveryId], float], Awaitable[Sequence[Delivery]]]


@record
class _Chosen:
    """Entries and states that a selection is about; None: any."""

    ids: tuple[DeliveryId, ...]
    user: Entry | None
    account: EntryId | None
    endpoint: EntryId | None
    states: tuple[DeliveryState, ...]


class OutboxActs:
    """`user_named`: the DN that a name of a global user means. `look` has the couriers of an endpoint look at
    once for what is due.
    """

    def __init__(
        self,
        rooms: Rooms,
        endpoints: Endpoints,
        user_named: Callable[[str, Views], DN],
        look: Callable[[EntryId], None],
    ) -> None:
        self._rooms = rooms
        self._store = rooms.store
        self._endpoints = endpoints
        self._user_named = user_named
        self._look = look

    async def retry(self, asked: RetryDeliveries, who: Mapping[str, str]) -> dict[str, Json]:
        """Have them tried now, with all their retries before them. What was done, as JSON has it: `retried`
        (how many), `leftAlone` (what was chosen, and has been claimed or has ended), `deliveries`.

        `who`: for the journal, `by` and what else is known. Refusal NO_SUCH_OBJECT, UNWILLING_TO_PERFORM,
        CONSTRAINT_VIOLATION.
        """
        chosen = await self._chosen(asked, RETRIED)
        return await self._act(chosen, "retried", self._store.release, Event.DELIVERY_RETRIED, who)

    async def drop(self, asked: RetryDeliveries, who: Mapping[str, str]) -> dict[str, Json]:
        """Give them up; their passwords are destroyed. As `retry`, but `dropped`."""
        chosen = await self._chosen(asked, DROPPED)
        text = sentence(Outcome.DROPPED, f"By {who['by']}.")

        async def drop(ids: Sequence[DeliveryId], at: float) -> Sequence[Delivery]:
            state, outcome = DeliveryState.CANCELLED, int(Outcome.DROPPED)
            return await self._store.drop(ids, state, at, outcome, text)

        return await self._act(chosen, "dropped", drop, Event.DELIVERY_DROPPED, who)

    async def _act(
        self, chosen: _Chosen, verb: str, act: Done, kind: Event, who: Mapping[str, str]
    ) -> dict[str, Json]:
        rows = await self._rows(chosen)
        done: list[Delivery] = []
        for start in range(0, len(rows), _BATCH):
            at = self._rooms.wall()
            batch = await act([row.id for row in rows[start : start + _BATCH]], at)
            lines = [await self._line(row, at, kind, verb, who) for row in batch]
            if lines:
                await self._store.commit(Commit(at=at, by=who["by"], journal=tuple(lines)))
            for endpoint in dict.fromkeys([row.endpoint for row in batch]):
                self._look(endpoint)
            done += batch
        named: list[Json] = [await self._named(row) for row in done[:_SHOWN]]
        return {verb: len(done), "leftAlone": len(rows) - len(done), "deliveries": named}

    # -- what is chosen

    async def _chosen(self, asked: RetryDeliveries, states: tuple[DeliveryState, ...]) -> _Chosen:
        rooms = self._rooms
        conditions = (asked.ids, asked.user, asked.account, asked.endpoint, asked.state)
        if not any(conditions) and not asked.all:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM,
                "expected deliveries by their ids, or by user, account, endpoint or state, or all",
            )
        if asked.state is not None:
            states = (_state(asked.state),)
        elif asked.ids:
            states = _WAITING
        user = endpoint = account = None
        if asked.user:
            user = await self._store.read(self._user_named(asked.user, rooms.views))
            if user is None or not is_global_user(user):
                raise Refusal(ResultCode.NO_SUCH_OBJECT, f"there is no global user '{asked.user}'")
        if asked.account:
            name = read_account_name(asked.account, rooms.views)
            entry = await self._store.read(await account_of(name, rooms.views, self._store))
            if entry is None:
                raise Refusal(ResultCode.NO_SUCH_OBJECT, f"there is no account '{asked.account}'")
            account = entry.id
        if asked.endpoint:
            endpoint = (await endpoint_named(asked.endpoint, rooms, self._endpoints)).id
        ids = tuple([DeliveryId(one) for one in asked.ids])
        return _Chosen(ids, user, account, endpoint, states)

    async def _rows(self, chosen: _Chosen) -> list[Delivery]:
        found = {row.id: row for row in await self._candidates(chosen)}
        return [
            row
            for row in found.values()
            if (row.state in chosen.states or chosen.ids)
            and (chosen.account is None or row.account == chosen.account)
            and (chosen.endpoint is None or row.endpoint == chosen.endpoint)
        ]

    async def _candidates(self, chosen: _Chosen) -> Sequence[Delivery]:
        """Those of the narrowest condition."""
        if chosen.ids:
            return await self._by_id(chosen)
        if chosen.user is not None:
            return await self._of_user(chosen.user)
        if chosen.account is not None:
            return await self._store.deliveries(account=chosen.account)
        found: list[Delivery] = []
        for state in chosen.states:
            after = 0
            while page := await self._store.outbox(after, _BATCH, endpoint=chosen.endpoint, state=state):
                found += [row for _, row in page]
                after = page[-1][0]
        return found

    async def _by_id(self, chosen: _Chosen) -> list[Delivery]:
        found = [await self._store.delivery(id) for id in chosen.ids]
        missing = [id for id, row in zip(chosen.ids, found, strict=True) if row is None]
        if missing:
            names = ", ".join([f"'{id}'" for id in missing[:5]])
            raise Refusal(
                ResultCode.NO_SUCH_OBJECT, f"not in the outbox: {names}; it has ended, or never was there"
            )
        rows = [row for row in found if row is not None]
        if chosen.user is not None:
            own = {row.id for row in await self._of_user(chosen.user)}
            rows = [row for row in rows if row.id in own]
        return rows

    async def _of_user(self, user: Entry) -> list[Delivery]:
        """To its accounts; those of an account that was reset alone too."""
        found = list(await self._store.deliveries(user=user.id))
        for account in await self._rooms.inclusions.accounts(user):
            found += await self._store.deliveries(account=account.id)
        return found

    # -- what is told

    async def _line(
        self, row: Delivery, at: float, kind: Event, verb: str, who: Mapping[str, str]
    ) -> JournalEvent:
        name, entry = await self._account(row)
        fields = {**who, "account": row.account if entry is None else str(entry.dn)}
        fields |= {"delivery": row.id, "change": row.change, "state": row.state.value}
        return event(at, kind, f"Delivery to {name} {verb}", fields)

    async def _named(self, row: Delivery) -> Json:
        name, entry = await self._account(row)
        return {
            "id": row.id,
            "account": name,
            "dn": None if entry is None else str(entry.dn),
            "state": row.state.value,
        }

    async def _account(self, row: Delivery) -> tuple[str, Entry | None]:
        entry = await self._store.read_id(row.account)
        if entry is None:
            return row.account, None
        endpoint = await self._endpoints.get(row.endpoint)
        return leaf_value(entry.dn) if endpoint is None else endpoint.account_name(entry), entry


def _state(text: str) -> DeliveryState:
    for state in _WAITING:
        if state.value == text.strip().lower():
            return state
    raise Refusal(
        ResultCode.CONSTRAINT_VIOLATION, f"state: expected {_one_of(STATES)}; what is claimed is being sent"
    )


def _one_of(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"
