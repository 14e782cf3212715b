"""The metrics, declared once: docs/reference/metrics.md and what a scrape says are made of this.

Names as Prometheus wants them: base units, `_total` of what only grows. Everything counts from the start of
the process. No label holds a user's name; endpoints are named by their DNs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric; `bounds`: upper bounds of a histogram's buckets, in seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

_OPERATION_BOUNDS: Final[tuple[float, ...]] = (
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.1,
    0.5,
    2.5,
    10.0,
)
_DELIVERY_BOUNDS: Final[tuple[float, ...]] = (
    0.01,
    0.05,
    0.25,
    1.0,
    5.0,
    30.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    86400.0,
)

BUILD: Final = Metric("provserver_build_info", _GAUGE, "The version that runs; always 1.", ("version",))

CONNECTIONS: Final = Metric("provserver_connections", _GAUGE, "LDAP connections that are open.")
CONNECTIONS_TAKEN: Final = Metric(
    "provserver_connections_taken_total", _COUNTER, "LDAP connections that were taken."
)
CONNECTIONS_REFUSED: Final = Metric(
    "provserver_connections_refused_total", _COUNTER, "LDAP connections that were not, because of a limit."
)
OPERATIONS: Final = Metric(
    "provserver_operations_total", _COUNTER, "LDAP requests that were begun.", ("operation",)
)
OPERATION_SECONDS: Final = Metric(
    "provserver_operation_seconds",
    _HISTOGRAM,
    "Seconds from an LDAP request to its answer; of a persistent search, to its end.",
    ("operation",),
    _OPERATION_BOUNDS,
)
RECEIVED: Final = Metric(
    "provserver_received_bytes_total", _COUNTER, "Bytes of LDAP requests, inside of TLS."
)
SENT: Final = Metric("provserver_sent_bytes_total", _COUNTER, "Bytes of LDAP answers, inside of TLS.")
LIMITS: Final = Metric(
    "provserver_limits_reached_total",
    _COUNTER,
    "How often a limit was reached, by the setting that it is.",
    ("limit",),
)

EVENTS: Final = Metric(
    "provserver_events_total",
    _COUNTER,
    "Events of the journal, as docs/reference/journal.md lists them.",
    ("event", "name", "severity"),
)
EXCHANGES: Final = Metric(
    "provserver_exchanges_total",
    _COUNTER,
    "Passwords that came, by how (test, sync, user_change, user_reset, account_reset) and what became of "
    "them (accepted, refused, echo).",
    ("kind", "result"),
)
DELIVERIES: Final = Metric(
    "provserver_deliveries_total",
    _COUNTER,
    "Events of deliveries, most of them ends of attempts, by endpoint and outcome.",
    ("endpoint", "outcome"),
)
DELIVERY_SECONDS: Final = Metric(
    "provserver_delivery_seconds",
    _HISTOGRAM,
    "Seconds from the change of a password to the end of the attempt that set it at an endpoint.",
    (),
    _DELIVERY_BOUNDS,
)
OUTBOX: Final = Metric(
    "provserver_outbox_deliveries",
    _GAUGE,
    "Deliveries in the outbox, by endpoint and state (pending, claimed, retrying, held).",
    ("endpoint", "state"),
)
OUTBOX_AGE: Final = Metric(
    "provserver_outbox_oldest_seconds",
    _GAUGE,
    "Age of the oldest of them.",
    ("endpoint", "state"),
)
OUTBOX_SIZE: Final = Metric("provserver_outbox_size", _GAUGE, "Deliveries in the outbox.")
OUTBOX_LIMIT: Final = Metric(
    "provserver_outbox_limit", _GAUGE, "Deliveries that the outbox may hold (delivery.outbox_limit)."
)

ENDPOINT_REACHABLE: Final = Metric(
    "provserver_endpoint_reachable",
    _GAUGE,
    "0 while an endpoint cannot be reached, or fails, and what is for it waits; else 1.",
    ("endpoint",),
)
ENDPOINT_PAUSED: Final = Metric(
    "provserver_endpoint_paused", _GAUGE, "1 while an administrator has paused an endpoint.", ("endpoint",)
)
ENDPOINT_LINES: Final = Metric(
    "provserver_endpoint_lines", _GAUGE, "Connections to an endpoint that are open.", ("endpoint",)
)

ALERTS: Final = Metric(
    "provserver_alerts_total",
    _COUNTER,
    "Alerts by recipient and fate (sent, given_up, dropped).",
    ("recipient", "fate"),
)
JOURNAL_LAST: Final = Metric(
    "provserver_journal_last_event", _GAUGE, "Number of the last event of the journal that was counted here."
)

METRICS: Final = (
    BUILD,
    CONNECTIONS,
    CONNECTIONS_TAKEN,
    CONNECTIONS_REFUSED,
    OPERATIONS,
    OPERATION_SECONDS,
    RECEIVED,
    SENT,
    LIMITS,
    EVENTS,
    EXCHANGES,
    DELIVERIES,
    DELIVERY_SECONDS,
    OUTBOX,
    OUTBOX_AGE,
    OUTBOX_SIZE,
    OUTBOX_LIMIT,
    ENDPOINT_REACHABLE,
    ENDPOINT_PAUSED,
    ENDPOINT_LINES,
    ALERTS,
    JOURNAL_LAST,
)
