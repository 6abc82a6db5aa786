"""Recall: the share of the nearest photos that an index finds, and the effort that this takes."""

from collections.abc import Callable, Sequence

import numpy as np

from model.checkpoint.records import Metric
from model.encoder.head import Embeddings
from model.search.protocol import NEAREST, Distances, Numbers

SEED = 12

TARGET = 0.995
"""Recall to reach on the sample, so that other queries reach 0.99."""

PLATEAU = 0.001
"""Gain in recall that is too small for a larger effort, if `TARGET` is out of reach."""

SAMPLE = 200
"""Queries on which recall is measured."""

CHUNK = 32_768
"""Embeddings that are compared with all queries at a time."""

EXTRA = 4
"""Extra candidates whose exact distance is computed, because scores are rounded."""


def sample_queries(matrix: Embeddings, metric: Metric) -> tuple[Embeddings, Numbers]:
    """Realistic queries for a gallery, and what exact search finds for them.

    The queries are random embeddings of the gallery. Each is moved in a random direction, as far
    as its twelfth nearest neighbour is away.

    Args:
        matrix: the embeddings, `(n, d)`.
        metric: distance between embeddings.

    Returns:
        Queries, `(m, d)`, with m at most `SAMPLE`, and the numbers of the nearest photos,
        `(m, 12)`, nearest first.
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
    """Exact search for many queries at once. It reads the embeddings only once.

    Args:
        matrix: the embeddings, `(n, d)`.
        queries: `(m, d)`.

    Returns:
        Numbers and Euclidean distances of the nearest embeddings, `(m, 12)`, nearest first; fewer
        columns if n is below 12.
    """
    candidates = NEAREST + EXTRA
    numbers = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(matrix), CHUNK):
        rows = matrix[start : start + CHUNK]
        halves = np.einsum("nd,nd->n", rows, rows) / 2
        scores = np.concatenate([scores, queries @ rows.T - halves], axis=1)
        more = np.broadcast_to(np.arange(start, start + len(rows)), (len(queries), len(rows)))
        numbers = np.concatenate([numbers, more], axis=1)
        if scores.shape[1] > candidates:
            best = np.argpartition(-scores, candidates, axis=1)[:, :candidates]
            scores = np.take_along_axis(scores, best, 1)
            numbers = np.take_along_axis(numbers, best, 1)
    distances = np.linalg.norm(matrix[numbers] - queries[:, None], axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(numbers, order, 1), np.take_along_axis(distances, order, 1)


def recall(found: Sequence[Sequence[int]], nearest: Numbers) -> float:
    """The share of the nearest photos that was found, over all queries."""
    hits = [len(set(f) & set(n)) for f, n in zip(found, nearest.tolist(), strict=True)]
    return sum(hits) / nearest.size


def choose_search_k(
    find: Callable[[int], Sequence[Sequence[int]]], nearest: Numbers, least: int, most: int
) -> tuple[int, float]:
    """The smallest effort of a growing series whose recall reaches `TARGET`.

    Args:
        find: returns the photos that are found for each query with a given effort.
        nearest: what exact search finds, `(m, 12)`.
        least: first effort to try.
        most: last effort to try.

    Returns:
        The effort and its recall. If no effort is enough (a graph may have unreachable parts), it
        is the smallest effort whose recall is within `PLATEAU` of the best.
    """
    tried = [(least, recall(find(least), nearest))]
    while tried[-1][1] < TARGET and tried[-1][0] < most:
        effort = min(most, max(tried[-1][0] + 1, tried[-1][0] * 3 // 2))
        tried.append((effort, recall(find(effort), nearest)))
    best = max(reached for _, reached in tried)
    return next(pair for pair in tried if pair[1] >= min(TARGET, best - PLATEAU))
