"""Faults while galleries are built."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import EMBEDDINGS, LAYOUT
from model.errors import GalleryError
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from model.search.search import SketchSearch
from tests.harness.apps import ROOT
from train.__main__ import main


@pytest.mark.parametrize("moment", ["unfinished-version/0.npz", "version-*/embeddings.npy"])
def test_a_killed_index_run_resumes(
    tiny_checkpoint: Checkpoint, tmp_path: Path, moment: str
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(96):
        Image.new("RGB", (40, 40), (number, 255 - number, 7 * number % 256)).save(
            photos / f"{number:03}.png"
        )
    out = tmp_path / "gallery"
    command = ["--checkpoint", str(tiny_checkpoint.folder), "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "train", "index", "--photos", str(photos), *command],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    while not any(out.glob(moment)):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not (out / "current").exists(), "it was killed before it was done"
    done = 32 * len(list(out.glob("unfinished-version/*.npz")))
    assert done >= 32
    built = build_gallery(tiny_checkpoint, photos_in(photos), out)
    assert built.embedded == 96 - done
    assert {path.name.split("-")[0] for path in out.iterdir()} == {"current", "version"}
    fresh = build_gallery(tiny_checkpoint, photos_in(photos), tmp_path / "fresh").checkpoint
    assert built.checkpoint.manifest.photos == fresh.manifest.photos
    for name in (EMBEDDINGS, LAYOUT):
        assert (built.checkpoint.folder / name).read_bytes() == (fresh.folder / name).read_bytes()


def test_an_empty_batch_of_a_power_cut_is_read_again(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "gallery" / "unfinished-version").mkdir(parents=True)
    (tmp_path / "gallery" / "unfinished-version" / "0.npz").touch()
    built = build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "gallery")
    assert built.embedded == 6


def test_a_gallery_can_be_opened_at_any_time_during_a_build(
    tiny_checkpoint: Checkpoint, photo_folder: Path, gallery: Path
) -> None:
    opened: list[str] = []
    errors: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                search = Checkpoint.open(gallery)
                assert (search.folder / "thumbnails" / "0.webp").is_file()
                opened.append(search.folder.name)
            except Exception as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for hue in ("teal", "olive", "gold"):
        Image.new("RGB", (50, 50), hue).save(photo_folder / "new.png")
        build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    done.set()
    reader.join()
    assert errors == []
    assert len(set(opened)) > 1


FULL_DISK = """
import resource, sys
from train.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("size", [100, 800, 2500])
def test_a_full_disk_leaves_the_last_version_unchanged(
    tiny_checkpoint: Checkpoint, photo_folder: Path, gallery: Path, size: int
) -> None:
    """A limit on file sizes stands for a full disk, at thumbnails, at a batch and at the rest."""
    Image.effect_noise((60, 60), 90).save(photo_folder / "new.png")
    pointer = (gallery / "current").read_bytes()
    command = ["index", "--photos", str(photo_folder), "--out", str(gallery)]
    command += ["--checkpoint", str(tiny_checkpoint.folder)]
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(size), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert last.startswith(f"error: {gallery} cannot be written: ")
    assert "Free some space" in last
    assert "Traceback" not in ran.stderr
    assert (gallery / "current").read_bytes() == pointer
    assert len(SketchSearch.load(gallery).photos) == 6
    assert main(command) == 0
    assert len(SketchSearch.load(gallery).photos) == 7


BUILDER = """
import sys, time
from pathlib import Path
from model.checkpoint import versions
with versions.building(Path(sys.argv[1])):
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def builder(gallery: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that builds the same gallery."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(gallery)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_builder_is_refused_while_the_first_runs(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    gallery: Path,
    builder: "subprocess.Popen[str]",
) -> None:
    (photo_folder / "blue_whale" / "0.jpg").unlink()
    with pytest.raises(GalleryError, match="is being built by another process"):
        build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    assert len(SketchSearch.load(gallery).photos) == 6
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    assert len(SketchSearch.load(gallery).photos) == 5
