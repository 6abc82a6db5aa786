"""Metrics of a ranking of photos for sketches.

For every sketch, all photos of the gallery are ranked by the distance of their embeddings, nearest
first. A photo is relevant if it has the class of the sketch. With rel(i) = 1 if the photo at rank i
is relevant, else 0:

    precision at k   P@k = sum of rel(1..k) / k
    average precision AP = sum over i of rel(i) * P@i / number of relevant photos in the gallery
    mAP                  = mean of AP over the sketches (0 for one without any relevant photo)
    recall at k          = share of the sketches whose own photo, the one that was drawn, is among
                           the first k; sketches whose photo is not in the gallery do not count
    recall at k in class = the same among the photos of the sketch's class only: whether the photo
                           with the pose of the drawing comes first
    balanced P@k         = P@k where each photo of a class with n < k photos counts k / n times, as
                           if there were k of each; the last one may count in part

All are means over sketches, so classes count by how often they were drawn. If a class has fewer
than k photos, P@k cannot reach 1, but balanced P@k can: it estimates the P@k of a gallery with
enough photos of each class, from few photos.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.encoder.head import Embeddings

FIRST = 12
"""Photos that the app shows."""

DEPTHS = (*range(1, FIRST + 1), 100)
"""The k of precision at k."""

BLOCK = 512
"""Sketches that are ranked at once."""


@dataclass(frozen=True)
class Metrics:
    """Means over all sketches, 0 to 1; see the head of this file for the definitions.

    `photos`, `sketches` and `classes` are numbers of those that were measured with; `classes` are
    those of the sketches.
    """

    precision_at_12: float
    precision_at_1: float
    map: float
    photos: int
    sketches: int
    classes: int
    recall_at_1: float | None = None
    recall_at_1_in_class: float | None = None


@dataclass(frozen=True)
class Ranking:
    """What came back for each of n sketches from m photos.

    Attributes:
        first: `(n, 12)` numbers of the nearest photos, best first.
        precision: `(n, len(depths))` P@k.
        depths: the `DEPTHS` that are not larger than the gallery.
        balanced: `(n,)` balanced P@12.
        average_precision: `(n,)`.
        own_rank: `(n,)` rank of the sketch's own photo, from 1; 0 if it is not in the gallery.
        own_rank_in_class: `(n,)` the same among the photos of the sketch's class.
    """

    first: NDArray[np.int64]
    precision: NDArray[np.float64]
    depths: tuple[int, ...]
    balanced: NDArray[np.float64]
    average_precision: NDArray[np.float64]
    own_rank: NDArray[np.int64]
    own_rank_in_class: NDArray[np.int64]

    def precision_at(self, k: int) -> NDArray[np.float64]:
        """`(n,)` P@k."""
        column: NDArray[np.float64] = self.precision[:, self.depths.index(k)]
        return column

    def recall_at(self, k: int, *, in_class: bool = False) -> float | None:
        """Recall at k; None if no sketch has its photo in the gallery."""
        own = self.own_rank_in_class if in_class else self.own_rank
        known = own[own > 0]
        return float((known <= k).mean()) if len(known) else None


def rank_photos(
    sketches: Embeddings,
    photos: Embeddings,
    sketch_labels: NDArray[Any],
    photo_labels: NDArray[Any],
    sketch_ids: NDArray[np.str_] | None = None,
    photo_ids: NDArray[np.str_] | None = None,
) -> Ranking:
    """Ranks all photos for each sketch.

    Args:
        sketches: `(n, d)`.
        photos: `(m, d)`, m at least 12.
        sketch_labels: `(n,)`; sketches of a class without photos count as not found.
        photo_labels: `(m,)`.
        sketch_ids, photo_ids: photo ids, for the rank of each sketch's own photo.
    """
    depths = tuple(k for k in DEPTHS if k <= len(photos))
    sketch_labels, photo_labels = _numbered(sketch_labels, photo_labels)
    ids = None
    if sketch_ids is not None and photo_ids is not None:
        ids = _numbered(sketch_ids, photo_ids)
    _, label_of, counts = np.unique(photo_labels, return_inverse=True, return_counts=True)
    weights = np.maximum(1, FIRST / counts)[label_of]
    half_squares = (photos**2).sum(axis=1) / 2
    blocks = []
    for start in range(0, len(sketches), BLOCK):
        block = slice(start, start + BLOCK)
        # The nearest has the largest s . p - |p|^2 / 2; on the unit sphere, the largest s . p.
        order = np.argsort(half_squares - sketches[block] @ photos.T, axis=1, kind="stable")
        relevant = photo_labels[order] == sketch_labels[block, None]
        is_own = np.zeros_like(relevant)
        if ids is not None:
            is_own = (ids[1][order] == ids[0][block, None]) & relevant
        blocks.append(_rank_block(order, relevant, weights[order], is_own, depths))
    first, precision, balanced, average, own, own_in_class = map(
        np.concatenate, zip(*blocks, strict=True)
    )
    return Ranking(first, precision, depths, balanced, average, own, own_in_class)


def _rank_block(
    order: NDArray[np.int64],
    relevant: NDArray[np.bool_],
    weight: NDArray[np.float64],
    is_own: NDArray[np.bool_],
    depths: tuple[int, ...],
) -> tuple[NDArray[Any], ...]:
    """The fields of a `Ranking` for some sketches, but for its depths.

    Args:
        order: `(n, m)` numbers of all photos, nearest first.
        relevant: `(n, m)`, in this order.
        weight: `(n, m)`, how often photos count for the balanced precision, in this order.
        is_own: `(n, m)`, whether it is the sketch's own photo, in this order.
        depths: the k of precision at k.
    """
    found = np.cumsum(relevant, axis=1)
    precision = found / np.arange(1, order.shape[1] + 1)
    room = FIRST - (np.cumsum(weight, axis=1) - weight)
    has_own, place = is_own.any(axis=1), is_own.argmax(axis=1)
    return (
        order[:, :FIRST],
        precision[:, [k - 1 for k in depths]],
        (np.clip(room, 0, weight) * relevant).sum(axis=1) / FIRST,
        (precision * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1),
        np.where(has_own, place + 1, 0),
        np.where(has_own, found[np.arange(len(order)), place], 0),
    )


def _numbered(
    first: NDArray[Any], second: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers instead of names: a ranking of names would take many times the memory."""
    numbers = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    return numbers[: len(first)], numbers[len(first) :]


def summarise(ranking: Ranking, sketch_labels: NDArray[Any], photos: int) -> Metrics:
    """The means over all sketches.

    Args:
        ranking: of `rank_photos`.
        sketch_labels: `(n,)`.
        photos: size of the gallery.
    """
    return Metrics(
        precision_at_12=float(ranking.precision_at(FIRST).mean()),
        precision_at_1=float(ranking.precision_at(1).mean()),
        map=float(ranking.average_precision.mean()),
        photos=photos,
        sketches=len(sketch_labels),
        classes=len(set(sketch_labels.tolist())),
        recall_at_1=ranking.recall_at(1),
        recall_at_1_in_class=ranking.recall_at(1, in_class=True),
    )


def evaluate_embeddings(
    sketches: Embeddings,
    photos: Embeddings,
    sketch_labels: NDArray[Any],
    photo_labels: NDArray[Any],
    sketch_ids: NDArray[np.str_] | None = None,
    photo_ids: NDArray[np.str_] | None = None,
) -> Metrics:
    """Ranks all photos for each sketch, and takes the means; see `rank_photos`."""
    ranking = rank_photos(sketches, photos, sketch_labels, photo_labels, sketch_ids, photo_ids)
    return summarise(ranking, sketch_labels, len(photos))
