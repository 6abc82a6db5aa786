"""Builds galleries: photos that can be searched.

A gallery folder holds versions of a gallery (see `model.checkpoint.versions`). A build writes a new
version and then makes it the current one. Meanwhile the app serves the old version, until it has
opened the new one. Embeddings of an older version, or of a build that was killed, are reused (see
`model.gallery.progress`).
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.manifest import (
    CHECKPOINT_FILES,
    EMBEDDINGS,
    GALLERY_FILES,
    INDEX,
    LAYOUT,
    MANIFEST,
    THUMBNAILS,
    EngineName,
    IndexInfo,
    Metric,
    Photo,
)
from model.encoder.encoder import Encoder
from model.errors import CheckpointError, GalleryError, ImageError
from model.gallery.ahead import ahead
from model.gallery.captions import exif_terms
from model.gallery.photos import find_photos
from model.gallery.progress import UNFINISHED, File, Progress, read_files, thumbnail_of, write_files
from model.gallery.walk import SAME, UNUSABLE, LeftOut
from model.pictures.decoding import OWN, check_bytes, flatten, open_image
from model.pictures.framing import Pixels, frame_photo
from model.search.engines import build_index, choose_engine, number_labels, read_embeddings
from model.search.layout import lay_out

READER = 2
"""Version of how photos are read. Those that another version has read are read again."""


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


def photos_in(folder: Path) -> list[Photo]:
    """The photos below a folder; `model.gallery.photos.find_photos` also tells what is left out."""
    return find_photos([folder]).photos


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
    chosen = _chosen(photos, folder)
    try:
        if folder.exists() and not _is_gallery(folder):
            raise GalleryError(f"{folder} holds other files than a gallery. Name another folder.")
        with versions.building(folder, wait=wait):
            return _build(checkpoint, chosen, folder, engine)
    except OSError as error:
        raise GalleryError(
            f"{folder} cannot be written: {error.strerror or error}. Free some space or name "
            "another folder, and start again; photos that are done stay so."
        ) from error


def _chosen(photos: Sequence[Photo], folder: Path) -> list[Photo]:
    """Each path once, and nothing that lies below the gallery's folder."""
    below = f"{folder.resolve()}{os.sep}"
    return [p for p in {p.path: p for p in photos}.values() if not p.path.startswith(below)]


def _build(
    checkpoint: Checkpoint, photos: Sequence[Photo], folder: Path, engine: EngineName | None
) -> Built:
    last = _last_version(folder, checkpoint)
    key = photos_key(photos)
    made = repr((READER, checkpoint.embedding_manifest())).encode()
    progress = Progress(
        folder, last if _is_read_alike(last) else None, hashlib.sha256(made).hexdigest()
    )
    found = _embed(photos, checkpoint, progress)
    if not found.files:
        progress.delete()
        raise GalleryError("None of the photos can be read, so there is nothing to index.")
    kept = list(found.photos.values())
    before = last.manifest.photos if last else []
    is_same = before == kept and not found.embedded
    if last and is_same and _is_current(last, checkpoint, key, engine):
        built = last
    else:
        built = _write(checkpoint, found, key, progress, folder, engine)
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


@dataclass
class _Found:
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


def _embed(photos: Sequence[Photo], checkpoint: Checkpoint, progress: Progress) -> _Found:
    """Reads photos that have changed, and embeds those with a content that is new."""
    found, encoder = _Found(), cache(checkpoint.encoder)
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


