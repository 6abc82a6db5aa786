"""Search for the nearest embeddings, at any size, behind one small interface.

    exact    every embedding is compared, by numpy: up to some ten thousand photos
    annoy    trees of random splits (https://github.com/spotify/annoy): up to a few millions
    milvus   a database, in a file or on a cluster: past one machine (see `model.search.milvus`)

A gallery folder holds `embeddings.npy`, `(n, d)` in float32, whichever engine searches it. Photos
are known by their number, the row of that matrix, and labels by theirs (see `number_labels`).
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray
from tqdm import tqdm

from model.checkpoint.manifest import EMBEDDINGS, INDEX, EngineName, Manifest, Metric
from model.encoder.encoder import Embeddings
from model.errors import CheckpointError, GalleryError
from model.search.recall import (
    NEAREST,
    SEED,
    SPARE,
    Distances,
    Numbers,
    choose_search_k,
    sample_queries,
)

EXACT_UP_TO = 20_000
"""Photos up to which exact search is chosen."""

MOST_NODES = 2**31 - 1
"""That Annoy can be told to look at."""

FEW = 0.1
"""Share of all photos from which reading all is cheaper than picking some."""

MAPPED_FROM = 1 << 26
"""Bytes from which a matrix stays in its file."""


class Engine(Protocol):
    """An opened index over n embeddings of d numbers."""

    def search(
        self, vector: Embeddings, k: int, labels: NDArray[np.int32] | None = None
    ) -> tuple[Numbers, Distances]:
        """The nearest photos.

        Args:
            vector: `(d,)`; of length 1 where the metric is angular.
            k: how many, at least 1.
            labels: numbers of the labels to search among, each once; None for all.

        Returns:
            Numbers and Euclidean distances, both `(m,)`, nearest first; m is k, or as many as
            there are with these labels.
        """

    def vector(self, number: int) -> Embeddings:
        """The embedding of a photo, `(d,)`."""

    def count(self) -> int:
        """How many photos there are."""

    def close(self) -> None:
        """Lets go of files and connections; the index is not used after that."""


@dataclass(frozen=True)
class Effort:
    """What was chosen while an index was built; see `IndexInfo`."""

    trees: int
    search_k: int
    recall: float


def choose_engine(count: int) -> EngineName:
    """The engine for this many photos, where a person has not named one."""
    return "exact" if count <= EXACT_UP_TO else "annoy"


def trees_for(count: int) -> int:
    """How many trees Annoy builds: 10, 20 from a hundred thousand photos, 30 from a million."""
    return max(10, 10 * (len(str(count)) - 4))


def number_labels(labels: Sequence[str]) -> tuple[dict[str, int], NDArray[np.int32]]:
    """A number for each label, in the order they first appear, and `(n,)` that of each photo."""
    numbers: dict[str, int] = {}
    of_photos = (numbers.setdefault(label, len(numbers)) for label in labels)
    return numbers, np.fromiter(of_photos, np.int32, len(labels))


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
        return _build_annoy(folder, metric)
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


class Rows:
    """Which photos have which label.

    Attributes:
        labels: how many there are.
    """

    def __init__(self, labels: NDArray[np.int32]) -> None:
        """Takes those of the photos, `(n,)`, from `number_labels`."""
        self._label_of, self.labels = labels, int(labels.max()) + 1
        self._order = np.argsort(labels, kind="stable")
        self._ends = np.cumsum(np.bincount(labels))

    def count(self, labels: NDArray[np.int32]) -> int:
        """How many photos have one of these labels."""
        return int((self._ends[labels] - self._starts(labels)).sum())

    def of(self, labels: NDArray[np.int32]) -> Numbers:
        """Their numbers."""
        ends = zip(self._starts(labels), self._ends[labels], strict=True)
        return np.concatenate([self._order[:0], *(self._order[start:end] for start, end in ends)])

    def have(self, numbers: Numbers, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each of these photos has one of these labels."""
        wanted = np.zeros(self.labels, bool)
        wanted[labels] = True
        return wanted[self._label_of[numbers]]

    def _starts(self, labels: NDArray[np.int32]) -> Numbers:
        return np.where(labels > 0, self._ends[labels - 1], 0)


class Exact:
    """Compares every embedding, or every one with the right label."""

    def __init__(self, folder: Path, labels: NDArray[np.int32], metric: Metric) -> None:
        self.matrix, self.metric, self.rows = read_embeddings(folder), metric, Rows(labels)
        # |x - q|^2 is |q|^2 - 2 (x.q - |x|^2 / 2), and |x| is 1 on the unit sphere.
        self._halves: NDArray[np.float32] = np.zeros(0, np.float32)
        if metric == "euclidean":
            self._halves = np.einsum("nd,nd->n", self.matrix, self.matrix) / 2

    def search(
        self, vector: Embeddings, k: int, labels: NDArray[np.int32] | None = None
    ) -> tuple[Numbers, Distances]:
        rows = slice(None) if labels is None else self.rows.of(labels)
        if isinstance(rows, slice) or len(rows) > FEW * self.count():
            scores = self._scores(vector, slice(None))[rows]
        else:
            scores = self._scores(vector, rows)
        most = k + SPARE
        best = (
            np.argpartition(-scores, most)[:most] if most < len(scores) else np.arange(len(scores))
        )
        numbers = best if isinstance(rows, slice) else rows[best]
        distances = np.linalg.norm(self.matrix[numbers] - vector, axis=1)
        order = np.argsort(distances, kind="stable")[:k]
        return numbers[order], distances[order]

    def vector(self, number: int) -> Embeddings:
        return np.array(self.matrix[number])

    def count(self) -> int:
        return len(self.matrix)

    def close(self) -> None:
        pass

    def _scores(self, vector: Embeddings, rows: Numbers | slice) -> NDArray[np.float32]:
        """Larger for nearer ones, `(m,)`."""
        # On one thread, since many people search at once; memory is what takes the time.
        scores: NDArray[np.float32] = np.einsum(
            "nd,d->n", self.matrix[rows], np.asarray(vector, np.float32)
        )
        if len(self._halves):
            scores -= self._halves[rows]
        return scores


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


def read_embeddings(folder: Path) -> Embeddings:
    """The matrix of a gallery folder, `(n, d)`.

    A small one is read, so that nothing can happen to it; a large one stays in its file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    path = folder / EMBEDDINGS
    try:
        mapped = path.stat().st_size > MAPPED_FROM
        matrix = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(
            f"{path} is missing or damaged. Delete {folder} and start again to build it anew."
        ) from error
    if matrix.ndim != 2 or matrix.dtype != np.float32:
        raise CheckpointError(f"{path} is no matrix of float32. Delete {folder} and start again.")
    return np.asarray(matrix)


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


def _build_annoy(folder: Path, metric: Metric) -> Effort:
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
