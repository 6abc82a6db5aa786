"""One forward pass for the drawings of many people.

A worker thread takes a batch of frames from a queue and embeds it. Meanwhile further frames queue
up, and become the next batch. The worker never waits for a batch to fill.
"""

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from model.encoder.encoder import Encoder
from model.encoder.head import Embeddings
from model.pictures.framing import Pixels
from server.fair_queue import FairQueue, QueuedFrame, largest_power_of_two
from server.log import log
from server.metrics import Metrics

PLACES = 1024
"""Frames that may wait at once."""


class Batcher:
    """Embeds frames of many clients in batches.

    There is one worker, because the encoder spreads a batch over all cores. The queue hands out
    powers of two, because the encoder has to prepare itself once for each new size; frames whose
    callers have gone are then dropped.

    Args:
        embed: frames `(n, h, w)` to embeddings `(n, d)`, in one pass.
        input_size: side of the frames in pixels.
        metrics: told of every batch.
        batch: frames in a pass at most.
        places: frames that may wait at once.
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
        self._embed, self._input_size = embed, input_size
        self._metrics, self._batch = metrics, batch
        self._queue = FairQueue(places, metrics)
        self._is_warm = threading.Event()
        self._thread = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._thread.start()
        # A process that ends while a thread is inside the network would be aborted.
        atexit.register(self.close)

    @property
    def waiting(self) -> int:
        """Frames in the queue."""
        return len(self._queue)

    @property
    def trouble(self) -> str:
        """Why no frame is accepted now: `starting`, `stopping` or `busy`; empty if they are."""
        if self._queue.is_closed:
            return "stopping"
        if not self._is_warm.is_set():
            return "starting"
        return "busy" if self._queue.is_full else ""

    def submit(self, frame: Pixels, client: str, page: str = "") -> Future[Embeddings]:
        """Queues a frame from `frame_sketch` or `frame_ink`; see `FairQueue.put`."""
        return self._queue.put(frame, client, page)

    def close(self, *, wait: bool = True) -> None:
        """Takes no more frames, embeds those that are queued, and ends the worker.

        Args:
            wait: whether to return only once the worker has ended.
        """
        self._queue.close()
        if wait:
            self._thread.join()

    def _work(self) -> None:
        self._warm_up()
        while batch := self._queue.take(self._batch):
            self._embed_batch(batch)
        atexit.unregister(self.close)

    def _warm_up(self) -> None:
        """Lets the encoder prepare itself for each batch size, the largest first."""
        size, side = largest_power_of_two(self._batch), self._input_size
        try:
            while size and not self._queue.is_closed:
                self._embed(np.full((size, side, side), 255, np.uint8))
                size //= 2
        except Exception:  # Each search will fail and say so; a dead worker would be silent.
            log.exception("the encoder does not work")
        self._is_warm.set()

    def _embed_batch(self, batch: list[QueuedFrame]) -> None:
        began = time.perf_counter()
        try:
            embeddings = self._embed(np.stack([queued.frame for queued in batch]))
        except Exception as error:
            self._measure(batch, began)
            for future in (future for queued in batch for future in queued.futures):
                future.set_exception(error)
        else:
            self._measure(batch, began)
            for queued, embedding in zip(batch, embeddings, strict=True):
                for future in queued.futures:
                    future.set_result(embedding)

    def _measure(self, batch: list[QueuedFrame], began: float) -> None:
        """Counts a batch, before anyone is answered who may then read the metrics."""
        self._metrics.batch_size.observe(len(batch))
        self._metrics.encoding_seconds.observe(time.perf_counter() - began)
