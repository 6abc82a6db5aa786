"""Builds galleries: photos that can be searched.

A gallery folder holds versions of a gallery (see `model.checkpoint.versions`). A build writes a new
version and then makes it the current one. Meanwhile the app serves the old version, until it has
opened the new one. Embeddings of an older version, or of a build that was killed, are reused (see
`model.gallery.progress`).
"""

import hashlib
from collections.abc import Sequence
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
from model.gallery.walk import SAME, UNUSABLE, LeftOut
from model.gallery.write import write_version


@dataclass(frozen=True)
class Built:
    """A gallery that was built, and what that took; the first four count photos.

    Attributes:
        new: in the gallery, and not in its last version.
        changed: in both, with another content.
        kept: in both, with the same content.
        removed: in its last version only.
        embedded: how many had to be embedded.
        duplicates: files that were left out, each with the one that has the same content.
        unreadable: files that were left out, each with the reason.
    """

    checkpoint: Checkpoint
    new: int
    changed: int
    kept: int
    removed: int
    embedded: int
    duplicates: list[tuple[str, str]]
    unreadable: list[tuple[str, str]]

    @property
    def left_out(self) -> list[LeftOut]:
        """Duplicates and unreadable files, for `model.gallery.walk.named`."""
        same = [LeftOut(SAME, path, f" = {first}") for path, first in self.duplicates]
        return same + [LeftOut(UNUSABLE, path, f": {why}") for path, why in self.unreadable]


def build_gallery(
    checkpoint: Checkpoint,
    photos: Sequence[Photo],
    folder: Path,
    engine: EngineName | None = None,
    *,
    wait: bool = False,
) -> Built:
    """Embeds photos and writes a gallery that finds them, or brings one up to date.

    A version of it is a checkpoint folder, with the networks. Files that have kept path, size and
    time of change since the last version are not read, and no content is embedded twice. Photos
    with the content of an earlier one are left out, as are those that cannot be read. The result
    does not depend on what was there before.

    Args:
        checkpoint: the encoder.
        photos: what to index. A credit or a licence that is empty is taken from the photo's EXIF
            data, if they tell.
        folder: where the result goes. Photos below it are left out.
        engine: what searches; by the number of photos if None.
        wait: where another process builds the same gallery, wait for it.

    Raises:
        GalleryError: none of the photos can be read, or the folder cannot be written, holds
            something else, or is being built by another process; or Milvus is not installed, or
            does not answer. The last version is untouched.
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
            "another folder, and start again; photos that are done stay so."
        ) from error


def _build(
    checkpoint: Checkpoint, photos: Sequence[Photo], folder: Path, engine: EngineName | None
) -> Built:
    last = last_version(folder, checkpoint)
    key = photos_key(photos)
    made = repr((READER, checkpoint.embedding_manifest())).encode()
    progress = Progress(
        folder, last if is_read_alike(last) else None, hashlib.sha256(made).hexdigest()
    )
    found = embed_photos(photos, checkpoint, progress)
    if not found.files:
        progress.delete()
        raise GalleryError("None of the photos can be read, so there is nothing to index.")
    kept = list(found.photos.values())
    before = last.manifest.photos if last else []
    is_same = before == kept and not found.embedded
    if last and is_same and is_current(last, checkpoint, key, engine):
        built = last
    else:
        built = write_version(checkpoint, found, key, progress, folder, engine)
    progress.delete()
    listed = read_files(last) if last else {}
    old = {photo.path: listed[photo.path].digest for photo in before if photo.path in listed}
    new = {photo.path: digest for digest, photo in found.photos.items()}
    return Built(
        built,
        new=len(new.keys() - old.keys()),
        changed=sum(old.get(path, digest) != digest for path, digest in new.items()),
        kept=sum(old.get(path) == digest for path, digest in new.items()),
        removed=len(old.keys() - new.keys()),
        embedded=found.embedded,
        duplicates=found.duplicates,
        unreadable=found.unreadable,
    )
