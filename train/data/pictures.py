"""The pictures of a data folder, and which of them are held out."""

import filecmp
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.files import replacing
from model.gallery.walk import LeftOut, walk
from model.text import composed
from train.console import say
from train.errors import DataError

VARIANT = "tx_000000000000"
"""The variant of the Sketchy Database that keeps sketches placed as they were drawn."""

SKETCH_NAME = re.compile(r"(?P<photo_id>.+)-\d+")
"""The stem of a sketch's file name."""

OUTSIDE = "outside of a class folder: put them into one"
DEEPER = "folders inside of a class folder: put their pictures into the class folder"


@dataclass(frozen=True)
class Picture:
    """One file; `photo_id` names the photo that it is, or that it was drawn from."""

    path: Path
    label: str
    photo_id: str


def possible_ids(photo_id: str) -> list[str]:
    """The ids that a photo may have: its name, and what follows each `_` in it.

    Other data sets contain photos of the Sketchy Database as `<anything>_<photo id>`.
    """
    parts = photo_id.split("_")
    return ["_".join(parts[start:]) for start in range(len(parts))]


@dataclass(frozen=True)
class Split:
    """Held-out photo ids: neither these photos nor sketches of them are trained on.

    If several classes have the same id, `<class>/<id>` holds it out in one of them only.
    """

    validation_ids: frozenset[str]

    def train(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Pictures to train on: none of their possible ids is held out."""
        return [p for p in pictures if not any(self._holds(p, n) for n in possible_ids(p.photo_id))]

    def validation(self, pictures: Sequence[Picture], others: Sequence[Picture]) -> list[Picture]:
        """Held-out pictures, without copies of training pictures.

        A copy has the same bytes, or is named `<anything>_<photo id>` after a photo that is
        trained on, or whose sketches are. How many have such names is printed.

        Args:
            pictures: photos or sketches.
            others: the sketches or photos of the same data.
        """
        trained = {(p.label, p.photo_id) for p in self.train([*pictures, *others])}
        held: list[Picture] = []
        named: list[Picture] = []
        for picture in (p for p in pictures if self._holds(p, p.photo_id)):
            originals = possible_ids(picture.photo_id)[1:]
            is_copy = any((picture.label, name) in trained for name in originals)
            (named if is_copy else held).append(picture)
        if named:
            say(
                f"left out: {len(named)} held-out pictures, such as {named[0].path}: by their "
                "names, they are copies of photos that are trained on, or whose sketches are."
            )
        return without_copies(held, self.train(pictures))

    def _holds(self, picture: Picture, photo_id: str) -> bool:
        names = (photo_id, f"{picture.label}/{photo_id}")
        return not self.validation_ids.isdisjoint(names)

    def save(self, path: Path) -> None:
        """Writes the ids; an older file is replaced at once."""
        ids = {"validation_ids": sorted(self.validation_ids)}
        with replacing(path) as unfinished:
            unfinished.write_text(json.dumps(ids, indent=0))

    @classmethod
    def load(cls, path: Path) -> "Split":
        """Reads what `save` has written.

        Raises:
            DataError: the file is missing or holds something else.
        """
        try:
            ids = json.loads(path.read_text())["validation_ids"]
            return cls(frozenset(composed(name) for name in ids))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is not a split written by 'python -m train fit'. Name the split.json "
                "of a run or of a checkpoint."
            ) from error


@dataclass
class Classes:
    """The contents of a data folder with one folder a class, in a fixed order.

    Attributes:
        files: by class; an empty list for a folder without pictures.
        left_out: files that cannot be used, and pictures outside of the class folders.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)


