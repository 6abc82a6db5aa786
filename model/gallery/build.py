"""Builds galleries. A gallery is a searchable collection of photos.

A gallery folder holds versions (see `model.checkpoint.versions`). A build writes a new version and
then makes it the current one. The app serves the old version until it has opened the new one.

A build takes these steps:

    current   the last version, if its embeddings can be reused
    embed     reads the photos and embeds new ones
    write     writes embeddings, thumbnails, map, index and manifest

Embeddings from the last version, or from a build that was interrupted, are reused (see
`model.gallery.progress`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import EngineName, Photo
from model.errors import GalleryError
from model.gallery.current import (
    READER,
    is_current,
    is_gallery,
    is_read_alike,
    last_version,
    photos_key,
    without_gallery,
)
from model.gallery.embed import embed_photos
from model.gallery.progress import Progress, read_files
from model.gallery.walk import LeftOut
from model.gallery.write import write_version


@dataclass(frozen=True)
class Built:
    """The result of a build, compared with the last version.

    Attributes:
        checkpoint: the gallery.
        new: photos that are not in the last version.
        changed: photos in both, with different content.
        kept: photos in both, with the same content.
        removed: photos that are only in the last version.
        embedded: photos that had to be embedded.
        left_out: copies and unreadable files, with the reason.
    """

    checkpoint: Checkpoint
    new: int
    changed: int
    kept: int
    removed: int
    embedded: int
    left_out: list[LeftOut]


def build_gallery(
    checkpoint: Checkpoint,
    photos: Sequence[Photo],
    folder: Path,
    engine: EngineName | None = None,
    *,
    wait: bool = False,
) -> Built:
    """Builds a gallery of photos, or brings it up to date.

    Files whose path, size and modification time are those of the last version are not read, and no
    content is embedded twice. Copies of an earlier photo and unreadable files are left out. The
    result does not depend on the last version.

    Args:
        checkpoint: the encoder.
        photos: the photos to index. Empty credits and licences are taken from their EXIF data.
        folder: the gallery folder. Photos below it are ignored.
        engine: which engine searches; by default it depends on the number of photos.
        wait: whether to wait if another process is building the same gallery.

    Raises:
        GalleryError: no photo can be read; the folder cannot be written, holds other files, or is
            being built by another process; or Milvus is not installed or does not answer. The
            last version remains unchanged.
    """
    folder = folder.resolve()
    chosen = without_gallery(photos, folder)
    try:
        if folder.exists() and not is_gallery(folder):
            raise GalleryError(f"{folder} holds other files than a gallery. Name another folder.")
        with versions.building(folder, wait=wait):
            return _build(checkpoint, chosen, folder, engine)
    except OSError as error:
        raise GalleryError(
            f"{folder} cannot be written: {error.strerror or error}. Free some space or name "
            "another folder, and start again. Finished photos are not embedded again."
        ) from error


def _build(
    checkpoint: Checkpoint, photos: Sequence[Photo], folder: Path, engine: EngineName | None
) -> Built:
    last = last_version(folder, checkpoint)
    key = photos_key(photos)
    made_by = hashlib.sha256(repr((READER, checkpoint.embedding_manifest())).encode()).hexdigest()
    progress = Progress(folder, last if last and is_read_alike(last) else None, made_by)
    found = embed_photos(photos, checkpoint, progress)
    if not found.files:
        progress.delete()
        raise GalleryError("None of the photos can be read, so there is nothing to index.")
    before = last.manifest.photos if last else []
    is_same = before == list(found.photos.values()) and not found.embedded
    if last and is_same and is_current(last, checkpoint, key, engine):
        built = last
    else:
        built = write_version(checkpoint, found, key, progress, folder, engine)
    progress.delete()
    files = read_files(last) if last else {}
    old = {photo.path: files[photo.path].digest for photo in before if photo.path in files}
    new = {photo.path: digest for digest, photo in found.photos.items()}
    return Built(built, *_compare(old, new), found.embedded, found.left_out)


def _compare(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[int, int, int, int]:
    """Counts new, changed, kept and removed photos, given the digests by path."""
    return (
        len(new.keys() - old.keys()),
        sum(old.get(path, digest) != digest for path, digest in new.items()),
        sum(old.get(path) == digest for path, digest in new.items()),
        len(old.keys() - new.keys()),
    )
