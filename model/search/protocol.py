"""What every search engine can do."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.encoder.encoder import Embeddings

Numbers = NDArray[np.int64]

Distances = NDArray[np.float32]


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
