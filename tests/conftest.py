"""Fixtures that all tests share: example sketches, a browser, a small checkpoint, six photos."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect

from model.checkpoint.checkpoint import Checkpoint
from server.environment import OWN_FOLDER
from tests.harness.apps import ROOT
from tests.harness.browser import chromium
from tests.harness.checkpoints import make_checkpoint
from tests.harness.onnx import WrittenOnce
from tests.harness.pictures import draw_photos


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread, also in processes that tests start.

    Its threads wait actively for one another. For networks as small as those of the tests, that
    takes far longer than the work, above all if several test processes share the cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def backbones_written_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Checkpoints with the same backbone share one export, also those of other workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "backbones"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.checkpoints.write_backbone", WrittenOnce(folder))
        yield


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
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads") / OWN_FOLDER))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium. A busy machine may take longer than Playwright's 5 seconds to answer."""
    expect.set_options(timeout=20_000)
    with chromium() as running:
        yield running


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Checkpoint:
    return make_checkpoint(tmp_path / "checkpoint")


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """Six plain photos under two labels."""
    return draw_photos(tmp_path / "photos")
