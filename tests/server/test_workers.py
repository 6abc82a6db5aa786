"""Worker threads are shared among clients."""

import asyncio
import threading
import time

import pytest

from server.fair_queue import BusyError
from server.middleware.forwarded import client
from server.workers import Workers
from tests.harness.loops import in_a_loop


def test_one_client_cannot_take_all_threads() -> None:
    workers = Workers(threads=4, threads_per_client=2, tasks_per_client=16)
    running, most, leave = [0], [0], threading.Event()

    def slow() -> None:
        running[0] += 1
        most[0] = max(most)
        most.append(running[0])
        leave.wait(20)
        running[0] -= 1

    async def crowd() -> float:
        client.set("greedy")
        greedy = [asyncio.create_task(workers.run(slow)) for _ in range(16)]
        while running[0] < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(BusyError):
            await workers.run(slow)
        client.set("other")
        began = time.perf_counter()
        assert await workers.run(lambda: "answer") == "answer"
        took = time.perf_counter() - began
        leave.set()
        await asyncio.gather(*greedy)
        assert await workers.run(max, 3, 4) == 4
        return took

    assert in_a_loop(crowd()) < 15
    assert max(most) == 2


def test_a_failed_task_frees_its_place() -> None:
    workers = Workers(threads=1, threads_per_client=1, tasks_per_client=1)

    async def fail() -> None:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await workers.run(divmod, 1, 0)

    in_a_loop(fail())
