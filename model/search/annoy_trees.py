"""Search by Annoy (https://github.com/spotify/annoy): trees of random splits."""

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
from model.encoder.encoder import Embeddings
from model.errors import CheckpointError, GalleryError
from model.search.exact import FEW, Exact, read_embeddings
from model.search.protocol import Distances, Effort, Numbers
from model.search.recall import NEAREST, SEED, choose_search_k, sample_queries

EXACT_UP_TO = 20_000
"""Photos up to which exact search is chosen."""

MOST_NODES = 2**31 - 1
"""That Annoy can be told to look at."""


class Annoy:
    """Annoy's trees; exact search where it is as good, or where they would return too many."""

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
        rows, count, asked = self._exact.rows, self.count(), k
        if labels is not None:
            matching = rows.count(labels)
            asked = count if matching <= EXACT_UP_TO else 2 * k * count // matching
        while asked <= FEW * count:
            numbers, distances = self._nearest(vector, asked)
            if labels is not None:
                kept = rows.have(numbers, labels)
                numbers, distances = numbers[kept], distances[kept]
            if len(numbers) >= k:
                return numbers[:k], distances[:k]
            asked *= 4
        return self._exact.search(vector, k, labels)

    def vector(self, number: int) -> Embeddings:
        return self._exact.vector(number)

    def count(self) -> int:
        return int(self._index.get_n_items())

    def close(self) -> None:
        self._index.unload()

    def _nearest(self, vector: Embeddings, k: int) -> tuple[Numbers, Distances]:
        """By the trees alone, of which more is looked at for more than 12 photos."""
        search_k = min(MOST_NODES, self._search_k * max(1, k // NEAREST))
        numbers, distances = self._index.get_nns_by_vector(vector, k, search_k, True)
        return np.array(numbers, np.int64), np.array(distances, np.float32)


_TRIAL = (
    "from annoy import AnnoyIndex; index = AnnoyIndex(64, 'angular'); "
    "[index.add_item(i, [i + 1.0] * 64) for i in range(100)]; index.build(1); "
    "index.get_nns_by_item(0, 3)"
)


@cache
def check_annoy() -> None:
    """Tries Annoy in a process of its own, which it ends if it was compiled for another processor.

    Raises:
        GalleryError: it was.
    """
    ended = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True).returncode
    if ended == -signal.SIGILL:
        raise GalleryError(
            "Annoy was compiled for another processor than this one. Compile it here: "
            "pip install --force-reinstall --no-cache-dir --no-deps --no-binary annoy annoy"
        )


def trees_for(count: int) -> int:
    """How many trees Annoy builds: 10, 20 from a hundred thousand photos, 30 from a million."""
    return max(10, 10 * (len(str(count)) - 4))


def build_annoy(folder: Path, metric: Metric) -> Effort:
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

    search_k, reached = choose_search_k(find, nearest, NEAREST * trees, len(matrix) * trees)
    return Effort(trees, search_k, reached)