def find_classes(folder: Path) -> Classes:
    """Finds pictures as galleries do (see `model.gallery.walk`), but only `<class>/<picture>`.

    The name of a class is that of its folder, with composed Unicode letters.

    Raises:
        DataError: there is no such folder.
        GalleryError: it cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder. It should hold one folder of pictures a class.")
    found, classes = walk(folder), Classes()
    for place in found.folders:
        if place.parent == folder:
            classes.files.setdefault(composed(place.name), [])
        elif place.parent.parent == folder:
            classes.left_out.append(LeftOut(DEEPER, str(place)))
    for path in (file.path for file in found.files):
        if path.parent == folder:
            classes.left_out.append(LeftOut(OUTSIDE, str(path)))
        elif path.parent.parent == folder:
            classes.files[composed(path.parent.name)].append(path)
    classes.left_out += [
        one
        for one in found.left_out
        if folder in (Path(one.path).parent, Path(one.path).parent.parent)
    ]
    return classes


def list_pictures(folder: Path, *, sketches: bool) -> list[Picture]:
    """All pictures of a data folder with one folder a class, in a fixed order.

    A sketch `<photo id>-<k>.png` belongs to the photo `<photo id>`, as in the Sketchy Database.

    Raises:
        DataError: there is no such folder, it or one of its class folders has no pictures, or the
            name of a sketch has another form.
        GalleryError: `folder` cannot be read.
    """
    classes = find_classes(folder)
    pictures = []
    for label, paths in classes.files.items():
        for path in paths:
            photo_id = sketched_photo(path) if sketches else composed(path.stem)
            if photo_id is None:
                raise DataError(
                    f"{path} is not named <photo id>-<k>, as a sketch must be. Rename it."
                )
            pictures.append(Picture(path, label, photo_id))
    if not pictures:
        raise DataError(
            f"{folder} holds no pictures in class folders. It should look like "
            f"{folder.name}/<class>/<picture>."
        )
    if empty := sorted(label for label, paths in classes.files.items() if not paths):
        raise DataError(
            f"{folder} has class folders without pictures: {', '.join(empty)}. Fill or remove them."
        )
    if left := classes.left_out:
        say(f"{_left_out(folder, left)} 'python -m train inspect' names them.")
    return pictures


def list_photos(folder: Path) -> list[Picture]:
    """All photos below a folder, at any depth, in a fixed order; labels are names of folders.

    Raises:
        DataError: there are none.
        GalleryError: there is no such folder, or it cannot be read.
    """
    found = walk(folder)
    if not found.files:
        raise DataError(f"{folder} holds no photos. Name a folder of photos.")
    if found.left_out:
        say(_left_out(folder, found.left_out))
    paths = (file.path for file in found.files)
    return [Picture(path, composed(path.parent.name), composed(path.stem)) for path in paths]


def _left_out(folder: Path, left: Sequence[LeftOut]) -> str:
    return (
        f"left out of {folder}: {len(left)} files or folders, such as {left[0].path} "
        f"({left[0].why})."
    )


def sketched_photo(path: Path) -> str | None:
    """The id of the photo that a sketch was drawn from; None if its name has another form."""
    named = SKETCH_NAME.fullmatch(composed(path.stem))
    return named["photo_id"] if named else None


def without_copies(pictures: Sequence[Picture], others: Sequence[Picture]) -> list[Picture]:
    """The `pictures` whose files are not byte-identical to one of `others`."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in (other.path for other in others):
        if path.exists():
            by_size[path.stat().st_size].append(path)

    def is_copy(path: Path) -> bool:
        return path.exists() and any(
            filecmp.cmp(path, other, shallow=False) for other in by_size[path.stat().st_size]
        )

    return [picture for picture in pictures if not is_copy(picture.path)]


def sketchy_folders(root: Path) -> tuple[Path, Path]:
    """The photo and the sketch folder of the official archive, unpacked at `root`.

    Raises:
        DataError: `root` does not hold `256x256/photo` and `256x256/sketch`.
    """
    base = root / "256x256" if (root / "256x256").is_dir() else root
    photos, sketches = base / "photo" / VARIANT, base / "sketch" / VARIANT
    if not (photos.is_dir() and sketches.is_dir()):
        raise DataError(
            f"{root} does not look like the Sketchy Database: it should hold "
            f"256x256/photo/{VARIANT} and 256x256/sketch/{VARIANT}."
        )
    return photos, sketches


def find_pairs(sketches: Sequence[Picture], photos: Sequence[Picture]) -> NDArray[np.int64]:
    """Pairs of a sketch and the photo that it was drawn from.

    The id of a photo may also be the end of its name: `<anything>_<photo id>`.

    Returns:
        `(n, 2)` rows in `sketches` and in `photos`.
    """
    drawn = {(sketch.label, sketch.photo_id) for sketch in sketches}
    row_of: dict[tuple[str, str], int] = {}
    for row, photo in enumerate(photos):
        for key in ((photo.label, photo_id) for photo_id in possible_ids(photo.photo_id)):
            if key in drawn:
                row_of.setdefault(key, row)
                break
    found = [
        (row, row_of[key])
        for row, sketch in enumerate(sketches)
        if (key := (sketch.label, sketch.photo_id)) in row_of
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def make_split(
    photos: Sequence[Picture], sketches: Sequence[Picture], *, fraction: float, most: int, seed: int
) -> Split:
    """Holds out photo ids, class by class, in an order drawn from the seed.

    A photo `<anything>_<photo id>` of another photo or its sketches is not held out: `Split.train`
    would go on using these.

    Args:
        photos, sketches: of all classes.
        fraction: of the photos of each class, and of the photo ids that only sketches have.
        most: photos of a class.
        seed: another one holds out others.
    """
    ids: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for photo in photos:
        ids[photo.label][0].add(photo.photo_id)
    for sketch in sketches:
        ids[sketch.label][1].add(sketch.photo_id)
    classes_with = Counter(name for known in ids.values() for name in set.union(*known))
    held: set[str] = set()
    for label, (photo_ids, sketched_ids) in ids.items():
        only_sketched, known = sketched_ids - photo_ids, photo_ids | sketched_ids
        own = {i for i in photo_ids if known.isdisjoint(possible_ids(i)[1:])}
        drawn = _draw(own, min(most, round(fraction * len(own))), seed)
        drawn += _draw(only_sketched, round(fraction * len(only_sketched)), seed)
        held.update(name if classes_with[name] == 1 else f"{label}/{name}" for name in drawn)
    return Split(frozenset(held))


def _draw(ids: set[str], count: int, seed: int) -> list[str]:
    return sorted(ids, key=lambda i: hashlib.sha256(f"{seed} {i}".encode()).digest())[:count]
