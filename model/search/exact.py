"""Exact search: compares the query with every embedding, in numpy."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.files import EMBEDDINGS
from model.checkpoint.records import Metric
from model.encoder.head import Embeddings
from model.errors import CheckpointError
from model.search.labels import PhotosByLabel
from model.search.protocol import Distances, Numbers
from model.search.recall import EXTRA

FULL_SCAN_FROM = 0.1
"""Share of all photos from which scanning all of them is faster than selecting some."""

MAPPED_FROM = 1 << 26
"""Bytes from which embeddings are memory-mapped instead of read."""


class Exact:
    """Compares the query with every embedding, or with those that have the right labels.

    Args:
        folder: the gallery folder.
        labels: label numbers of the photos, `(n,)`, from `number_labels`.
        metric: distance between embeddings.

    Raises:
        CheckpointError: the embeddings are missing or damaged.
    """

    def __init__(self, folder: Path, labels: NDArray[np.int32], metric: Metric) -> None:
        self.matrix, self.metric = read_embeddings(folder), metric
        self.photos_by_label = PhotosByLabel(labels)
        # |x - q|^2 is |q|^2 - 2 (x.q - |x|^2 / 2), and |x| is 1 on the unit sphere.
        self._halves: NDArray[np.float32] = np.zeros(0, np.float32)
        if metric == "euclidean":
            self._halves = np.einsum("nd,nd->n", self.matrix, self.matrix) / 2

    def search(
        self, vector: Embeddings, k: int, labels: NDArray[np.int32] | None = None
    ) -> tuple[Numbers, Distances]:
        rows = slice(None) if labels is None else self.photos_by_label.of(labels)
        if isinstance(rows, slice) or len(rows) > FULL_SCAN_FROM * self.count():
            scores = self._scores(vector, slice(None))[rows]
        else:
            scores = self._scores(vector, rows)
        candidates = k + EXTRA
        if candidates < len(scores):
            best = np.argpartition(-scores, candidates)[:candidates]
        else:
            best = np.arange(len(scores))
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
        """Scores that are larger for nearer photos, `(m,)`."""
        # einsum uses one thread: many people search at once, and memory is the bottleneck.
        scores: NDArray[np.float32] = np.einsum(
            "nd,d->n", self.matrix[rows], np.asarray(vector, np.float32)
        )
        if len(self._halves):
            scores -= self._halves[rows]
        return scores


def read_embeddings(folder: Path) -> Embeddings:
    """The embeddings of a gallery folder, `(n, d)`.

    Large files are memory-mapped. Small ones are read, so that later changes to them do no harm.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    path = folder / EMBEDDINGS
    try:
        is_large = path.stat().st_size > MAPPED_FROM
        matrix = np.load(path, mmap_mode="r" if is_large else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(
            f"{path} is missing or damaged. Delete {folder} and start again to build it anew."
        ) from error
    if matrix.ndim != 2 or matrix.dtype != np.float32:
        raise CheckpointError(
            f"{path} is not a matrix of float32. Delete {folder} and start again to build it anew."
        )
    return np.asarray(matrix)
