"""Pictures that the tests draw themselves, and checkpoints small enough to make at once."""

import atexit
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from benchmarks.running import chromium
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import PhotoEncoderInfo
from train.checkpoints import save_checkpoint
from train.networks.siamese import SiameseNetwork

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def examples() -> dict[str, list[dict[str, Any]]]:
    """The example sketches by name, as strokes."""
    loaded = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
    return {example["name"]: example["strokes"] for example in loaded}


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A test that starts the app's log leaves it as it was."""
    log = logging.getLogger("sketchzoo")
    handlers, level, propagate = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.propagate = handlers, propagate
    log.setLevel(level)


@pytest.fixture(autouse=True)
def own_uploads(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a folder of uploads of its own, whatever others leave in theirs."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def make_checkpoint(folder: Path, seed: int = 0, *, own_for_photos: bool = False) -> Checkpoint:
    """An untrained ResNet18 with three classes and embeddings of 8 + 3 numbers, in fp32.

    Photos have a VGG11 of their own where that is asked for.
    """
    shutil.copytree(_made(seed, own_for_photos), folder)
    return Checkpoint.open(folder)


@cache
def _made(seed: int, own_for_photos: bool) -> Path:
    """Made once for all tests of a process, since it takes seconds."""
    place = tempfile.mkdtemp(prefix="sketchzoo-checkpoint-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    torch.manual_seed(seed)
    network, other = SiameseNetwork("resnet18", 8, 3), SiameseNetwork("vgg11", 8, 3)
    other.prototypes.data.copy_(network.prototypes.data)
    return save_checkpoint(
        Path(place),
        network,
        name="tiny",
        backbone="resnet18",
        input_size=32,
        classes=["ant", "bat", "cat"],
        training={},
        metrics={},
        photo_network=other if own_for_photos else None,
        photo_encoder=PhotoEncoderInfo("vgg11", 48) if own_for_photos else None,
    ).folder


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Checkpoint:
    return make_checkpoint(tmp_path / "checkpoint")


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Six plain photos under two labels."""
    folder = tmp_path / "photos"
    for label, hue in (("red_panda", "darkred"), ("blue_whale", "navy")):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            photo = Image.new("RGB", (90, 60), "white")
            draw = ImageDraw.Draw(photo)
            draw.ellipse((10 * number, 10, 60 + 10 * number, 50), fill=hue)
            photo.save(folder / label / f"{number}.jpg")
    return folder
