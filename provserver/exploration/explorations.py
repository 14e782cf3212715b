"""Who may explore what, one at a time, and what came of it.

An exploration that has begun goes on to its end although nobody waits any more: an abandoned search, a
client's time limit and a lost connection end the waiting only. It ends early when the endpoint does, when the
store cannot write, and when the server stops; then it says how far it came, and has removed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from provserver.connectors.contract import ConnectorFailure
from provserver.directory.entries import EntryId
from provserver.exploration import checking
from provserver.exploration.counts import Json, Report
from provserver.exploration.explorer import Explorer, Stopped
from provserver.exploration.ground import Ground
from provserver.exploration.mapping import EXPLORE_MAP, AccountMapping
from provserver.exploration.wishes import Action, Wish
from provserver.imps.endpoints import Endpoint
from provserver.imps.namespaces import namespace
from provserver.journal.events import Event, event
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Commit, StoreFailed

_log = Logger(__name__)

STOPPED: Final = "it was told to stop"
_ID_SIZE: Final = 8


class Exploration:
    """One that is under way, or how it ended."""

    def __init__(self, id: str, endpoint: Endpoint, wish: Wish, report: Report) -> None:
        """`report` grows while it is under way."""
        self.id = id
        self.endpoint = endpoint
        self.wish = wish
        self.report = report
        self.refusal: Refusal | None = None
        """Why it ended before its end."""
        self.running = True
        self._waiting: list[Deferred[None]] = []

    def sentence(self) -> str:
        """What was done, for people."""
        return self.report.counts.sentence()

    def told(self) -> dict[str, Json]:
        """What is known, as JSON has it."""
        report = self.report
        found: dict[str, Json] = {
            "exploration": self.id,
            "endpoint": f"{self.endpoint.namespace}:{self.endpoint.name}",
            "running": self.running,
            "dryRun": self.wish.dry_run,
            "actions": [str(action.name).lower() for action in self.wish.actions],
            **asdict(report.counts),
            "problems": list(report.problems),
        }
        if self.wish.dry_run:
            found["differences"] = list(report.differences)
        if self.refusal is not None:
            found["failure"] = self.refusal.result.diagnostic
        return found

    async def ended(self, clock: IReactorTime, seconds: float = 0.0) -> bool:
        """Wait until it has ended, `seconds` at most (0: without end). Whether it has."""
        if self.running:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            if seconds:
                waiting.addTimeout(seconds, clock, onTimeoutCancel=lambda *_: None)
            try:
                await waiting
            except CancelledError:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
                raise
        return not self.running

    def end(self, refusal: Refusal | None) -> None:
        self.refusal = refusal
        self.running = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(None)


class Explorations:
    """Of one domain. `clock` ends waiting."""

    def __init__(self, ground: Ground, clock: IReactorTime) -> None:
        self._ground = ground
        self._clock = clock
        self._of_endpoint: dict[EntryId, Exploration] = {}
        """The last of each endpoint: how it ended stays to be asked."""
        self._under_way: dict[Exploration, Deferred[None]] = {}
        self._stopping = False

    async def begin(self, endpoint: Endpoint, wish: Wish, who: Mapping[str, str]) -> Exploration:
        """Start one; it goes on by itself. `who`: for the journal.

        Refusal BUSY (the endpoint is being explored), UNWILLING_TO_PERFORM (there is nothing to do, or how
        the endpoint is set up makes no sense).
        """
        before = self._of_endpoint.get(endpoint.id)
        if self._stopping or (before is not None and before.running):
            raise Refusal(
                ResultCode.BUSY,
                f"endpoint '{endpoint.name}' is being explored: try again when that has ended",
            )
        if not wish.actions:
            raise Refusal(
                ResultCode.UNWILLING_TO_PERFORM, "expected to be told what to do: explore, correlate, …"
            )
        entry = await self._ground.store.read_id(endpoint.id)
        given = entry.texts(EXPLORE_MAP.lower()) if entry is not None else ()
        try:
            mapping = AccountMapping(namespace(endpoint.namespace), given, self._ground.schema)
        except ValueError as error:
            raise Refusal(ResultCode.UNWILLING_TO_PERFORM, f"endpoint '{endpoint.name}': {error}") from None
        explorer = Explorer(
            self._ground, endpoint, wish, who["by"], mapping, wanted=lambda: not self._stopping
        )
        exploration = Exploration(self._ground.random(_ID_SIZE).hex(), endpoint, wish, explorer.report)
        self._of_endpoint[endpoint.id] = exploration
        work = Deferred.fromCoroutine(self._run(exploration, explorer, who))
        if exploration.running:
            self._under_way[exploration] = work
        return exploration

    def known(self, id: str) -> Exploration:
        """One that began here. Refusal NO_SUCH_OBJECT."""
        for exploration in self._of_endpoint.values():
            if exploration.id == id:
                return exploration
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"there is no exploration '{id}'")

    async def wait(self, exploration: Exploration, seconds: float = 0.0) -> bool:
        """Whether it has ended, after that many seconds at most; 0: wait until it has."""
        return await exploration.ended(self._clock, seconds)

    async def check(self, who: Mapping[str, str], *, repair: bool) -> dict[str, Json]:
        """See `checking.check`."""
        return await checking.check(self._ground, who, repair=repair)

    async def stop(self, grace: float) -> None:
        """Have all of them end after the portion that they are at, or, if that takes more than `grace`
        seconds (the endpoint does not answer), at once.
        """
        self._stopping = True
        for exploration, work in list(self._under_way.items()):
            if not await exploration.ended(self._clock, grace):
                work.cancel()
                await exploration.ended(self._clock)

    async def _run(self, exploration: Exploration, explorer: Explorer, who: Mapping[str, str]) -> None:
        refusal: Refusal | None = None
        try:
            await self._explore(exploration, explorer)
        except Refusal as refused:
            refusal = refused
        except ConnectorFailure as failure:
            code = ResultCode.UNAVAILABLE if failure.transient else ResultCode.UNWILLING_TO_PERFORM
            refusal = _broken(exploration, code, f"{type(failure).__name__}: {failure}")
        except (Stopped, CancelledError):
            refusal = _broken(exploration, ResultCode.UNAVAILABLE, STOPPED)
        except StoreFailed as failed:
            refusal = _broken(exploration, ResultCode.UNAVAILABLE, f"the store cannot write: {failed}")
        except Exception as error:
            fault = Failure(error, type(error), error.__traceback__)  # type: ignore[no-untyped-call]
            _log.failure("exploring {name} failed", fault, name=exploration.endpoint.name)
            refusal = _broken(exploration, ResultCode.OTHER, type(error).__name__)
        await self._note(exploration, who, refusal)
        self._under_way.pop(exploration, None)
        exploration.end(refusal)

    async def _explore(self, exploration: Exploration, explorer: Explorer) -> None:
        if Action.EXPLORE not in exploration.wish.actions:
            await explorer.run_here()
            return
        try:
            connector = self._ground.make(exploration.endpoint)
        except (LookupError, ValueError) as error:
            # Neither holds a secret: settings are named by key, seals by key id.
            raise _broken(exploration, ResultCode.UNWILLING_TO_PERFORM, str(error)) from None
        try:
            await explorer.run(connector)
        finally:
            await connector.close()

    async def _note(self, exploration: Exploration, who: Mapping[str, str], refusal: Refusal | None) -> None:
        """What came of it, in the journal; of a dry run nothing."""
        endpoint, sentence = exploration.endpoint, exploration.sentence()
        if refusal is None:
            _log.info("endpoint {name} explored: {done}", name=endpoint.name, done=sentence)
        else:
            _log.warn("endpoint {name}: {why}", name=endpoint.name, why=refusal.result.diagnostic)
        if exploration.wish.dry_run:
            return
        at = self._ground.wall()
        fields = {**who, "endpoint": str(endpoint.dn), "done": sentence}
        kind, text = Event.ENDPOINT_EXPLORED, f"Endpoint '{endpoint.name}' explored: {sentence}"
        if refusal is not None:
            kind, text = Event.EXPLORATION_BROKEN, refusal.result.diagnostic
            fields["failed"] = text
        try:
            await self._ground.store.commit(
                Commit(at=at, by=who["by"], journal=(event(at, kind, text, fields),))
            )
        except Exception as error:  # the store is gone, or cannot write: that was said
            _log.warn("not in the journal: {why}", why=str(error))


def _broken(exploration: Exploration, code: ResultCode, why: str) -> Refusal:
    name, done = exploration.endpoint.name, exploration.sentence()
    return Refusal(code, f"exploring '{name}' broke off: {why}; done before that: {done}")
