"""Open photos that a process of its own fetches while the app runs."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from model.errors import SketchZooError
from model.gallery.open_photos.store import open_photos
from server.log import log

RETRY_SECONDS = 900.0
"""Seconds until services that did not answer are asked again."""

COUNT_SECONDS = 1.0
"""Seconds for which a count of photos is kept."""

TROUBLE = (
    "More photos cannot be fetched now: the services do not answer. They are asked again later."
)

ROOT = Path(__file__).parent.parent


class OpenPhotosFetcher:
    """Fetches open photos, and tries again until all are there.

    Args:
        arguments: of the Python process that fetches; see `model.gallery.open_photos.__main__`.
        folder: where the process saves photos.
        wanted: how many photos to fetch.
    """

    def __init__(self, arguments: Sequence[str | Path], folder: Path, wanted: int) -> None:
        self._command = [sys.executable, *map(str, arguments)]
        self._folder, self._wanted = folder, wanted
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._state: Literal["fetching", "trouble", "done"] = "fetching"
        self._counted_at, self._count = 0.0, 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the process that fetches. The photos that it has fetched stay."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def progress(self) -> dict[str, Any] | None:
        """What the board shows: photos `done` and `wanted`, and `trouble`; None at the end."""
        if self._state == "done":
            return None
        trouble = TROUBLE if self._state == "trouble" else ""
        return {"done": self._count_photos(), "wanted": self._wanted, "trouble": trouble}

    def _count_photos(self) -> int:
        now = time.monotonic()
        if now - self._counted_at > COUNT_SECONDS:
            self._counted_at = now
            try:
                self._count = len(open_photos(self._folder))
            except SketchZooError:
                log.warning("the open photos in %s cannot be counted now", self._folder)
        return self._count

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._state = "fetching"
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            if self._stopped.is_set():
                self._process.terminate()
            _, errors = self._process.communicate()
            if self._process.returncode == 0:
                self._state = "done"
                return
            for line in errors.splitlines():
                if line.startswith("open photos: "):
                    log.warning("%s", line)
            self._state = "trouble"
            self._stopped.wait(RETRY_SECONDS)
