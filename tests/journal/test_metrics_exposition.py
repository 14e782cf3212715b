"""Metrics: what is declared is what is said, in a form that Prometheus' own reader takes."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from test_journal_tail import done

from provserver.journal.metrics.declared import METRICS, OPERATION_SECONDS, Kind, Metric
from provserver.journal.metrics.durations import Durations, TimedHandler
from provserver.journal.metrics.exposition import Exposition, Sample
from provserver.journal.metrics.sources import EXCHANGES
from provserver.ldap.connection import Connection
from provserver.ldap.messages import DeleteRequest, Message
from provserver.testing.clock import TurnedClock

COUNTED = Metric("provserver_things_total", Kind.COUNTER, "Things.", ("kind",))
LEVEL = Metric("provserver_level", Kind.GAUGE, "A level.")


def said(*samples: Sample) -> dict[str, Any]:
    """What a scrape reads: families by name."""

    async def source() -> Iterable[Sample]:
        return samples

    text = done(Exposition([source]).text()).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_what_is_said_is_read_with_its_kind_and_help() -> None:
    families = said((COUNTED, ["red"], 2), (LEVEL, [], 0.5), (COUNTED, ["blue"], 3))
    things = families["provserver_things"]
    assert (things.type, things.documentation) == ("counter", "Things.")
    assert {sample.labels["kind"]: sample.value for sample in things.samples} == {"red": 2, "blue": 3}
    assert families["provserver_level"].samples[0].value == 0.5


def test_the_process_is_said_too() -> None:
    assert {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds"} <= said().keys()


@given(st.text())
def test_no_label_breaks_the_form(text: str) -> None:
    (family,) = [family for name, family in said((COUNTED, [text], 1)).items() if "things" in name]
    assert [sample.labels["kind"] for sample in family.samples] == [text]


@given(st.lists(st.floats(0, 20), max_size=50))
def test_a_histogram_counts_each_observation_in_every_bucket_that_holds_it(observed: list[float]) -> None:
    durations = Durations(OPERATION_SECONDS)
    for seconds in observed:
        durations.observe(seconds)
    samples = said((OPERATION_SECONDS, ["bind"], durations))[OPERATION_SECONDS.name].samples
    buckets = {float(one.labels["le"]): one.value for one in samples if one.name.endswith("_bucket")}
    assert buckets == {
        bound: sum(1 for seconds in observed if seconds <= bound)
        for bound in (*OPERATION_SECONDS.bounds, float("inf"))
    }
    count, total = [one.value for one in samples if not one.name.endswith("_bucket")]
    assert count == len(observed)
    assert total == pytest.approx(sum(observed))


def test_every_metric_is_named_as_prometheus_wants_it() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"provserver_[a-z_]+", metric.name)
        assert metric.help.endswith(".")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert bool(metric.bounds) == (metric.kind is Kind.HISTOGRAM)
        assert list(metric.bounds) == sorted(metric.bounds)
        assert bisect_left(metric.bounds, 0) == 0


def test_every_exchange_s_event_is_counted_as_one() -> None:
    names = {event.name for event in EXCHANGES}  # type: ignore[attr-defined]
    assert {name for name in names if name.endswith("REFUSED")} == {
        event.name
        for event, (_, result) in EXCHANGES.items()
        if result == "refused"  # type: ignore[attr-defined]
    }
    assert len(set(EXCHANGES.values())) == len(EXCHANGES)


@pytest.mark.sources  # a compiled connection cannot be made up
def test_a_handler_is_timed_also_when_it_fails() -> None:
    class Handler:
        async def handle(self, connection: object, message: Message) -> bytes:
            clock.turn(0.3)
            if message.id == 2:
                raise KeyError
            return b"answer"

    clock = TurnedClock()
    durations = Durations(OPERATION_SECONDS)
    handler: Any = TimedHandler(Handler(), {DeleteRequest: durations}, clock.seconds)  # type: ignore[arg-type]
    connection = Connection.__new__(Connection)  # nothing is asked of it
    assert done(handler.handle(connection, Message(1, DeleteRequest("dc=im")))) == b"answer"
    with pytest.raises(KeyError):
        done(handler.handle(connection, Message(2, DeleteRequest("dc=im"))))
    assert sum(durations.counts) == 2
    assert durations.total == pytest.approx(0.6)