def _write(
    checkpoint: Checkpoint,
    found: _Found,
    key: str,
    progress: Progress,
    folder: Path,
    engine: EngineName | None,
) -> Checkpoint:
    """Writes a version and makes it the current one."""
    done = [progress.embedded(digest) for digest in found.photos]
    version = Path(tempfile.mkdtemp(prefix=versions.PREFIX, dir=folder))
    (version / THUMBNAILS).mkdir()
    for number, photo in enumerate(done):
        assert photo is not None
        _link(photo.thumbnail, version / THUMBNAILS / f"{number}.webp")
    np.save(version / EMBEDDINGS, np.stack([photo.embedding for photo in done if photo]))
    write_files(version, [*found.files.values(), *found.copies])
    complete_version(checkpoint, version, list(found.photos.values()), key, engine)
    if any(
        (folder / name).exists() for name in CHECKPOINT_FILES
    ):  # A checkpoint, or a gallery without versions, was here.
        for name in (MANIFEST, *CHECKPOINT_FILES, *GALLERY_FILES):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / THUMBNAILS, ignore_errors=True)
    return Checkpoint.open(folder)


def complete_version(
    checkpoint: Checkpoint,
    version: Path,
    photos: Sequence[Photo],
    key: str,
    engine: EngineName | None,
) -> None:
    """Adds map, index, networks and manifest to a version, and makes it the current one.

    Args:
        checkpoint: the encoder.
        version: a folder with the embeddings and thumbnails of the photos.
        photos: in the order of the embeddings.
        key: of the photos; see `photos_key`.
        engine: what searches; by the number of photos if None.

    Raises:
        GalleryError: Milvus is not installed, or does not answer.
        OSError: the disk is full.
    """
    metric = checkpoint.manifest.metric
    np.save(version / LAYOUT, lay_out(read_embeddings(version), metric))
    for name in checkpoint.files:
        _link(checkpoint.folder / name, version / name)
    info = index_photos(version, photos, metric, key, engine)
    checkpoint.manifest.with_index(version, info, photos).save(version)
    Checkpoint.open(version)
    versions.publish(version)


def index_photos(
    version: Path, photos: Sequence[Photo], metric: Metric, key: str, engine: EngineName | None
) -> IndexInfo:
    """Makes the index over the embeddings in a version's folder.

    Args:
        version: where the embeddings are.
        photos: that they are of, in their order.
        metric: between embeddings.
        key: of the photos; see `photos_key`.
        engine: what searches; by the number of photos if None.

    Raises:
        GalleryError: Milvus is not installed, or does not answer.
        OSError: the disk is full.
    """
    chosen = engine or choose_engine(len(photos))
    _, labels = number_labels([photo.label for photo in photos])
    built = build_index(version, chosen, labels, metric)
    return IndexInfo(metric, chosen, built.trees, built.search_k, built.recall, len(photos), key)


def _is_current(
    version: Checkpoint, checkpoint: Checkpoint, key: str, engine: EngineName | None
) -> bool:
    """Whether a version has such an index over the photos with this key as a new one would."""
    info = version.manifest.index
    if info is None or version.encoder_manifest() != checkpoint.encoder_manifest():
        return False
    return (info.engine, info.photos_key) == (engine or choose_engine(info.photos), key)


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
    last = _last_version(folder, checkpoint)
    if last is None:
        return False
    return _is_current(last, checkpoint, photos_key(_chosen(photos, folder)), engine)


def _last_version(folder: Path, checkpoint: Checkpoint) -> Checkpoint | None:
    """The undamaged gallery in a folder, if this checkpoint's encoder has embedded it."""
    try:
        last = Checkpoint.open(folder)
    except CheckpointError:
        return None
    is_same = last.embedding_manifest() == checkpoint.embedding_manifest()
    return last if is_same and last.manifest.index else None


def _is_read_alike(version: Checkpoint | None) -> bool:
    """Whether the photos of a version were read as they would be now."""
    info = version.manifest.index if version else None
    return info is not None and info.photos_key.startswith(f"{READER}-")


def _is_gallery(folder: Path) -> bool:
    """Whether a folder is empty, or a gallery, though perhaps a damaged or unfinished one."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {"a file"}
    # Not by its manifest: extensions of browsers and web apps have one of the same name.
    is_known = names & {UNFINISHED, INDEX, *CHECKPOINT_FILES} or versions.versions_in(folder)
    return not names or bool(is_known)


def _link(source: Path, target: Path) -> None:
    """A second name for the same file where the file system can, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


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
