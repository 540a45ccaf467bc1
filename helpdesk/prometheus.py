"""Numbers in Prometheus' shapes. Imported when somebody asks for the first time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from . import protocol
from .metrics import Found
from .tally import Histogram, tally

ROLES = ("customer", "agent")


def exposition(found: Found, accepted: str) -> tuple[bytes, str]:
    """The text and its type, which an Accept header may choose."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry)
    registry.register(Collected(found))
    encode, kind = choose_encoder(accepted)
    return encode(registry), kind


class Collected:
    """Turns numbers into metrics, when somebody asks."""

    def __init__(self, found: Found) -> None:
        self.found = found

    def collect(self) -> Iterator[Metric]:
        yield from self.of_sockets()
        yield from self.of_posts()
        yield from self.of_events()
        yield from self.of_queues()

    def of_sockets(self) -> Iterator[Metric]:
        sockets = {role: self.found.sockets.get(role, 0) for role in ROLES}
        yield labelled("sockets", "Open sockets.", "role", sockets, kind="gauge")
        yield gauge("polls", "Long polls that wait.", self.found.polls)
        yield counter("frames_received", "Frames from sockets.", tally.frames_in)
        yield counter("frames_sent", "Frames to sockets.", tally.frames_out)
        yield labelled("refusals", "Refused, by code.", "code", tally.refused)
        yield labelled("sockets_closed", "Closed sockets.", "code", tally.closed)
        refused = tally.handshakes_refused
        yield labelled("handshakes_refused", "Refused handshakes.", "code", refused)

    def of_posts(self) -> Iterator[Metric]:
        yield gauge("posts_waiting", "Posts to be stored.", self.found.posts_waiting)
        yield histogram("commit_seconds", "How long it took.", tally.commit_seconds)
        yield histogram("commit_posts", "Posts in a commit.", tally.commit_posts)
        yield counter("commits_failed", "Failed commits.", tally.commits_failed)
        yield histogram("post_seconds", "From frame to COMMIT.", tally.post_seconds)

    def of_events(self) -> Iterator[Metric]:
        delivery = tally.delivery_seconds
        yield histogram("delivery_seconds", "From process to process.", delivery)
        yield counter("events_lost", "Events never published.", tally.events_lost)
        yield counter("repairs", "Lost events made good.", tally.repairs)

    def of_queues(self) -> Iterator[Metric]:
        queues = self.found.queues
        yield gauge("database_up", "It told of the queues.", int(queues is not None))
        for name, text, field in (
            ("queue_waiting", "Customers in line.", "waiting"),
            ("queue_active", "Conversations.", "active"),
            ("queue_staffed", "Agents that accept.", "staffed"),
            ("queue_longest_wait_seconds", "Of the first.", "longest_wait_seconds"),
        ):
            yield by_queue(name, text, field, queues or [])


# --- in Prometheus' shapes ---------------------------------------------------------


def gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"helpdesk_{name}", text, value=value)


def counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"helpdesk_{name}", text, value=value)


def labelled(
    name: str, text: str, label: str, values: Mapping[str, int], kind: str = "counter"
) -> Metric:
    family: Any = GaugeMetricFamily if kind == "gauge" else CounterMetricFamily
    metric = family(f"helpdesk_{name}", text, labels=[label])
    for key, value in sorted(dict(values).items()):
        metric.add_metric([key], value)
    found: Metric = metric
    return found


def histogram(name: str, text: str, taken: Histogram) -> Metric:
    buckets, total = [], 0
    for bound, count in zip((*taken.bounds, inf), taken.counts, strict=True):
        total += count
        buckets.append((str(float(bound)) if bound < inf else "+Inf", total))
    return HistogramMetricFamily(f"helpdesk_{name}", text, buckets, taken.sum)


def by_queue(
    name: str, text: str, field: str, queues: list[tuple[str, protocol.StaffQueue]]
) -> Metric:
    labels = ["site", "queue", "name"]
    metric = GaugeMetricFamily(f"helpdesk_{name}", text, labels=labels)
    for site, queue in queues:
        metric.add_metric([site, queue.id, queue.name], getattr(queue, field))
    return metric
