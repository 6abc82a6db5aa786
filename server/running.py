"""The life of the server: from the first request to a quiet end."""

import logging
import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import NoReturn

import uvicorn

from server.requests import Traffic

DRAIN = 3.0
"""Seconds that requests under way have to end, once the server is told to stop."""


class Server(uvicorn.Server):
    """Uvicorn that ends in order on SIGTERM.

    It refuses new requests with 503 while it finishes those that are under way, for at most
    `DRAIN` seconds, and then stops to listen.
    """

    def __init__(self, config: uvicorn.Config, traffic: Traffic) -> None:
        super().__init__(config)
        self.traffic = traffic
        self._end = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            port = self.servers[0].sockets[0].getsockname()[1]  # which one, where 0 asks for any
            print(f"SketchZoo is ready: http://{host}:{port}", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
        elif not self.traffic.stopping:
            self._end = time.monotonic() + DRAIN
            self.traffic.stopping = True

    async def on_tick(self, counter: int) -> bool:
        if self.traffic.stopping and (not self.traffic.in_flight or time.monotonic() >= self._end):
            self.should_exit = True
        return await super().on_tick(counter)


def leave(code: int) -> NoReturn:
    """Ends the process at once.

    Python would first free every module, which takes seconds while the machine is busy.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
