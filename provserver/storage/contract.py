"""The contract of a durable store: what the rest of the house may ask, whatever engine answers.

Everything is `async`, because an engine may be far away; an embedded engine answers without suspending. What
`commit` has returned is on disk. Reads see only what is on disk. Times are wall-clock seconds since the
epoch, given by the caller. `tests/contract` is the suite that every engine passes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import Final, NewType, Protocol

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.ldap.filters import Filter, Scope
from provserver.records import record

ChangeId = NewType("ChangeId", str)
"""One acknowledged password exchange."""

DeliveryId = NewType("DeliveryId", str)
"""One password on its way to one account."""


LOST_TRACK: Final = 7013
"""The event of a delivery of whose attempt nobody has seen the end (`Outcome.OUTCOME_UNKNOWN`): its process
died, or its lease ran out."""


class Conflict(Exception):
    """Somebody else committed first: an entry is not at the version that the commit expected. Read again,
    try again.
    """


class StoreFailed(Exception):
    """The store cannot write: the disk is full, cannot be written to, or broken. The text is the engine's.
    Nothing of the commit is there.
    """


class StoreLocked(Exception):
    """Another process has the store; the text says which."""


@record
class Put:
    """Write an entry: `expected` 0 means it must not exist yet, else it must be at that version. Becomes
    expected + 1. It keeps its name (a new spelling of it is taken): another one is for Move.
    """

    entry: Entry
    expected: int


@record
class Remove:
    """Delete a leaf entry that is at version `expected`."""

    id: EntryId
    dn: DN
    expected: int


@record
class Move:
    """Give an entry another name, and with it all that is below. Ids stay, and the attributes of what is
    below; the version of each grows by one.

    `entry` is the entry as it shall be; it is found by its id and must be at version `expected`. `below` is
    how many entries the caller found below the old name, so that nothing moves that nobody has judged.
    """

    entry: Entry
    expected: int
    below: int = 0


Write = Put | Remove | Move
"""One change to the tree."""


class DeliveryState(Enum):
    """Where a delivery stands. The first four are rows of the outbox; the rest are how a delivery ended."""

    PENDING = "pending"
    CLAIMED = "claimed"
    RETRYING = "retrying"
    HELD = "held"
    UPDATED = "updated"
    UNVERIFIED = "updated, unverified"
    FAILED = "failed"
    CANCELLED = "cancelled"


@record
class NewDelivery:
    """A sealed password for one account. `claimed`: taken at once, row and echo mark are in the exchange's
    own commit.
    """

    id: DeliveryId
    change: ChangeId
    user: EntryId
    account: EntryId
    endpoint: EntryId
    sealed: bytes = field(repr=False)
    mark: bytes = field(repr=False)
    """HMAC(key, account id, folded password): what an echo of this password looks like."""
    options: int = 0
    """PasswordOption flags."""
    claimed: bool = False
    event: int = 0
    """What is known of it before its first attempt: an event id of `delivery.events`."""


@record
class Delivery:
    """A row of the outbox."""

    id: DeliveryId
    change: ChangeId
    user: EntryId
    account: EntryId
    endpoint: EntryId
    sealed: bytes = field(repr=False)
    mark: bytes = field(repr=False)
    options: int
    state: DeliveryState
    attempts: int
    """Attempts that have ended."""
    created: float
    due: float
    """Not before this time."""
    event: int
    text: str
    """The last attempt's event and text; 0 and empty before the first."""


class MarkFate(Enum):
    """What becomes of the echo mark when an attempt ends."""

    ENDED = "ended"
    """The password was, or may have been, set: the window runs from now."""
    REMOVED = "removed"
    """The endpoint definitely did not take it: there is nothing to echo."""


@record
class Settlement:
    """How one attempt ended. UPDATED, UNVERIFIED, FAILED and CANCELLED remove the row and with it the sealed
    password; RETRYING (not before `due`) and HELD keep it."""

    delivery: DeliveryId
    account: EntryId
    change: ChangeId
    state: DeliveryState
    mark: MarkFate
    at: float
    event: int
    text: str = ""
    due: float = 0.0
    charged: bool = True
    """Whether it counts among the attempts of a delivery that goes on; false, when it was never sent."""


@record
class Tally:
    """How many deliveries of one endpoint are in one state of the outbox, and when the oldest was made."""

    endpoint: EntryId
    state: DeliveryState
    count: int
    oldest: float


@record
class Mark:
    """A password that we sent, or are sending, to an account. `ended` is None while the attempt lasts."""

    account: EntryId
    digest: bytes = field(repr=False)
    change: ChangeId
    sent: float
    ended: float | None
    options: int = 0


