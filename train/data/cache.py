"""The cache of frames and of what teachers say: safe for two runs at once, listed and pruned.

Beside each file `<name>` lies `<name>.lock`. A run that makes the file holds the lock alone. Runs
that use it share the lock. The system frees it when a run ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from train.console import say
from train.errors import DataError

KINDS = ("sketches-*.npy", "photos-*.npy", "teacher-*.pt")
"""Names of what is kept. Nothing else in the folder is ever deleted."""

DAY = 24 * 3600

_in_use: dict[Path, IO[bytes]] = {}
"""Open lock files of what this process uses, until it ends."""


@dataclass(frozen=True)
class Entry:
    """A file of the cache: its size in bytes, and the time that a run last began to use it."""

    path: Path
    size: int
    used: float

    def __str__(self) -> str:
        days = (time.time() - self.used) / DAY
        return f"{self.size / 1e9:8.2f} GB  used {days:6.1f} days ago  {self.path.name}"


@contextmanager
def making(path: Path) -> Iterator[None]:
    """While one run makes a file, others wait; a file that is there is in use from then on.

    The caller makes the file inside, if it does not exist then.
    """
    if path in _in_use:
        if path.exists():
            yield
            return
        _in_use.pop(path).close()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock_or_wait(path, fcntl.LOCK_SH)
    if not path.exists():
        lock.close()
        lock = _lock_or_wait(path, fcntl.LOCK_EX)
    try:
        yield
    except BaseException:
        if not path.exists():
            _lock_of(path).unlink(missing_ok=True)
        lock.close()
        raise
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.utime(_lock_of(path))
    _in_use[path] = lock


def _lock_or_wait(path: Path, how: int) -> IO[bytes]:
    lock = _lock(path, how | fcntl.LOCK_NB)
    if lock is None:
        say(f"another run is making {path.name}: waiting for it")
        lock = _lock(path, how)
    assert lock is not None
    return lock


def entries(folder: Path) -> list[Entry]:
    """What is in the cache, longest unused first.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not there. --cache names the folder that 'fit' uses.")
    found = []
    for path in (path for kind in KINDS for path in folder.glob(kind)):
        used = max(p.stat().st_mtime for p in (path, _lock_of(path)) if p.exists())
        found.append(Entry(path, path.stat().st_size, used))
    return sorted(found, key=lambda entry: entry.used)


def prune(folder: Path, *, unused: float) -> tuple[list[Entry], list[Entry]]:
    """Deletes what no run has begun to use for so many days.

    Returns:
        What was deleted, and what was kept although it is old, since a run uses it now.
    """
    deleted, busy = [], []
    for entry in entries(folder):
        if time.time() - entry.used < unused * DAY:
            continue
        lock = _lock(entry.path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is None:
            busy.append(entry)
            continue
        with lock:
            for path in (entry.path, entry.path.with_suffix(".json"), _lock_of(entry.path)):
                path.unlink(missing_ok=True)
        deleted.append(entry)
    return deleted, busy


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _lock(path: Path, how: int) -> IO[bytes] | None:
    """The locked lock file of a path; None where another run has it and `how` does not wait."""
    name = _lock_of(path)
    while True:
        file = name.open("ab")
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            file.close()
            return None
        # Whoever pruned the cache meanwhile has deleted this lock file with what it locked.
        if name.exists() and os.path.samestat(name.stat(), os.fstat(file.fileno())):
            return file
        file.close()
