"""One attempt to set one password: everything that is looked at before it is sent, and what its end means.

The seal is opened last, right before the password goes out, and after it was made sure that no newer change
of the user was committed in the meantime and that the line is as secure as the endpoint requires. Only one
that came encoded is looked at before: an endpoint that does not take its scheme need not be called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from twisted.logger import Logger

from provserver.connectors.contract import (
    Account,
    Connector,
    ConnectorFailure,
    DroppedConnection,
    PasswordInHistory,
    PasswordOption,
    Security,
    scheme_of,
)
from provserver.delivery.events import MEANINGS, ConnectorBroken, Outcome, outcome_of
from provserver.delivery.lines import Courier, Line
from provserver.delivery.parcels import Parcel
from provserver.delivery.retry import Hold, policy_of
from provserver.directory.entries import EntryId
from provserver.imps.endpoints import Endpoint
from provserver.storage.contract import Delivery, DeliveryState, MarkFate
from provserver.vault.secret import Secret

_log = Logger(__name__)


class Facts(Protocol):
    """What couriers ask of the tree, as it is now. Asked for every parcel: an answer should cost
    microseconds."""

    async def endpoint(self, endpoint: EntryId) -> Endpoint | None: ...

    async def account(self, account: EntryId) -> Account | None: ...

    def connector(self, endpoint: Endpoint) -> Connector:
        """A closed connector with the endpoint's settings. LookupError, ValueError: there can be none."""


OpenSeal = Callable[[Delivery], Secret]
"""Opens a delivery's sealed password, or raises."""


class Ending(NamedTuple):
    """How an attempt ended, as it will be settled."""

    outcome: Outcome
    state: DeliveryState
    mark: MarkFate
    detail: str = ""
    due: float = 0.0
    charged: bool = True
    """Whether it counts as one of the delivery's attempts: not when it was never sent, because of others."""


class EndpointDown(Exception):
    """No line can be had, for a reason that concerns whatever waits for this endpoint."""

    def __init__(self, endpoint: Endpoint, failure: ConnectorFailure, ending: Ending) -> None:
        super().__init__(str(failure))
        self.endpoint = endpoint
        self.failure = failure
        self.ending = ending


class EndpointPaused(Exception):
    """An administrator wants nothing to be sent there for now."""


class _Stop(Exception):
    """Ends an attempt before anything was sent."""

    def __init__(self, outcome: Outcome, state: DeliveryState, detail: str = "") -> None:
        self.outcome = outcome
        self.state = state
        self.detail = detail


_OPTIONS = tuple(PasswordOption(flags) for flags in range(16))
_ENCODED = PasswordOption.ENCODED.value
_UPDATED = Ending(Outcome.UPDATED, DeliveryState.UPDATED, MarkFate.ENDED)


