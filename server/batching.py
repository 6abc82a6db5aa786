"""One forward pass for the drawings of many people.

Drawings wait in a queue with a bounded number of places. A worker takes up to a batch of them,
one of each client in turn, so that nobody who asks often makes the others wait. Meanwhile further
drawings gather, which become the next batch; nothing waits for company.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from model.encoder.encoder import Embeddings, Encoder
from model.errors import SketchZooError
from model.pictures.framing import Pixels
from server.metrics import Metrics

PLACES = 1024
"""Drawings that may wait at once."""

log = logging.getLogger("sketchzoo")


class BusyError(SketchZooError):
    """All places of the queue are taken, or the server is stopping."""


@dataclass
class _Waiting:
    frame: Pixels
    futures: list[Future[Embeddings]] = field(default_factory=list)


class Batcher:
    """Embeds frames of many clients in batches.

    One worker does, since the encoder spreads a batch over the cores. Sizes of batches are powers
    of two, since the encoder has to prepare itself once for each new size.

    Args:
        embed: frames `(n, h, w)` to embeddings `(n, d)`, in one pass.
        input_size: side of the frames in pixels.
        metrics: told of every batch.
        batch: frames in a pass, at most.
        places: drawings that may wait at once.
    """

    def __init__(
        self,
        embed: Callable[[Pixels], Embeddings],
        input_size: int,
        metrics: Metrics,
        *,
        batch: int = Encoder.BATCH,
        places: int = PLACES,
    ) -> None:
        self._embed, self._metrics = embed, metrics
        self._batch, self._places = batch, places
        self._queues: OrderedDict[str, OrderedDict[object, _Waiting]] = OrderedDict()
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()
        self._warm = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(input_size,), name="encoder", daemon=True
        )
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Drawings in the queue."""
        return self._count

    @property
    def trouble(self) -> str:
        """Why no drawing is taken now: starting, stopping or busy; empty where one is."""
        if self._closed:
            return "stopping"
        if not self._warm.is_set():
            return "starting"
        return "busy" if self._count >= self._places else ""

    def submit(self, frame: Pixels, client: str, page: str = "") -> Future[Embeddings]:
        """Queues a frame from `frame_sketch` or `frame_ink`.

        Args:
            frame: `(h, w)`.
            client: whose it is; clients take turns.
            page: of this client, which it is drawn on. A frame of the page that still waits is not
                embedded any more; who waits for it gets the embedding of the new one. Empty:
                every frame counts.

        Returns:
            The embedding to come, `(d,)`.

        Raises:
            BusyError: all places are taken, or the server stops.
        """
        future: Future[Embeddings] = Future()
        with self._changed:
            known = self._queues.get(client)
            waiting = known.get(page) if known and page else None
            if waiting:
                waiting.frame = frame
                waiting.futures.append(future)
                self._metrics.superseded.inc()
                return future
            if self._closed or self._count >= self._places:
                self._metrics.refused.inc()
                raise BusyError("Too many people are searching. Try again in a moment.")
            queue = self._queues.setdefault(client, OrderedDict())
            queue[page or future] = _Waiting(frame, [future])
            self._count += 1
            self._changed.notify()
        return future

    def close(self, *, wait: bool = True) -> None:
        """Takes no more frames, embeds those that are queued, and ends the worker.

        Args:
            wait: until it has ended.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if wait:
            self._thread.join()

    def _work(self, input_size: int) -> None:
        self._warm_up(input_size)
        while taken := self._take():
            began = time.perf_counter()
            try:
                embeddings = self._embed(np.stack([waiting.frame for waiting in taken]))
            except Exception as error:
                for future in (future for waiting in taken for future in waiting.futures):
                    future.set_exception(error)
            else:
                for waiting, embedding in zip(taken, embeddings, strict=True):
                    for future in waiting.futures:
                        future.set_result(embedding)
            self._metrics.batch_size.observe(len(taken))
            self._metrics.encoding_seconds.observe(time.perf_counter() - began)

    def _warm_up(self, input_size: int) -> None:
        """Has the encoder prepare itself for each size of a batch, the largest first."""
        size = _power_of_two(self._batch)
        try:
            while size and not self._closed:
                self._embed(np.full((size, input_size, input_size), 255, np.uint8))
                size //= 2
        except Exception:  # Each search will fail, and say so, where a dead worker would be silent.
            log.exception("the encoder does not work")
        self._warm.set()

    def _take(self) -> list[_Waiting]:
        """The next batch, one frame of each client in turn; none once the batcher is closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._count or self._closed)
                if not self._count:
                    return []
                size = _power_of_two(min(self._count, self._batch))
                taken = [self._next() for _ in range(size)]
                taken = [waiting for waiting in taken if waiting.futures]
                if taken:
                    return taken

    def _next(self) -> _Waiting:
        client, queue = self._queues.popitem(last=False)
        _, waiting = queue.popitem(last=False)
        if queue:
            self._queues[client] = queue
        self._count -= 1
        # Whoever has gone needs no embedding.
        waiting.futures = [f for f in waiting.futures if f.set_running_or_notify_cancel()]
        return waiting


def _power_of_two(most: int) -> int:
    """The largest one that is no more than this."""
    return 1 << (most.bit_length() - 1)
