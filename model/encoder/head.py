"""Heads: from the last feature maps of a backbone to an embedding, in fp32."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.encoder.posterior import SHARPNESS
from model.encoder.runtime import Maps

Embeddings = NDArray[np.float32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PoseHead:
    """The part of an embedding that describes where things are in a picture.

    The maps are averaged in `cells` x `cells` cells. A linear layer turns the channels of each
    cell into a few numbers. All numbers together are scaled to length 1.

    Attributes:
        matrix: `(m, channels)`, the same for all cells.
        bias: `(m,)`.
        cells: cells per side.
        weight: weight of this part's cosine relative to the rest of the embedding.
    """

    matrix: Floats
    bias: Floats
    cells: int
    weight: float

    @property
    def numbers(self) -> int:
        """Numbers in this part."""
        return len(self.bias) * self.cells**2

    def __call__(self, maps: Maps) -> Floats:
        """`(n, channels, h, w)` to `(n, numbers)` rows of length 1; cells go row by row."""
        return unit(self.points(maps))

    def points(self, maps: Maps) -> Floats:
        """The same, before rows are scaled to length 1."""
        count, channels, *sides = maps.shape
        shares = cell_shares(self.cells, *sides)
        cells = maps.reshape(count, channels, -1) @ shares.T
        points = cells.transpose(0, 2, 1) @ self.matrix.T + self.bias
        return np.asarray(points.reshape(count, -1), np.float32)


@dataclass(frozen=True)
class Head:
    """Average pooling and a linear projection, followed by class posterior and pose.

    Attributes:
        matrix: `(d, channels)`.
        bias: `(d,)`.
        prototypes: `(classes, d)` rows of length 1, one per class; no rows if there are none.
        scale: inverse temperature of the class posterior; see `extend` for sketches.
        normalise: whether projections lie on the unit sphere. Otherwise they are compared by
            Euclidean distance, and there are no prototypes.
        pose: the part that describes the layout, if there is one.
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
        return len(self.bias) + len(self.prototypes) + (self.pose.numbers if self.pose else 0)

    def embed(self, maps: Maps, mirrored: Maps, *, sketches: bool) -> Embeddings:
        """Embeddings of pictures.

        Args:
            maps: `(n, channels, h, w)`, feature maps of the pictures.
            mirrored: feature maps of their mirror images, or the first channels of them, if the
                projection reads no others. The projection is the mean of both, and the pose that
                of the picture itself.
            sketches: whether the pictures are sketches; see `extend`.

        Returns:
            `(n, size)`; rows of length 1 unless `normalise` is off.
        """
        projected = self.project(maps, mirrored)
        embedded = self.extend(projected, sketches=sketches)
        if self.pose is None:
            return embedded
        both = np.concatenate([embedded, self.pose.weight**0.5 * self.pose(maps)], axis=1)
        return np.asarray(both / (1 + self.pose.weight) ** 0.5, np.float32)

    def project(self, maps: Maps, mirrored: Maps) -> Floats:
        """Projections of pictures, `(n, d)`: the mean of those of both maps."""
        both = np.stack([self.place(self.points(each)) for each in (maps, mirrored)])
        return self.place(np.asarray(both.mean(axis=0), np.float32))

    def points(self, maps: Maps) -> Floats:
        """The result of the linear projection, `(n, d)`, before it is normalised."""
        means = maps.mean(axis=(2, 3))
        return np.asarray(means @ self.weights_of(means.shape[1]).T + self.bias, np.float32)

    def weights_of(self, channels: int) -> Floats:
        """The columns of the projection for the first channels, if it reads no others; else all."""
        return self.matrix if self.matrix[:, channels:].any() else self.matrix[:, :channels]

    @property
    def reads_first_half(self) -> bool:
        """Whether the projection reads only the first half of the channels, as in a pair."""
        half = self.matrix.shape[1] // 2
        return not self.matrix[:, half:].any()

    def place(self, points: Floats) -> Floats:
        """`(n, d)` points, scaled to length 1 if the head normalises."""
        return unit(points) if self.normalise else points

    def stored_posterior(self, projected: Floats, *, sketches: bool) -> Floats:
        """The class posterior as embeddings hold it: sharper for sketches (see `extend`).

        Args:
            projected: `(n, d)` rows of length 1.
            sketches: whether they are of sketches.

        Returns:
            `(n, classes)` rows that sum to 1.
        """
        scale = SHARPNESS * self.scale if sketches else self.scale
        cosines = scale * (projected @ self.prototypes.T)
        powers = np.exp(cosines - cosines.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def extend(self, projected: Floats, *, sketches: bool) -> Embeddings:
        """Joins projection and class posterior to one embedding of length 1.

        `[e, sqrt(softmax(scale * e . W))] / sqrt(2)`. The dot product of the square roots of two
        distributions is their Bhattacharyya coefficient (1943). So two pictures are near each
        other if they look alike and if they seem to show the same class.

        For sketches, the scale is `SHARPNESS` times as large. Where a sketch may show several
        animals, P@12 is higher if most of the first photos show the likeliest one.

        Args:
            projected: `(n, d)` rows of length 1.
            sketches: whether they are of sketches.

        Returns:
            `(n, d + classes)` rows of length 1; the unchanged projections without prototypes.
        """
        if not len(self.prototypes):
            return projected
        posterior = np.sqrt(self.stored_posterior(projected, sketches=sketches))
        return np.asarray(np.concatenate([projected, posterior], axis=1) / 2**0.5, np.float32)


def unit(points: Floats) -> Floats:
    """Rows scaled to length 1; rows of zeros stay zero."""
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.maximum(lengths, 1e-12), np.float32)


@lru_cache(16)
def cell_shares(cells: int, height: int, width: int) -> Floats:
    """Weight of each location of a map in the mean of each cell.

    Cells are laid out like those of torch's `adaptive_avg_pool2d`: if a side does not divide
    evenly, neighbouring cells share a row or a column.

    Returns:
        `(cells * cells, height * width)`; rows sum to 1.
    """
    down, across = _side_shares(cells, height), _side_shares(cells, width)
    shares = np.einsum("ih,jw->ijhw", down, across)
    return np.asarray(shares.reshape(cells * cells, height * width), np.float32)


def _side_shares(cells: int, side: int) -> Floats:
    """Weight of each row, or column, in the mean of each cell, `(cells, side)`."""
    shares = np.zeros((cells, side), np.float32)
    for cell in range(cells):
        first, end = cell * side // cells, -(-(cell + 1) * side // cells)
        shares[cell, first:end] = 1 / (end - first)
    return shares
