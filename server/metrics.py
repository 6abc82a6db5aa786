"""The metrics that `/metrics` shows, in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECOND_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 24, 32)


class Metrics:
    """The metrics of one app, with memory and open files where the system has them."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "sketchzoo_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "sketchzoo_request_seconds",
            "Time from a request to the end of its response.",
            ["route"],
            buckets=SECOND_BUCKETS,
            registry=registry,
        )
        self.errors = Counter(
            "sketchzoo_errors", "Requests that failed because of a server error.", registry=registry
        )
        self.in_flight = Gauge(
            "sketchzoo_requests_in_flight", "Requests in progress.", registry=registry
        )
        self.queue_length = Gauge(
            "sketchzoo_queue_length", "Drawings waiting to be embedded.", registry=registry
        )
        self.batch_size = Histogram(
            "sketchzoo_batch_size",
            "Drawings embedded in one forward pass.",
            buckets=BATCH_SIZE_BUCKETS,
            registry=registry,
        )
        self.encoding_seconds = Histogram(
            "sketchzoo_encoding_seconds",
            "Time of one forward pass of the encoder.",
            buckets=SECOND_BUCKETS,
            registry=registry,
        )
        self.superseded = Counter(
            "sketchzoo_superseded",
            "Drawings replaced by a newer one of the same page before they were embedded.",
            registry=registry,
        )
        self.refused = Counter(
            "sketchzoo_refused",
            "Requests refused because the server was busy or stopping.",
            registry=registry,
        )

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self.registry)
