"""Versions of a gallery folder: a new version can be built while the current one is served.

    FOLDER/current       name of the current version
    FOLDER/version-*/    a version; it never changes after `current` has named it

`current` is a text file. A rename replaces a file in one step, but not a folder with files in it,
and symbolic links do not survive every copy, archive and upload.

A reader holds a shared lock on the version that it has opened. A version that is not current is
deleted only when no reader holds it. A builder holds an exclusive lock on the gallery folder. The
system releases these locks (`flock`) when their process ends, also after a crash.
"""

import fcntl
import os
import re
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model.errors import CheckpointError, GalleryError
from model.files import replacing

CURRENT = "current"
PREFIX = "version-"
MARK = "thumbnails"
"""The folder by which a version is recognised. It is the first thing that a build creates."""


class Lock:
    """A lock on a folder, held until `release` is called or the object is deleted.

    Args:
        folder: the folder to lock.
        kind: flags of `fcntl.flock`.

    Raises:
        BlockingIOError: another process holds the lock, and `kind` has `LOCK_NB`.
        OSError: the folder does not exist, or its file system does not support locks.
    """

    def __init__(self, folder: Path, kind: int) -> None:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._opened = opened
        self.release = weakref.finalize(self, os.close, opened)
        try:
            fcntl.flock(opened, kind)
        except OSError:
            self.release()
            raise

    def is_on(self, folder: Path) -> bool:
        """Whether the folder at this path is still the one that was locked."""
        try:
            return os.path.samestat(folder.stat(), os.fstat(self._opened))
        except OSError:
            return False


def hold_current(folder: Path) -> tuple[Path, Lock | None]:
    """The current version of a folder, and a lock that keeps it from being deleted.

    Returns:
        The version's folder and its lock. A folder without versions is returned as it is, without
        a lock. There is also no lock if the file system does not support locks.

    Raises:
        CheckpointError: `current` is damaged, or the version that it names is missing.
    """
    while True:
        name = _current(folder)
        if name is None:
            return folder, None
        version = folder / name
        try:
            lock = Lock(version, fcntl.LOCK_SH)
        except FileNotFoundError as error:
            if _current(folder) == name:
                raise CheckpointError(
                    f"{folder / CURRENT} names {version}, which is missing. Index the photos again."
                ) from error
            continue
        except OSError:
            return version, None
        # Between reading the name and locking, a builder may have replaced and deleted it.
        if _current(folder) == name:
            return version, lock


@contextmanager
def building(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock of a builder, and deletes old versions before and after the build.

    The folder is created if it is missing, and deleted if it is empty afterwards.

    Args:
        folder: the gallery folder.
        wait: whether to wait for another builder to finish.

    Raises:
        GalleryError: another process is building the gallery.
        OSError: the folder cannot be created.
    """
    is_locked = False
    while not is_locked:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = Lock(folder, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise GalleryError(
                f"{folder} is being built by another process. Wait for it, or name another folder."
            ) from error
        # The builder that we waited for may have deleted the folder.
        is_locked = lock.is_on(folder)
    clean(folder)
    try:
        yield
    finally:
        clean(folder)
        with suppress(OSError):
            folder.rmdir()  # It is empty if the first build has failed.
        lock.release()


def publish(version: Path) -> None:
    """Makes a complete version the current one of its gallery folder, in one step."""
    version.chmod(0o755)
    with replacing(version.parent / CURRENT) as unfinished:
        unfinished.write_text(version.name + "\n", encoding="ascii")


def versions_in(folder: Path) -> list[Path]:
    """All versions, including unfinished ones. Other folders with such names are ignored."""
    return [
        version
        for version in folder.glob(PREFIX + "*")
        if (version / MARK).is_dir() or (version.is_dir() and not any(version.iterdir()))
    ]


def clean(folder: Path) -> None:
    """Deletes versions that are neither current nor held by a reader."""
    try:
        name = _current(folder)
    except CheckpointError:
        return
    for version in versions_in(folder):
        if version.name == name:
            continue
        try:
            lock = Lock(version, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        shutil.rmtree(version, ignore_errors=True)
        lock.release()


def stamp(folder: Path) -> tuple[int, int] | None:
    """A value that changes when another version becomes current; None for a folder without any."""
    try:
        status = (folder / CURRENT).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _current(folder: Path) -> str | None:
    pointer = folder / CURRENT
    try:
        name = pointer.read_bytes().decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CheckpointError(f"{pointer} cannot be read: {error.strerror}.") from error
    if not re.fullmatch(re.escape(PREFIX) + r"\w+", name):
        raise CheckpointError(f"{pointer} is damaged. Index the photos again.")
    return name
