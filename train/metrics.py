"""How good a ranking of photos is for sketches, by class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.encoder import Embeddings


@dataclass(frozen=True)
class Metrics:
    """Means over all sketches, 0 to 1.

    Attributes:
        precision_at_12: share of the 12 nearest photos that show the sketch's class.
        precision_at_1: share of sketches whose nearest photo shows their class.
        map: mean over sketches of the average precision over the whole gallery: at each photo
            of the class, the precision down to it, averaged over all photos of the class.
    """

    precision_at_12: float
    precision_at_1: float
    map: float
    photos: int
    sketches: int
    classes: int


def evaluate_embeddings(
    sketches: Embeddings,
    photos: Embeddings,
    sketch_labels: NDArray[np.str_],
    photo_labels: NDArray[np.str_],
) -> Metrics:
    """Ranks all photos for each sketch by dot product.

    Args:
        sketches: `(n, d)`.
        photos: `(m, d)`, m at least 12.
        sketch_labels: `(n,)`; a class without a photo counts as never found.
        photo_labels: `(m,)`.
    """
    at_12, at_1, average = [], [], []
    for start in range(0, len(sketches), 512):
        block = slice(start, start + 512)
        order = np.argsort(-(sketches[block] @ photos.T), axis=1, kind="stable")
        relevant = photo_labels[order] == sketch_labels[block, None]
        at_12.append(relevant[:, :12].mean(axis=1))
        at_1.append(relevant[:, 0])
        precision = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
        found = relevant.sum(axis=1)
        average.append((precision * relevant).sum(axis=1) / np.maximum(found, 1))
    return Metrics(
        precision_at_12=float(np.concatenate(at_12).mean()),
        precision_at_1=float(np.concatenate(at_1).mean()),
        map=float(np.concatenate(average).mean()),
        photos=len(photos),
        sketches=len(sketches),
        classes=len(set(sketch_labels.tolist())),
    )
