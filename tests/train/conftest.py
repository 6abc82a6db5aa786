import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

SHAPES = ("bat", "cow", "eel")


def draw(draw_on: ImageDraw.ImageDraw, label: str, shift: int, **style: Any) -> None:
    box = (50 + shift, 60 + shift, 180 + shift, 190 + shift)
    if label == "bat":
        draw_on.ellipse(box, **style)
    elif label == "cow":
        draw_on.rectangle(box, **style)
    else:
        draw_on.polygon([(50 + shift, 190), (115 + shift, 60), (190 + shift, 190)], **style)


@pytest.fixture(scope="session")
def sketchy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of ten drawn photos and three sketches of each, in Sketchy's layout."""
    root = tmp_path_factory.mktemp("sketchy")
    random = np.random.default_rng(0)
    for label in SHAPES:
        photos = root / "256x256" / "photo" / "tx_000000000000" / label
        sketches = root / "256x256" / "sketch" / "tx_000000000000" / label
        photos.mkdir(parents=True)
        sketches.mkdir(parents=True)
        for number in range(10):
            name = f"n{label}_{number}"
            photo = Image.fromarray(random.integers(120, 200, (256, 256, 3), dtype=np.uint8))
            draw(ImageDraw.Draw(photo), label, int(random.integers(-30, 30)), fill="darkgreen")
            photo.save(photos / f"{name}.jpg")
            for k in range(1, 4):
                sketch = Image.new("L", (256, 256), 255)
                shift = 2 * (3 * number + k) - 32
                draw(ImageDraw.Draw(sketch), label, shift, outline=0, width=3)
                sketch.save(sketches / f"{name}-{k}.png")
    return root


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """A limit of so many bytes on the size of files stands for the disk: writes fail half way."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
