"""What a run learns from and what it is measured on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from train.config import FitConfig
from train.console import say
from train.data.classes import SETS, choose_classes
from train.data.frames import Frames, Indices, load_frames
from train.data.pictures import (
    Picture,
    Split,
    list_pictures,
    make_split,
    possible_ids,
    sketchy_folders,
    without_copies,
)
from train.errors import DataError
from train.metrics import FIRST

CACHED_ABOVE = 1.25
"""Frames are cached this much larger than the input, so that augmentation has room."""

VALIDATION_SKETCHES = 2000
"""Held-out sketches that are embedded at each evaluation during training."""


@dataclass(frozen=True)
class Sources:
    """Where the inputs of a run are.

    Attributes:
        sketchy: the unpacked Sketchy Database.
        more_photos: folders with one folder of further photos a class.
        unlabelled: folders of photos that a teacher explains.
        split: a `split.json` to use instead of drawing one.
        teacher: the run of an encoder to learn from.
        photo_teacher: another one, for photos.
        pose_teacher: another one, for the poses of photos.
        start: a checkpoint folder to begin with.
        cache: where frames and the teacher's outputs are kept.
    """

    sketchy: Path
    more_photos: tuple[Path, ...] = ()
    unlabelled: tuple[Path, ...] = ()
    split: Path | None = None
    teacher: Path | None = None
    photo_teacher: Path | None = None
    pose_teacher: Path | None = None
    start: Path | None = None
    cache: Path = Path("cache")


@dataclass
class Domain:
    """One kind of picture: frames, class numbers (-1: unknown), and what the teacher says."""

    frames: Frames
    labels: Indices
    targets: torch.Tensor | None = None

    @property
    def photo_ids(self) -> NDArray[np.str_]:
        """`(n,)`: the id of each photo, or of the photo that each sketch was drawn from."""
        return np.array([picture.photo_id for picture in self.frames.pictures])


@dataclass
class Material:
    """All pictures of a run.

    Attributes:
        photo_weights: how often each photo is drawn, relative to the others.
        unlabelled: photos without a class, where they are asked for.
        large_sketches: the sketches once more, large enough for their teacher, to be mixed.
        held_photos, held_sketches: the validation set.
        pairs: `(n, 2)` rows of training sketches and of the photos that they were drawn from.
        poses: `(2 * photos, d)`, a teacher's pose of each photo that is in a pair, and of its
            mirror image after it; rows of other photos are zeros.
    """

    classes: list[str]
    split: Split
    sketches: Domain
    photos: Domain
    photo_weights: NDArray[np.float64]
    unlabelled: Domain | None
    held_photos: Domain
    held_sketches: Domain
    pairs: Indices = field(default_factory=lambda: np.empty((0, 2), np.int64))
    large_sketches: Frames | None = None
    poses: torch.Tensor | None = None

    def domains(self) -> dict[str, Domain]:
        """What is trained on, by name, in the order of a batch."""
        found = {"sketches": self.sketches, "photos": self.photos}
        return found | ({"unlabelled": self.unlabelled} if self.unlabelled else {})


def load_material(
    config: FitConfig, sources: Sources, mixed: Mapping[str, int] = MappingProxyType({})
) -> Material:
    """Lists, splits and decodes the pictures of a run.

    Args:
        mixed: the kinds of pictures that are mixed, `unlabelled` photos or `sketches`, and the
            side in pixels at which a teacher sees the mixtures.

    Raises:
        DataError: a folder is missing, empty, or of another layout.
    """
    photo_folder, sketch_folder = sketchy_folders(sources.sketchy)
    own = list_pictures(photo_folder, sketches=False)
    more = [p for folder in sources.more_photos for p in list_pictures(folder, sketches=False)]
    sketches = list_pictures(sketch_folder, sketches=True)
    classes = _choose(config.classes, [*own, *more], sketches)
    own, more, sketches = (
        [p for p in pictures if p.label in classes] for pictures in (own, more, sketches)
    )
    if sources.split:
        split = Split.load(sources.split)
    else:
        fraction, most = config.validation, config.validation_photos
        split = make_split(own + more, sketches, fraction=fraction, most=most, seed=config.seed)
    return _decode(config, sources, classes, split, own, more, sketches, mixed)


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
    own: Sequence[Picture],
    more: Sequence[Picture],
    sketches: Sequence[Picture],
    mixed: Mapping[str, int],
) -> Material:
    number = {label: i for i, label in enumerate(classes)}

    def domain(pictures: Sequence[Picture], size: int, drawn: bool) -> Domain:
        frames = load_frames(pictures, size, sketches=drawn, cache=sources.cache)
        return Domain(frames, np.array([number.get(p.label, -1) for p in frames.pictures]))

    large = round(config.input_size * CACHED_ABOVE)
    photos_large = round(mixed.get("unlabelled", config.input_size) * CACHED_ABOVE)
    train_sketches, train_photos = split.train(sketches), split.train([*own, *more])
    held_sketches, held_photos = split.validation(sketches), split.validation([*own, *more])
    if config.loss in ("contrastive", "triplet") and len(classes) < 2:
        raise DataError(f"--loss {config.loss} needs two classes or more to tell apart.")
    _check(classes, train_sketches, train_photos, held_sketches, held_photos)
    held_sketches = sample(held_sketches)
    listed = [p for f in sources.unlabelled for p in list_pictures(f, sketches=False)]
    unlabelled = without_copies(split.train(listed), held_photos)
    if listed and not unlabelled:
        raise DataError("All --unlabelled-photos are held out, by their names. Add others.")
    photos = domain(train_photos, photos_large, False)
    drawn = domain(train_sketches, large, True)
    material = Material(
        classes,
        split,
        drawn,
        photos,
        photo_weights(photos.frames.pictures, {p.path for p in own}, config.photo_balance),
        domain(unlabelled, photos_large, False) if config.unlabelled_batch else None,
        domain(held_photos, config.input_size, False),
        domain(held_sketches, config.input_size, True),
        find_pairs(drawn.frames.pictures, photos.frames.pictures),
    )
    if "sketches" in mixed:
        again = domain(train_sketches, round(mixed["sketches"] * CACHED_ABOVE), True).frames
        if len(again.pictures) != len(material.sketches.labels):
            raise DataError("Some sketches could be read before, and now cannot. Start again.")
        material.large_sketches = again
    # Once more, now that pictures which cannot be read are left out.
    domains = material.sketches, material.photos, material.held_sketches, material.held_photos
    _check(classes, *(domain.frames.pictures for domain in domains))
    if config.pose and not len(material.pairs):
        raise DataError(
            "--pose is learned from sketches whose very photo is there, and there are none: a "
            "sketch <photo id>-<k>.png belongs to the photo <photo id>. Add them, or leave --pose."
        )
    say(
        f"{len(classes)} classes; training on {len(material.photos.labels)} photos and "
        f"{len(material.sketches.labels)} sketches; held out "
        f"{len(material.held_photos.labels)} photos and "
        f"{len(material.held_sketches.labels)} sketches"
    )
    return material


def find_pairs(sketches: Sequence[Picture], photos: Sequence[Picture]) -> Indices:
    """Sketches and the photos that they were drawn from.

    A photo is known by its id, which may stand behind another name: `<anything>_<photo id>`.

    Returns:
        `(n, 2)` rows of both.
    """
    drawn = {(sketch.label, sketch.photo_id) for sketch in sketches}
    row_of: dict[tuple[str, str], int] = {}
    for row, photo in enumerate(photos):
        for key in ((photo.label, photo_id) for photo_id in possible_ids(photo)):
            if key in drawn:
                row_of.setdefault(key, row)
                break
    found = [
        (row, row_of[key])
        for row, sketch in enumerate(sketches)
        if (key := (sketch.label, sketch.photo_id)) in row_of
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def sample(sketches: Sequence[Picture], most: int = VALIDATION_SKETCHES) -> list[Picture]:
    """So many of them at random, and one of each class that is not among these."""
    order = np.random.default_rng(0).permutation(len(sketches)).tolist()
    chosen = set(order[:most])
    seen = {sketches[i].label for i in chosen}
    for i in order:
        if sketches[i].label not in seen:
            seen.add(sketches[i].label)
            chosen.add(i)
    return [sketches[i] for i in sorted(chosen)]


def _check(
    classes: Sequence[str],
    sketches: Sequence[Picture],
    photos: Sequence[Picture],
    held_sketches: Sequence[Picture],
    held_photos: Sequence[Picture],
) -> None:
    """Whether the pictures are enough to train on and to measure with."""
    for name, pictures in (
        ("training sketches", sketches),
        ("training photos", photos),
        ("validation sketches", held_sketches),
    ):
        missing = set(classes) - {p.label for p in pictures}
        if missing:
            raise DataError(
                f"The split leaves no {name} of {', '.join(sorted(missing))}. Add pictures that "
                "can be read, or change --validation."
            )
    if len(held_photos) < FIRST:
        raise DataError(
            f"The split holds out {len(held_photos)} photos; P@{FIRST} needs {FIRST}. Add photos, "
            "or raise --validation."
        )


def photo_weights(photos: Sequence[Picture], own: set[Path], balance: float) -> NDArray[np.float64]:
    """How often each photo is drawn: twice as often if it is one of the database's `own`.

    Args:
        balance: see `FitConfig.photo_balance`.
    """
    weights = [2.0 if p.path in own else 1.0 for p in photos]
    size: defaultdict[str, float] = defaultdict(float)
    for photo, weight in zip(photos, weights, strict=True):
        size[photo.label] += weight
    return np.array([w / size[p.label] ** balance for p, w in zip(photos, weights, strict=True)])
