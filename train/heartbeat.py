"""Ranks that watch each other, so that one that dies does not leave the others waiting."""

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
"""Seconds between signs of life."""

SILENT = 60.0
"""Seconds without a sign of life after which a rank is dead."""

SUSPECTED = 5.0
"""The same, once a connection between ranks has broken."""

FINISHED = "finished"


class Heartbeat(threading.Thread):
    """Gives signs of life, looks for those of the others, and ends this process when one dies.

    Args:
        store: of the process group; it is used by this thread alone.
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
        """Until `finish` or `fail`, or until another rank is dead."""
        while not self._ending.wait(EVERY):
            try:
                self._beat()
                dead = self._find_dead()
            except dist.DistError:
                dead = "The host of rank 0 does not answer any more."
            if dead:
                print(
                    f"error: {dead} This rank, {self._rank}, ends too. Once the cause is mended, "
                    "the same commands with --resume go on.",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)

    def finish(self) -> None:
        """Tells the others that this rank has done its work."""
        self._end(FINISHED)

    def fail(self, reason: str) -> None:
        """Tells the others why this rank ends, unless another one is dead and is the reason."""
        if "gloo" in reason.lower() or "nccl" in reason.lower():
            self._patience = SUSPECTED
            self.join(SUSPECTED + 5 * EVERY)  # this thread ends the process if it finds out whom
        self._end(reason or "an error")

    def _end(self, how: str) -> None:
        self._ending.set()
        self.join()
        self._ended = how
        with suppress(dist.DistError):  # where rank 0, which has the store, has ended before
            self._beat()

    def _beat(self) -> None:
        self._beats += 1
        sign = {"beats": self._beats, "host": socket.gethostname(), "ended": self._ended}
        self._store.set(str(self._rank), json.dumps(sign))

    def _find_dead(self) -> str:
        """What to say of a rank that is dead; empty if none is."""
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
                return f"{name} has died: no sign of life for {now - when:.0f} s."
        return ""