@record
class AccountStatus:
    """How the last delivery to an account ended."""

    account: EntryId
    change: ChangeId
    state: DeliveryState
    at: float
    event: int
    text: str

    @property
    def good(self) -> bool:
        """Whether the account has the password."""
        return self.state in (DeliveryState.UPDATED, DeliveryState.UNVERIFIED)


@record
class JournalEvent:
    """Something that happened: an event id, a sentence, and fields for machines. Never a secret."""

    at: float
    event: int
    text: str
    fields: Mapping[str, str] = field(default_factory=dict)


@record
class Commit:
    """Everything that becomes true at once, or not at all."""

    at: float
    by: str
    """Who asked: a DN, for the change log."""
    writes: tuple[Write, ...] = ()
    """In this order: a later one finds what an earlier one left."""
    reads: tuple[tuple[EntryId, int], ...] = ()
    """Entries that must still be at these versions."""
    deliveries: tuple[NewDelivery, ...] = ()
    cancel_for: tuple[EntryId, ...] = ()
    """Global users: every unsent delivery of theirs that was in the outbox before is cancelled; what is
    claimed is not sent again after this attempt, by no process.
    """
    quiet: EntryId | None = None
    """An account to which nothing may be on its way; Conflict otherwise."""
    journal: tuple[JournalEvent, ...] = ()


@record
class Committed:
    """`sequence` is the change log's last number; `cancelled` the deliveries that `cancel_for` ended."""

    sequence: int
    cancelled: tuple[Delivery, ...] = ()


@record
class ChangeRecord:
    """One line of the change log."""

    sequence: int
    at: float
    by: str
    kind: str
    """add, modify, delete or move: that it has another name, one line for each entry that does."""
    id: EntryId
    dn: DN
    version: int


@record
class History:
    """What the change log holds: the lines from `first` to `last`, both 0 when nothing was ever written."""

    began: float
    """When the very first change was made, whether or not its line is still there."""
    first: int
    last: int


@record
class Pruned:
    """How many lines of each log were removed."""

    journal: int
    changes: int


@record
class SearchLimits:
    """`candidates`: how many entries a search may look at before it is refused with adminLimitExceeded; 0 =
    no limit. `batch`: entries looked at in one go, while nobody else is served.
    """

    candidates: int = 0
    batch: int = 100


class Trail:
    """Given to a search, to learn on what its answer rests: the engine leaves a `witness` when it can tell
    that cheaply.
    """

    __slots__ = ("witness",)

    def __init__(self) -> None:
        self.witness: object | None = None


