"""Reads the photos of a gallery, and embeds those with a content that is new."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tqdm import tqdm

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.encoder import Encoder
from model.errors import ImageError
from model.gallery.ahead import ahead
from model.gallery.captions import exif_terms
from model.gallery.progress import File, Progress, thumbnail_of
from model.pictures.decoding import OWN, check_bytes, flatten, open_image
from model.pictures.framing import Pixels, frame_photo


@dataclass
class Found:
    """What was found at the paths of photos.

    Attributes:
        photos: those of the gallery, in its order, by digest.
        files: theirs, by digest.
        copies: files that have the content of an earlier one.
    """

    photos: dict[str, Photo] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    copies: list[File] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    embedded: int = 0


def embed_photos(photos: Sequence[Photo], checkpoint: Checkpoint, progress: Progress) -> Found:
    """Reads photos that have changed, and embeds those with a content that is new."""
    found, encoder = Found(), cache(checkpoint.encoder)
    size = checkpoint.manifest.photo_size
    batch: list[tuple[File, Pixels]] = []

    def read(photo: Photo) -> _Read:
        return _read(Path(photo.path), progress, size)

    def embed_batch() -> None:
        if batch:
            embeddings = encoder().embed_photo_frames([frame for _, frame in batch])
            progress.add([file for file, _ in batch], embeddings)
            found.embedded += len(batch)
            batch.clear()

    reads = zip(photos, ahead(read, photos), strict=True)
    for photo, done in tqdm(reads, "indexing photos", len(photos), unit="photo"):
        try:
            read_photo = done.result()
        except ImageError as error:
            found.unreadable.append((photo.path, str(error)))
            continue
        file = read_photo.file
        if file.digest in found.files:
            found.copies.append(file)
            found.duplicates.append((photo.path, found.files[file.digest].path))
            continue
        found.files[file.digest] = file
        found.photos[file.digest] = replace(
            photo, credit=photo.credit or file.artist, licence=photo.licence or file.terms
        )
        if read_photo.frame is not None:
            progress.save_thumbnail(read_photo.thumbnail, file.digest)
            batch.append((file, read_photo.frame))
            if len(batch) == Encoder.BATCH:
                embed_batch()
    embed_batch()
    return found


@dataclass(frozen=True)
class _Read:
    """A photo's file, and what the photo becomes where it has to be embedded."""

    file: File
    frame: Pixels | None = None
    thumbnail: bytes = b""


def _read(path: Path, progress: Progress, size: int) -> _Read:
    """Reads a photo that has changed.

    Args:
        size: side in pixels of the frame that the encoder sees.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        status = path.stat()
        unchanged = progress.file(str(path), status)
        if unchanged and progress.embedded(unchanged.digest):
            return _Read(unchanged)
        check_bytes(status.st_size, path.name, OWN)
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()[:32]
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read: {error.strerror}.") from error
    if done := progress.embedded(digest):
        return _Read(replace(done.file, path=str(path), mtime_ns=status.st_mtime_ns))
    image = open_image(path, limits=OWN)
    artist, terms = exif_terms(image)
    file = File(str(path), status.st_size, status.st_mtime_ns, digest, artist, terms)
    flat = flatten(image)
    return _Read(file, frame_photo(flat, size), thumbnail_of(flat))
