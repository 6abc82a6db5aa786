import shutil
from pathlib import Path

import pytest
from PIL import Image

from train.__main__ import main
from train.reports.inspection import inspect


def test_a_clean_folder_is_counted_and_drawn(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["inspect", "--sketchy", str(sketchy), "--classes", "all", "--out", str(tmp_path)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Nothing is wrong" in said
    for row in (["bat", "10", "30"], ["3", "classes", "30", "90"]):
        assert row in [line.split() for line in said.splitlines()]
    drawn = {p.name for p in tmp_path.glob("*.png")}
    assert drawn == {"photos.png", "sketches.png", "photos_against_sketches.png", "samples.png"}
    for path in tmp_path.glob("*.png"):
        assert len(set(Image.open(path).convert("L").tobytes())) > 10


def test_everything_that_is_wrong_is_named(sketchy: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(sketchy, root)
    photos = root / "256x256" / "photo" / "tx_000000000000"
    sketches = root / "256x256" / "sketch" / "tx_000000000000"
    original = photos / "bat" / "nbat_0.jpg"
    shutil.copy(original, photos / "bat" / "again.jpg")
    shutil.copy(original, photos / "cow" / "liar.jpg")
    (photos / "cow" / "broken.jpg").write_bytes(original.read_bytes()[:200])
    (photos / "cow" / "notes.txt").write_text("no picture")
    (photos / "stray.jpg").write_bytes(original.read_bytes())
    (photos / "eel" / "deeper").mkdir()
    (photos / "dodo").mkdir()
    (photos / "yak").mkdir()
    shutil.copy(original, photos / "yak" / "nyak_0.jpg")
    (sketches / "bat" / "nbat_0-1.png").rename(sketches / "bat" / "drawing.png")
    problems = inspect(root, [], "all", tmp_path / "out").problems
    named = {
        kind.removeprefix("left out, ").split(":")[0]: sorted(
            Path(file.split(":")[0].split(" = ")[0]).name for file in files
        )
        for kind, files in problems.items()
    }
    assert named == {
        "the same picture twice": ["nbat_0.jpg"],
        "the same picture in two classes": ["liar.jpg", "nyak_0.jpg"],
        "broken pictures": ["broken.jpg"],
        "not a known kind of picture": ["notes.txt"],
        "outside of a class folder": ["stray.jpg"],
        "folders inside of a class folder": ["deeper"],
        "class folders without pictures": ["dodo"],
        "classes without sketches": ["yak"],
        "sketches not named <photo id>-<k>": ["drawing.png"],
    }


def test_a_wrong_layout_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--sketchy", str(tmp_path), "--out", str(tmp_path / "o")]) == 1
    assert "does not look like the Sketchy Database" in capsys.readouterr().err
