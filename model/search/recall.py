"""How much effort an index needs: what it finds of what exact search finds."""

from collections.abc import Callable, Sequence

import numpy as np

from model.checkpoint.records import Metric
from model.encoder.encoder import Embeddings
from model.search.protocol import Distances, Numbers

SEED = 12

NEAREST = 12
"""Photos that are counted in recall, as many as the board shows."""

TARGET = 0.995
"""Recall at which `search_k` is chosen, above the 0.99 that other queries shall have too."""

PLATEAU = 0.001
"""Recall that is not worth a larger effort where `TARGET` is out of reach."""

SAMPLE = 200

CHUNK = 32_768
"""Rows that are compared at a time where there are many queries."""

SPARE = 4
"""Photos more than asked for whose distance is computed, since scores round nearly same ones."""


def sample_queries(matrix: Embeddings, metric: Metric) -> tuple[Embeddings, Numbers]:
    """Queries like those of a gallery, and what exact search finds for them.

    They are stored embeddings, chosen at random, moved in a random direction by what their
    twelfth neighbour is away.

    Args:
        matrix: `(n, d)`.
        metric: between embeddings.

    Returns:
        Queries, `(m, d)`, m at most `SAMPLE`, and the numbers of the nearest photos, `(m, 12)`,
        nearest first.
    """
    random = np.random.default_rng(SEED)
    chosen = np.sort(random.permutation(len(matrix))[:SAMPLE])
    queries = np.array(matrix[chosen])
    _, distances = nearest_rows(matrix, queries)
    noise = random.normal(size=queries.shape).astype(np.float32)
    queries += noise * (distances[:, -1] / np.linalg.norm(noise, axis=1))[:, None]
    if metric == "angular":
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return queries, nearest_rows(matrix, queries)[0]


def nearest_rows(matrix: Embeddings, queries: Embeddings) -> tuple[Numbers, Distances]:
    """Exact search for many queries at once, reading the matrix only once.

    Args:
        matrix: `(n, d)`.
        queries: `(m, d)`.

    Returns:
        Numbers and Euclidean distances of the 12 nearest rows, or of all, `(m, 12)`.
    """
    most = NEAREST + SPARE
    numbers = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(matrix), CHUNK):
        rows = matrix[start : start + CHUNK]
        halves = np.einsum("nd,nd->n", rows, rows) / 2
        scores = np.concatenate([scores, queries @ rows.T - halves], axis=1)
        more = np.broadcast_to(np.arange(start, start + len(rows)), (len(queries), len(rows)))
        numbers = np.concatenate([numbers, more], axis=1)
        if scores.shape[1] > most:
            best = np.argpartition(-scores, most, axis=1)[:, :most]
            scores = np.take_along_axis(scores, best, 1)
            numbers = np.take_along_axis(numbers, best, 1)
    distances = np.linalg.norm(matrix[numbers] - queries[:, None], axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(numbers, order, 1), np.take_along_axis(distances, order, 1)


def recall(found: Sequence[Sequence[int]], nearest: Numbers) -> float:
    """Which share of the nearest photos was found, over all queries."""
    hits = [len(set(f) & set(n)) for f, n in zip(found, nearest.tolist(), strict=True)]
    return sum(hits) / nearest.size


def choose_search_k(
    find: Callable[[int], Sequence[Sequence[int]]], nearest: Numbers, least: int, most: int
) -> tuple[int, float]:
    """The smallest effort of a rising series that finds `TARGET` of what exact search finds.

    Args:
        find: what is found for each query with that effort.
        nearest: what exact search finds, `(m, 12)`.
        least, most: first and last effort.

    Returns:
        The effort, and the recall with it. Where no effort is enough, as in a graph with parts that
        no link leads to, it is the smallest one that finds nearly as much as any.
    """
    tried = [(least, recall(find(least), nearest))]
    while tried[-1][1] < TARGET and tried[-1][0] < most:
        effort = min(most, max(tried[-1][0] + 1, tried[-1][0] * 3 // 2))
        tried.append((effort, recall(find(effort), nearest)))
    best = max(reached for _, reached in tried)
    return next(pair for pair in tried if pair[1] >= min(TARGET, best - PLATEAU))
