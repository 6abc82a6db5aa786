import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from model.preprocess import frame_photo, frame_sketch
from train.data import DataError, Picture, list_pictures, sketchy_folders
from train.frames import load_frames


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def pictures(sketchy: Path, tmp_path: Path) -> list[Picture]:
    """Four sketches with a broken one between them."""
    listed = list_pictures(sketchy_folders(sketchy)[1], sketches=True)[:4]
    broken = tmp_path / "broken.png"
    broken.write_bytes(listed[0].path.read_bytes()[:100])
    return [*listed[:2], Picture(broken, "bat", "broken"), *listed[2:]]


def expected(picture: Picture) -> np.ndarray:
    return frame_sketch(Image.open(picture.path), 48)


def test_stored_frames_leave_out_a_broken_file_and_name_it(
    pictures: list[Picture], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        frames = load_frames(pictures, 48, sketches=True, cache=tmp_path / "cache")
        assert [p.photo_id for p in frames.pictures] == [
            p.photo_id for p in pictures if p.photo_id != "broken"
        ]
        assert frames.unreadable == 1
        taken = frames.take(np.array([3, 0, 3]))
        for frame, picture in zip(taken, [pictures[4], pictures[0], pictures[4]], strict=True):
            assert np.array_equal(frame, expected(picture))
    said = "".join(capfd.readouterr())
    assert said.count("left out: ") == 1
    assert "1 of 5 sketches cannot be read and are left out" in said


def test_frames_that_do_not_fit_are_decoded_and_a_broken_file_is_named_once(
    pictures: list[Picture],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6 - 9000, 9000))
    frames = load_frames(pictures, 48, sketches=True, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    for _ in range(3):
        taken = frames.take(np.array([4, 2, 0]))
        for frame, row in zip(taken, [4, 3, 0], strict=True):
            assert np.array_equal(frame, expected(pictures[row]))
    assert frames.unreadable == 1
    said = "".join(capfd.readouterr())
    assert said.count("left out: ") == 1
    assert str(pictures[2].path) in said
    assert "do not fit" in said


def test_photos_keep_their_colours(sketchy: Path, tmp_path: Path) -> None:
    listed = list_pictures(sketchy_folders(sketchy)[0], sketches=False)[:2]
    frames = load_frames(listed, 40, sketches=False, cache=tmp_path)
    assert np.array_equal(
        frames.take(np.array([1]))[0], frame_photo(Image.open(listed[1].path), 40)
    )


def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    picture = Picture(tmp_path / "broken.png", "bat", "broken")
    with pytest.raises(DataError, match="None of the pictures"):
        load_frames([picture], 48, sketches=True, cache=tmp_path / "cache")
