"""The life of the server: from its start to a clean end."""

import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

from model.errors import SketchZooError

DRAIN_SECONDS = 3.0
"""Seconds that requests in progress have to finish, once the server is told to stop."""


@dataclass
class Lifecycle:
    """What the server and the application tell each other.

    Attributes:
        stopping: whether new requests are refused.
        in_flight: requests in progress, without endless streams.
    """

    stopping: bool = False
    in_flight: int = 0


class Server(uvicorn.Server):
    """Uvicorn that stops cleanly on SIGTERM.

    It refuses new requests with 503 while it finishes those in progress, for at most
    `DRAIN_SECONDS`, and then closes its port.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        super().__init__(config)
        self.lifecycle = lifecycle
        self._deadline = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen, and prints the address."""
        await super().startup(sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            port = self.servers[0].sockets[0].getsockname()[1]  # The one that port 0 has chosen.
            print(f"SketchZoo is ready: http://{host}:{port}", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts to stop on SIGTERM; other signals stop immediately."""
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
        elif not self.lifecycle.stopping:
            self._deadline = time.monotonic() + DRAIN_SECONDS
            self.lifecycle.stopping = True

    async def on_tick(self, counter: int) -> bool:
        """Ends the server once nothing is in progress, or the time is over."""
        if self.lifecycle.stopping:
            is_over = time.monotonic() >= self._deadline
            self.should_exit = self.should_exit or is_over or not self.lifecycle.in_flight
        return await super().on_tick(counter)


def serve(app: ASGIApp, lifecycle: Lifecycle, host: str, port: int) -> None:
    """Serves an application until the process is told to stop.

    Args:
        app: the application.
        lifecycle: the one that the application was built with.
        host: address to listen on.
        port: port to listen on; 0 chooses one.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        proxy_headers=False,  # `ForwardedFor` reads them, after the checks that need the peer.
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    gc.collect()
    gc.freeze()  # The garbage collector need not visit what lives as long as the server.
    with suppress(KeyboardInterrupt):
        Server(config, lifecycle).run()


def check_port(host: str, port: int) -> None:
    """Checks that the server can listen on a port.

    Raises:
        SketchZooError: it cannot; the message says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OverflowError as error:
        raise SketchZooError(
            f"{port} is no port. Ports go from 1 to 65535; 0 chooses a free one."
        ) from error
    except socket.gaierror as error:
        raise SketchZooError(f"{host} is no address of this machine.") from error
    except OSError as error:
        is_taken = error.errno == errno.EADDRINUSE
        remedy = "Stop the program that uses it, or choose" if is_taken else "Choose"
        raise SketchZooError(
            f"Port {port} on {host} cannot be used: {error.strerror}. {remedy} another with "
            "--port (PORT= with make run) or --host."
        ) from error


def exit_now(code: int) -> NoReturn:
    """Ends the process immediately.

    Python would free every module first, which takes seconds while the machine is busy.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
