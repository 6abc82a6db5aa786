"""Tells whether a gallery is up to date, and which version a build can start from."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import CHECKPOINT_FILES, INDEX
from model.checkpoint.records import EngineName, Photo
from model.errors import CheckpointError
from model.gallery.progress import UNFINISHED
from model.search.engines import choose_engine

READER = 2
"""Version of the code that reads photos. Photos that another version has read are read again."""


def gallery_is_current(
    folder: Path,
    checkpoint: Checkpoint,
    photos: Sequence[Photo],
    engine: EngineName | None = None,
) -> bool:
    """Whether a folder holds an undamaged gallery of these photos by this encoder.

    Photos are compared by path, label, credit, size and modification time.

    Args:
        folder: the gallery folder.
        checkpoint: the encoder.
        photos: the photos.
        engine: which engine searches; by default it depends on the number of photos.
    """
    last = last_version(folder, checkpoint)
    if last is None:
        return False
    return is_current(last, checkpoint, photos_key(without_gallery(photos, folder)), engine)


def without_gallery(photos: Sequence[Photo], folder: Path) -> list[Photo]:
    """Photos with different paths, without those below the gallery folder."""
    below = f"{folder.resolve()}{os.sep}"
    return [p for p in {p.path: p for p in photos}.values() if not p.path.startswith(below)]


def photos_key(photos: Iterable[Photo]) -> str:
    """A digest that changes when a photo, its label or its credit changes."""
    digest = hashlib.sha256()
    for photo in photos:
        try:
            status = Path(photo.path).stat()
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (0, 0)
        digest.update(repr((photo, state)).encode())
    return f"{READER}-{digest.hexdigest()}"


def last_version(folder: Path, checkpoint: Checkpoint) -> Checkpoint | None:
    """The current version in a folder; None if it is damaged or by another encoder."""
    try:
        last = Checkpoint.open(folder)
    except CheckpointError:
        return None
    is_same = last.embedding_manifest() == checkpoint.embedding_manifest()
    return last if is_same and last.manifest.index else None


def is_current(
    version: Checkpoint, checkpoint: Checkpoint, key: str, engine: EngineName | None
) -> bool:
    """Whether a new build with this encoder, these photos and this engine would be the same."""
    info = version.manifest.index
    if info is None or version.encoder_manifest() != checkpoint.encoder_manifest():
        return False
    return (info.engine, info.photos_key) == (engine or choose_engine(info.photos), key)


def is_read_alike(version: Checkpoint) -> bool:
    """Whether this version of the code has read the photos."""
    info = version.manifest.index
    return info is not None and info.photos_key.startswith(f"{READER}-")


def is_gallery(folder: Path) -> bool:
    """Whether a folder is empty or holds a gallery, which may be damaged or unfinished."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
    # The manifest proves nothing: browser extensions and web apps also have a manifest.json.
    is_known = names & {UNFINISHED, INDEX, *CHECKPOINT_FILES} or versions.versions_in(folder)
    return not names or bool(is_known)
