"""Starts the real app in its own process."""

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
"""The folder of the repository."""


_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(range(20_000 + 1000 * _worker, 21_000 + 1000 * _worker))
"""Each worker has its own, below those that Linux gives to whoever names none (from 32,768)."""


def free_port() -> int:
    """A free port of this machine, which no other test gets before it is used."""
    for port in itertools.islice(_ports, 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("a thousand ports are taken")


@contextmanager
def running_app(*command: str | Path, seconds: float = 120) -> Iterator[str]:
    """Runs a Python program that serves on `GRADIO_SERVER_PORT`; yields its URL.

    Raises:
        RuntimeError: the program stops, or does not answer within `seconds`.
    """
    port = free_port()
    with running_process(*command, port=port, seconds=seconds):
        yield address_of(port)


def address_of(port: int) -> str:
    """The URL of a port of this machine."""
    return f"http://127.0.0.1:{port}"


@contextmanager
def running_process(
    *command: str | Path, port: int, seconds: float = 120
) -> Iterator["subprocess.Popen[bytes]"]:
    """The same on a given port; yields the process, which the caller may stop."""
    environment = {
        **os.environ,
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    with (
        tempfile.TemporaryFile("w+") as log,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as uploads,
    ):
        environment["GRADIO_TEMP_DIR"] = uploads  # No uploads of others.
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            _wait_for(process, log, address_of(port), seconds)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(
    process: "subprocess.Popen[bytes]", log: IO[str], address: str, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"the app stopped: {log.read()}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{address} did not answer within {seconds:.0f} s")
