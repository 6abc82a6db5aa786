"""Threads that work a little ahead of the consumer of their results."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_WAITING = 128
"""Results that may wait for the consumer. It limits memory."""

MAX_THREADS = 8
"""Each thread may hold a decoded photo."""


def prefetch(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Future[Result]]:
    """Calls `work` on items in one thread per core, at most eight.

    Yields:
        A future for each item, in the order of the items. So an error in one item does not end
        the iteration.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > MAX_WAITING:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)
