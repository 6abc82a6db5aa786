"""Work that is done in threads a little ahead of who takes it."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

AHEAD = 64
"""Results that may wait, so that memory stays bounded."""

MOST_THREADS = 8
"""Each of them may hold a decoded photo."""


def ahead(make: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Future[Made]]:
    """Results in the order of what is given, made by a thread for each core, up to eight.

    Each is a future, so that one that failed does not end the others.
    """
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))
    try:
        for each in given:
            waiting.append(pool.submit(make, each))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)
