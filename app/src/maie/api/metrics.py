"""Metrics in Prometheus' text format.

What workers count is summed in Redis as part of each task's end, so that it is exact, outlives every process and is
visible through the API. What the API counts of itself lives in its own process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import redis
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from maie.domain import TaskStatus
from maie.pipeline import table
from maie.tasks.counters import PARKINGS, REQUEUES, RTF_BUCKETS
from maie.tasks.store import TaskStore


class TaskCollector(Collector):
    """Reads the sums and the state of the queue from Redis at each scrape; yields ``maie_redis_up 0`` without it."""

    def __init__(self, store: TaskStore, capacity: int, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._capacity = capacity
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the metric families."""
        up = GaugeMetricFamily("maie_redis_up", "Whether Redis answers.")
        try:
            sums = self._store.counters()
            active = self._store.active()
            uploading = self._store.uploading(self._clock())
            leases = self._store.leases()
        except redis.RedisError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        waiting = sum(task.status is TaskStatus.PENDING for task in active)
        depth = GaugeMetricFamily("maie_queue_depth", "Tasks in the queue, by state.", labels=["state"])
        for state, count in (("uploading", uploading), ("waiting", waiting), ("running", len(active) - waiting)):
            depth.add_metric([state], count)
        yield depth
        yield GaugeMetricFamily("maie_queue_capacity", "Places in the queue.", value=self._capacity)
        workers = GaugeMetricFamily("maie_workers", "Living workers, by the state of their engine.", labels=["engine"])
        ready = sum(lease.engine_ready for lease in leases)
        workers.add_metric(["ready"], ready)
        workers.add_metric(["down"], len(leases) - ready)
        yield workers
        yield from _families(sums)


def _families(sums: dict[str, float]) -> Iterator[Metric]:
    labelled = (
        ("maie_tasks", "Tasks that ended, by status.", "status", "tasks"),
        ("maie_task_failures", "Failed tasks, by error code.", "code", "failures"),
        ("maie_stage_seconds", "Seconds spent in each stage.", "stage", "stage_seconds"),
    )
    for name, text, label, prefix in labelled:
        family = CounterMetricFamily(name, text, labels=[label])
        for field, value in sorted(sums.items()):
            if field.startswith(f"{prefix}:"):
                family.add_metric([field.split(":", 1)[1]], value)
        yield family
    plain = (
        ("maie_task_requeues", "Attempts that were made again.", REQUEUES),
        ("maie_task_parkings", "Tasks that waited for the language model with others.", PARKINGS),
        ("maie_processing_seconds", "Seconds spent on processing.", "processing_seconds"),
        *((f"maie_{counter.name}", counter.description, counter.name) for counter in table.counters()),
    )
    for name, text, field in plain:
        yield CounterMetricFamily(name, text, value=sums.get(field, 0))
    count = sums.get("rtf:count", 0)
    buckets = [(str(bound), sums.get(f"rtf:{bound}", 0)) for bound in RTF_BUCKETS]
    yield HistogramMetricFamily(
        "maie_rtf",
        "Processing seconds per second of audio.",
        buckets=[*buckets, ("+Inf", count)],
        sum_value=sums.get("rtf:sum", 0),
    )


class ApiMetrics:
    """The registry of one API process: what it counts itself, and the tasks'."""

    def __init__(self, store: TaskStore, capacity: int) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(TaskCollector(store, capacity))
        self._requests = Counter(
            "maie_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "maie_http_request_seconds", "Seconds until the answer.", ["method", "route"], registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is a template such as ``/v1/status/{task_id}``, never a path."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)
