"""A gallery of six photos."""

from pathlib import Path

import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in


@pytest.fixture
def gallery(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> Path:
    build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "zoo")
    return tmp_path / "zoo"
