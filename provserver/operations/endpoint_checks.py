"""Whether an endpoint is set up right, found out step by step without setting a password.

What is tried is what a delivery does before its password goes out: the connector is made with the endpoint's
settings, its line is judged, opened and logged in, and an account is looked up where the connector can.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as OutOfTime
from twisted.internet.interfaces import IReactorTime

from provserver.connectors.contract import Account, Connector, ConnectorFailure, Misfit, Security
from provserver.delivery.events import MEANINGS, Outcome, outcome_of
from provserver.delivery.plan import account_for_connector
from provserver.directory.entries import Entry
from provserver.imps.accounts import account_of, read_account_name
from provserver.imps.endpoints import Endpoint, Endpoints, leaf_value
from provserver.imps.namespaces import ACCOUNT_CLASSES
from provserver.journal.events import Event, event
from provserver.ldap.extended import CheckEndpoint
from provserver.ldap.filters import Equality, Or, Scope
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.edits import Rooms
from provserver.operations.endpoint_names import endpoint_named, name_of
from provserver.passwords.explaining import Json, utc
from provserver.storage.contract import Commit, SearchLimits

T = TypeVar("T")

PATIENCE: Final = 15.0
"""Seconds for each step."""
_OF_ACCOUNTS: Final = Or(tuple([Equality("objectClass", name) for name in ACCOUNT_CLASSES]))

SETTINGS: Final = "settings"
PROTECTION: Final = "protection"
LINE: Final = "connect and log in"
FIT: Final = "does the server fit"
LOOKUP: Final = "look up an account"


Locate = Callable[[Account], Awaitable[str]]
"""`locate(account)` of connectors that can look an account up without touching it: what it is called at the
endpoint. ConnectorFailure; ObjectMissing: it is not there.
"""
AskMisfits = Callable[[], Awaitable[Sequence[Misfit]]]
"""`misfits()` of connectors that can ask the server whether their settings fit. ConnectorFailure."""
Connectors = Callable[[Endpoint], Connector]
"""A closed connector with an endpoint's settings. LookupError, ValueError: there can be none."""

_ADVICE: Final[Mapping[Outcome, str]] = {
    Outcome.NOT_CONFIGURED: "mend provConnector, provSetting or provSecret on the endpoint's entry",
    Outcome.NOT_SECURE: "have the line protected (a provSetting of the connector), or, where nobody can "
    "listen, set provRequireSecureConnection to FALSE",
    Outcome.SERVER_DOWN: "look at the address and port in provSetting, at names and firewalls between here "
    "and there, at the certificate, and whether the endpoint runs",
    Outcome.LINE_LOST: "the line breaks off: look at the endpoint's own log, and at what is between",
    Outcome.BUSY: "the endpoint asks for patience: try again later, or send it less at once",
    Outcome.BAD_CREDENTIALS: "look at the name and the password that we log in with (provSetting, provSecret)"
    ", and whether that account is locked or expired at the endpoint",
    Outcome.ACCESS_DENIED: "give the account that we log in with the right to find accounts and to set "
    "their passwords",
    Outcome.OBJECT_MISSING: "the account is not where the settings say: look at its name here, and at where "
    "the provSetting values have us look",
    Outcome.CONNECTOR_BROKEN: "this is a fault of the connector's: report it to who made it",
}
_READABLE: Final = "the line can be read on the way, and may be (provRequireSecureConnection)"
_OTHERWISE: Final = "the endpoint's own log says more"


