"""The interface of every search engine."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.encoder.head import Embeddings

Numbers = NDArray[np.int64]
Distances = NDArray[np.float32]

NEAREST = 12
"""Photos that a search returns by default. Recall is measured on as many."""


class Engine(Protocol):
    """An opened index over n embeddings of d numbers."""

    def search(
        self, vector: Embeddings, k: int, labels: NDArray[np.int32] | None = None
    ) -> tuple[Numbers, Distances]:
        """Finds the nearest photos.

        Args:
            vector: the query, `(d,)`; of length 1 if the metric is angular.
            k: how many photos, at least 1.
            labels: numbers of the labels to search among, without duplicates; None for all.

        Returns:
            Numbers and Euclidean distances, both `(m,)`, nearest first; m is the smaller of k and
            the number of photos with these labels.
        """

    def vector(self, number: int) -> Embeddings:
        """The embedding of a photo, `(d,)`."""

    def count(self) -> int:
        """Number of photos in the index."""

    def close(self) -> None:
        """Releases files and connections. The index cannot be used afterwards."""


@dataclass(frozen=True)
class Effort:
    """How much work an index needs per query; see `model.checkpoint.records.IndexInfo`."""

    trees: int
    search_k: int
    recall: float
