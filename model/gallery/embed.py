"""Reads the photos of a gallery and embeds new ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.encoder import Encoder
from model.encoder.runtime import STREAMS
from model.errors import ImageError
from model.gallery.captions import exif_terms
from model.gallery.prefetch import prefetch
from model.gallery.progress import File, Progress, thumbnail_of
from model.gallery.walk import SAME, UNUSABLE, LeftOut
from model.pictures.colours import flatten
from model.pictures.decoding import OWN, check_bytes, open_image
from model.pictures.framing import Pixels, frame_photo

BATCH = Encoder.GROUP * max(4, STREAMS)
"""Photos that are embedded and saved together."""


@dataclass
class Found:
    """What was found at the paths of photos.

    Attributes:
        photos: the photos of the gallery by digest, in the order of the gallery.
        files: their files, by digest.
        copies: files with the same content as an earlier one.
        left_out: copies and unreadable files, with the reason.
        embedded: number of photos that were embedded.
    """

    photos: dict[str, Photo] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    copies: list[File] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    embedded: int = 0

    def add(self, photo: Photo, file: File) -> bool:
        """Adds a photo; returns whether its content is new.

        Empty credits and licences are taken from the photo's EXIF data.
        """
        if first := self.files.get(file.digest):
            self.copies.append(file)
            self.left_out.append(LeftOut(SAME, photo.path, f" = {first.path}"))
            return False
        self.files[file.digest] = file
        self.photos[file.digest] = replace(
            photo, credit=photo.credit or file.artist, licence=photo.licence or file.terms
        )
        return True


def embed_photos(photos: Sequence[Photo], checkpoint: Checkpoint, progress: Progress) -> Found:
    """Reads photos that have changed, and embeds those with new content.

    Args:
        photos: the photos to read.
        checkpoint: the encoder. The network for photos is loaded if one has to be embedded.
        progress: the photos that are already embedded. New ones are added to it.
    """
    found, encoder = Found(), cache(checkpoint.photo_encoder() or checkpoint.encoder)
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

    reads = zip(photos, prefetch(read, photos), strict=True)
    for photo, future in tqdm(reads, "indexing photos", len(photos), unit="photo"):
        try:
            file, pictures = future.result()
        except ImageError as error:
            found.left_out.append(LeftOut(UNUSABLE, photo.path, f": {error}"))
            continue
        if found.add(photo, file) and pictures:
            progress.save_thumbnail(pictures.thumbnail, file.digest)
            batch.append((file, pictures.frame))
            if len(batch) == BATCH:
                embed_batch()
    embed_batch()
    return found


class _Pictures(NamedTuple):
    """What is made of a photo that has to be embedded."""

    frame: Pixels
    thumbnail: bytes


class _Read(NamedTuple):
    """A photo's file, and its frame and thumbnail unless it is already embedded."""

    file: File
    pictures: _Pictures | None = None


def _read(path: Path, progress: Progress, size: int) -> _Read:
    """Reads a photo, unless its file has not changed or its content is already embedded.

    Args:
        path: the photo.
        progress: the photos that are already embedded.
        size: side in pixels of the frame that the encoder sees.

    Raises:
        ImageError: the photo cannot be read.
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
    return _Read(file, _Pictures(frame_photo(flat, size), thumbnail_of(flat)))
