"""The app with six photos."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from model.checkpoint.checkpoint import Checkpoint
from server.application import build_app
from server.startup import open_galleries


@pytest.fixture
def client(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> TestClient:
    galleries = open_galleries(tiny_checkpoint.folder, photo_folder, tmp_path / "galleries")
    return TestClient(build_app(galleries))
