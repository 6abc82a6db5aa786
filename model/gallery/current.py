"""Whether a gallery is up to date with its photos, and the version that a build starts from."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import (
    CHECKPOINT_FILES,
    INDEX,
)
from model.checkpoint.records import EngineName, Photo
from model.errors import CheckpointError
from model.gallery.progress import UNFINISHED
from model.search.engines import choose_engine

READER = 2
"""Version of how photos are read. Those that another version has read are read again."""


def gallery_is_current(
    folder: Path,
    checkpoint: Checkpoint,
    photos: Sequence[Photo],
    engine: EngineName | None = None,
) -> bool:
    """Whether `folder` holds an undamaged index of these photos by this checkpoint's encoder.

    Its engine is the one named, or the one for the number of photos. Photos are compared by path,
    label, credit, size and time of their last change.
    """
    last = last_version(folder, checkpoint)
    if last is None:
        return False
    return is_current(last, checkpoint, photos_key(without_gallery(photos, folder)), engine)


def without_gallery(photos: Sequence[Photo], folder: Path) -> list[Photo]:
    """Each path once, and nothing that lies below the gallery's folder."""
    below = f"{folder.resolve()}{os.sep}"
    return [p for p in {p.path: p for p in photos}.values() if not p.path.startswith(below)]


def last_version(folder: Path, checkpoint: Checkpoint) -> Checkpoint | None:
    """The undamaged gallery in a folder, if this checkpoint's encoder has embedded it."""
    try:
        last = Checkpoint.open(folder)
    except CheckpointError:
        return None
    is_same = last.embedding_manifest() == checkpoint.embedding_manifest()
    return last if is_same and last.manifest.index else None


def is_read_alike(version: Checkpoint | None) -> bool:
    """Whether the photos of a version were read as they would be now."""
    info = version.manifest.index if version else None
    return info is not None and info.photos_key.startswith(f"{READER}-")


def is_current(
    version: Checkpoint, checkpoint: Checkpoint, key: str, engine: EngineName | None
) -> bool:
    """Whether a version has such an index over the photos with this key as a new one would."""
    info = version.manifest.index
    if info is None or version.encoder_manifest() != checkpoint.encoder_manifest():
        return False
    return (info.engine, info.photos_key) == (engine or choose_engine(info.photos), key)


def is_gallery(folder: Path) -> bool:
    """Whether a folder is empty, or a gallery, though perhaps a damaged or unfinished one."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
    # Not by its manifest: extensions of browsers and web apps have one of the same name.
    is_known = names & {UNFINISHED, INDEX, *CHECKPOINT_FILES} or versions.versions_in(folder)
    return not names or bool(is_known)


def photos_key(photos: Iterable[Photo]) -> str:
    """A digest that changes when a photo, its label or its credit does."""
    digest = hashlib.sha256()
    for photo in photos:
        try:
            status = Path(photo.path).stat()
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (0, 0)
        digest.update(repr((photo, state)).encode())
    return f"{READER}-{digest.hexdigest()}"
