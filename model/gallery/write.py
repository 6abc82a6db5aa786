"""Writes a version of a gallery: embeddings, thumbnails, map, index and manifest."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import (
    CHECKPOINT_FILES,
    EMBEDDINGS,
    GALLERY_FILES,
    LAYOUT,
    MANIFEST,
    THUMBNAILS,
)
from model.checkpoint.records import EngineName, IndexInfo, Metric, Photo
from model.files import link_or_copy
from model.gallery.embed import Found
from model.gallery.progress import Progress, write_files
from model.search.engines import build_index, choose_engine
from model.search.exact import read_embeddings
from model.search.labels import number_labels
from model.search.map import lay_out


def write_version(
    checkpoint: Checkpoint,
    found: Found,
    key: str,
    progress: Progress,
    folder: Path,
    engine: EngineName | None,
) -> Checkpoint:
    """Writes a version of a gallery and makes it the current one.

    Args:
        checkpoint: the encoder.
        found: the photos, all embedded.
        key: from `photos_key`.
        progress: embeddings and thumbnails of the photos.
        folder: the gallery folder.
        engine: which engine searches; by default it depends on the number of photos.

    Raises:
        GalleryError: Milvus is not installed or does not answer.
        OSError: the version cannot be written.
    """
    done = [progress.embedded(digest) for digest in found.photos]
    version = Path(tempfile.mkdtemp(prefix=versions.PREFIX, dir=folder))
    (version / THUMBNAILS).mkdir()
    for number, photo in enumerate(done):
        assert photo is not None
        link_or_copy(photo.thumbnail, version / THUMBNAILS / f"{number}.webp")
    np.save(version / EMBEDDINGS, np.stack([photo.embedding for photo in done if photo]))
    write_files(version, [*found.files.values(), *found.copies])
    complete_version(checkpoint, version, list(found.photos.values()), key, engine)
    if any((folder / name).exists() for name in CHECKPOINT_FILES):
        # The folder was a checkpoint, or a gallery from before there were versions.
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
        version: a folder that holds the embeddings and thumbnails of the photos.
        photos: the photos, in the order of the embeddings.
        key: from `photos_key`.
        engine: which engine searches; by default it depends on the number of photos.

    Raises:
        GalleryError: Milvus is not installed or does not answer.
        OSError: the version cannot be written.
    """
    metric = checkpoint.manifest.metric
    np.save(version / LAYOUT, lay_out(read_embeddings(version), metric))
    for name in checkpoint.files:
        link_or_copy(checkpoint.folder / name, version / name)
    info = index_photos(version, photos, metric, key, engine)
    checkpoint.manifest.with_index(version, info, photos).save(version)
    Checkpoint.open(version)  # Checks the version before it becomes the current one.
    versions.publish(version)


def index_photos(
    version: Path, photos: Sequence[Photo], metric: Metric, key: str, engine: EngineName | None
) -> IndexInfo:
    """Builds the index over the embeddings of a version.

    Args:
        version: a folder that holds the embeddings.
        photos: the photos, in the order of the embeddings.
        metric: distance between embeddings.
        key: from `photos_key`.
        engine: which engine searches; by default it depends on the number of photos.

    Raises:
        GalleryError: Milvus is not installed or does not answer.
        OSError: the index cannot be written.
    """
    chosen = engine or choose_engine(len(photos))
    _, labels = number_labels([photo.label for photo in photos])
    built = build_index(version, chosen, labels, metric)
    return IndexInfo(metric, chosen, built.trees, built.search_k, built.recall, len(photos), key)
