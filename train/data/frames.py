"""Pictures as the encoder sees them: decoded once into a cache, or each time they are used."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.errors import ImageError
from model.pictures.decoding import OWN, open_image
from model.pictures.framing import MARGIN, MIN_LINE, Pixels, frame_photo, frame_sketch
from train import distributed
from train.console import say
from train.data.cache import making
from train.data.pictures import Picture
from train.errors import DataError

Indices = NDArray[np.int64]

FORMAT = 3
"""Must change when the contents of cached frames change."""

DISK_SHARE = 0.9
"""Share of the free disk that frames may fill."""

CHUNK = 64
"""Pictures that a decoding process takes at once."""


class Frames(Protocol):
    """Frames by row: pictures that are decoded, cropped and scaled as the encoder sees them."""

    @property
    def pictures(self) -> Sequence[Picture]:
        """The pictures of the rows, without those that cannot be read."""

    def take(self, rows: Indices) -> Pixels:
        """`(n, size, size)` for sketches, `(n, size, size, 3)` for photos."""


def load_frames(pictures: Sequence[Picture], size: int, *, sketches: bool, cache: Path) -> Frames:
    """Frames of pictures, in the cache if they fit on its disk, else decoded when they are used.

    Unless they are in the cache already, rank 0 decodes all pictures once. It names those that
    cannot be read, and leaves them out.

    Args:
        pictures: all of them sketches or all of them photos.
        size: side of the frames in pixels.
        sketches: whether they are sketches.
        cache: its folder.

    Raises:
        DataError: none of the pictures can be read, or `cache` is not shared by all hosts.
    """
    kind = "sketches" if sketches else "photos"
    shape = (len(pictures), size, size) if sketches else (len(pictures), size, size, 3)
    key = pictures_key(pictures, FORMAT, MARGIN, MIN_LINE)
    path = cache / f"{kind}-{size}px-{key}.npy"
    decode = partial(frame_file, size=size, sketches=sketches)
    broken: list[int] = []
    if distributed.rank() == 0:
        cache.mkdir(parents=True, exist_ok=True)
        needed, free = int(np.prod(shape)), shutil.disk_usage(cache).free
        if path.exists() or needed < DISK_SHARE * free:
            with making(path):
                if not path.exists():
                    _store(pictures, path, shape, decode, kind)
                broken = json.loads(path.with_suffix(".json").read_text())
        else:
            say(
                f"{needed / 1e9:.1f} GB of {kind} do not fit into {cache} ({free / 1e9:.1f} GB "
                "free): they are decoded each time they are used, which is slower. Name another "
                "folder with --cache."
            )
            decoded = _decode_all(pictures, decode, kind)
            broken = [row for row, frame in decoded if frame is None]
        if len(broken) == len(pictures):
            raise DataError(f"None of the {len(pictures)} {kind} can be read.")
    stored, broken = distributed.from_first((path.exists(), broken))
    if not stored:
        return DecodedFrames([p for i, p in enumerate(pictures) if i not in set(broken)], decode)
    if not path.exists():
        raise DataError(f"{path} is on another host only. --cache must be a shared folder.")
    return StoredFrames(pictures, path, broken)


class StoredFrames:
    """Frames in a memory-mapped file, without those of pictures that could not be read."""

    def __init__(self, pictures: Sequence[Picture], path: Path, broken: Sequence[int]) -> None:
        self._rows = np.setdiff1d(np.arange(len(pictures)), broken)
        self._frames: Pixels = np.load(path, mmap_mode="r")
        self.pictures: Sequence[Picture] = [pictures[i] for i in self._rows]

    def take(self, rows: Indices) -> Pixels:
        """The frames of these rows."""
        taken: Pixels = self._frames[self._rows[rows]]
        return taken


class DecodedFrames:
    """Frames that are decoded in threads each time they are used.

    If a picture can no longer be read, it is named once, and another one of its class replaces it.
    """

    def __init__(self, pictures: Sequence[Picture], decode: "partial[Pixels]") -> None:
        self.pictures = pictures
        self._decode = decode
        self._broken: set[int] = set()
        self._pool = ThreadPoolExecutor()

    def take(self, rows: Indices) -> Pixels:
        """The frames of these rows."""
        return np.stack(list(self._pool.map(self._frame, rows)))

    def _frame(self, row: int) -> Pixels:
        label = self.pictures[row].label
        for place in range(row, row + len(self.pictures)):
            candidate = place % len(self.pictures)
            if candidate in self._broken or self.pictures[candidate].label != label:
                continue
            try:
                return self._decode(self.pictures[candidate].path)
            except ImageError as error:
                self._broken.add(candidate)
                path = self.pictures[candidate].path
                tqdm.write(f"left out: {path}: {error} ({len(self._broken)} so far)")
        raise DataError(f"No picture of {label} can be read any more.")


def _store(
    pictures: Sequence[Picture],
    path: Path,
    shape: tuple[int, ...],
    decode: "partial[Pixels]",
    kind: str,
) -> None:
    """Decodes pictures into the cache file.

    The row numbers of broken pictures are in a `.json` file beside it, which is complete before the
    cache file gets its name.
    """
    unfinished = path.with_name(f".{path.name}.tmp")  # the lock is ours, so no other run writes it
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    nothing = np.zeros(shape[1:], np.uint8)
    broken = []
    try:
        # Not by a memory map: a full disk would end the process instead of raising an error.
        with unfinished.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for row, frame in _decode_all(pictures, decode, kind):
                if frame is None:
                    broken.append(row)
                file.write((nothing if frame is None else frame).tobytes())
        path.with_suffix(".json").write_text(json.dumps(broken))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _decode_all(
    pictures: Sequence[Picture], decode: "partial[Pixels]", kind: str
) -> Iterator[tuple[int, Pixels | None]]:
    """Row and frame of each picture; the frame is None if the picture cannot be read."""
    broken = 0
    with ProcessPoolExecutor(initializer=_end_with_parent) as pool:
        decoded = pool.map(
            partial(_decode_or_say, decode), [p.path for p in pictures], chunksize=CHUNK
        )
        try:
            for row, frame in enumerate(tqdm(decoded, f"decoding {kind}", len(pictures), unit="")):
                if isinstance(frame, str):
                    broken += 1
                    say(f"left out: {pictures[row].path}: {frame}")
                    yield row, None
                else:
                    yield row, frame
        except BrokenProcessPool as error:
            raise DataError(
                f"A process that decoded {kind} was ended, probably because the memory was full. "
                "Use a smaller --input-size, or close other programs."
            ) from error
    if broken:
        say(f"{broken} of {len(pictures)} {kind} cannot be read and are left out.")


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, even if it was killed.

    Otherwise the process would wait for work for good. It would also keep the locks of the cache,
    since a forked process has the same open files.
    """

    def watch() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def frame_file(path: Path, *, size: int, sketches: bool) -> Pixels:
    """The frame of one picture file.

    Raises:
        ImageError: it cannot be read.
    """
    image = open_image(path, limits=OWN)
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
        try:
            status = picture.path.stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:  # the file is named when it is decoded
            state = "0 0"
        key.update(os.fsencode(f"{picture.path.resolve()} {state}"))
    return key.hexdigest()[:16]
