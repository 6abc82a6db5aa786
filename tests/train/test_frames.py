import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from model.pictures.framing import frame_photo, frame_sketch
from tests.train.conftest import full_disk
from train.data.frames import load_frames
from train.data.pictures import Picture, list_pictures, sketchy_folders
from train.errors import DataError


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def pictures(sketchy: Path, tmp_path: Path) -> list[Picture]:
    """Four sketches and a broken one."""
    listed = list_pictures(sketchy_folders(sketchy)[1], sketches=True)[:4]
    broken = tmp_path / "broken.png"
    broken.write_bytes(listed[0].path.read_bytes()[:100])
    return [*listed[:2], Picture(broken, "bat", "broken"), *listed[2:]]


def expected(picture: Picture) -> np.ndarray:
    return frame_sketch(Image.open(picture.path), 48)


@pytest.fixture(params=["stored", "decoded"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the frames fit on the disk."""
    if request.param == "decoded":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6 - 9000, 9000))
    return str(request.param)


def test_frames_leave_out_a_broken_file_and_name_it(
    pictures: list[Picture], tmp_path: Path, room: str, capfd: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    frames = load_frames(pictures, 48, sketches=True, cache=cache)
    said = "".join(capfd.readouterr())
    assert said.count("left out: ") == 1
    assert str(pictures[2].path) in said
    assert "1 of 5 sketches cannot be read and are left out" in said
    assert ("do not fit" in said) == (room == "decoded")
    assert any(cache.iterdir()) == (room == "stored")
    for again in (frames, load_frames(pictures, 48, sketches=True, cache=cache)):
        readable = [p for p in pictures if p.photo_id != "broken"]
        assert list(again.pictures) == readable
        taken = again.take(np.array([3, 0, 3]))
        for frame, row in zip(taken, [3, 0, 3], strict=True):
            assert np.array_equal(frame, expected(readable[row]))


def test_a_file_that_breaks_in_the_middle_is_named_once_and_replaced_by_one_of_its_class(
    sketchy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6 - 9000, 9000))
    shutil.copytree(sketchy_folders(sketchy)[1], tmp_path / "sketches")
    listed = list_pictures(tmp_path / "sketches", sketches=True)
    last_bat = max(i for i, p in enumerate(listed) if p.label == "bat")
    first_bat = next(i for i, p in enumerate(listed) if p.label == "bat")
    frames = load_frames(listed, 48, sketches=True, cache=tmp_path / "cache")
    for row in (last_bat, first_bat):
        listed[row].path.write_bytes(b"cut short")
    for _ in range(3):
        found = frames.take(np.array([last_bat, last_bat + 1]))
        assert np.array_equal(found[0], expected(listed[first_bat + 1]))
        assert np.array_equal(found[1], expected(listed[last_bat + 1]))
    said = "".join(capfd.readouterr())
    assert said.count("left out: ") == 2
    assert "(2 so far)" in said
    for row in range(first_bat, last_bat + 1):
        listed[row].path.unlink()
    with pytest.raises(DataError, match="No picture of bat can be read any more"):
        frames.take(np.array([first_bat]))


def test_photos_keep_their_colours(sketchy: Path, tmp_path: Path) -> None:
    listed = list_pictures(sketchy_folders(sketchy)[0], sketches=False)[:2]
    frames = load_frames(listed, 40, sketches=False, cache=tmp_path)
    assert np.array_equal(
        frames.take(np.array([1]))[0], frame_photo(Image.open(listed[1].path), 40)
    )


def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    picture = Picture(tmp_path / "broken.png", "bat", "broken")
    with pytest.raises(DataError, match="None of the 1 sketches"):
        load_frames([picture], 48, sketches=True, cache=tmp_path / "cache")


def test_a_disk_that_fills_up_while_frames_are_written_is_an_error(
    pictures: list[Picture], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with full_disk(5000), pytest.raises(OSError, match="too large"):
        load_frames(pictures, 48, sketches=True, cache=cache)
    assert list(cache.iterdir()) == []
    assert len(load_frames(pictures, 48, sketches=True, cache=cache).pictures) == 4


def end_at_once(path: Path, **_: object) -> None:
    """Ends the process, as the system does when the memory is full."""
    os._exit(1)


def test_a_process_that_was_ended_while_it_decoded_is_an_error(
    pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.data.frames.frame_file", end_at_once)
    with pytest.raises(DataError, match="the memory was full"):
        load_frames(pictures, 48, sketches=True, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_link_to_nothing_is_named_and_left_out(
    pictures: list[Picture], tmp_path: Path, room: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    listed = [*pictures, Picture(tmp_path / "gone.png", "bat", "gone")]
    frames = load_frames(listed, 48, sketches=True, cache=tmp_path / "cache")
    assert len(frames.pictures) == 4
    assert "gone.png is not there" in "".join(capfd.readouterr())
