"""Ranks watch each other, so that the others do not wait for one that has died."""

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

EVERY = 1.0
"""Seconds between heartbeats."""

SILENT = 60.0
"""Seconds without a heartbeat after which a rank counts as dead."""

SUSPECTED = 5.0
"""The same, after a connection between ranks has broken."""

FINISHED = "finished"


class Heartbeat(threading.Thread):
    """Sends heartbeats, watches those of the others, and ends this process if one dies.

    Args:
        store: of the process group; only this thread may use it.
        rank: of this process.
        world: number of processes.
    """

    def __init__(self, store: Store, rank: int, world: int) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._store, self._rank = store, rank
        others = [other for other in range(world) if other != rank]
        self._beats, self._ended = 0, ""
        self._patience = SILENT
        self._ending = threading.Event()
        now = time.monotonic()
        self._seen = dict.fromkeys(others, (now, ""))

    def run(self) -> None:
        """Runs until `finish` or `fail`, or until another rank is dead."""
        while not self._ending.wait(EVERY):
            try:
                self._beat()
                dead = self._find_dead()
            except dist.DistError:
                dead = "The host of rank 0 no longer answers."
            if dead:
                print(
                    f"error: {dead} This rank, {self._rank}, ends too. After fixing the cause, the "
                    "same commands with --resume go on.",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)

    def finish(self) -> None:
        """Tells the others that this rank is done."""
        self._end(FINISHED)

    def fail(self, reason: str) -> None:
        """Tells the others why this rank ends, unless the reason is that another one is dead."""
        if "gloo" in reason.lower() or "nccl" in reason.lower():
            self._patience = SUSPECTED
            self.join(SUSPECTED + 5 * EVERY)  # this thread ends the process if it finds a dead rank
        self._end(reason or "an error")

    def _end(self, how: str) -> None:
        self._ending.set()
        self.join()
        self._ended = how
        with suppress(dist.DistError):  # rank 0, which has the store, may have ended before
            self._beat()

    def _beat(self) -> None:
        self._beats += 1
        sign = {"beats": self._beats, "host": socket.gethostname(), "ended": self._ended}
        self._store.set(str(self._rank), json.dumps(sign))

    def _find_dead(self) -> str:
        """A message about a rank that is dead; empty if there is none."""
        now = time.monotonic()
        for other, (when, before) in self._seen.items():
            sign = self._store.get(str(other)).decode() if self._store.check([str(other)]) else ""
            found = json.loads(sign or "{}")
            if found.get("ended") == FINISHED:
                continue
            if sign != before:
                self._seen[other] = now, sign
            name = f"Rank {other}" + (f" on host {found['host']}" if found else "")
            if found.get("ended"):
                return f"{name} has ended: {found['ended']}"
            if now - when > self._patience and sign == before:
                return f"{name} has died: no heartbeat for {now - when:.0f} s."
        return ""
