"""The folder of uploads: which files may be read from it, and how much it keeps."""

import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

from model.errors import ImageError
from server.environment import upload_folder

MAX_KEPT = 1_000_000_000
"""Bytes of uploads to keep, or half of what the disk has for them, whichever is less. The oldest
are deleted to make room for newer ones."""

BLOCK = 4096
"""Bytes that a file counts for at least: what it takes on a disk."""

ABANDONED_SECONDS = 60.0
"""Age at which an empty file is deleted. Gradio makes one for each file that it receives."""


def uploaded_file(path: str | Path) -> Path | None:
    """The real path of an upload, after all symbolic links; None for any other path."""
    try:
        found = Path(path).resolve()
        is_inside = found.is_relative_to(upload_folder().resolve())
        return found if is_inside and found.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def find_upload(path: object) -> Path:
    """The real path of an upload that a request names.

    Raises:
        ImageError: it is not a path, or does not lead into the upload folder.
    """
    found = uploaded_file(path) if isinstance(path, str | Path) else None
    if found is None:
        raise ImageError("The uploaded picture is not known. Upload it again.")
    return found


_lock = threading.Lock()


def make_room(max_kept: int = MAX_KEPT) -> None:
    """Deletes the oldest uploads until at most this many bytes are left; see `MAX_KEPT`."""
    with _lock:
        _make_room(max_kept)


def _make_room(max_kept: int) -> None:
    folder = upload_folder()
    old, files = time.time() - ABANDONED_SECONDS, []
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        if path.is_dir():
            continue
        if status.st_size or status.st_mtime > old:
            files.append((status.st_mtime, max(status.st_size, BLOCK), path))
        else:
            _delete(path, folder)
    total = sum(size for _, size, _ in files)
    with suppress(OSError):
        max_kept = min(max_kept, (total + shutil.disk_usage(folder).free) // 2)
    for _, size, path in sorted(files):
        if total <= max_kept:
            return
        _delete(path, folder)
        total -= size


def _delete(path: Path, folder: Path) -> None:
    """Deletes a file, and its own folder below `folder` if nothing else is in that."""
    with suppress(OSError):
        path.unlink()
        if path.parent != folder:
            path.parent.rmdir()
