"""The process that downloads photos while the app runs."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.errors import GalleryError
from model.gallery.open_photos import __main__ as program
from model.gallery.open_photos.animals import Animal


def test_only_animals_that_the_checkpoint_knows_are_downloaded(
    tiny_checkpoint: Checkpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []

    def download(_: Path, animals: Sequence[Animal], *__: object) -> None:
        asked.extend(animal.name for animal in animals)
        raise GalleryError("the disk is full")

    options = ["--folder=x", "--starter=x", "--gallery=x", "--per-class=40"]
    monkeypatch.setattr("sys.argv", ["", *options, f"--checkpoint={tiny_checkpoint.folder}"])
    monkeypatch.setattr("os.nice", lambda _: 0)
    monkeypatch.setattr(program, "_GrowingGallery", lambda *_: SimpleNamespace(grow=None))
    monkeypatch.setattr(program, "Download", download)
    assert program.main() == 1
    assert asked == ["ant", "bat", "cat"]
    assert capsys.readouterr().err == "open photos: the disk is full\n"
