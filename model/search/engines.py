"""Chooses, builds and opens a search engine. All engines have the interface of `protocol.Engine`.

    exact    compares every embedding: up to some ten thousand photos (`exact`)
    annoy    trees of random splits: up to a few million photos (`annoy_trees`)
    milvus   a database, in a file or on a cluster: beyond one machine (`milvus`)

With every engine, a version folder holds `embeddings.npy`, `(n, d)` in float32. The number of a
photo is its row in this matrix. The number of a label comes from `labels.number_labels`.

Another engine also needs its name in `EngineName` and its files in `IndexInfo.files`, both in
`model.checkpoint.records`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.manifest import Manifest
from model.checkpoint.records import EngineName, Metric
from model.errors import CheckpointError
from model.search.annoy_trees import EXACT_UP_TO, Annoy, build_annoy
from model.search.exact import Exact
from model.search.protocol import Effort, Engine, rebuild_hint


def choose_engine(count: int) -> EngineName:
    """The default engine for so many photos."""
    return "exact" if count <= EXACT_UP_TO else "annoy"


def build_index(
    folder: Path, engine: EngineName, labels: NDArray[np.int32], metric: Metric
) -> Effort:
    """Builds the index of a version folder that already holds `embeddings.npy`.

    Args:
        folder: the version folder.
        engine: which engine will search.
        labels: label numbers of the photos, `(n,)`, from `number_labels`.
        metric: distance between embeddings.

    Raises:
        GalleryError: Milvus is not installed or does not answer.
        OSError: the index cannot be written.
    """
    if engine == "exact":
        return Effort(trees=0, search_k=0, recall=1.0)
    if engine == "annoy":
        return build_annoy(folder, metric)
    from model.search.milvus import build_milvus

    return build_milvus(folder, labels)


def open_engine(
    folder: Path, engine: EngineName, labels: NDArray[np.int32], metric: Metric, search_k: int
) -> Engine:
    """Opens an index from `build_index`, without a manifest.

    Raises:
        CheckpointError: a file is missing or damaged.
        GalleryError: Milvus is not installed or does not answer.
    """
    if engine == "milvus":
        from model.search.milvus import Milvus

        return Milvus(folder, labels, search_k)
    exact = Exact(folder, labels, metric)
    return Annoy(folder, exact, search_k) if engine == "annoy" else exact


def open_index(folder: Path, manifest: Manifest, labels: NDArray[np.int32]) -> Engine:
    """Opens the index of a version folder.

    Args:
        folder: the version folder.
        manifest: its manifest, which has an index.
        labels: label numbers of the photos, `(n,)`, from `number_labels`.

    Raises:
        CheckpointError: a file is missing, or does not match the manifest.
        GalleryError: Milvus is not installed or does not answer.
    """
    info = manifest.index
    assert info is not None
    engine = open_engine(folder, info.engine, labels, manifest.metric, info.search_k)
    if (count := engine.count()) != info.photos:
        engine.close()
        raise CheckpointError(
            f"{folder} has an index over {count} photos, not {info.photos}. {rebuild_hint(folder)}"
        )
    return engine
