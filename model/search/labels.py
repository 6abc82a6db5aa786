"""The labels of a gallery as numbers, and which photos have which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.search.protocol import Numbers


def number_labels(labels: Sequence[str]) -> tuple[dict[str, int], NDArray[np.int32]]:
    """A number for each label, in the order they first appear, and `(n,)` that of each photo."""
    numbers: dict[str, int] = {}
    of_photos = (numbers.setdefault(label, len(numbers)) for label in labels)
    return numbers, np.fromiter(of_photos, np.int32, len(labels))


class PhotosByLabel:
    """Which photos have which label.

    Attributes:
        labels: how many there are.
    """

    def __init__(self, labels: NDArray[np.int32]) -> None:
        """Takes those of the photos, `(n,)`, from `number_labels`."""
        self._label_of, self.labels = labels, int(labels.max()) + 1
        self._order = np.argsort(labels, kind="stable")
        self._ends = np.cumsum(np.bincount(labels))

    def count(self, labels: NDArray[np.int32]) -> int:
        """How many photos have one of these labels."""
        return int((self._ends[labels] - self._starts(labels)).sum())

    def of(self, labels: NDArray[np.int32]) -> Numbers:
        """Their numbers."""
        ends = zip(self._starts(labels), self._ends[labels], strict=True)
        return np.concatenate([self._order[:0], *(self._order[start:end] for start, end in ends)])

    def have(self, numbers: Numbers, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each of these photos has one of these labels."""
        wanted = np.zeros(self.labels, bool)
        wanted[labels] = True
        return wanted[self._label_of[numbers]]

    def _starts(self, labels: NDArray[np.int32]) -> Numbers:
        return np.where(labels > 0, self._ends[labels - 1], 0)
