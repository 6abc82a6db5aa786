"""One forward pass for the drawings of many people.

Drawings wait in a queue with a bounded number of places. A worker takes up to a batch of them,
one of each client in turn, so that nobody who asks often makes the others wait. Nothing waits for
company when it is alone.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import torch

from model.encoder import Embeddings, Encoder
from model.errors import SketchZooError
from model.preprocess import Pixels
from server.metrics import Metrics

PLACES = 1024
"""Drawings that may wait at once."""

CORES = torch.get_num_threads()
"""Threads that PyTorch takes as the server begins; workers change that for themselves."""

STEP = 8
"""Sizes of larger batches are multiples of it, since each new size has to be prepared once."""

WAIT = 0.004
"""Seconds for which a batch waits to become as large as the last one, if that was no single."""


log = logging.getLogger("sketchzoo")


class BusyError(SketchZooError):
    """All places of the queue are taken, or the server is stopping."""


@dataclass
class _Waiting:
    frame: Pixels
    futures: list[Future[Embeddings]] = field(default_factory=list)


class Batcher:
    """Embeds frames of many clients in batches.

    Each core has a worker of its own, since work that is split over cores waits for the slowest
    of them, which also answers requests. A worker that is alone uses all cores, and a further one
    only starts on `STEP` frames, so that few people are answered in one batch.

    Args:
        embed: frames `(n, h, w)` to embeddings `(n, d)`, in one pass.
        input_size: side of the frames in pixels.
        metrics: told of every batch.
        batch: frames in a pass, at most.
        places: drawings that may wait at once.
        workers: threads; as many as PyTorch uses cores if left out.
    """

    def __init__(
        self,
        embed: Callable[[Pixels], Embeddings],
        input_size: int,
        metrics: Metrics,
        *,
        batch: int = Encoder.BATCH,
        places: int = PLACES,
        workers: int | None = None,
    ) -> None:
        self._embed, self._metrics = embed, metrics
        self._batch, self._places = batch, places
        self._cores = CORES
        self._queues: OrderedDict[str, OrderedDict[object, _Waiting]] = OrderedDict()
        self._count = self._active = 0
        self._last = 1
        self._closed = False
        self._changed = threading.Condition()
        self._warm = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(input_size,), name="encoder", daemon=True)
            for _ in range(workers or self._cores)
        ]
        for thread in self._threads:
            thread.start()

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
            self._changed.notify_all()
        return future

    def close(self, *, wait: bool = True) -> None:
        """Takes no more frames, embeds those that are queued, and ends the workers.

        Args:
            wait: until they have ended.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads if wait else []:
            thread.join()

    def _work(self, input_size: int) -> None:
        torch.set_num_threads(self._cores)  # for this thread, whatever others have
        try:
            self._embed(np.full((1, input_size, input_size), 255, np.uint8))
        except Exception:  # Each search will fail, and say so, where a dead worker would be silent.
            log.exception("the encoder does not work")
        self._warm.set()
        threads = self._cores
        while taken := self._take():
            wanted = self._cores if self._active == 1 else 1
            if wanted != threads:
                torch.set_num_threads(wanted)
                threads = wanted
            began = time.perf_counter()
            try:
                embeddings = self._embed(_padded([waiting.frame for waiting in taken]))
            except Exception as error:
                for future in (future for waiting in taken for future in waiting.futures):
                    future.set_exception(error)
            else:
                for waiting, embedding in zip(taken, embeddings, strict=False):
                    for future in waiting.futures:
                        future.set_result(embedding)
            self._metrics.batch_size.observe(len(taken))
            self._metrics.encoding_seconds.observe(time.perf_counter() - began)
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def _take(self) -> list[_Waiting]:
        """The next batch, one frame of each client in turn; none once the batcher is closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._is_due() or self._closed)
                if self._last > 1 and self._count < self._last and not self._closed:
                    expected = self._last
                    self._changed.wait_for(lambda: self._count >= expected, WAIT)  # noqa: B023
                    if not self._is_due() and not self._closed:
                        continue
                if not self._count:
                    if self._closed:
                        return []
                    continue
                size = min(self._count, self._batch)
                if size > STEP:
                    size -= size % STEP
                taken = [self._next() for _ in range(size)]
                taken = [waiting for waiting in taken if waiting.futures]
                if taken:
                    self._last = len(taken)
                    self._active += 1
                    return taken

    def _is_due(self) -> bool:
        return self._count >= (STEP if self._active else 1)

    def _next(self) -> _Waiting:
        client, queue = self._queues.popitem(last=False)
        _, waiting = queue.popitem(last=False)
        if queue:
            self._queues[client] = queue
        self._count -= 1
        # Whoever has gone needs no embedding.
        waiting.futures = [f for f in waiting.futures if f.set_running_or_notify_cancel()]
        return waiting


def _padded(frames: list[Pixels]) -> Pixels:
    """A few frames filled up to 1, 2, 4 or 8, for the same reason as `STEP`."""
    size = len(frames)
    if size < STEP:
        size = 1 << (size - 1).bit_length()
    return np.stack(frames + [frames[-1]] * (size - len(frames)))
