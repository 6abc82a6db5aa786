"""From the last maps of a backbone to an embedding, in fp32."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.encoder.runtime import Maps

Embeddings = NDArray[np.float32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PoseHead:
    """The part of an embedding that tells where things are in a picture.

    The maps are averaged in `cells` x `cells` cells, and a linear layer turns the channels of each
    cell into a few numbers. All of them together are put on the unit sphere.

    Attributes:
        matrix: `(m, channels)`, the same for all cells.
        bias: `(m,)`.
        cells: cells a side.
        weight: what a cosine of this part counts beside that of the other part.
    """

    matrix: Floats
    bias: Floats
    cells: int
    weight: float

    @property
    def size(self) -> int:
        """Numbers in this part."""
        return len(self.bias) * self.cells**2

    def __call__(self, maps: Maps) -> Floats:
        """`(n, channels, h, w)` to `(n, size)` rows of length 1, cell by cell, row by row."""
        return unit(self.points(maps))

    def points(self, maps: Maps) -> Floats:
        """The same before it is put on the unit sphere."""
        count, channels, *sides = maps.shape
        shares = cell_shares(self.cells, *sides)
        cells = maps.reshape(count, channels, -1) @ shares.T
        points = cells.transpose(0, 2, 1) @ self.matrix.T + self.bias
        return np.asarray(points.reshape(count, -1), np.float32)


@dataclass(frozen=True)
class Head:
    """Average pooling, a projection, and what is appended to it.

    Attributes:
        matrix: `(d, channels)`.
        bias: `(d,)`.
        prototypes: `(classes, d)` rows of length 1, a point a class; no rows for none.
        scale: inverse temperature of the class posterior.
        normalise: projections lie on the unit sphere; else they are points anywhere, compared by
            Euclidean distance, and there are no prototypes.
        pose: the part that tells the layout, where there is one.
    """

    matrix: Floats
    bias: Floats
    prototypes: Floats
    scale: float
    normalise: bool = True
    pose: PoseHead | None = None

    @property
    def size(self) -> int:
        """Numbers in an embedding."""
        return len(self.bias) + len(self.prototypes) + (self.pose.size if self.pose else 0)

    def embed(self, maps: Maps, mirrored: Maps | None = None) -> Embeddings:
        """Embeddings of pictures.

        Args:
            maps: `(n, channels, h, w)` of pictures.
            mirrored: those of their mirror images. The projection is the mean of both then; the
                pose is that of the picture itself.

        Returns:
            `(n, size)`; rows of length 1 unless `normalise` is off.
        """
        projected = self.project(maps, mirrored)
        embedded = self.extend(projected)
        if self.pose is None:
            return embedded
        both = np.concatenate([embedded, self.pose.weight**0.5 * self.pose(maps)], axis=1)
        return np.asarray(both / (1 + self.pose.weight) ** 0.5, np.float32)

    def project(self, maps: Maps, mirrored: Maps | None = None) -> Floats:
        """Projections of pictures, `(n, d)`; with `mirrored`, the mean of both."""
        projected = self.place(self.points(maps))
        if mirrored is not None:
            both = np.stack([projected, self.place(self.points(mirrored))])
            projected = self.place(np.asarray(both.mean(axis=0), np.float32))
        return projected

    def points(self, maps: Maps) -> Floats:
        """`(n, d)`: what `project` returns, before it is put on the unit sphere."""
        return np.asarray(maps.mean(axis=(2, 3)) @ self.matrix.T + self.bias, np.float32)

    def place(self, points: Floats) -> Floats:
        """`(n, d)` points to where projections lie."""
        return unit(points) if self.normalise else points

    def posterior(self, projected: Floats) -> Floats:
        """`(n, d)` projections to `(n, classes)` rows that sum to 1."""
        cosines = self.scale * (projected @ self.prototypes.T)
        powers = np.exp(cosines - cosines.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def extend(self, projected: Floats) -> Embeddings:
        """Projection and class posterior as one embedding of length 1.

        `[e, sqrt(softmax(scale * e . W))] / sqrt(2)`: the square roots of two distributions
        have their Bhattacharyya coefficient (1943) as dot product. So two pictures are near when
        they look alike and when they seem to show the same class.

        Args:
            projected: `(n, d)` rows of length 1.

        Returns:
            `(n, d + classes)` rows of length 1; without prototypes the projections as they are.
        """
        if not len(self.prototypes):
            return projected
        posterior = np.sqrt(self.posterior(projected))
        return np.asarray(np.concatenate([projected, posterior], axis=1) / 2**0.5, np.float32)


def unit(points: Floats) -> Floats:
    """Rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.maximum(lengths, 1e-12), np.float32)


@lru_cache(16)
def cell_shares(cells: int, height: int, width: int) -> Floats:
    """`(cells * cells, height * width)`: what each place of a map counts in each cell's mean.

    Cells are laid out like those of torch's `adaptive_avg_pool2d`: where sides do not divide
    evenly, neighbours share a row or a column.
    """
    down, across = _ends(cells, height), _ends(cells, width)
    shares = np.einsum("ih,jw->ijhw", down, across)
    return np.asarray(shares.reshape(cells * cells, height * width), np.float32)


def _ends(cells: int, side: int) -> Floats:
    """`(cells, side)`: the share of each row, or column, in the mean of each cell."""
    shares = np.zeros((cells, side), np.float32)
    for cell in range(cells):
        first, end = cell * side // cells, -(-(cell + 1) * side // cells)
        shares[cell, first:end] = 1 / (end - first)
    return shares


def head_of(
    tensors: Mapping[str, Floats],
    part: str,
    *,
    scale: float,
    normalise: bool,
    cells: int = 0,
    weight: float = 0.0,
) -> Head:
    """A head from the tensors of a checkpoint's file of heads.

    Args:
        tensors: `prototypes`, and `matrix` and `bias`, with the name of a part before them.
        part: `sketches` or `photos`.
        cells, weight: of the pose, which needs `pose.matrix` and `pose.bias` of the part; 0 for
            none.

    Raises:
        KeyError: a tensor is missing.
    """
    pose = None
    if cells:
        pose = PoseHead(tensors[f"{part}.pose.matrix"], tensors[f"{part}.pose.bias"], cells, weight)
    return Head(
        tensors[f"{part}.matrix"],
        tensors[f"{part}.bias"],
        tensors["prototypes"],
        scale,
        normalise,
        pose,
    )
