"""How good a ranking of photos is for sketches.

For every sketch all photos of the gallery are ranked by the distance of their embeddings, nearest
first. A photo is relevant when it shows the class of the sketch. With rel(i) = 1 where the photo
at rank i is relevant, else 0:

    precision at k   P@k = sum of rel(1..k) / k
    average precision AP = sum over i of rel(i) * P@i / number of relevant photos in the gallery
    mAP                  = mean of AP over the sketches (0 for one without any relevant photo)
    recall at k          = share of the sketches whose very photo, the one that was drawn, is
                           among the first k; sketches whose photo is not in the gallery do not
                           count
    recall at k in class = the same among the photos of the sketch's class alone: whether the photo
                           with the pose of the drawing comes first
    balanced P@k         = P@k where each photo of a class with n < k photos counts k / n times, as
                           if there were k of each; the last one that counts may count in part

All are means over sketches, so that classes count by how often they were drawn. Where classes have
fewer than k photos, P@k cannot reach 1 and balanced P@k can: it estimates what a gallery with as
many photos of each would give, and leans on few photos in doing so.
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


@dataclass(frozen=True)
class Metrics:
    """Means over all sketches, 0 to 1; see the head of this file for the definitions."""

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
        depths: those of `DEPTHS` that the gallery has photos for.
        balanced: `(n,)` balanced P@12.
        average_precision: `(n,)`.
        own_rank: `(n,)` rank of the very photo, from 1; 0 where it is not in the gallery.
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
        """Share of the sketches whose very photo is among the first k; None without any."""
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
        sketch_labels: `(n,)`; a class without a photo counts as never found.
        photo_labels: `(m,)`.
        sketch_ids, photo_ids: photo ids, for the rank of the very photo.
    """
    depths = tuple(k for k in DEPTHS if k <= len(photos))
    sketch_labels, photo_labels = _numbered(sketch_labels, photo_labels)
    ids = None
    if sketch_ids is not None and photo_ids is not None:
        ids = _numbered(sketch_ids, photo_ids)
    first, precision, balanced, average = [], [], [], []
    own, in_class = [], []
    _, label_of, counts = np.unique(photo_labels, return_inverse=True, return_counts=True)
    weights = np.maximum(1, FIRST / counts)[label_of]
    half_squares = (photos**2).sum(axis=1) / 2
    for start in range(0, len(sketches), 512):
        block = slice(start, start + 512)
        # The nearest has the largest s . p - |p|^2 / 2; on the unit sphere, the largest s . p.
        order = np.argsort(half_squares - sketches[block] @ photos.T, axis=1, kind="stable")
        relevant = photo_labels[order] == sketch_labels[block, None]
        at = np.cumsum(relevant, axis=1) / np.arange(1, len(photos) + 1)
        first.append(order[:, :FIRST])
        precision.append(at[:, [k - 1 for k in depths]])
        weight = weights[order]
        room = FIRST - (np.cumsum(weight, axis=1) - weight)
        balanced.append((np.clip(room, 0, weight) * relevant).sum(axis=1) / FIRST)
        average.append((at * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1))
        if ids is not None:
            same = (ids[1][order] == ids[0][block, None]) & relevant
            found, place = same.any(axis=1), same.argmax(axis=1)
            among = np.cumsum(relevant, axis=1)[np.arange(len(order)), place]
        else:
            found, place, among = (np.zeros(len(order), np.int64) for _ in range(3))
        own.append(np.where(found, place + 1, 0))
        in_class.append(np.where(found, among, 0))
    return Ranking(
        np.concatenate(first),
        np.concatenate(precision),
        depths,
        np.concatenate(balanced),
        np.concatenate(average),
        np.concatenate(own),
        np.concatenate(in_class),
    )


def _numbered(
    first: NDArray[Any], second: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each name of both: a ranking of names would take many times the memory."""
    numbers = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    return numbers[: len(first)], numbers[len(first) :]


def summarise(ranking: Ranking, sketch_labels: NDArray[Any], photos: int) -> Metrics:
    """The means of a ranking of `photos` photos."""
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
