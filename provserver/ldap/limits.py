"""How much a peer may ask of us: every bound on the wire, its default, and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection. Sizes are bytes, times are seconds; a time of 0 turns that limit off.

    All are checked before memory is spent on what they bound: a size in the header, not after reading.
    """

    message_before_bind: int = 64 * KIB
    """Largest message from somebody who has not authenticated. A bind is some 100 bytes; slapd's
    `sockbuf_max_incoming` allows 256 KiB."""

    message_after_bind: int = 4 * MIB
    """Largest message from somebody who has. slapd's `sockbuf_max_incoming_auth` is 4 MiB, 389-ds's
    `nsslapd-maxbersize` 2 MiB."""

    read_ahead: int = 64 * KIB
    """Bytes kept while no request may start; then reading stops. One chunk of Twisted's more may come."""

    ber_depth: int = 100
    """Nesting of and, or, not in a filter. Bounds our recursion (Python's limit is 1000 frames)."""

    filter_nodes: int = 10_000
    """Parts of one filter, all levels together."""

    values: int = 100_000
    """Values, attributes, changes and controls of one message; they cost more memory than their bytes."""

    outstanding_operations: int = 100
    """Requests of one connection in progress; then we stop reading. slapd's `conn_max_pending` is 100."""

    write_chunk: int = 64 * KIB
    """Answers gathered before they are handed to the transport; as much as Twisted's own write buffer."""

    write_buffer: int = 8 * MIB
    """Answers kept for a peer who does not read, beyond the transport's buffer; then it is cut off."""

    slow_reader_time: float = 60.0
    """How long a reader may leave the write buffer full. slapd's `writetimeout` is off by default."""

    handshake_time: float = 10.0
    """For the TLS handshake, LDAPS or StartTLS: a peer that says nothing is cut off before it costs much."""

    time_to_first_bind: float = 60.0
    """From the connection to the first successful authentication: a stranger is not kept for ever."""

    idle_time: float = 900.0
    """Without a complete request or an operation in progress. A message that trickles in is idleness too."""

    closing_time: float = 5.0
    """For the last answers to leave after we decided to close; then the connection is cut."""


DEFAULT_LIMITS: Final = Limits()
