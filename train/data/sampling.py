"""Which pictures make a batch.

A batch depends on the seed and on the number of its step alone. A run that was stopped therefore
goes on with the very batches it would have had, and all ranks agree on a batch without a word;
each takes its own part.
"""

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.config import POSE_GROUP, FitConfig
from train.data.frames import Indices
from train.data.material import Material

NONE: Indices = np.empty(0, np.int64)
"""No rows."""

NO_PAIR = -1
"""The number of the pair of a picture that is in none."""


@dataclass(frozen=True)
class Rows:
    """Rows of the pictures of a batch.

    Attributes:
        sketches, photos, unlabelled: rows in the training pictures.
        sketch_pairs, photo_pairs: the pair that each sketch and each photo belongs to, -1 for
            none: twice the row of the photo, and 1 more where both are mirrored.
    """

    sketches: Indices
    photos: Indices
    unlabelled: Indices
    sketch_pairs: Indices
    photo_pairs: Indices

    def part(self, rank: int, world: int) -> "Rows":
        """What one of `world` ranks embeds; the parts of all ranks in order are the whole."""
        return Rows(
            *(
                rows[rank * len(rows) // world : (rank + 1) * len(rows) // world]
                for rows in (getattr(self, field.name) for field in fields(self))
            )
        )


class Sampler(Protocol):
    """Draws the batch of a step."""

    def batch(self, step: int) -> Rows:
        """The rows of step 0, 1, ..."""


class _Drawer:
    """What all samplers share: sketches in passes, photos by class and weight."""

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
        self._of_class = {c: np.flatnonzero(photo_labels == c) for c in self.classes}
        self._shares = {c: _cumulated(self.photo_weights[r]) for c, r in self._of_class.items()}
        self._order: tuple[int, Indices] = (-1, np.empty(0, np.int64))

    def generator(self, step: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, step))

    def sketches(self, step: int, count: int) -> Indices:
        """The next rows of an endless series of passes, each over all sketches in a new order.

        Args:
            count: rows that each step takes.
        """
        places = np.arange(step * count, (step + 1) * count)
        passes, within = np.divmod(places, len(self.sketch_labels))
        return np.concatenate([self._shuffled(p)[within[passes == p]] for p in np.unique(passes)])

    def _shuffled(self, number: int) -> Indices:
        if self._order[0] != number:
            generator = np.random.default_rng((self.seed, number, 1))
            self._order = (number, generator.permutation(len(self.sketch_labels)))
        return self._order[1]

    def photo_of(self, label: int, generator: np.random.Generator) -> int:
        place = self._shares[label].searchsorted(generator.random(), side="right")
        return int(self._of_class[label][place])

    def other_than(self, label: int, generator: np.random.Generator) -> int:
        others = self.classes[self.classes != label]
        return int(generator.choice(others))


class PairSampler(_Drawer):
    """Sketch i with photo i; each pair is of the same class with a chance of one half."""

    def batch(self, step: int) -> Rows:
        generator = self.generator(step)
        sketches = self.sketches(step, self.size)
        photos = []
        for label in self.sketch_labels[sketches]:
            if generator.random() >= 0.5:
                label = self.other_than(label, generator)
            photos.append(self.photo_of(label, generator))
        return _without_pairs(sketches, np.array(photos), NONE)


class TripletSampler(_Drawer):
    """Anchor sketch i, its positive photo 2i, and its negative photo 2i + 1."""

    def batch(self, step: int) -> Rows:
        generator = self.generator(step)
        sketches = self.sketches(step, self.size)
        photos = []
        for label in self.sketch_labels[sketches]:
            photos.append(self.photo_of(label, generator))
            photos.append(self.photo_of(self.other_than(label, generator), generator))
        return _without_pairs(sketches, np.array(photos), NONE)


