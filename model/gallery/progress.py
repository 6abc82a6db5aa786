"""What is known of photos' files, so that no photo is embedded twice.

It is kept in the version of a gallery that was built last, for the next one, and batch by batch
beside it while the next one is built, so that a build that was killed goes on from there.
"""

import io
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import EMBEDDINGS, THUMBNAILS
from model.encoder.encoder import Embeddings
from model.files import replacing

FILES = "files.json"
UNFINISHED = "unfinished-version"
THUMBNAIL_SIDE = 320


@dataclass(frozen=True)
class File:
    """A photo's file as it was read.

    Attributes:
        path, size, mtime_ns: by which it is recognised without being read again.
        digest: of its content, hexadecimal.
        artist, terms: what its EXIF data say.
    """

    path: str
    size: int
    mtime_ns: int
    digest: str
    artist: str
    terms: str


class Embedded(NamedTuple):
    """A photo's file, and what was made of it: its embedding, `(d,)`, and a small one."""

    file: File
    embedding: Embeddings
    thumbnail: Path


class Progress:
    """Photos that were embedded with one encoder, in the current version and since.

    Args:
        folder: of the gallery.
        current: its current version; None where there is none that this encoder made.
        encoder: a name for the encoder; what was done with another one is deleted.
    """

    def __init__(self, folder: Path, current: Checkpoint | None, encoder: str) -> None:
        self.folder = folder / UNFINISHED
        self._files: dict[str, File] = {}
        self._embedded: dict[str, Embedded] = {}
        mark = self.folder / "encoder"
        if not mark.is_file() or mark.read_text(encoding="utf-8") != encoder:
            self.delete()
            self.folder.mkdir()
            mark.write_text(encoder, encoding="utf-8")
        if current is not None:
            self._take_over(current)
        self._batches = 0
        for batch in self.folder.glob("*.npz"):
            self._read(batch)
            self._batches = max(self._batches, int(batch.stem) + 1)

    def file(self, path: str, status: os.stat_result) -> File | None:
        """The file at this path, where it has not changed since it was read."""
        file = self._files.get(path)
        same = file and (file.size, file.mtime_ns) == (status.st_size, status.st_mtime_ns)
        return file if same else None

    def embedded(self, digest: str) -> Embedded | None:
        """What was made of the photo with this digest, where it is all there."""
        found = self._embedded.get(digest)
        return found if found and found.thumbnail.is_file() else None

    def save_thumbnail(self, thumbnail: bytes, digest: str) -> None:
        """Writes the thumbnail of the photo with this digest."""
        self._thumbnail(digest).write_bytes(thumbnail)

    def add(self, files: Sequence[File], embeddings: Embeddings) -> None:
        """Keeps a batch whose thumbnails are saved; it counts from when it is written whole."""
        described = json.dumps([asdict(file) for file in files])
        data = io.BytesIO()
        np.savez(data, embeddings=embeddings, files=np.frombuffer(described.encode(), np.uint8))
        with replacing(self.folder / f"{self._batches}.npz") as unfinished:
            unfinished.write_bytes(data.getvalue())
        self._batches += 1
        self._remember(files, embeddings)

    def delete(self) -> None:
        """Deletes what was kept since the current version; that is, once it is in a new one."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _take_over(self, current: Checkpoint) -> None:
        files = read_files(current)
        self._files.update(files)
        embeddings = np.load(current.folder / EMBEDDINGS)
        for number, photo in enumerate(current.manifest.photos):
            thumbnail = current.folder / THUMBNAILS / f"{number}.webp"
            if file := files.get(photo.path):
                self._embedded[file.digest] = Embedded(file, embeddings[number], thumbnail)

    def _read(self, batch: Path) -> None:
        try:
            with np.load(batch) as data:
                files = [File(**file) for file in json.loads(data["files"].tobytes())]
                self._remember(files, data["embeddings"])
        except (OSError, ValueError, TypeError, KeyError, BadZipFile):
            batch.unlink()  # The machine has stopped while it was written; its photos come again.

    def _remember(self, files: Sequence[File], embeddings: Embeddings) -> None:
        for file, embedding in zip(files, embeddings, strict=True):
            self._files[file.path] = file
            thumbnail = self._thumbnail(file.digest)
            self._embedded[file.digest] = Embedded(file, embedding, thumbnail)

    def _thumbnail(self, digest: str) -> Path:
        return self.folder / f"{digest}.webp"


def thumbnail_of(image: Image.Image) -> bytes:
    """A WebP file of at most `THUMBNAIL_SIDE` pixels a side, without metadata."""
    small, file = image.copy(), io.BytesIO()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=3.0)
    # Half the time of the usual method, for files that are 2 % larger.
    small.save(file, "WEBP", quality=85, method=2, exif=b"", icc_profile=None)
    return file.getvalue()


def read_files(version: Checkpoint) -> dict[str, File]:
    """The files of a version by path, those of duplicates too; none where that is not known."""
    try:
        listed = json.loads((version.folder / FILES).read_text(encoding="utf-8"))
        return {file["path"]: File(**file) for file in listed}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def write_files(version: Path, files: Sequence[File]) -> None:
    """Writes what `read_files` reads."""
    data = json.dumps([asdict(file) for file in files], indent=0)
    (version / FILES).write_text(data, encoding="utf-8")
