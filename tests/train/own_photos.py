"""Photos that tests draw, and what `python -m train index` makes of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from model.search.search import SketchSearch


class Indexed(NamedTuple):
    """The result of `index`: exit code, what it printed, and labels by path of the photo."""

    code: int
    said: str
    photos: dict[str, str]
    search: SketchSearch | None


Index = Callable[..., Indexed]


def photo(seed: int, size: tuple[int, int] = (48, 36)) -> Image.Image:
    """A picture that differs from those of other seeds."""
    tones = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), np.uint8)
    return Image.fromarray(tones).resize(size, Image.Resampling.BICUBIC)


def save(path: Path, seed: int, kind: str | None = None, **options: Any) -> Path:
    """Saves `photo(seed)`, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(seed).save(path, kind, **options)
    return path


@contextmanager
def ordinary_user(*readable: Path) -> Iterator[None]:
    """Root may read everything, so permissions are tested as another user."""
    me = os.geteuid()
    for place in readable:
        for folder in (place, *place.parents[:3]):
            folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(me or 65534)
    try:
        yield
    finally:
        os.seteuid(me)