class PosePairs:
    """Groups of pairs of one class: 8 of its photos, each once as it is and once mirrored.

    Both times a sketch of the photo comes with it, another one where there are several. The
    mirror image is the negative that looks most like the photo.

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
        self._of_class = [photos[labels == label] for label in np.unique(labels)]

    def draw(self, generator: np.random.Generator) -> tuple[Indices, Indices, Indices]:
        """Rows of sketches and of photos, and the numbers of their pairs, all `(count,)`."""
        sketches: list[int] = []
        numbers: list[int] = []
        for label in generator.choice(len(self._of_class), self.groups):
            photos = self._of_class[label]
            few = len(photos) < POSE_GROUP // 2
            for photo in generator.choice(photos, POSE_GROUP // 2, replace=few).tolist():
                drawn = self._sketches_of[photo]
                sketches += generator.choice(drawn, 2, replace=len(drawn) < 2).tolist()
                numbers += [2 * photo, 2 * photo + 1]
        return np.array(sketches), np.array(numbers) // 2, np.array(numbers)


class BalancedSampler(_Drawer):
    """Photos by weight, half of the sketches of the same classes, and the rest in passes.

    Args:
        photos: labelled photos in a batch.
        unlabelled: number of unlabelled photos that there are, and in a batch.
        posed: pairs that are part of each batch, where poses are learned.
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
        posed: PosePairs | None = None,
        seed: int,
    ) -> None:
        super().__init__(sketch_labels, photo_labels, photo_weights, batch=batch, seed=seed)
        self.photos, self.unlabelled, self.posed = photos, unlabelled, posed
        self._cumulated = _cumulated(self.photo_weights)
        self._by_class = np.argsort(sketch_labels, kind="stable")
        self._count = np.bincount(sketch_labels, minlength=int(self.classes.max()) + 1)
        self._begin = np.cumsum(self._count) - self._count

    def batch(self, step: int) -> Rows:
        generator = self.generator(step)
        drawn, shown, pairs = self.posed.draw(generator) if self.posed else (NONE, NONE, NONE)
        others, other_sketches = self.photos - len(pairs), self.size - len(pairs)
        photos = self._cumulated.searchsorted(generator.random(others), side="right")
        half = other_sketches // 2
        labels = np.resize(self.photo_labels[photos], half) if others else NONE
        alike = self._by_class[self._begin[labels] + generator.integers(self._count[labels])]
        sketches = np.concatenate([self.sketches(step, other_sketches - len(alike)), alike])
        there, wanted = self.unlabelled
        unlabelled = generator.integers(there, size=wanted) if wanted else NONE
        sketches = generator.permutation(sketches)
        if not self.posed:
            return _without_pairs(sketches, photos, unlabelled)
        return Rows(
            np.concatenate([drawn, sketches]),
            np.concatenate([shown, photos]),
            unlabelled,
            np.concatenate([pairs, np.full(len(sketches), NO_PAIR)]),
            np.concatenate([pairs, np.full(len(photos), NO_PAIR)]),
        )


def _without_pairs(sketches: Indices, photos: Indices, unlabelled: Indices) -> Rows:
    none, nor_these = (np.full(len(rows), NO_PAIR) for rows in (sketches, photos))
    return Rows(sketches, photos, unlabelled, none, nor_these)


def _cumulated(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulated shares: where a number from 0 to 1 falls is what it draws.

    `Generator.choice` draws the same rows, but adds all weights up at each call.
    """
    cumulated = (weights / weights.sum()).cumsum()
    shares: NDArray[np.float64] = cumulated / cumulated[-1]
    return shares


def make_sampler(config: FitConfig, material: Material) -> Sampler:
    """The sampler that the loss needs."""
    labels = material.sketches.labels, material.photos.labels, material.photo_weights
    if config.loss == "contrastive":
        return PairSampler(*labels, batch=config.sketch_batch, seed=config.seed)
    if config.loss == "triplet" and config.mining == "random":
        return TripletSampler(*labels, batch=config.sketch_batch, seed=config.seed)
    unlabelled = len(material.unlabelled.labels) if material.unlabelled else 0
    posed = None
    if config.pose:
        posed = PosePairs(material.pairs, material.photos.labels, count=config.pose_pairs)
    return BalancedSampler(
        *labels,
        batch=config.sketch_batch,
        photos=config.photo_batch,
        unlabelled=(unlabelled, config.unlabelled_batch),
        posed=posed,
        seed=config.seed,
    )
