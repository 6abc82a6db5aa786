"""Exact search: every embedding is compared, by numpy."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.files import EMBEDDINGS
from model.checkpoint.records import Metric
from model.encoder.encoder import Embeddings
from model.errors import CheckpointError
from model.search.labels import PhotosByLabel
from model.search.protocol import Distances, Numbers
from model.search.recall import SPARE

FEW = 0.1
"""Share of all photos from which reading all is cheaper than picking some."""

MAPPED_FROM = 1 << 26
"""Bytes from which a matrix stays in its file."""


class Exact:
    """Compares every embedding, or every one with the right label."""

    def __init__(self, folder: Path, labels: NDArray[np.int32], metric: Metric) -> None:
        self.matrix, self.metric, self.rows = read_embeddings(folder), metric, PhotosByLabel(labels)
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
