"""What a scrape is answered: the samples of all sources in Prometheus' text form (`prometheus_client` writes
it), and what is known of the process.

Sources are asked at that moment; between scrapes most metrics cost nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from provserver.journal.metrics.declared import Kind, Metric
from provserver.journal.metrics.durations import Durations

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

Sample = tuple[Metric, Sequence[str], float | Durations]
"""A metric, its labels' values, and its value."""

Source = Callable[[], Awaitable[Iterable[Sample]]]


class Exposition:
    """To be asked for all that its sources say now."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._families: list[Family] = []
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Gathered(self._families))

    async def text(self) -> bytes:
        """The errors of the sources."""
        samples = [sample for source in self._sources for sample in await source()]
        self._families[:] = families(samples)
        return generate_latest(self._registry)


class _Gathered:
    """The families as a collector."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def families(samples: Iterable[Sample]) -> list[Family]:
    """By metric, in the order in which they come first."""
    made: dict[str, Family] = {}
    for metric, labels, value in samples:
        family = made.get(metric.name)
        if family is None:
            family = made[metric.name] = _family(metric)
        if isinstance(value, Durations):
            assert isinstance(family, HistogramMetricFamily)  # noqa: S101 -- as declared
            names = [*[f"{bound:g}" for bound in value.bounds], "+Inf"]
            counts = accumulate(value.counts)
            family.add_metric(labels, list(zip(names, counts, strict=True)), value.total)
        else:
            assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)  # noqa: S101 -- likewise
            family.add_metric(labels, value)
    return list(made.values())


def _family(metric: Metric) -> Family:
    if metric.kind is Kind.COUNTER:
        return CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    if metric.kind is Kind.GAUGE:
        return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
