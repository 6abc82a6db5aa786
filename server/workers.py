"""Worker threads for slow tasks, shared fairly among clients."""

from asyncio import Semaphore
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from server.fair_queue import BusyError
from server.middleware.forwarded import client

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

THREADS = 4
"""Tasks that run at a time: pictures to decode, matches to explain."""

THREADS_PER_CLIENT = 2
"""Tasks of one client that run at a time."""

TASKS_PER_CLIENT = 16
"""Tasks of one client that may run or wait."""


class Workers:
    """Runs functions in a few threads, of which one client gets a share.

    The threads that answer everything else stay free, however much one client asks for.

    Args:
        threads: functions that run at a time.
        threads_per_client: of these, how many for one client.
        tasks_per_client: functions of one client that may run or wait.
    """

    def __init__(
        self,
        threads: int = THREADS,
        threads_per_client: int = THREADS_PER_CLIENT,
        tasks_per_client: int = TASKS_PER_CLIENT,
    ) -> None:
        self._limiter = CapacityLimiter(threads)
        self._threads_per_client, self._tasks_per_client = threads_per_client, tasks_per_client
        self._shares: dict[str, Semaphore] = {}
        self._tasks: Counter[str] = Counter()

    async def run(
        self,
        function: Callable[Parameters, Result],
        *arguments: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Result:
        """Runs a function for the client of the current request, and returns its result.

        Raises:
            BusyError: the client has as many tasks in progress as it may have.
        """
        who = client.get()
        if self._tasks[who] >= self._tasks_per_client:
            raise BusyError("The server is busy. Try again.")
        self._tasks[who] += 1
        share = self._shares.setdefault(who, Semaphore(self._threads_per_client))
        try:
            async with share:
                return await run_sync(
                    lambda: function(*arguments, **options), limiter=self._limiter
                )
        finally:
            self._tasks[who] -= 1
            if not self._tasks[who]:
                del self._tasks[who], self._shares[who]
