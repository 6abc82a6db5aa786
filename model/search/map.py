"""The map of a gallery in two dimensions: similar photos lie near each other."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.files import LAYOUT
from model.checkpoint.records import Metric
from model.encoder.head import Embeddings
from model.errors import CheckpointError
from model.search.protocol import NEAREST

Positions = NDArray[np.float32]
"""Positions on the map, `(n, 2)`: x to the right and y downwards, each from 0 to 1."""

TSNE_UP_TO = 3000
"""Photos that t-SNE places, in about 15 seconds. The others are placed between similar ones."""

PERPLEXITY = 30.0
ROUNDING = 1e-5
"""Relative difference up to which embeddings count as equal."""

TEMPERATURE = 0.05
"""Of the softmax over similarities: a similarity that is 0.05 lower has a third of the weight."""

CHUNK = 4096
"""Photos that are placed at a time."""

SEED = 12


def lay_out(
    embeddings: Embeddings, metric: Metric, most: int = TSNE_UP_TO, seed: int = SEED
) -> Positions:
    """Places photos so that similar ones lie together.

    t-SNE (van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 9, 2008) moves points
    until each has the same neighbours in the plane as among the embeddings. Distances between
    distant groups mean little. It starts from the first two principal components, which keeps the
    global arrangement. With a fixed seed and one thread, the result is reproducible.

    If there are more than `most` photos, a random sample is placed like this, and `place` puts each
    other photo between the `NEAREST` most similar ones. Fewer than five photos stay at their
    principal components.

    Args:
        embeddings: `(n, d)`, n at least 1.
        metric: t-SNE compares by cosine if it is `angular`.
        most: upper limit of the photos that t-SNE places.
        seed: of the sample and of t-SNE.

    Returns:
        `(n, 2)`, rotated so that the spread is largest from left to right. The longer side of the
        map goes from 0 to 1, and the shorter one is centred.
    """
    count = len(embeddings)
    if count <= most:
        return _fit(_neighbourhoods(embeddings, metric, seed))
    sample = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    positions = np.empty((count, 2), np.float32)
    positions[sample] = _neighbourhoods(embeddings[sample], metric, seed)
    others = np.setdiff1d(np.arange(count), sample)
    for start in range(0, len(others), CHUNK):
        numbers = others[start : start + CHUNK]
        alike = _similarities(embeddings[numbers], embeddings[sample], metric)
        nearest = np.argpartition(-alike, NEAREST - 1, axis=1)[:, :NEAREST]
        similarities = np.take_along_axis(alike, nearest, 1)
        positions[numbers] = place(positions[sample[nearest]], similarities)
    return _fit(positions)


def place(positions: Positions, similarities: NDArray[np.float32]) -> Positions:
    """The position of something with these similarities to photos at these positions.

    It is the mean of the positions, weighted by softmax(similarity / 0.05). So it lies inside their
    hull, near the most similar one, and moves smoothly when the similarities change.

    Args:
        positions: `(..., k, 2)`, k at least 1.
        similarities: `(..., k)`, as in `Match.similarity`.

    Returns:
        `(..., 2)`.
    """
    weights = np.exp((similarities - similarities.max(axis=-1, keepdims=True)) / TEMPERATURE)
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.einsum("...k,...kc->...c", weights, positions), np.float32)


def _neighbourhoods(embeddings: Embeddings, metric: Metric, seed: int) -> Positions:
    start = _principal(embeddings)
    if len(embeddings) < 5 or not start.any():
        return start
    # These take a second to import and are needed only to build a gallery.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(embeddings) - 1) / 3),
        init=start / start[:, 0].std() * 1e-4,
        metric="cosine" if metric == "angular" else "euclidean",
        random_state=seed,
    )
    # With several threads the order of sums varies, and t-SNE amplifies the last digit.
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(embeddings), np.float32)


def _principal(embeddings: Embeddings) -> Positions:
    """The first two principal components, `(n, 2)`; 0 where a component does not exist."""
    centred = embeddings - embeddings.mean(axis=0)
    if np.abs(centred).max() <= ROUNDING * np.abs(embeddings).max():
        return np.zeros((len(embeddings), 2), np.float32)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    components: Positions = np.zeros((len(embeddings), 2), np.float32)
    components[:, : len(axes)] = centred @ axes.T
    return components


def _similarities(some: Embeddings, others: Embeddings, metric: Metric) -> NDArray[np.float32]:
    """Similarities as in `Match.similarity`, `(m, n)`."""
    dots = some @ others.T
    if metric == "angular":
        return np.asarray(dots, np.float32)
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * dots
    return np.asarray(1 / (1 + np.sqrt(np.maximum(squares, 0))), np.float32)


def _fit(positions: Positions) -> Positions:
    """Rotates positions to their widest spread and scales both axes alike, to the unit square."""
    positions = _principal(positions)
    low, high = positions.min(axis=0), positions.max(axis=0)
    side = float((high - low).max()) or 1.0
    fitted = (positions - (low + high) / 2) / side + 0.5
    return np.asarray(np.clip(fitted, 0, 1), np.float32)


def read_positions(folder: Path) -> Positions:
    """The positions of a gallery folder's photos.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    path = folder / LAYOUT
    try:
        positions: Positions = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a map of photos. Delete {folder} and start again to build it anew."
        ) from error
    return positions
