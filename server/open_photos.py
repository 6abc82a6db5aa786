"""Open photos that a process of its own fetches while the app runs."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from model.errors import SketchZooError
from model.gallery.open_photos.store import count_open_photos
from server.log import log

RETRY_SECONDS = 900.0
"""Seconds from a failure of the process to its next start."""

COUNT_SECONDS = 1.0
"""Seconds for which a count of photos is kept."""

STOP_SECONDS = 5.0
"""Seconds to wait for the end of the process."""

TROUBLE = "More photos cannot be fetched now. The app will try again later."
"""Shown on the board after the process has failed, for whatever reason."""

ROOT = Path(__file__).parent.parent


class OpenPhotosFetcher:
    """Fetches open photos, and tries again until all are there.

    Args:
        arguments: of the Python process that fetches; see `model.gallery.open_photos.__main__`.
        folder: where the process saves photos.
        animals: the classes that the process fetches.
        per_class: how many photos to fetch of each.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        folder: Path,
        animals: Collection[str],
        per_class: int,
    ) -> None:
        self._command = [sys.executable, *map(str, arguments)]
        self._folder, self._animals, self._per_class = folder, animals, per_class
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._state: Literal["fetching", "trouble", "done"] = "fetching"
        self._counted_at, self._count = 0.0, 0
        self._uncounted = ""  # Why photos could not be counted at last; it is logged once.
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts to fetch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the process that fetches. The photos that it has fetched stay."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)  # It may be starting the process just now.

    def progress(self) -> dict[str, Any] | None:
        """What the board shows: photos `done` and `wanted`, and `trouble`; None at the end.

        It reads a database, so call it in a thread.
        """
        if self._state == "done":
            return None
        trouble = TROUBLE if self._state == "trouble" else ""
        wanted = self._per_class * len(self._animals)
        return {"done": self._count_photos(), "wanted": wanted, "trouble": trouble}

    def _count_photos(self) -> int:
        now = time.monotonic()
        if now - self._counted_at > COUNT_SECONDS:
            self._counted_at = now
            try:
                counts = count_open_photos(self._folder)
                self._count = sum(counts[animal] for animal in self._animals)
                self._uncounted = ""
            except SketchZooError as error:
                if str(error) != self._uncounted:
                    log.warning("open photos cannot be counted: %s", error)
                self._uncounted = str(error)
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
            for line in reasons(errors, self._process.returncode):
                log.warning("%s", line)
            self._state = "trouble"
            self._stopped.wait(RETRY_SECONDS)


def reasons(errors: str, code: int) -> list[str]:
    """The lines to log of a process that failed: its messages, or else the last line of its trace.

    There are none if it was told to end. Ctrl+C and a service manager tell both processes.

    Args:
        errors: what it wrote to stderr.
        code: its exit code.
    """
    if code in (-signal.SIGINT, -signal.SIGTERM):
        return []
    lines = [line for line in errors.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("open photos: ")]
    return told or [f"open photos: exit code {code}: {lines[-1] if lines else 'no message'}"]
