"""Search for the nearest embeddings, at any size, behind one small interface.

    exact    every embedding is compared, by numpy: up to some ten thousand photos
    annoy    trees of random splits (https://github.com/spotify/annoy): up to a few millions
    milvus   a database, in a file or on a cluster: past one machine (see `model.search.milvus`)

A gallery folder holds `embeddings.npy`, `(n, d)` in float32, whichever engine searches it. Photos
are known by their number, the row of that matrix, and labels by theirs (see `number_labels`).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.manifest import Manifest
from model.checkpoint.records import EngineName, Metric
from model.errors import CheckpointError
from model.search.annoy_trees import EXACT_UP_TO, Annoy, build_annoy
from model.search.exact import Exact
from model.search.labels import number_labels
from model.search.protocol import Effort, Engine


def choose_engine(count: int) -> EngineName:
    """The engine for this many photos, where a person has not named one."""
    return "exact" if count <= EXACT_UP_TO else "annoy"


def build_index(
    folder: Path, engine: EngineName, labels: NDArray[np.int32], metric: Metric
) -> Effort:
    """Makes the index of a gallery folder, whose `embeddings.npy` is there already.

    Args:
        folder: of the gallery.
        engine: which one.
        labels: `(n,)`, from `number_labels`.
        metric: between embeddings.

    Raises:
        GalleryError: Milvus is not installed, or does not answer.
        OSError: the index cannot be written.
    """
    if engine == "exact":
        return Effort(0, 0, 1.0)
    if engine == "annoy":
        return build_annoy(folder, metric)
    from model.search.milvus import build_milvus

    return build_milvus(folder, labels)


def open_engine(
    folder: Path, engine: EngineName, labels: NDArray[np.int32], metric: Metric, search_k: int
) -> Engine:
    """Opens an index that `build_index` has made, without any manifest.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    if engine == "milvus":
        from model.search.milvus import Milvus

        return Milvus(folder, labels, search_k)
    exact = Exact(folder, labels, metric)
    return Annoy(folder, exact, search_k) if engine == "annoy" else exact


def open_index(folder: Path, manifest: Manifest) -> Engine:
    """Opens the index of a gallery folder.

    Raises:
        CheckpointError: a file is missing, or is not what the manifest describes.
    """
    info = manifest.index
    assert info is not None
    _, labels = number_labels([photo.label for photo in manifest.photos])
    engine = open_engine(folder, info.engine, labels, manifest.metric, info.search_k)
    if (count := engine.count()) != info.photos:
        engine.close()
        raise CheckpointError(
            f"{folder} has an index over {count} photos, not {info.photos}. Delete the "
            "folder and start again to build it anew."
        )
    return engine
