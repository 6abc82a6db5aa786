"""The folder of uploads: what may be read from it, and how much it keeps."""

from pathlib import Path

from gradio.utils import get_upload_folder

MAX_KEPT = 1_000_000_000
"""Bytes of uploads that are kept; the oldest are deleted for newer ones."""


def uploaded_file(path: str | Path) -> Path | None:
    """Where an uploaded file really lies, all symbolic links followed; None for any other path."""
    try:
        found = Path(path).resolve()
        inside = found.is_relative_to(Path(get_upload_folder()).resolve())
        return found if inside and found.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def make_room(most: int = MAX_KEPT) -> None:
    """Deletes the oldest uploads until at most this many bytes are left."""
    files = []
    for path in Path(get_upload_folder()).rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        if not path.is_dir():
            files.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size
