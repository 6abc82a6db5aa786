"""Other libraries for nearest neighbours, behind one protocol.

All use Euclidean distance, which orders points on the unit sphere like the angle. `effort` is how
much of its index a search looks at; each library has its own name for it. Graphs have 16 neighbours
a node (M), and 100 candidates during the build.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from model.encoder.head import Embeddings

M, CANDIDATES = 16, 100


class Peer(Protocol):
    """An index of another library."""

    least: int
    """The smallest effort that is tried."""

    def build(self, matrix: Embeddings, path: Path) -> None:
        """Builds the index of a matrix `(n, d)` and writes it."""

    def load(self, path: Path, size: int) -> None:
        """Reads the index of embeddings of this size."""

    def search(self, query: Embeddings, k: int, effort: int) -> list[int]:
        """The numbers of the `k` nearest rows."""


class Faiss:
    """Inverted lists of at most 4 sqrt(n) k-means cells; effort is the number of cells searched."""

    least = 1

    def __init__(self) -> None:
        import faiss

        self.faiss = faiss
        self.index: Any = None

    def build(self, matrix: Embeddings, path: Path) -> None:
        size = matrix.shape[1]
        cells = max(1, min(int(4 * len(matrix) ** 0.5), len(matrix) // 40))
        self.index = self.faiss.IndexIVFFlat(self.faiss.IndexFlatL2(size), size, cells)
        few = np.random.default_rng(0).permutation(len(matrix))[: 64 * cells]
        self.index.train(matrix[np.sort(few)])
        self.index.add(matrix)
        self.faiss.write_index(self.index, str(path))

    def load(self, path: Path, size: int) -> None:
        self.index = self.faiss.read_index(str(path))

    def search(self, query: Embeddings, k: int, effort: int) -> list[int]:
        self.index.nprobe = effort
        numbers: list[int] = self.index.search(query[None], k)[1][0].tolist()
        return numbers


class Hnswlib:
    """A graph; effort is `ef`."""

    least = 16

    def __init__(self) -> None:
        import hnswlib

        self.hnswlib = hnswlib
        self.index: Any = None

    def build(self, matrix: Embeddings, path: Path) -> None:
        self.index = self.hnswlib.Index("l2", matrix.shape[1])
        self.index.init_index(len(matrix), ef_construction=CANDIDATES, M=M)
        self.index.add_items(matrix)
        self.index.save_index(str(path))

    def load(self, path: Path, size: int) -> None:
        self.index = self.hnswlib.Index("l2", size)
        self.index.load_index(str(path))

    def search(self, query: Embeddings, k: int, effort: int) -> list[int]:
        self.index.set_ef(effort)
        numbers: list[int] = self.index.knn_query(query, k)[0][0].tolist()
        return numbers


class Usearch:
    """A graph; effort is `expansion_search`."""

    least = 16

    def __init__(self) -> None:
        from usearch.index import Index

        self.make = Index
        self.index: Any = None

    def build(self, matrix: Embeddings, path: Path) -> None:
        self._empty(matrix.shape[1])
        self.index.add(np.arange(len(matrix)), matrix)
        self.index.save(str(path))

    def load(self, path: Path, size: int) -> None:
        self._empty(size)
        self.index.load(str(path))

    def search(self, query: Embeddings, k: int, effort: int) -> list[int]:
        self.index.expansion_search = effort
        numbers: list[int] = self.index.search(query, k).keys.tolist()
        return numbers

    def _empty(self, size: int) -> None:
        self.index = self.make(
            ndim=size, metric="l2sq", dtype="f32", connectivity=M, expansion_add=CANDIDATES
        )


class Voyager:
    """A graph; effort is `query_ef`."""

    least = 16

    def __init__(self) -> None:
        import voyager

        self.voyager = voyager
        self.index: Any = None

    def build(self, matrix: Embeddings, path: Path) -> None:
        space = self.voyager.Space.Euclidean
        self.index = self.voyager.Index(space, matrix.shape[1], M, CANDIDATES)
        self.index.add_items(np.array(matrix))  # It does not accept read-only arrays.
        self.index.save(str(path))

    def load(self, path: Path, size: int) -> None:
        self.index = self.voyager.Index.load(str(path))

    def search(self, query: Embeddings, k: int, effort: int) -> list[int]:
        numbers: list[int] = self.index.query(query, k, query_ef=effort)[0].tolist()
        return numbers


PEERS: dict[str, type[Peer]] = {
    "faiss": Faiss,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "voyager": Voyager,
}
