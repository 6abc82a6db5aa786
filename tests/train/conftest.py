"""Data in the layout of the Sketchy Database, and a full disk."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.checkpoint.checkpoint import Checkpoint
from model.search.search import SketchSearch
from tests.harness.checkpoints import make_checkpoint
from tests.train.fitting import run_fit
from tests.train.own_photos import Index, Indexed
from train.__main__ import main

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
    """Three classes of ten photos, each with three sketches, in the layout of the database."""
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


@pytest.fixture(scope="session")
def run(sketchy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 60 steps that has learned its three classes. Copy it to change it."""
    folder = tmp_path_factory.mktemp("run")
    assert run_fit(sketchy, folder, "--steps", "60") == 0
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """An untrained checkpoint to index with."""
    return make_checkpoint(tmp_path_factory.mktemp("encoder") / "checkpoint")


@pytest.fixture
def index(encoder: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Index:
    """Runs `python -m train index` over folders."""

    def run(*folders: Path, **options: Path) -> Indexed:
        out = tmp_path / "gallery"
        command = ["index", "--checkpoint", encoder.folder, "--out", out, "--photos", *folders]
        for name, value in options.items():
            command += [f"--{name}", value]
        capsys.readouterr()
        code = main([*map(str, command)])
        told = capsys.readouterr()
        search = SketchSearch.load(out) if code == 0 else None
        photos = {p.path: p.label for p in search.photos} if search else {}
        return Indexed(code, told.out if code == 0 else told.err, photos, search)

    return run


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Files cannot grow beyond this many bytes, so that writes fail half way as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
