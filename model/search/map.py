"""A map of the gallery in two dimensions, where photos that are alike lie near each other."""

import numpy as np
from numpy.typing import NDArray

from model.checkpoint.records import Metric
from model.encoder.encoder import Embeddings

Positions = NDArray[np.float32]
"""Places on the map, `(n, 2)`: x to the right and y downwards, each from 0 to 1."""

LAID_OUT = 3000
"""Photos that t-SNE places, in some fifteen seconds; the others go between those they are like."""

NEIGHBOURS = 12
"""Nearest photos that decide where a photo beyond those, or a drawing, lies."""

PERPLEXITY = 30.0
ROUNDING = 1e-5
"""Share of the largest number up to which embeddings differ by rounding alone."""

TEMPERATURE = 0.05
"""Of the softmax over similarities: 0.05 less alike weighs a third as much."""

CHUNK = 4096
"""Photos that are placed at a time."""

SEED = 12


def lay_out(
    embeddings: Embeddings, metric: Metric, most: int = LAID_OUT, seed: int = SEED
) -> Positions:
    """Places photos so that those that are alike lie together.

    t-SNE (van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 9, 2008) moves points
    until each has the same neighbours in the plane as among the embeddings; distances between
    far groups mean little. It starts from the first two principal components, which keeps the
    large arrangement, and with one seed and one thread it gives the same map again. Of more than
    `most` photos a random sample is placed like that, and each other one by `place` between the
    `NEIGHBOURS` it is most similar to. Fewer than five photos have no neighbourhoods to speak of;
    they stay at their principal components.

    Args:
        embeddings: `(n, d)`, n at least 1.
        metric: `angular` for embeddings on the unit sphere, which t-SNE then compares by cosine.
        most: how many photos t-SNE places.
        seed: of the sample and of t-SNE.

    Returns:
        `(n, 2)`, turned so that photos are spread the widest from left to right. The longer side
        of the map goes from 0 to 1, the shorter one is in its middle.
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
        nearest = np.argpartition(-alike, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        similarities = np.take_along_axis(alike, nearest, 1)
        positions[numbers] = place(positions[sample[nearest]], similarities)
    return _fit(positions)


def place(positions: Positions, similarities: NDArray[np.float32]) -> Positions:
    """Where something lies that is as similar as this to photos at these positions.

    It is the mean of the positions, weighted by softmax(similarity / 0.05): inside their hull,
    near the most similar one, and moving smoothly while the similarities change.

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
    # These take a second to load, and are needed only when photos are indexed.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    tsne = TSNE(
        perplexity=min(PERPLEXITY, (len(embeddings) - 1) / 3),
        init=start / start[:, 0].std() * 1e-4,
        metric="cosine" if metric == "angular" else "euclidean",
        random_state=seed,
    )
    # Threads add up in any order, and t-SNE makes much of the last digit.
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(embeddings), np.float32)


def _principal(embeddings: Embeddings) -> Positions:
    """The first two principal components, `(n, 2)`; zero where there are fewer, or all is same."""
    centred = embeddings - embeddings.mean(axis=0)
    if np.abs(centred).max() <= ROUNDING * np.abs(embeddings).max():
        return np.zeros((len(embeddings), 2), np.float32)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    components: Positions = np.zeros((len(embeddings), 2), np.float32)
    components[:, : len(axes)] = centred @ axes.T
    return components


def _similarities(some: Embeddings, others: Embeddings, metric: Metric) -> NDArray[np.float32]:
    """As in `Match.similarity`, `(m, n)`."""
    dots = some @ others.T
    if metric == "angular":
        return np.asarray(dots, np.float32)
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * dots
    return np.asarray(1 / (1 + np.sqrt(np.maximum(squares, 0))), np.float32)


def _fit(positions: Positions) -> Positions:
    """Turned to its widest spread and scaled to the unit square, with one factor both ways."""
    positions = _principal(positions)
    low, high = positions.min(axis=0), positions.max(axis=0)
    side = float((high - low).max()) or 1.0
    fitted = (positions - (low + high) / 2) / side + 0.5
    return np.asarray(np.clip(fitted, 0, 1), np.float32)
