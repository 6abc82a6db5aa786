"""The cache of frames and of teachers' projections, which several runs may share.

Each file `<name>` has a lock file `<name>.lock`. A run that makes the file holds the lock
exclusively; runs that use it share the lock. The system releases it when a run ends or is killed.
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
"""Names of the files of the cache. No other files in its folder are deleted."""

DAY = 24 * 3600
"""Seconds."""

_in_use: dict[Path, IO[bytes]] = {}
"""Lock files of the cache files that this process uses; open until it ends."""


@dataclass(frozen=True)
class Entry:
    """A file of the cache: its size in bytes, and when a run last started to use it."""

    path: Path
    size: int
    used: float

    def __str__(self) -> str:
        days = (time.time() - self.used) / DAY
        return f"{self.size / 1e9:8.2f} GB  used {days:6.1f} days ago  {self.path.name}"


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Locks a file while the caller makes it, if it does not exist; other runs wait.

    Afterwards the file is in use until this process ends.
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
    """The files of the cache, those that are unused for longest first.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not there. Name the folder that 'fit' uses with --cache.")
    found = []
    for path in (path for kind in KINDS for path in folder.glob(kind)):
        used = max(p.stat().st_mtime for p in (path, _lock_of(path)) if p.exists())
        found.append(Entry(path, path.stat().st_size, used))
    return sorted(found, key=lambda entry: entry.used)


def prune(folder: Path, *, unused: float) -> tuple[list[Entry], list[Entry]]:
    """Deletes files that no run has started to use for some days.

    Args:
        folder: of the cache.
        unused: days.

    Returns:
        Deleted files, and old files that were kept, since a run is using them.
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
    """The lock file of a path, locked; None if another run has it and `how` does not wait."""
    name = _lock_of(path)
    while True:
        file = name.open("ab")
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            file.close()
            return None
        # If the cache was pruned meanwhile, this lock file was deleted with the file it locked.
        if name.exists() and os.path.samestat(name.stat(), os.fstat(file.fileno())):
            return file
        file.close()
