"""The pictures of a run: what it trains on and what it is measured on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from train.config import FitConfig
from train.console import say
from train.data.classes import SETS, choose_classes
from train.data.frames import Frames, Indices, load_frames
from train.data.pictures import (
    Picture,
    Split,
    find_pairs,
    list_photos,
    list_pictures,
    make_split,
    sketchy_folders,
    without_copies,
)
from train.data.sources import Sources
from train.errors import DataError
from train.metrics import FIRST

Kind = Literal["sketches", "photos", "unlabelled"]
"""The kinds of training pictures."""

CACHE_SCALE = 1.25
"""Side of the cached training frames, relative to the input: augmentation needs the room."""

VALIDATION_SKETCHES = 2000
"""Maximum number of held-out sketches that each evaluation during training embeds.

One of each class that is not among them is added; see `sample`.
"""

DATABASE_WEIGHT = 2.0
"""How often a photo of the database is drawn, relative to others of its class."""


@dataclass(frozen=True)
class LabelledFrames:
    """Framed pictures and their `(n,)` class numbers."""

    frames: Frames
    labels: Indices

    @property
    def photo_ids(self) -> NDArray[np.str_]:
        """`(n,)`: the id of each photo, or of the photo that each sketch was drawn from."""
        return np.array([picture.photo_id for picture in self.frames.pictures])


@dataclass(frozen=True)
class Dataset:
    """All pictures of a run.

    Attributes:
        classes: their names; class numbers are places in this list.
        sketches, photos: the training set.
        photo_weights: `(photos,)`, how often each photo is drawn, relative to the others.
        held_photos, held_sketches: the validation set.
        pairs: `(n, 2)` rows of training sketches and of the photos that they were drawn from.
        unlabelled: photos without a class; None if the run does not use any.
        large_sketches: the training sketches once more, at the size that a teacher of mixtures
            needs; None if the run does not mix sketches.
    """

    classes: list[str]
    split: Split
    sketches: LabelledFrames
    photos: LabelledFrames
    photo_weights: NDArray[np.float64]
    held_photos: LabelledFrames
    held_sketches: LabelledFrames
    pairs: Indices = field(default_factory=lambda: np.empty((0, 2), np.int64))
    unlabelled: Frames | None = None
    large_sketches: Frames | None = None

    def training_frames(self) -> dict[Kind, Frames]:
        """What is trained on, in the order of a batch."""
        frames: dict[Kind, Frames] = {
            "sketches": self.sketches.frames,
            "photos": self.photos.frames,
        }
        return frames | ({"unlabelled": self.unlabelled} if self.unlabelled is not None else {})


@dataclass(frozen=True)
class _Listed:
    """Pictures by what they are for, before they are decoded."""

    sketches: list[Picture]
    photos: list[Picture]
    held_sketches: list[Picture]
    held_photos: list[Picture]


def load_dataset(
    config: FitConfig, sources: Sources, mixed: Mapping[Kind, int] = MappingProxyType({})
) -> Dataset:
    """Lists, splits and decodes the pictures of a run.

    Args:
        config: of the run.
        sources: of the run.
        mixed: the kinds of pictures that are mixed, `unlabelled` or `sketches`, and the side in
            pixels at which a teacher sees the mixtures.

    Raises:
        DataError: a folder is missing, empty, or of another layout, or there are too few pictures.
    """
    photo_folder, sketch_folder = sketchy_folders(sources.sketchy)
    own = list_pictures(photo_folder, sketches=False)
    more = [p for folder in sources.more_photos for p in list_pictures(folder, sketches=False)]
    sketches = list_pictures(sketch_folder, sketches=True)
    classes = _choose(config.classes, [*own, *more], sketches)
    if config.loss in ("contrastive", "triplet") and len(classes) < 2:
        raise DataError(f"--loss {config.loss} needs two classes or more to tell apart.")
    photos, sketches = (
        [p for p in pictures if p.label in classes] for pictures in ([*own, *more], sketches)
    )
    if sources.split:
        split = Split.load(sources.split)
    else:
        fraction, most = config.validation, config.validation_photos
        split = make_split(photos, sketches, fraction=fraction, most=most, seed=config.seed)
    listed = _Listed(
        split.train(sketches),
        split.train(photos),
        split.validation(sketches, photos),
        split.validation(photos, sketches),
    )
    _check(classes, listed)
    dataset = _decode(config, sources, classes, split, listed, mixed)
    say(
        f"{len(classes)} classes; training on {len(dataset.photos.labels)} photos and "
        f"{len(dataset.sketches.labels)} sketches; held out {len(dataset.held_photos.labels)} "
        f"photos and {len(dataset.held_sketches.labels)} sketches"
    )
    return dataset


def _choose(wanted: str, photos: Sequence[Picture], sketches: Sequence[Picture]) -> list[str]:
    photographed, drawn = {p.label for p in photos}, {p.label for p in sketches}
    classes = choose_classes(wanted, photographed & drawn)
    asked = photographed | drawn if wanted == "all" else set(SETS.get(wanted, classes))
    for lacking, labels in (("sketches", photographed - drawn), ("photos", drawn - photographed)):
        for label in sorted(labels & asked):
            say(f"left out: class {label} has no {lacking}. Add some, or remove its folder.")
    return classes


def _decode(
    config: FitConfig,
    sources: Sources,
    classes: list[str],
    split: Split,
    listed: _Listed,
    mixed: Mapping[Kind, int],
) -> Dataset:
    numbers = {label: number for number, label in enumerate(classes)}
    photo_folder = sketchy_folders(sources.sketchy)[0]

    def decode(pictures: Sequence[Picture], size: int, sketches: bool) -> LabelledFrames:
        frames = load_frames(pictures, size, sketches=sketches, cache=sources.cache)
        return LabelledFrames(frames, np.array([numbers[p.label] for p in frames.pictures]))

    photo_size = _cached_size(mixed.get("unlabelled", config.input_size))
    photos = decode(listed.photos, photo_size, False)
    sketches = decode(listed.sketches, _cached_size(config.input_size), True)
    database = {p.path for p in listed.photos if p.path.is_relative_to(photo_folder)}
    dataset = Dataset(
        classes,
        split,
        sketches,
        photos,
        photo_weights(photos.frames.pictures, database, config.photo_balance),
        decode(listed.held_photos, config.input_size, False),
        decode(sample(listed.held_sketches), config.input_size, True),
        find_pairs(sketches.frames.pictures, photos.frames.pictures),
        _unlabelled(sources, split, listed.held_photos, photo_size),
        _large_sketches(listed, sketches, mixed["sketches"], sources.cache)
        if "sketches" in mixed
        else None,
    )
    _check_decoded(config, dataset)
    return dataset


def _cached_size(input_size: int) -> int:
    return round(input_size * CACHE_SCALE)


def _unlabelled(
    sources: Sources, split: Split, held_photos: Sequence[Picture], size: int
) -> Frames | None:
    """Unlabelled photos, without those that are held out or are copies of such a photo."""
    if not sources.unlabelled:
        return None
    listed = [p for folder in sources.unlabelled for p in list_photos(folder)]
    unlabelled = without_copies(split.train(listed), held_photos)
    if not unlabelled:
        raise DataError("All --unlabelled-photos are held out, by their names. Add others.")
    return load_frames(unlabelled, size, sketches=False, cache=sources.cache)


def _large_sketches(
    listed: _Listed, sketches: LabelledFrames, input_size: int, cache: Path
) -> Frames:
    large = load_frames(listed.sketches, _cached_size(input_size), sketches=True, cache=cache)
    if len(large.pictures) != len(sketches.labels):
        raise DataError("Some sketches could be read before, and now cannot. Start again.")
    return large


def sample(sketches: Sequence[Picture], most: int = VALIDATION_SKETCHES) -> list[Picture]:
    """At most `most` random sketches, and one of each class that is not among these."""
    order = np.random.default_rng(0).permutation(len(sketches)).tolist()
    chosen = set(order[:most])
    seen = {sketches[i].label for i in chosen}
    for i in order:
        if sketches[i].label not in seen:
            seen.add(sketches[i].label)
            chosen.add(i)
    return [sketches[i] for i in sorted(chosen)]


def _check(classes: Sequence[str], listed: _Listed) -> None:
    """Raises DataError if the pictures are too few to train on or to measure with."""
    for name, pictures in (
        ("training sketches", listed.sketches),
        ("training photos", listed.photos),
        ("validation sketches", listed.held_sketches),
    ):
        missing = set(classes) - {p.label for p in pictures}
        if missing:
            raise DataError(
                f"The split leaves no {name} of {', '.join(sorted(missing))}. Add pictures that "
                "can be read, or change --validation."
            )
    if len(listed.held_photos) < FIRST:
        raise DataError(
            f"The split holds out {len(listed.held_photos)} photos; P@{FIRST} needs {FIRST}. Add "
            "photos, or raise --validation."
        )


def _check_decoded(config: FitConfig, dataset: Dataset) -> None:
    """Raises DataError if the pictures are too few without those that cannot be read."""
    parts = dataset.sketches, dataset.photos, dataset.held_sketches, dataset.held_photos
    _check(dataset.classes, _Listed(*(list(part.frames.pictures) for part in parts)))
    if config.pose and not len(dataset.pairs):
        raise DataError(
            "--pose needs sketches whose own photo is there, and there are none: the sketch "
            "<photo id>-<k>.png belongs to the photo <photo id>. Add some, or leave out --pose."
        )


def photo_weights(
    photos: Sequence[Picture], database: set[Path], balance: float
) -> NDArray[np.float64]:
    """`(n,)`, how often each photo is drawn, relative to the others.

    Args:
        photos: the training photos.
        database: files of the database, which are drawn more often than others of their class.
        balance: see `FitConfig.photo_balance`.
    """
    weights = [DATABASE_WEIGHT if p.path in database else 1.0 for p in photos]
    size: defaultdict[str, float] = defaultdict(float)
    for photo, weight in zip(photos, weights, strict=True):
        size[photo.label] += weight
    return np.array([w / size[p.label] ** balance for p, w in zip(photos, weights, strict=True)])
