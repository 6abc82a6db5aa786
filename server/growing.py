"""Open photos that are fetched while the app runs, by a process of its own."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.errors import SketchZooError
from model.gallery.open_photos.store import open_photos

AGAIN = 900.0
"""Seconds until services that did not answer are asked again."""

COUNT_EVERY = 1.0
"""Seconds for which a count of photos is told again."""

TROUBLE = (
    "More photos cannot be fetched now: the services do not answer. They are asked again later."
)

log = logging.getLogger("sketchzoo")


class Growing:
    """Fetches open photos, again and again until all are there.

    Args:
        command: of the process that fetches; see `model.gallery.open_photos.__main__`.
        folder: where it puts photos.
        wanted: how many photos there will be.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path, wanted: int) -> None:
        self._command = [sys.executable, *map(str, command)]
        self._folder, self._wanted = folder, wanted
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._state = "fetching"
        self._counted, self._count = 0.0, 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the process that fetches; what it has fetched stays."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def told(self) -> dict[str, Any] | None:
        """What the board says: photos so far, photos wanted, and trouble; None when all is done."""
        if self._state == "done":
            return None
        trouble = TROUBLE if self._state == "trouble" else ""
        return {"done": self._photos(), "wanted": self._wanted, "trouble": trouble}

    def _photos(self) -> int:
        now = time.monotonic()
        if now - self._counted > COUNT_EVERY:
            self._counted = now
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
                cwd=Path(__file__).parent.parent,
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
            self._stopped.wait(AGAIN)
