"""Threads for what takes long, so that nobody's pictures keep all the others waiting."""

from asyncio import Semaphore
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from server.batching import BusyError
from server.middleware.forwarded import client

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

AT_ONCE = 4
"""Pictures that are decoded, and matches that are explained, at a time."""

SHARE = 2
"""Of these threads, how many one client may have."""

PLACES = 16
"""Tasks of one client that may run or wait."""


class Workers:
    """Runs functions in a few threads of their own, of which one client gets a share.

    The threads that answer everything else stay free, however much one client asks for.

    Args:
        at_once: functions that run at a time.
        share: of these, those of one client.
        places: of one client that may run or wait.
    """

    def __init__(self, at_once: int = AT_ONCE, share: int = SHARE, places: int = PLACES) -> None:
        self._at_once, self._share, self._places = CapacityLimiter(at_once), share, places
        self._turns: dict[str, Semaphore] = {}
        self._tasks: Counter[str] = Counter()

    async def run(
        self,
        act: Callable[Parameters, Result],
        *arguments: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Result:
        """Waits for what a function returns, for the client whose request is being answered.

        Raises:
            BusyError: the client has as many tasks under way as it may have.
        """
        who = client.get()
        if self._tasks[who] >= self._places:
            raise BusyError("The server is busy. Try again.")
        self._tasks[who] += 1
        turn = self._turns.setdefault(who, Semaphore(self._share))
        try:
            async with turn:
                return await run_sync(lambda: act(*arguments, **options), limiter=self._at_once)
        finally:
            self._tasks[who] -= 1
            if not self._tasks[who]:
                del self._tasks[who], self._turns[who]
