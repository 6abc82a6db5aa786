"""Pairs of a sketch and its own photo, which poses are learned from.

The number of a pair is twice the row of its photo, plus 1 if both pictures are mirrored. Pictures
with the same number are positives of each other.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from train.config import POSE_GROUP
from train.data.frames import Indices
from train.data.views import AT_RANDOM

NO_PAIR = -1
"""The number of a picture that is in no pair."""


def pair_numbers(photos: Indices, mirrored: Indices) -> Indices:
    """Numbers of pairs, by the rows of their photos and whether they are mirrored (0 or 1)."""
    return 2 * photos + mirrored


def mirroring(pairs: Indices) -> Indices:
    """How views are mirrored, as `train.data.views` takes it; random for pictures in no pair."""
    return np.where(pairs == NO_PAIR, AT_RANDOM, pairs % 2)


class PosePairs:
    """Draws groups of pairs of one class: 8 photos, each as it is and mirrored.

    A mirror image is the negative that looks most like its photo. Each of the two comes with a
    sketch of the photo: with two different sketches if the photo has several.

    Args:
        pairs: `(n, 2)` rows of sketches and of the photos that they were drawn from.
        photo_labels: class numbers of all photos.
        count: pairs in a batch, a multiple of `POSE_GROUP`.
    """

    def __init__(self, pairs: Indices, photo_labels: NDArray[np.int64], *, count: int) -> None:
        self.groups = count // POSE_GROUP
        self._sketches_of: dict[int, list[int]] = defaultdict(list)
        for sketch, photo in pairs.tolist():
            self._sketches_of[photo].append(sketch)
        photos = np.array(sorted(self._sketches_of))
        labels = photo_labels[photos]
        self._photos_of_class = [photos[labels == label] for label in np.unique(labels)]

    def draw(self, generator: np.random.Generator) -> tuple[Indices, Indices, Indices]:
        """Rows of sketches and of photos, and the numbers of their pairs, all `(count,)`."""
        sketches: list[int] = []
        photos: list[int] = []
        for label in generator.choice(len(self._photos_of_class), self.groups):
            known = self._photos_of_class[label]
            few = len(known) < POSE_GROUP // 2
            for photo in generator.choice(known, POSE_GROUP // 2, replace=few).tolist():
                drawn = self._sketches_of[photo]
                sketches += generator.choice(drawn, 2, replace=len(drawn) < 2).tolist()
                photos += [photo, photo]
        rows = np.array(photos)
        return np.array(sketches), rows, pair_numbers(rows, np.arange(len(rows)) % 2)
