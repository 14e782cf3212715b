"""What peers do that a limit forbids: counted always, logged once per limit and peer in a while.

Whoever floods a server should not flood its log as well. Memory is bounded; a peer that is forgotten is
logged again too early, which does no harm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from twisted.logger import Logger

from provserver.ldap.peers import source
from provserver.recent import Recent

_log = Logger(__name__)

_REMEMBERED: Final = 4_096


class Offence(StrEnum):
    """By the setting that was reached, where there is one."""

    CONNECTIONS = "connections.total"
    PER_ADDRESS = "connections.per_address"
    HANDSHAKE_TIME = "limits.handshake_time"
    HANDSHAKE = "handshake"
    MALFORMED = "malformed"
    MESSAGE_BEFORE_BIND = "limits.message_before_bind"
    MESSAGE_AFTER_BIND = "limits.message_after_bind"
    BER_DEPTH = "limits.ber_depth"
    FILTER_NODES = "limits.filter_nodes"
    VALUES = "limits.values"
    WRITE_BUFFER = "limits.write_buffer"
    SLOW_READER_TIME = "limits.slow_reader_time"
    TIME_TO_FIRST_BIND = "limits.time_to_first_bind"
    IDLE_TIME = "limits.idle_time"
    CLEAR_TEXT_BEHIND_START_TLS = "clear text behind StartTLS"
    SEARCH_SIZE = "search.size_limit"
    SEARCH_TIME = "search.time_limit"
    ADMIN_LIMIT = "adminLimitExceeded"
    BUSY = "busy"
    FAILED_BINDS = "binds.delay_after"
    WAITING_BINDS = "binds.queue"


class Offences:
    """`monotonic` gives seconds; `interval` is how long one limit and peer are logged no second time."""

    def __init__(self, monotonic: Callable[[], float], interval: float = 60.0) -> None:
        self._monotonic = monotonic
        self._interval = interval
        self._logged: Recent[tuple[Offence, str], _Logged] = Recent(_REMEMBERED)
        self.counts: Counter[Offence] = Counter()
        """How often each happened. To read, not to change."""

    def note(self, offence: Offence, peer: str, what: str) -> None:
        """`what` is a sentence without its subject, which is the peer. Never a value that came from it."""
        self.counts[offence] += 1
        now = self._monotonic()
        key = (offence, source(peer))
        logged = self._logged.get(key)
        if logged is None:
            self._logged.put(key, _Logged(now))
        elif now - logged.at < self._interval:
            logged.unsaid += 1
            return
        else:
            what += f"; {logged.unsaid} more since the last time" if logged.unsaid else ""
            logged.at, logged.unsaid = now, 0
        _log.info("{peer}: {what} ({offence})", peer=peer, what=what, offence=offence.value)


class _Logged:
    """When it was logged last, and what happened since."""

    __slots__ = ("at", "unsaid")

    def __init__(self, at: float) -> None:
        self.at = at
        self.unsaid = 0