class EndpointChecks:
    """`make` makes connectors; `clock` ends what takes too long."""

    def __init__(self, rooms: Rooms, endpoints: Endpoints, make: Connectors, clock: IReactorTime) -> None:
        self._rooms = rooms
        self._endpoints = endpoints
        self._make = make
        self._clock = clock

    async def check(self, asked: CheckEndpoint, who: Mapping[str, str]) -> dict[str, Json]:
        """Each step that was taken and how it went, as JSON has it: `endpoint`, `at`, `good`, `steps` (each
        with `step`, `good`, `text`, and `advice` where it failed; the first that fails is the last; `skipped`
        and `warning` are said of good ones).

        `who`: for the journal. Refusal NO_SUCH_OBJECT, UNWILLING_TO_PERFORM.
        """
        endpoint = await endpoint_named(asked.endpoint, self._rooms, self._endpoints)
        account = await self._account(endpoint, asked.account)
        steps = await self._steps(endpoint, account)
        failed = [step["step"] for step in steps if not step["good"]]
        at = self._rooms.wall()
        fields = {**who, "endpoint": str(endpoint.dn), **({"failed": str(failed[0])} if failed else {})}
        text = f"Endpoint '{endpoint.name}' checked: {f'{failed[0]} failed' if failed else 'all is well'}"
        line = event(at, Event.ENDPOINT_CHECKED, text, fields)
        await self._rooms.store.commit(Commit(at=at, by=who["by"], journal=(line,)))
        listed: list[Json] = list(steps)
        return {"endpoint": name_of(endpoint), "at": utc(at), "good": not failed, "steps": listed}

    async def _steps(self, endpoint: Endpoint, account: Entry | None) -> list[dict[str, Json]]:
        try:
            connector = self._make(endpoint)
        except (LookupError, ValueError) as error:
            # Neither holds a secret: settings are named by key, seals by key id.
            return [_bad(SETTINGS, Outcome.NOT_CONFIGURED, str(error))]
        steps = [_good(SETTINGS, f"connector {endpoint.connector}")]
        try:
            await self._use(connector, endpoint, account, steps)
        except BaseException:  # not `finally`: see tools/fast/hazards.py
            await connector.close()
            raise
        await connector.close()
        return steps

    async def _use(
        self, connector: Connector, endpoint: Endpoint, account: Entry | None, steps: list[dict[str, Json]]
    ) -> None:
        if _is_open_to_all(connector, endpoint):
            steps.append(_bad(PROTECTION, Outcome.NOT_SECURE))
            return
        if await self._tried(LINE, connector.open(), steps) is None:
            return
        steps.append(_good(LINE, "the endpoint has let us in"))
        if _is_open_to_all(connector, endpoint):  # which some connectors know only now
            steps.append(_bad(PROTECTION, Outcome.NOT_SECURE))
            return
        secure = connector.security is Security.SECURE
        steps.append(_good(PROTECTION, "nobody can read what goes over the line" if secure else _READABLE))
        misfits: AskMisfits | None = getattr(connector, "misfits", None)
        if misfits is not None:
            found = await self._tried(FIT, misfits(), steps)
            if found is None:
                return
            steps.append(_fit(found[0]))
            if not steps[-1]["good"]:
                return
        locate: Locate | None = getattr(connector, "locate", None)
        if account is None:
            steps.append(_skipped(LOOKUP, "we know of no account of this endpoint"))
        elif locate is None:
            steps.append(_skipped(LOOKUP, "this connector finds accounts only by setting their passwords"))
        else:
            where = await self._tried(LOOKUP, locate(account_for_connector(account)), steps)
            if where is not None:
                steps.append(_good(LOOKUP, f"'{leaf_value(account.dn)}' is {where[0]}"))

    async def _tried(self, step: str, work: Awaitable[T], steps: list[dict[str, Json]]) -> tuple[T] | None:
        """What a step brought; None: it failed, and is among the steps."""

        async def result() -> T:
            return await work

        waiting: Deferred[T] = Deferred.fromCoroutine(result())
        try:
            return (await waiting.addTimeout(PATIENCE, self._clock),)
        except CancelledError:  # nobody waits for the answer
            raise
        except OutOfTime:
            steps.append(_bad(step, Outcome.SERVER_DOWN, f"No answer in {PATIENCE:.0f} s."))
        except ConnectorFailure as failure:
            steps.append(_bad(step, outcome_of(failure), str(failure)))
        except Exception as error:
            # Its text may hold anything, a password too.
            steps.append(_bad(step, Outcome.CONNECTOR_BROKEN, type(error).__name__))
        return None

    async def _account(self, endpoint: Endpoint, name: str | None) -> Entry | None:
        """The account to look up: the one that is named, else any."""
        store, views = self._rooms.store, self._rooms.views
        if name:
            entry = await store.read(await account_of(read_account_name(name, views), views, store))
            if entry is None or not entry.dn.is_within(endpoint.dn):
                raise Refusal(
                    ResultCode.NO_SUCH_OBJECT, f"there is no account '{name}' on '{name_of(endpoint)}'"
                )
            return entry
        search = store.search(endpoint.dn, Scope.SUBTREE, _OF_ACCOUNTS, SearchLimits(batch=1))
        async with aclosing(search) as batches:
            async for batch in batches:
                if batch:
                    return batch[0]
        return None


def _is_open_to_all(connector: Connector, endpoint: Endpoint) -> bool:
    """Whether no password may go over the line, because it could be read on the way."""
    return endpoint.require_secure and connector.security is not Security.SECURE


def _good(step: str, text: str) -> dict[str, Json]:
    return {"step": step, "good": True, "text": text}


def _fit(misfits: Sequence[Misfit]) -> dict[str, Json]:
    """What is grave fails the step; what is not is a warning, which is shown and stops nothing."""
    grave = [one for one in misfits if one.grave]
    if grave:
        return {
            **_bad(FIT, Outcome.NOT_CONFIGURED),
            "text": "; ".join(one.what for one in grave),
            "advice": "; ".join(dict.fromkeys(one.advice for one in grave)),
        }
    if misfits:
        told = "; ".join(f"{one.what}: {one.advice}" for one in misfits)
        return {**_good(FIT, told), "warning": True}
    return _good(FIT, "the settings go with what the server says of itself")


def _skipped(step: str, why: str) -> dict[str, Json]:
    return {"step": step, "good": True, "skipped": True, "text": why}


def _bad(step: str, outcome: Outcome, detail: str = "") -> dict[str, Json]:
    text = f"{MEANINGS[outcome].text} {detail}".strip()
    return {
        "step": step,
        "good": False,
        "text": text,
        "event": int(outcome),
        "advice": _ADVICE.get(outcome, _OTHERWISE),
    }