class Attempts:
    """Makes attempts; keeps nothing between them. `random`: uniformly from 0 to 1."""

    def __init__(
        self,
        facts: Facts,
        open_seal: OpenSeal,
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._facts = facts
        self._open_seal = open_seal
        self._wall = wall
        self._random = random

    async def endpoint(self, endpoint: EntryId) -> Endpoint | None:
        """The endpoint as it is now."""
        return await self._facts.endpoint(endpoint)

    async def make(self, endpoint_id: EntryId, courier: Courier, parcel: Parcel) -> Ending:
        """One attempt, from the look at the endpoint to its end. EndpointDown, EndpointPaused; nothing
        else.
        """
        endpoint: Endpoint | None = None
        try:
            known = parcel.known
            if known is not None:
                endpoint, account, secret = known
            else:
                endpoint, account = await self._facts_of(endpoint_id, parcel)
                secret = None
            if endpoint.propagation_disabled:
                raise _Stop(Outcome.NOT_ENABLED, DeliveryState.HELD)
            if endpoint.paused:
                raise EndpointPaused
            await self._send(endpoint, courier, parcel, account, secret)
        except _Stop as stop:
            return Ending(stop.outcome, stop.state, _nothing_sent(parcel), stop.detail)
        except ConnectorFailure as failure:
            return self.after_failure(endpoint, parcel, failure)
        except (EndpointDown, EndpointPaused):
            raise
        except Exception as error:
            return self.after_failure(endpoint, parcel, _broken(error))
        return _UPDATED

    async def probe(self, endpoint: Endpoint, courier: Courier) -> None:
        """Open a line that carries nothing. ConnectorFailure: it cannot be had."""
        try:
            line = courier.line
            if line is None or line.version != endpoint.version:
                line = await self._equip(courier, endpoint)
            if endpoint.require_secure:
                _demand_security(line.connector)
        except _Stop:
            return  # the delivery that tries next is told what is wrong
        try:
            await line.open()
        except Exception as error:
            await courier.hang_up(line)
            raise error if isinstance(error, ConnectorFailure) else _broken(error) from None

    def after_failure(self, endpoint: Endpoint | None, parcel: Parcel, failure: ConnectorFailure) -> Ending:
        """What a failure means for a parcel: retried, held, cancelled, or updated after all."""
        if isinstance(failure, PasswordInHistory) and parcel.maybe_set:
            return Ending(Outcome.UNVERIFIED, DeliveryState.UNVERIFIED, MarkFate.ENDED, str(failure))
        if failure.outcome_unknown:
            parcel.maybe_set = True
        if parcel.superseded:
            return self.superseded(parcel)
        next_step = policy_of(endpoint).next(
            parcel.delivery.attempts + 1, failure, self._wall(), self._random
        )
        outcome, mark = outcome_of(failure), _nothing_sent(parcel)
        if isinstance(next_step, Hold):
            return Ending(outcome, DeliveryState.HELD, mark, str(failure))
        if parcel.maybe_set:
            # Kept through later failures: the refusal of a repeat is understood by it, after a restart too.
            outcome = Outcome.OUTCOME_UNKNOWN
        return Ending(outcome, DeliveryState.RETRYING, mark, str(failure), next_step.due)

    def unsent(self, parcel: Parcel, outcome: Outcome, detail: str = "") -> Ending:
        """Back to the outbox as it came, to go when the endpoint takes it: nothing was tried."""
        if parcel.superseded:
            return self.superseded(parcel)
        if parcel.maybe_set:
            outcome = Outcome.OUTCOME_UNKNOWN
        mark = _nothing_sent(parcel)
        return Ending(outcome, DeliveryState.RETRYING, mark, detail, self._wall(), charged=False)

    def superseded(self, parcel: Parcel) -> Ending:
        return Ending(Outcome.OUT_OF_DATE, DeliveryState.CANCELLED, _nothing_sent(parcel))

    # -- the steps

    async def _facts_of(self, endpoint_id: EntryId, parcel: Parcel) -> tuple[Endpoint, Account]:
        endpoint = await self._facts.endpoint(endpoint_id)
        if endpoint is None:
            raise _Stop(Outcome.NOT_CONFIGURED, DeliveryState.FAILED, "The endpoint is gone.")
        account = await self._facts.account(parcel.delivery.account)
        if account is None:
            raise _Stop(Outcome.OBJECT_MISSING, DeliveryState.FAILED, "Its entry is gone.")
        return endpoint, account

    async def _send(
        self, endpoint: Endpoint, courier: Courier, parcel: Parcel, account: Account, secret: Secret | None
    ) -> None:
        dropped: DroppedConnection | None = None
        while True:
            line = courier.line
            if line is None or line.version != endpoint.version:
                line = await self._equip(courier, endpoint)
            if parcel.delivery.options & _ENCODED:
                if secret is None:
                    secret = self._unsealed(parcel)
                _demand_scheme(line.connector, secret)
            if endpoint.require_secure:
                _demand_security(line.connector)
            line.load += 1
            try:
                await self._open(endpoint, courier, line, parcel, dropped)
                await self._set(endpoint, line.connector, parcel, account, secret)
            except DroppedConnection as failure:
                parcel.maybe_set = parcel.maybe_set or failure.outcome_unknown
                await courier.hang_up(line)
                await courier.leave(line)
                if dropped is not None or not line.used:
                    raise
                # A line kept open may be dead without our knowing: one more try, on a new one, is part of
                # this attempt.
                dropped = failure
            except BaseException as error:  # not `finally`: see tools/fast/hazards.py
                if isinstance(error, Exception) and not _leaves_the_line_good(error):
                    await courier.hang_up(line)
                await courier.leave(line)
                raise
            else:
                line.used = True
                await courier.leave(line)
                return

    async def _equip(self, courier: Courier, endpoint: Endpoint) -> Line:
        """A line with the settings that the endpoint has now; attempts on the one before end first."""
        former, courier.line = courier.line, None
        if former is not None and not former.load:
            await former.close()
        try:
            connector = self._facts.connector(endpoint)
        except (LookupError, ValueError) as error:
            # Neither holds a secret: settings are named by key, seals by key id.
            raise _Stop(Outcome.NOT_CONFIGURED, DeliveryState.HELD, str(error)) from None
        line = courier.line = Line(connector, endpoint.version)
        return line

    async def _open(
        self,
        endpoint: Endpoint,
        courier: Courier,
        line: Line,
        parcel: Parcel,
        dropped: DroppedConnection | None,
    ) -> None:
        """EndpointDown. `dropped`: how the line before this one ended, in the same attempt."""
        was_up = line.up
        try:
            await line.open()
        except Exception as error:
            failure = error if isinstance(error, ConnectorFailure) else _broken(error)
            if dropped is not None and dropped.outcome_unknown:
                ending = self.after_failure(endpoint, parcel, dropped)
            else:
                ending = self.unsent(parcel, outcome_of(failure), str(failure))
            raise EndpointDown(endpoint, failure, ending) from None
        if not was_up:
            courier.opened()

    async def _set(
        self,
        endpoint: Endpoint,
        connector: Connector,
        parcel: Parcel,
        account: Account,
        secret: Secret | None,
    ) -> None:
        """Send. From the last look at `superseded` to the connector's call nothing else runs."""
        if endpoint.require_secure:
            _demand_security(connector)
        if parcel.newest.change != parcel.delivery.change:
            raise _Stop(Outcome.OUT_OF_DATE, DeliveryState.CANCELLED)
        if secret is None:
            secret = self._unsealed(parcel)
        try:
            await connector.set_password(account, secret, _OPTIONS[parcel.delivery.options])
        except ConnectorFailure:
            raise
        except Exception as error:
            broken = _broken(error)
            broken.outcome_unknown = True
            raise broken from None

    def _unsealed(self, parcel: Parcel) -> Secret:
        try:
            return self._open_seal(parcel.delivery)
        except Exception as error:
            raise _Stop(Outcome.SEAL_BROKEN, DeliveryState.HELD, type(error).__name__) from None


def _nothing_sent(parcel: Parcel) -> MarkFate:
    """The mark of an attempt that surely did not set the password; an earlier one may have."""
    return MarkFate.ENDED if parcel.maybe_set else MarkFate.REMOVED


def _leaves_the_line_good(error: Exception) -> bool:
    if isinstance(error, ConnectorFailure):
        return MEANINGS[outcome_of(error)].line_is_good
    return isinstance(error, _Stop)


def _demand_security(connector: Connector) -> None:
    if connector.security is not Security.SECURE:
        raise _Stop(Outcome.NOT_SECURE, DeliveryState.HELD)


def _demand_scheme(connector: Connector, encoded: Secret) -> None:
    """No later attempt can send what we do not know: the end of this delivery, for all to see."""
    scheme = scheme_of(encoded)
    if scheme not in connector.accepts.schemes:
        raise _Stop(Outcome.NEEDS_CLEAR_TEXT, DeliveryState.FAILED, f"Its scheme is {scheme}.")


def _broken(error: Exception) -> ConnectorBroken:
    """A fault in a connector, told by its kind and its place: its text may hold anything, a password too."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}"
    text = f"{type(error).__name__}{where}"
    _log.error("a connector has a fault: {text}", text=text)
    return ConnectorBroken(text)
