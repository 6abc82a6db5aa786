"""Labels as numbers, and the photos that have them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.search.protocol import Numbers


def number_labels(labels: Sequence[str]) -> tuple[dict[str, int], NDArray[np.int32]]:
    """Numbers the labels of photos from 0, in the order in which they first appear.

    Returns:
        The number of each label, and `(n,)` label numbers of the photos.
    """
    numbers: dict[str, int] = {}
    per_photo = (numbers.setdefault(label, len(numbers)) for label in labels)
    return numbers, np.fromiter(per_photo, np.int32, len(labels))


class PhotosByLabel:
    """Finds the photos that have certain labels.

    Args:
        labels: label numbers of the photos, `(n,)`, from `number_labels`.

    Attributes:
        labels: number of different labels.
    """

    def __init__(self, labels: NDArray[np.int32]) -> None:
        self._label_of, self.labels = labels, int(labels.max()) + 1
        self._order = np.argsort(labels, kind="stable")
        self._ends = np.cumsum(np.bincount(labels))

    def count(self, labels: NDArray[np.int32]) -> int:
        """Number of photos that have one of these labels."""
        return int((self._ends[labels] - self._starts(labels)).sum())

    def of(self, labels: NDArray[np.int32]) -> Numbers:
        """The photos that have one of these labels, `(m,)`."""
        ends = zip(self._starts(labels), self._ends[labels], strict=True)
        return np.concatenate([self._order[:0], *(self._order[start:end] for start, end in ends)])

    def have(self, numbers: Numbers, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each of these photos has one of these labels, `(m,)`."""
        wanted = np.zeros(self.labels, bool)
        wanted[labels] = True
        return wanted[self._label_of[numbers]]

    def _starts(self, labels: NDArray[np.int32]) -> Numbers:
        return np.where(labels > 0, self._ends[labels - 1], 0)
