"""Search with Annoy (https://github.com/spotify/annoy), by trees of random splits."""

import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray
from tqdm import tqdm

from model.checkpoint.files import INDEX
from model.checkpoint.records import Metric
from model.encoder.head import Embeddings
from model.errors import CheckpointError, GalleryError
from model.search.exact import FULL_SCAN_FROM, Exact, read_embeddings
from model.search.protocol import NEAREST, Distances, Effort, Numbers
from model.search.recall import SEED, choose_search_k, sample_queries

EXACT_UP_TO = 20_000
"""Photos up to which exact search is used."""

MAX_NODES = 2**31 - 1
"""Upper limit of Annoy's `search_k`."""


class Annoy:
    """Annoy's trees, with exact search for queries that would have to visit too many nodes.

    Args:
        folder: the gallery folder.
        exact: exact search over the same photos.
        search_k: nodes to visit for 12 photos.

    Raises:
        CheckpointError: the index is missing or damaged.
        GalleryError: Annoy was compiled for another processor.
    """

    def __init__(self, folder: Path, exact: Exact, search_k: int) -> None:
        self._exact, self._search_k = exact, search_k
        check_annoy()
        self._index = AnnoyIndex(exact.matrix.shape[1], exact.metric)
        try:
            self._index.load(str(folder / INDEX))
        except OSError as error:
            raise CheckpointError(
                f"{folder / INDEX} is damaged. Delete {folder} and start again to build it anew."
            ) from error

    def search(
        self, vector: Embeddings, k: int, labels: NDArray[np.int32] | None = None
    ) -> tuple[Numbers, Distances]:
        by_label, count, candidates = self._exact.photos_by_label, self.count(), k
        if labels is not None:
            matching = by_label.count(labels)
            candidates = count if matching <= EXACT_UP_TO else 2 * k * count // matching
        while candidates <= FULL_SCAN_FROM * count:
            numbers, distances = self._search_trees(vector, candidates)
            if labels is not None:
                kept = by_label.have(numbers, labels)
                numbers, distances = numbers[kept], distances[kept]
            if len(numbers) >= k:
                return numbers[:k], distances[:k]
            candidates *= 4
        return self._exact.search(vector, k, labels)

    def vector(self, number: int) -> Embeddings:
        return self._exact.vector(number)

    def count(self) -> int:
        return int(self._index.get_n_items())

    def close(self) -> None:
        self._index.unload()

    def _search_trees(self, vector: Embeddings, k: int) -> tuple[Numbers, Distances]:
        """Searches the trees alone; visits proportionally more nodes for more than 12 photos."""
        search_k = min(MAX_NODES, self._search_k * max(1, k // NEAREST))
        numbers, distances = self._index.get_nns_by_vector(vector, k, search_k, True)
        return np.array(numbers, np.int64), np.array(distances, np.float32)


def trees_for(count: int) -> int:
    """Number of trees for so many photos: 10, 20 from a hundred thousand, 30 from a million."""
    return max(10, 10 * (len(str(count)) - 4))


def build_annoy(folder: Path, metric: Metric) -> Effort:
    """Builds the trees over the embeddings of a gallery folder; see `engines.build_index`."""
    matrix = read_embeddings(folder)
    check_annoy()
    index = AnnoyIndex(matrix.shape[1], metric)
    index.set_seed(SEED)
    for number, embedding in enumerate(tqdm(matrix, "building the index", unit="photo")):
        index.add_item(number, embedding.tolist())
    trees = trees_for(len(matrix))
    index.build(trees, n_jobs=1)
    index.save(str(folder / INDEX))
    queries, nearest = sample_queries(matrix, metric)

    def find(search_k: int) -> list[list[int]]:
        return [index.get_nns_by_vector(query, NEAREST, search_k) for query in queries]

    search_k, recall = choose_search_k(find, nearest, NEAREST * trees, len(matrix) * trees)
    return Effort(trees, search_k, recall)


_TRIAL = (
    "from annoy import AnnoyIndex; index = AnnoyIndex(64, 'angular'); "
    "[index.add_item(i, [i + 1.0] * 64) for i in range(100)]; index.build(1); "
    "index.get_nns_by_item(0, 3)"
)


@cache
def check_annoy() -> None:
    """Checks that Annoy runs on this processor.

    Annoy that was compiled for another processor kills its process. So a process of its own tries.

    Raises:
        GalleryError: Annoy was compiled for another processor.
    """
    ended = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True).returncode
    if ended == -signal.SIGILL:
        raise GalleryError(
            "Annoy was compiled for another processor than this one. Compile it here: "
            "pip install --force-reinstall --no-cache-dir --no-deps --no-binary annoy annoy"
        )
