"""Versions of a gallery folder, so that one can be built while another is served.

    FOLDER/current       the name of the version that counts
    FOLDER/version-*/    a version: never changed once `current` has named it

`current` is a text file, since a rename replaces a file in one step but never a full folder, and
since symbolic links do not survive every copy, archive and upload. A reader holds a shared lock on
the version that it has opened, thumbnails and all; a version that is not current is deleted only
when nobody holds it. A builder holds the folder itself alone. The system lets go of such locks
(`flock`) when their process ends, however it ends.
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
"""What a version is recognised by: its folder of thumbnails, which is the first thing in it."""


class Lock:
    """A lock on a folder, until it is released or forgotten.

    Args:
        folder: what to lock.
        kind: a flag of `fcntl.flock`.

    Raises:
        BlockingIOError: somebody else has it, and `kind` says not to wait.
        OSError: there is no such folder, or its file system has no locks.
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
        """Whether the folder of this name is still the one that was locked."""
        try:
            return os.path.samestat(folder.stat(), os.fstat(self._opened))
        except OSError:
            return False


def hold_current(folder: Path) -> tuple[Path, Lock | None]:
    """The version to read, and what keeps it from being deleted meanwhile.

    A folder without versions is its own, and is not held; nor is one where there are no locks.

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
                    f"{version} is missing, which {folder / CURRENT} names. Index the photos again."
                ) from error
            continue
        except OSError:
            return version, None
        # Between reading the name and locking, a builder may have replaced and deleted it.
        if _current(folder) == name:
            return version, lock


@contextmanager
def building(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keeps other builders out of a folder, and versions that are not needed.

    The folder is made if it is not there, and deleted if it is empty afterwards.

    Args:
        wait: wait for another builder to finish.

    Raises:
        GalleryError: another builder is at work there.
        OSError: the folder cannot be made.
    """
    is_there = False
    while not is_there:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = Lock(folder, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise GalleryError(
                f"{folder} is being built by another process. Wait until it is done, or name "
                "another folder."
            ) from error
        # A builder that was waited for may have deleted it.
        is_there = lock.is_on(folder)
    clean(folder)
    try:
        yield
    finally:
        clean(folder)
        with suppress(OSError):
            folder.rmdir()  # It is empty when nothing has come of a first build.
        lock.release()


def publish(version: Path) -> None:
    """Makes a complete version the current one of the folder that it lies in, in one step."""
    version.chmod(0o755)
    with replacing(version.parent / CURRENT) as unfinished:
        unfinished.write_text(version.name + "\n", encoding="ascii")


def versions_in(folder: Path) -> list[Path]:
    """All versions, unfinished ones too; a folder of a person with such a name is none."""
    return [
        version
        for version in folder.glob(PREFIX + "*")
        if (version / MARK).is_dir() or (version.is_dir() and not any(version.iterdir()))
    ]


def clean(folder: Path) -> None:
    """Deletes the versions that are not current and that nobody holds."""
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
    """What changes when another version becomes the current one; None for a folder without any."""
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
