"""An event loop for a test, whatever else has one."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_a_loop(asked: Coroutine[Any, Any, Result]) -> Result:
    """Runs it in a thread of its own; in this one, a browser of other tests may have a loop."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, asked).result()
