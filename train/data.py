"""Which pictures there are, which of them are held out, and their frames in a cache."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.errors import ImageError, SketchZooError
from model.images import ENDINGS, open_image
from model.preprocess import MARGIN, MIN_LINE, Pixels, frame_photo, frame_sketch

VARIANT = "tx_000000000000"
"""The variant of the Sketchy Database that keeps sketches placed as they were drawn."""


class DataError(SketchZooError):
    """A data folder lacks what training needs."""


@dataclass(frozen=True)
class Picture:
    """One file; `photo_id` names the photo that it is, or that it was drawn from."""

    path: Path
    label: str
    photo_id: str


@dataclass(frozen=True)
class Split:
    """Held-out photo ids: neither such a photo nor a sketch of it is ever trained on."""

    validation_ids: frozenset[str]

    def train(self, pictures: Sequence[Picture]) -> list[Picture]:
        return [p for p in pictures if p.photo_id not in self.validation_ids]

    def validation(self, pictures: Sequence[Picture]) -> list[Picture]:
        return [p for p in pictures if p.photo_id in self.validation_ids]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"validation_ids": sorted(self.validation_ids)}, indent=0))

    @classmethod
    def load(cls, path: Path) -> "Split":
        try:
            return cls(frozenset(json.loads(path.read_text())["validation_ids"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is not a split written by 'python -m train fit'. Name the split.json "
                "of a run or of a checkpoint."
            ) from error


def list_pictures(folder: Path, *, sketches: bool) -> list[Picture]:
    """Every picture below `folder`, which holds one folder a class, in a fixed order.

    A sketch `<photo id>-<k>.png` belongs to the photo `<photo id>`, as in the Sketchy Database.

    Raises:
        DataError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder. It should hold one folder of pictures a class.")
    pictures = []
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in ENDINGS:
            photo_id = path.stem.rpartition("-")[0] if sketches else path.stem
            pictures.append(Picture(path, path.parent.name, photo_id))
    if not pictures:
        raise DataError(f"{folder} holds no pictures in folders of one class each.")
    return pictures


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


def make_split(
    photos: Sequence[Picture], sketches: Sequence[Picture], *, fraction: float, most: int, seed: int
) -> Split:
    """Holds out photo ids, class by class, in an order drawn from the seed.

    In each class `fraction` of the photos, but at most `most`, and `fraction` of the photo ids
    that are known by sketches alone.
    """
    ids: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for photo in photos:
        ids[photo.label][0].add(photo.photo_id)
    for sketch in sketches:
        ids[sketch.label][1].add(sketch.photo_id)
    held: set[str] = set()
    for of_photos, of_sketches in ids.values():
        only_sketched = of_sketches - of_photos
        held.update(_draw(of_photos, min(most, round(fraction * len(of_photos))), seed))
        held.update(_draw(only_sketched, round(fraction * len(only_sketched)), seed))
    return Split(frozenset(held))


def _draw(ids: set[str], count: int, seed: int) -> list[str]:
    return sorted(ids, key=lambda i: hashlib.sha256(f"{seed} {i}".encode()).digest())[:count]


def pictures_key(pictures: Sequence[Picture], *more: object) -> str:
    """A short digest that changes with the pictures, their files, their order, or `more`."""
    key = hashlib.sha256(repr(more).encode())
    for picture in pictures:
        status = picture.path.stat()
        key.update(f"{picture.path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return key.hexdigest()[:16]


def cached_frames(pictures: Sequence[Picture], size: int, *, sketches: bool, cache: Path) -> Pixels:
    """Frames of all pictures as one memory-mapped array, decoded once and kept in `cache`.

    A picture that cannot be read is named and becomes an even grey frame.

    Returns:
        `(n, size, size)` for sketches, `(n, size, size, 3)` for photos.
    """
    kind = "sketches" if sketches else "photos"
    key = pictures_key(pictures, MARGIN, MIN_LINE)
    path = cache / f"{kind}-{size}px-{key}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        shape = (len(pictures), size, size) if sketches else (len(pictures), size, size, 3)
        unfinished = path.with_suffix(".tmp")
        frames = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
        decode = partial(_decode, size=size, sketches=sketches)
        with ProcessPoolExecutor() as pool:
            decoded = pool.map(decode, [p.path for p in pictures], chunksize=64)
            progress = tqdm(decoded, f"decoding {kind}", len(pictures), unit="")
            for row, frame in enumerate(progress):
                frames[row] = frame
        frames.flush()
        unfinished.replace(path)
    loaded: Pixels = np.load(path, mmap_mode="r")
    return loaded


def _decode(path: Path, *, size: int, sketches: bool) -> Pixels:
    try:
        image = open_image(path)
        return frame_sketch(image, size, allow_empty=True) if sketches else frame_photo(image, size)
    except ImageError as error:
        tqdm.write(f"left out: {path}: {error}")
        return np.full((size, size) if sketches else (size, size, 3), 128, np.uint8)
