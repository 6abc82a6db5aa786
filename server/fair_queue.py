"""A queue of drawings from which clients take turns, with a bounded number of places."""

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from model.encoder.head import Embeddings
from model.errors import SketchZooError
from model.pictures.framing import Pixels
from server.metrics import Metrics


class BusyError(SketchZooError):
    """The server has no place for the request, or stops."""


@dataclass
class QueuedFrame:
    """A frame that waits, and the callers that wait for its embedding."""

    frame: Pixels
    futures: list[Future[Embeddings]]


class FairQueue:
    """A thread-safe queue of frames.

    Clients take turns, so that one who asks often does not make the others wait.

    Args:
        places: frames that may wait at once.
        metrics: told of frames that are superseded or refused.
    """

    def __init__(self, places: int, metrics: Metrics) -> None:
        self._places, self._metrics = places, metrics
        self._clients: OrderedDict[str, OrderedDict[object, QueuedFrame]] = OrderedDict()
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._count

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more frames."""
        return self._closed

    @property
    def is_full(self) -> bool:
        """Whether all places are taken."""
        return self._count >= self._places

    def put(self, frame: Pixels, client: str, page: str = "") -> Future[Embeddings]:
        """Queues a frame.

        Args:
            frame: `(h, w)`.
            client: whose frame it is.
            page: of this client. A newer frame of a page replaces a queued one, and both callers
                receive its embedding. Empty: the frame replaces none.

        Returns:
            The future embedding, `(d,)`.

        Raises:
            BusyError: all places are taken, or the queue is closed.
        """
        future: Future[Embeddings] = Future()
        with self._changed:
            known = self._clients.get(client)
            queued = known.get(page) if known and page else None
            if queued:
                queued.frame = frame
                queued.futures.append(future)
                self._metrics.superseded.inc()
                return future
            if self.is_closed or self.is_full:
                self._metrics.refused.inc()
                raise BusyError("Too many people are searching. Try again in a moment.")
            frames = self._clients.setdefault(client, OrderedDict())
            frames[page or future] = QueuedFrame(frame, [future])
            self._count += 1
            self._changed.notify()
        return future

    def take(self, most: int) -> list[QueuedFrame]:
        """Waits for frames and takes some, one of each client in turn.

        Args:
            most: how many at most.

        Returns:
            A power of two of frames, less those whose callers have gone; none once the queue is
            closed and empty.
        """
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._count or self._closed)
                if not self._count:
                    return []
                size = largest_power_of_two(min(self._count, most))
                taken = [self._take_one() for _ in range(size)]
                taken = [queued for queued in taken if queued.futures]
                if taken:
                    return taken

    def close(self) -> None:
        """Takes no more frames; those that wait can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _take_one(self) -> QueuedFrame:
        client, frames = self._clients.popitem(last=False)
        _, queued = frames.popitem(last=False)
        if frames:
            self._clients[client] = frames  # At the end: the other clients come first.
        self._count -= 1
        # A caller that has gone needs no embedding.
        queued.futures = [f for f in queued.futures if f.set_running_or_notify_cancel()]
        return queued


def largest_power_of_two(most: int) -> int:
    """The largest power of two that is not above `most`."""
    return 1 << (most.bit_length() - 1)
