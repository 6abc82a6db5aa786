"""What `/metrics` tells, in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 4, 8, 16, 24, 32)


class Metrics:
    """Counters of one app. Memory and open files come with them where the system tells."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "sketchzoo_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "sketchzoo_request_seconds",
            "Time from a request to the end of its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.errors = Counter(
            "sketchzoo_errors", "Requests that failed by a fault of the server.", registry=registry
        )
        self.in_flight = Gauge(
            "sketchzoo_requests_in_flight", "Requests being answered.", registry=registry
        )
        self.queue_length = Gauge(
            "sketchzoo_queue_length", "Drawings that wait to be embedded.", registry=registry
        )
        self.batch_size = Histogram(
            "sketchzoo_batch_size",
            "Drawings embedded in one pass.",
            buckets=SIZES,
            registry=registry,
        )
        self.encoding_seconds = Histogram(
            "sketchzoo_encoding_seconds",
            "Time of one pass of the encoder.",
            buckets=SECONDS,
            registry=registry,
        )
        self.superseded = Counter(
            "sketchzoo_superseded",
            "Drawings that were not embedded since a newer one of the same page came.",
            registry=registry,
        )
        self.refused = Counter(
            "sketchzoo_refused",
            "Searches refused since the server was busy or stopping.",
            registry=registry,
        )

    def text(self) -> bytes:
        """All of them as Prometheus reads them."""
        return generate_latest(self.registry)
