"""Figures for Prometheus: what waits, read when they are asked for, and what this process did since it began.

This module is only imported where they are served. Nothing is global: whoever wants figures makes `Metrics`, passes it
to `open_engine` as observer, and asks `metrics_text`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tactful.engine.backlog import Backlog, backlog
from tactful.engine.clock import Clock
from tactful.engine.compose import Engine
from tactful.engine.http_options import Webhook
from tactful.engine.outages import Outages
from tactful.engine.store.tally import Tally

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics(Outages, Collector):
    """Counts what this process does, in a registry of its own (or one that is handed in), and says outages."""

    def __init__(self, clock: Clock, registry: CollectorRegistry | None = None) -> None:
        super().__init__(clock)
        self.registry = CollectorRegistry() if registry is None else registry
        self._done = Tally()
        self._failures: Counter[tuple[str, str]] = Counter()
        self._failed = 0
        self._trouble: tuple[str, float] | None = None  # why the last write failed, if it did, and when
        self._waits = _seconds("transaction_wait_seconds", "How long write transactions waited for their turn.")
        self._lasted = _seconds("transaction_seconds", "How long write transactions took once it was their turn.")
        for each in (self, self._waits, self._lasted):
            self.registry.register(each)
        ProcessCollector(registry=self.registry)

    def asked(self) -> Tally:
        return Tally(asked_at=self._clock.monotonic())

    def began(self, tally: Tally) -> None:
        tally.began_at = self._clock.monotonic()

    def committed(self, tally: Tally) -> None:
        super().committed(tally)
        self._waits.observe(tally.began_at - tally.asked_at)
        self._lasted.observe(self._clock.monotonic() - tally.began_at)
        with self._lock:
            self._done.add(tally)
            self._trouble = None

    def failed(self, why: str) -> None:
        super().failed(why)
        with self._lock:
            self._failed += 1
            self._trouble = why, self._clock.monotonic()

    def cannot_write(self, seconds: float) -> str | None:
        """Why the last write failed, where that was within the last so many seconds; None where it did not."""
        with self._lock:
            if self._trouble is None or self._clock.monotonic() - self._trouble[1] > seconds:
                return None
            return self._trouble[0]

    def provider_failed(self, sender: str, how: str) -> None:
        with self._lock:
            self._failures[sender, how] += 1

    def collect(self) -> Iterator[Metric]:
        """What was done since this process began."""
        with self._lock:
            done, messages, opt_outs = self._done, dict(self._done.messages), dict(self._done.opt_outs)
            turns, visits, events, failures = done.turns, done.visits, done.events, dict(self._failures)
            failed = self._failed
        yield CounterMetricFamily("tactful_turns", "Contacts whose turn was taken.", turns)
        yield CounterMetricFamily("tactful_visits", "Elements that journeys left.", visits)
        yield CounterMetricFamily("tactful_events", "Events learnt.", events)
        yield CounterMetricFamily(
            "tactful_transactions_failed", "Writes that the database did not let through.", failed
        )
        yield _counted("messages", "Messages that came to a state, by sender.", ("sender", "state"), messages.items())
        yield _counted(
            "opt_outs", "Entries put on the Do Not Contact list, by what put them there.", ("source",),
            (((source,), number) for source, number in opt_outs.items()),
        )  # fmt: skip
        yield _counted("provider_errors", "Messages a provider did not take.", ("sender", "how"), failures.items())


def metrics_text(
    engine: Engine, clock: Clock, metrics: Metrics | None = None, webhooks: Sequence[Webhook] = ()
) -> bytes:
    """All figures in the text format of Prometheus (`CONTENT_TYPE`). Without `metrics` those of the database alone;
    `webhooks` are those of the project.

    Raises StoreError where the database does not answer.
    """
    registry = CollectorRegistry()
    registry.register(_Standing(backlog(engine.store, clock.now(), webhooks)))
    counted = b"" if metrics is None else generate_latest(metrics.registry)
    return generate_latest(registry) + counted


class _Standing(Collector):
    """A backlog as gauges."""

    def __init__(self, found: Backlog) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        now = self._found
        yield _gauge("timers_late_seconds", "How late the timer is that is due longest.", now.timers_late_ms / 1000)
        messages = now.messages.items()
        yield _by(
            "messages_late_seconds", "How late the message is that is due longest, by sender.", "sender",
            ((sender, each.late_ms / 1000) for sender, each in messages),
        )  # fmt: skip
        yield _by(
            "messages_waiting", "Messages that wait for their time, by sender.", "sender",
            ((sender, each.number) for sender, each in messages),
        )  # fmt: skip
        yield _gauge("messages_in_hand", "Messages being handed over.", now.in_hand)
        yield _gauge("messages_unknown", "Messages of which nobody knows whether they went out.", now.unknown)
        yield _gauge("reviews_waiting", "Answers that wait for a person to read them.", now.reviews)
        yield _by(
            "webhook_acts_behind", "Acts of the Do Not Contact list a receiver was not told yet.", "receiver",
            now.webhooks.items(),
        )  # fmt: skip
        yield _gauge("daemons", "Daemons that are alive.", now.daemons)
        yield _gauge("halted", "1 while all sending is stopped.", int(now.halted))
        if now.bytes is not None:
            yield _gauge("database_bytes", "What the database takes on the disk.", now.bytes)


def _seconds(name: str, about: str) -> Histogram:
    return Histogram(f"tactful_{name}", about, buckets=_SECONDS, registry=None)


def _counted(name: str, about: str, labels: tuple[str, ...], counts: Iterable[tuple[tuple[str, ...], int]]) -> Metric:
    family = CounterMetricFamily(f"tactful_{name}", about, labels=labels)
    for values, number in counts:
        family.add_metric(values, number)
    return family


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tactful_{name}", about, value=value)


def _by(name: str, about: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"tactful_{name}", about, labels=[label])
    for of, value in values:
        family.add_metric([of], value)
    return family
