"""Whether deliveries to an endpoint go: its breaker, its pause, and the probes that find out that it is back.

The breaker (`breaker`) decides, here its decisions are carried out: timers, probes, the journal's two lines.
An endpoint whose entry says `provPaused` is looked at twice a second until it says so no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from provserver.connectors.contract import ConnectorFailure
from provserver.delivery.attempt import Attempts
from provserver.delivery.breaker import ILL, Breaker, Gate
from provserver.delivery.driving import drive
from provserver.delivery.events import ENDPOINT_MEANINGS, EndpointEvent, Outcome, outcome_of, sentence
from provserver.delivery.lines import Courier
from provserver.directory.entries import EntryId
from provserver.imps.endpoints import Endpoint
from provserver.storage.contract import JournalEvent

_log = Logger(__name__)

LOOK: Final = 0.5
"""Seconds between two looks at the entry of an endpoint that takes nothing: what an administrator mends, or
resumes, counts within a second."""
LEAST_REFUSED: Final = 1.0
"""Seconds at least between two log-ins that are refused, whatever the endpoint's entry says."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with an endpoint. Times are the wall clock's; `lines` are open, `on_the_way` counts what
    was claimed and is not settled.
    """

    endpoint: EntryId
    gate: Gate
    since: float = 0.0
    """Since when; 0: since the start."""
    event: int = 0
    text: str = ""
    failed: float = 0.0
    """The last failure that spoke against the endpoint, and when; 0 and empty: none since the start."""
    next_probe: float | None = None
    lines: int = 0
    on_the_way: int = 0


class EndpointGate:
    """One endpoint's. `changed` is called when `state` has become another, `courier` gives a place for the
    line of a probe: the pool's, which sets both.
    """

    def __init__(
        self,
        endpoint: EntryId,
        attempts: Attempts,
        breaker: Breaker,
        clock: IReactorTime,
        wall: Callable[[], float],
        note: Callable[[JournalEvent], None],
    ) -> None:
        self.state = Gate.CLOSED
        self.changed: Callable[[], None] = _nothing
        self.courier: Callable[[], Courier] = _nobody
        self._endpoint = endpoint
        self._attempts = attempts
        self._breaker = breaker
        self._clock = clock
        self._wall = wall
        self._note = note
        self._paused = False
        self._running = True
        self._version = 0
        """Of the endpoint's entry, when it failed last: another one may do better at once."""
        self._since = 0.0
        self._failed = 0.0
        self._outcome = Outcome.SERVER_DOWN
        self._detail = ""
        self._told = False
        """Whether the journal says that deliveries wait."""
        self._alarm: IDelayedCall | None = None
        self._looking = False

    @property
    def shut(self) -> bool:
        """Whether nothing goes at all."""
        return self.state is Gate.OPEN or self.state is Gate.PAUSED

    @property
    def at_rest(self) -> bool:
        """Whether what succeeds need not be told."""
        return self._breaker.at_rest

    @property
    def reason(self) -> tuple[Outcome, str]:
        """Why nothing goes."""
        return (Outcome.PAUSED, "") if self._paused else (self._outcome, self._detail)

    def standing(self, lines: int, on_the_way: int) -> Standing:
        failed, open_ = self._failed, self.state is Gate.OPEN
        return Standing(
            endpoint=self._endpoint,
            gate=self.state,
            since=self._since,
            event=int(self._outcome) if failed else 0,
            text=sentence(self._outcome, self._detail) if failed else "",
            failed=failed,
            next_probe=self._wall() + max(0.0, self._breaker.probe_at - self._now()) if open_ else None,
            lines=lines,
            on_the_way=on_the_way,
        )

    # -- what happens

    def ended(self, outcome: Outcome, detail: str) -> None:
        """An attempt has ended."""
        if outcome in ILL:
            self._remember(outcome, detail)
        if self._breaker.ended(outcome, self._now()):
            self._update()

    def unreachable(self, endpoint: Endpoint, failure: ConnectorFailure) -> None:
        """No line can be had."""
        self._remember(outcome_of(failure), str(failure))
        self._version = endpoint.version
        self._breaker.unreachable(self._now(), _pause_after(failure, endpoint))
        self._update()

    def pause(self, wanted: bool) -> None:
        """The endpoint's entry says so."""
        self._paused = wanted
        self._update()

    def stop(self) -> None:
        self._running = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def resume(self) -> None:
        self._running = True
        self._arm()

    # -- how it goes on

    def _update(self) -> None:
        state = Gate.PAUSED if self._paused else self._breaker.state
        if state is not self.state:
            self.state = state
            self._since = self._wall()
            if self._breaker.state is Gate.OPEN and not self._told:
                self._told = True
                self._tell(EndpointEvent.UNREACHABLE, sentence(self._outcome, self._detail))
            elif self._breaker.state is Gate.CLOSED and self._told:
                self._told = False
                self._tell(EndpointEvent.BACK, "")
            self._arm()
            self.changed()
        else:
            self._arm()

    def _arm(self) -> None:
        """See to it that the endpoint is looked at again, as long as it takes nothing."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._running and self.shut and not self._looking:
            due = LOOK if self._paused else self._breaker.probe_at - self._now()
            self._alarm = self._clock.callLater(max(0.0, min(due, LOOK)), self._look)

    def _look(self) -> None:
        self._alarm = None
        self._looking = True
        drive(self._looked(), self._failed_to_look)

    async def _looked(self) -> None:
        try:
            endpoint = await self._attempts.endpoint(self._endpoint)
            if not self._running:
                return
            if endpoint is None:
                self._breaker.forget()  # deliveries end by themselves
                self._paused = False
                return
            self._paused = endpoint.paused
            open_ = self._breaker.state is Gate.OPEN
            due = self._now() >= self._breaker.probe_at or endpoint.version != self._version
            if open_ and due and not self._paused:
                await self._probe(endpoint)
        finally:
            self._looking = False
            self._update()

    async def _probe(self, endpoint: Endpoint) -> None:
        self._version = endpoint.version
        try:
            await self._attempts.probe(endpoint, self.courier())
        except ConnectorFailure as failure:
            self._remember(outcome_of(failure), str(failure))
            self._breaker.probe_failed(self._now(), _pause_after(failure, endpoint))
        else:
            self._breaker.probe_succeeded()

    def _failed_to_look(self, error: Exception) -> None:
        _log.error("an endpoint could not be looked at: {kind}", kind=type(error).__name__)

    def _remember(self, outcome: Outcome, detail: str) -> None:
        self._outcome, self._detail, self._failed = outcome, detail, self._wall()

    def _tell(self, event: EndpointEvent, detail: str) -> None:
        meaning = ENDPOINT_MEANINGS[event].text
        text = f"{meaning} {detail}" if detail else meaning
        self._note(JournalEvent(self._wall(), int(event), text, {"endpoint": self._endpoint}))

    def _now(self) -> float:
        return self._clock.seconds()


def _pause_after(failure: ConnectorFailure, endpoint: Endpoint) -> float | None:
    """Until the next probe: where we were refused, each one counts against our account there."""
    return None if failure.transient else max(endpoint.retry_interval, LEAST_REFUSED)


def _nothing() -> None:
    pass


def _nobody() -> Courier:
    return Courier(_nothing)