class Store(Protocol):
    """A durable store. Writes go through one writer that shares an fsync between concurrent commits."""

    async def read(self, dn: DN) -> Entry | None: ...

    async def read_id(self, entry: EntryId) -> Entry | None: ...

    async def read_ids(self, entries: Sequence[EntryId]) -> Sequence[Entry]:
        """Those of these entries that exist, in this order; for somebody who looks at each of them once, and
        asks for no more than a batch of a search at a time.
        """

    async def find(self, key: str, value: bytes) -> tuple[EntryId, ...]:
        """Ids of the entries that hold `value` (matched by the type's equality rule) in an indexed attribute.

        KeyError when the attribute is not indexed: a bug of ours, not of a client.
        """

    def search(
        self, base: DN, scope: Scope, filter: Filter, limits: SearchLimits, trail: Trail | None = None
    ) -> AsyncGenerator[Sequence[Entry], None]:
        """Batches of matching entries, parents before children; a batch may be empty, so that a caller can
        stop a long search that finds nothing. A base that does not exist yields nothing.

        Uses indexes, holds no more than a batch while it looks, next to nothing while it waits to be asked
        for more, and no read transaction outlives a batch. It may be closed before its end. Nothing is found
        twice, whatever is added, removed or renamed meanwhile; what came or moved after it began may be
        missing. Raises Refusal(ADMIN_LIMIT_EXCEEDED) after what was found within the limit.
        """

    def unchanged(self, witness: object) -> bool:
        """Whether the search that left this witness would find the very same entries, at the same versions,
        and its base too. False is always true enough.
        """

    def watch(self, key: str, values: Collection[bytes], changed: Callable[[], None]) -> None:
        """Call `changed` as soon as it is on disk that other entries than before hold one of these values of
        an indexed attribute; at times also when they are the same. KeyError: it is not indexed.
        """

    async def has_children(self, dn: DN) -> bool: ...

    async def count_children(self, dn: DN) -> int:
        """How many entries are just below this one; 0 also where it does not exist."""

    async def commit(self, commit: Commit) -> Committed:
        """Make it so, durably, or raise and change nothing.

        StoreFailed. Conflict: a version differs, or how many entries a Move takes along. Refusal:
        ENTRY_ALREADY_EXISTS; NO_SUCH_OBJECT (no parent, or gone); NOT_ALLOWED_ON_NON_LEAF;
        UNWILLING_TO_PERFORM (a Move below itself). ValueError: a Put that gives an entry another name, a bug
        of ours. An entry without a parent in the store may be added when its DN has depth 1, or when the
        store is empty (the top of a domain may be dc=chicago,dc=usa).
        """

    async def changes(self, after: int, limit: int) -> Sequence[ChangeRecord]:
        """Lines of the change log, oldest first. Whoever reads one page after the other may do so in a loop:
        the reactor does other things between them.
        """

    async def history(self) -> History: ...

    def follow(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` soon after the change log has grown, once for all that has come meanwhile, until what
        this returns is called.
        """

    async def claim(
        self, endpoint: EntryId, limit: int, now: float, lease: float, busy: frozenset[EntryId]
    ) -> Sequence[Delivery]:
        """Take due deliveries of one endpoint (pending, retrying, or claimed with an expired lease, which
        then have the event LOST_TRACK), oldest first, at most one an account, none for the accounts in
        `busy`; their echo marks are durable when this returns."""

    async def settle(self, settlement: Settlement) -> None:
        """Record, durably, how an attempt ended. A row that is gone (cancelled, dropped) is not an error."""

    async def endpoints_due(self, now: float) -> tuple[Sequence[EntryId], float | None]:
        """Endpoints with something to claim now, and the time at which the next delivery after that becomes
        due.
        """

    async def deliveries(
        self, *, user: EntryId | None = None, account: EntryId | None = None
    ) -> Sequence[Delivery]:
        """Rows of the outbox, oldest first."""

    async def delivery(self, delivery: DeliveryId) -> Delivery | None:
        """One row of the outbox."""

    async def outbox(
        self, after: int, limit: int, *, endpoint: EntryId | None = None, state: DeliveryState | None = None
    ) -> Sequence[tuple[int, Delivery]]:
        """A page of the outbox, oldest first: rows with numbers above `after`. A number stays with its row,
        and says nothing else. Whoever reads one page after the other may do so in a loop: the reactor does
        other things between them.
        """

    async def tallies(self) -> Sequence[Tally]:
        """What is in the outbox, counted; by endpoint, then by state."""

    async def outbox_size(self) -> int: ...

    async def release(self, deliveries: Sequence[DeliveryId], at: float) -> Sequence[Delivery]:
        """Make what is held or retrying pending again, due at once, all its retries before it. The rows as
        they were; what is in another state, or gone, is left alone.
        """

    async def drop(
        self, deliveries: Sequence[DeliveryId], state: DeliveryState, at: float, event: int, text: str
    ) -> Sequence[Delivery]:
        """End what waits or is held (not what is claimed) in this final state; its sealed password is gone
        with that. The rows as they were.
        """

    async def held_before(self, time: float, limit: int) -> Sequence[Delivery]:
        """What has been held since before that time, the longest first. A held row's `due` is when it was
        held.
        """

    async def hold_all(self, at: float, event: int, text: str) -> int:
        """Hold everything that waits, for a person to look at, in one transaction with which the store also
        stops being `restored`. How many deliveries that were.
        """

    async def restored(self) -> bool:
        """Whether this is a backup of another store, and nobody has asked for `hold_all` yet: what waits in
        it may have been delivered since it was made, or be older than what the account has now.
        """

    async def reseal(self, sealed: Sequence[tuple[DeliveryId, bytes]]) -> int:
        """Put other sealed values in the place of those of rows that wait or are held (those that were
        claimed meanwhile are not altered). How many were.
        """

    async def on_its_way(self, account: EntryId) -> bool:
        """Whether an attempt to set this account's password was claimed and has not been settled."""

    async def marks(self, account: EntryId) -> Sequence[Mark]:
        """What was sent to an account, oldest first."""

    async def forget_marks(self, older_than: float) -> int:
        """Remove the marks whose attempt ended before that time."""

    async def status(self, account: EntryId) -> AccountStatus | None: ...

    def note(self, event: JournalEvent) -> None:
        """Journal without waiting: written with the next commit or within a second; a crash may lose it."""

    async def journal(self, after: int, limit: int) -> Sequence[tuple[int, JournalEvent]]: ...

    async def prune(self, journal_before: float, changes_before: float) -> Pruned:
        """Remove the first lines of the journal and of the change log, as far as they are older than these
        times, and not the last line of either. In short transactions, between which others write.
        """

    async def close(self) -> None:
        """Finish what was begun, release the store."""
