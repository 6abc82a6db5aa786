"""Which pictures make a batch.

A batch depends only on the seed and on the number of its step. So a run that was stopped continues
with the batches it would have had, and all ranks draw the same batch without communication; each
takes its own part.
"""

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.config import FitConfig
from train.data.dataset import Dataset
from train.data.frames import Indices
from train.data.pose_pairs import NO_PAIR, PosePairs

NONE: Indices = np.empty(0, np.int64)
"""No rows."""


@dataclass(frozen=True)
class BatchRows:
    """The pictures of a batch, as rows of the training set.

    Attributes:
        sketches, photos, unlabelled: rows of the training pictures.
        sketch_pairs, photo_pairs: the number of each picture's pair; see `train.data.pose_pairs`.
    """

    sketches: Indices
    photos: Indices
    unlabelled: Indices
    sketch_pairs: Indices
    photo_pairs: Indices

    def part(self, rank: int, world: int) -> "BatchRows":
        """The part of one of `world` ranks; the parts of all ranks in order are the batch."""
        return BatchRows(
            *(
                rows[rank * len(rows) // world : (rank + 1) * len(rows) // world]
                for rows in (getattr(self, field.name) for field in fields(self))
            )
        )


class Sampler(Protocol):
    """Draws batches."""

    def batch(self, step: int) -> BatchRows:
        """The batch of step 0, 1, ..."""


class _Drawer:
    """What all samplers share: sketches by epoch, photos by class and weight."""

    def __init__(
        self,
        sketch_labels: NDArray[np.int64],
        photo_labels: NDArray[np.int64],
        photo_weights: NDArray[np.float64],
        *,
        batch: int,
        seed: int,
    ) -> None:
        self.sketch_labels, self.photo_labels = sketch_labels, photo_labels
        self.photo_weights = photo_weights / photo_weights.sum()
        self.size, self.seed = batch, seed
        self.classes = np.unique(photo_labels)
        self._photos_of_class = {c: np.flatnonzero(photo_labels == c) for c in self.classes}
        self._cumulative_of_class = {
            c: _cumulative(self.photo_weights[rows]) for c, rows in self._photos_of_class.items()
        }
        self._epoch, self._order = -1, NONE

    def generator(self, step: int) -> np.random.Generator:
        """The random numbers of a step."""
        return np.random.default_rng((self.seed, step))

    def sketches(self, step: int, count: int) -> Indices:
        """The rows of a step in an endless series of epochs, each in a new order.

        Args:
            step: 0, 1, ...
            count: rows that each step takes.
        """
        places = np.arange(step * count, (step + 1) * count)
        epochs, within = np.divmod(places, len(self.sketch_labels))
        rows = [self._shuffled(e)[within[epochs == e]] for e in np.unique(epochs)]
        return np.concatenate([NONE, *rows])

    def _shuffled(self, epoch: int) -> Indices:
        if self._epoch != epoch:
            generator = np.random.default_rng((self.seed, epoch, 1))
            self._epoch, self._order = epoch, generator.permutation(len(self.sketch_labels))
        return self._order

    def photo_of(self, label: int, generator: np.random.Generator) -> int:
        """The row of a photo of a class, by weight."""
        place = self._cumulative_of_class[label].searchsorted(generator.random(), side="right")
        return int(self._photos_of_class[label][place])

    def other_than(self, label: int, generator: np.random.Generator) -> int:
        """Another class."""
        others = self.classes[self.classes != label]
        return int(generator.choice(others))


class PairSampler(_Drawer):
    """Sketch i with photo i; half of the pairs are of one class, on average."""

    def batch(self, step: int) -> BatchRows:
        """The batch of step 0, 1, ..."""
        generator = self.generator(step)
        sketches = self.sketches(step, self.size)
        photos = []
        for label in self.sketch_labels[sketches]:
            if generator.random() >= 0.5:
                label = self.other_than(label, generator)
            photos.append(self.photo_of(label, generator))
        return _without_pairs(sketches, np.array(photos))


class TripletSampler(_Drawer):
    """Anchor sketch i, its positive photo 2i, and its negative photo 2i + 1."""

    def batch(self, step: int) -> BatchRows:
        """The batch of step 0, 1, ..."""
        generator = self.generator(step)
        sketches = self.sketches(step, self.size)
        photos = []
        for label in self.sketch_labels[sketches]:
            photos.append(self.photo_of(label, generator))
            photos.append(self.photo_of(self.other_than(label, generator), generator))
        return _without_pairs(sketches, np.array(photos))


class BalancedSampler(_Drawer):
    """Photos by weight, half of the sketches of the same classes, and the rest by epoch.

    Sketches and photos are in a random order, so that neighbours, which may be mixed, and the
    parts of ranks have pairs as often as the batch has them.

    Args:
        sketch_labels, photo_labels: class numbers of the training set.
        photo_weights: how often each photo is drawn.
        batch: sketches in a batch.
        photos: labelled photos in a batch.
        unlabelled: how many unlabelled photos there are, and how many a batch has.
        pose_pairs: draws the pairs that are part of each batch; None if poses are not learned.
        seed: of all batches.
    """

    def __init__(
        self,
        sketch_labels: NDArray[np.int64],
        photo_labels: NDArray[np.int64],
        photo_weights: NDArray[np.float64],
        *,
        batch: int,
        photos: int,
        unlabelled: tuple[int, int] = (0, 0),
        pose_pairs: PosePairs | None = None,
        seed: int,
    ) -> None:
        super().__init__(sketch_labels, photo_labels, photo_weights, batch=batch, seed=seed)
        self.photos, self.unlabelled, self.pose_pairs = photos, unlabelled, pose_pairs
        self._cumulative = _cumulative(self.photo_weights)
        self._by_class = np.argsort(sketch_labels, kind="stable")
        self._count = np.bincount(sketch_labels, minlength=int(self.classes.max()) + 1)
        self._begin = np.cumsum(self._count) - self._count

    def batch(self, step: int) -> BatchRows:
        """The batch of step 0, 1, ..."""
        generator = self.generator(step)
        paired_sketches, paired_photos, pairs = NONE, NONE, NONE
        if self.pose_pairs:
            paired_sketches, paired_photos, pairs = self.pose_pairs.draw(generator)
        other_photos, other_sketches = self.photos - len(pairs), self.size - len(pairs)
        photos = self._cumulative.searchsorted(generator.random(other_photos), side="right")
        labels = np.resize(self.photo_labels[photos], other_sketches // 2) if other_photos else NONE
        alike = self._by_class[self._begin[labels] + generator.integers(self._count[labels])]
        sketches = np.concatenate([self.sketches(step, other_sketches - len(alike)), alike])
        there, wanted = self.unlabelled
        unlabelled = generator.integers(there, size=wanted) if wanted else NONE
        sketches, sketch_pairs = _in_random_order(paired_sketches, sketches, pairs, generator)
        photos, photo_pairs = _in_random_order(paired_photos, photos, pairs, generator)
        return BatchRows(sketches, photos, unlabelled, sketch_pairs, photo_pairs)


def _in_random_order(
    paired: Indices, others: Indices, pairs: Indices, generator: np.random.Generator
) -> tuple[Indices, Indices]:
    """All rows in a random order, and the numbers of their pairs."""
    order = generator.permutation(len(paired) + len(others))
    numbers = np.concatenate([pairs, np.full(len(others), NO_PAIR)])
    return np.concatenate([paired, others])[order], numbers[order]


def _without_pairs(sketches: Indices, photos: Indices) -> BatchRows:
    no_pairs = (np.full(len(rows), NO_PAIR) for rows in (sketches, photos))
    return BatchRows(sketches, photos, NONE, *no_pairs)


def _cumulative(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cumulative distribution: a number from 0 to 1 draws the row where it falls.

    `Generator.choice` draws the same rows, but adds all weights up at each call.
    """
    sums = (weights / weights.sum()).cumsum()
    distribution: NDArray[np.float64] = sums / sums[-1]
    return distribution


def make_sampler(config: FitConfig, dataset: Dataset) -> Sampler:
    """The sampler that the loss needs."""
    given = dataset.sketches.labels, dataset.photos.labels, dataset.photo_weights
    if config.loss == "contrastive":
        return PairSampler(*given, batch=config.sketch_batch, seed=config.seed)
    if config.loss == "triplet" and config.mining == "random":
        return TripletSampler(*given, batch=config.sketch_batch, seed=config.seed)
    unlabelled = len(dataset.unlabelled.pictures) if dataset.unlabelled is not None else 0
    pose_pairs = None
    if config.pose:
        pose_pairs = PosePairs(dataset.pairs, dataset.photos.labels, count=config.pose_pairs)
    return BalancedSampler(
        *given,
        batch=config.sketch_batch,
        photos=config.photo_batch,
        unlabelled=(unlabelled, config.unlabelled_batch),
        pose_pairs=pose_pairs,
        seed=config.seed,
    )
