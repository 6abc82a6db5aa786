"""Pictures as the encoder sees them: decoded once into a cache, or each time they are drawn."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.errors import ImageError
from model.images import open_image
from model.preprocess import MARGIN, MIN_LINE, Pixels, frame_photo, frame_sketch
from train import ranks
from train.data import DataError, Picture

Indices = NDArray[np.int64]

SPARE = 0.9
"""Share of the free disk that a cache may take."""


class Frames(Protocol):
    """Framed pictures by row.

    Attributes:
        pictures: what the rows show; pictures that were found unreadable are not among them.
        unreadable: number of pictures that could not be read so far.
    """

    @property
    def pictures(self) -> Sequence[Picture]: ...

    @property
    def unreadable(self) -> int: ...

    def take(self, rows: Indices) -> Pixels:
        """`(n, size, size)` for sketches, `(n, size, size, 3)` for photos."""


def load_frames(pictures: Sequence[Picture], size: int, *, sketches: bool, cache: Path) -> Frames:
    """Frames of all pictures: from the cache, where they fit on its disk, else decoded anew.

    Raises:
        DataError: none of the pictures can be read.
    """
    kind = "sketches" if sketches else "photos"
    shape = (len(pictures), size, size) if sketches else (len(pictures), size, size, 3)
    path = cache / f"{kind}-{size}px-{pictures_key(pictures, MARGIN, MIN_LINE)}.npy"
    decode = partial(frame_file, size=size, sketches=sketches)
    if ranks.rank() == 0 and not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        needed, free = int(np.prod(shape)), shutil.disk_usage(cache).free
        if needed < SPARE * free:
            _store(pictures, path, shape, decode, kind)
        else:
            tqdm.write(
                f"{needed / 1e9:.1f} GB of {kind} do not fit into {cache} ({free / 1e9:.1f} GB "
                "free): they are decoded each time they are drawn, which is slower. --cache "
                "names another folder."
            )
    ranks.wait()
    if path.exists():
        return StoredFrames(pictures, path)
    return DecodedFrames(pictures, decode)


class StoredFrames:
    """Frames in a memory-mapped file, without the rows of pictures that could not be read."""

    def __init__(self, pictures: Sequence[Picture], path: Path) -> None:
        broken = set(json.loads(path.with_suffix(".json").read_text()))
        self._rows = np.array([i for i in range(len(pictures)) if i not in broken])
        self._frames: Pixels = np.load(path, mmap_mode="r")
        self.pictures: Sequence[Picture] = [pictures[i] for i in self._rows]
        self.unreadable = len(broken)

    def take(self, rows: Indices) -> Pixels:
        """The frames of these rows."""
        taken: Pixels = self._frames[self._rows[rows]]
        return taken


class DecodedFrames:
    """Frames decoded in threads each time.

    A picture that cannot be read is named once, and the next readable one in the list, as a rule
    of the same class, takes its place from then on.
    """

    def __init__(self, pictures: Sequence[Picture], decode: "partial[Pixels]") -> None:
        self.pictures = pictures
        self._decode = decode
        self._instead = np.arange(len(pictures))
        self._pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))

    @property
    def unreadable(self) -> int:
        """Number of pictures that could not be read so far."""
        return int((self._instead != np.arange(len(self.pictures))).sum())

    def take(self, rows: Indices) -> Pixels:
        """The frames of these rows."""
        return np.stack(list(self._pool.map(self._frame, rows)))

    def _frame(self, row: int) -> Pixels:
        for _ in range(len(self.pictures)):
            row = int(self._instead[row])
            try:
                return self._decode(self.pictures[row].path)
            except ImageError as error:
                tqdm.write(f"left out: {self.pictures[row].path}: {error}")
                self._instead[row] = (row + 1) % len(self.pictures)
        raise DataError("None of the pictures can be read.")


def _store(
    pictures: Sequence[Picture],
    path: Path,
    shape: tuple[int, ...],
    decode: "partial[Pixels]",
    kind: str,
) -> None:
    """Writes the frames, and beside them the rows of broken pictures; the frames come last."""
    unfinished = path.with_suffix(".tmp")
    frames = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
    broken = []
    with ProcessPoolExecutor() as pool:
        decoded = pool.map(
            partial(_decode_or_say, decode), [p.path for p in pictures], chunksize=64
        )
        for row, frame in enumerate(tqdm(decoded, f"decoding {kind}", len(pictures), unit="")):
            if isinstance(frame, str):
                tqdm.write(f"left out: {pictures[row].path}: {frame}")
                broken.append(row)
            else:
                frames[row] = frame
    if len(broken) == len(pictures):
        unfinished.unlink()
        raise DataError("None of the pictures can be read.")
    if broken:
        tqdm.write(f"{len(broken)} of {len(pictures)} {kind} cannot be read and are left out.")
    frames.flush()
    path.with_suffix(".json").write_text(json.dumps(broken))
    unfinished.replace(path)


def frame_file(path: Path, *, size: int, sketches: bool) -> Pixels:
    """The frame of one picture file.

    Raises:
        ImageError: it cannot be read.
    """
    image = open_image(path)
    return frame_sketch(image, size, allow_empty=True) if sketches else frame_photo(image, size)


def _decode_or_say(decode: "partial[Pixels]", path: Path) -> Pixels | str:
    try:
        return decode(path)
    except ImageError as error:
        return str(error)


def pictures_key(pictures: Sequence[Picture], *more: object) -> str:
    """A short digest that changes with the pictures, their files, their order, or `more`."""
    key = hashlib.sha256(repr(more).encode())
    for picture in pictures:
        status = picture.path.stat()
        key.update(f"{picture.path.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return key.hexdigest()[:16]
