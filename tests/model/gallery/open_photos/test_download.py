"""Downloads from local services."""

import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.versions import Lock
from model.errors import GalleryError
from model.gallery.open_photos.animals import animals
from model.gallery.open_photos.download import Download
from model.gallery.open_photos.fetch import Fetcher
from model.gallery.open_photos.judge import Judgement
from model.gallery.open_photos.services import services
from model.gallery.open_photos.store import count_open_photos, open_photos
from tests.harness.apps import ROOT
from tests.harness.open_services import RUNNER, World, serving
from train.__main__ import main
from train.commands.download_photos import remove


def likes_all(data: bytes, animal: str) -> Judgement:
    tones = np.frombuffer(data[-64:], np.uint8).astype(np.float32)
    return Judgement("", tones / np.linalg.norm(tones))


def download(folder: Path, fetcher: Fetcher, *names: str, per_class: int = 4) -> Download:
    wanted = [animals()[name] for name in names]
    return Download(folder, wanted, per_class, services(""), fetcher, likes_all)


def credited(folder: Path) -> list[dict[str, str]]:
    with (folder / "credits.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_photo_has_creator_licence_and_page(fetcher: Fetcher, tmp_path: Path) -> None:
    report = download(tmp_path, fetcher, "ant", "cat").run()
    assert report.kept == {"ant": 4, "cat": 4}
    rows = credited(tmp_path)
    assert len(rows) == 8
    assert {row["licence"] for row in rows} == {"CC-BY-4.0", "CC-BY-SA-2.0"}
    for row in rows:
        assert row["creator"] and row["licence_url"].startswith("https://creativecommons.org/")
        assert row["page"].startswith(("https://www.flickr.com/", "https://www.inaturalist.org/"))
        assert (tmp_path / row["file"]).is_file()
    shown = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("[a-z]*/*")}
    assert shown == {row["file"] for row in rows}
    assert "Ann \\<b\\>" in (tmp_path / "CREDITS.md").read_text(encoding="utf-8")
    photos = open_photos(tmp_path)
    assert count_open_photos(tmp_path) == Counter(photo.label for photo in photos)
    assert {photo.label for photo in photos} == {"ant", "cat"}
    assert all(photo.credit and photo.licence and photo.page for photo in photos)


def test_a_licence_that_is_not_open_anywhere_keeps_a_photo_out(
    world: World, fetcher: Fetcher, tmp_path: Path
) -> None:
    assert download(tmp_path, fetcher, "ant").run().left_out["no open licence"] == 4
    numbers = [int(row["id"].split("-")[1]) for row in credited(tmp_path)]
    assert numbers and all(number % 5 != 4 for number in numbers)
    listed = world.observations({"taxon_id": "47336"})
    taken = numbers[0]
    for record in listed["results"]:
        for photo in record["photos"]:
            if photo["id"] == taken:
                photo["license_code"] = "cc-by-nc-nd"
    world.odd["taxon_id=43575"] = [(200, "application/json", json.dumps(listed).encode(), 0.0)]
    download(tmp_path, fetcher, "ant", "ape").run()
    assert f"inaturalist-{taken}" not in {row["id"] for row in credited(tmp_path)}
    assert not list(tmp_path.glob(f"*/inaturalist-{taken}.*"))


def test_a_licence_that_changed_since_the_list_is_seen_at_the_page(
    world: World, fetcher: Fetcher, tmp_path: Path
) -> None:
    other = b'<a rel="license" href="https://creativecommons.org/licenses/by-nc/2.0/">'
    world.odd["www.flickr.com"] = [(200, "text/html", other, 0.0)]
    report = download(tmp_path, fetcher, "cat").run()
    assert report.kept["cat"] == 0
    assert report.left_out["another licence at its page"] == 16


def test_a_removed_photo_stays_removed(fetcher: Fetcher, tmp_path: Path) -> None:
    download(tmp_path, fetcher, "ant").run()
    gone = credited(tmp_path)[0]["id"]
    assert remove(tmp_path, [gone]) == 0
    assert not list(tmp_path.glob(f"**/{gone}.*"))
    assert gone not in {row["id"] for row in credited(tmp_path)}
    download(tmp_path, fetcher, "ant").run()
    assert gone not in {row["id"] for row in credited(tmp_path)}
    assert len(credited(tmp_path)) == 4
    with pytest.raises(GalleryError, match="holds no photo"):
        remove(tmp_path, [gone])


def test_nothing_is_requested_twice(world: World, fetcher: Fetcher, tmp_path: Path) -> None:
    download(tmp_path, fetcher, "ant", "cat").run()
    asked = world.asked.total()
    download(tmp_path, fetcher, "ant", "cat").run()
    assert world.asked.total() == asked


def test_a_service_that_fails_is_reported_and_the_other_continues(
    world: World, fetcher: Fetcher, tmp_path: Path
) -> None:
    world.odd["api.openverse.org"] = [(503, "text/html", b"", 0.0)]
    report = download(tmp_path, fetcher, "ant", "cat").run()
    assert report.kept == {"ant": 4, "cat": 0}
    assert "api.openverse.org" in report.trouble["openverse"]


def test_two_downloads_do_not_share_a_folder(fetcher: Fetcher, tmp_path: Path) -> None:
    lock = Lock(tmp_path, fcntl.LOCK_EX)
    with pytest.raises(GalleryError, match="Another download"):
        download(tmp_path, fetcher, "ant").run()
    lock.release()


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.glob("*/*")
        if not path.parent.name.startswith(".") and not path.name.startswith(".")
    }


def command(tmp_path: Path, port: int, out: Path, per_class: int) -> "subprocess.Popen[str]":
    (tmp_path / "runner.py").write_text(RUNNER)
    arguments = ["train", "download", "photos", "--out", str(out), "--per-class", str(per_class)]
    return subprocess.Popen(
        [sys.executable, str(tmp_path / "runner.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, "ROOT": str(ROOT), "SERVICES": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_photos(out: Path, count: int, process: "subprocess.Popen[str]") -> None:
    while len(files(out)) < count and process.poll() is None:
        time.sleep(0.02)


PER_CLASS = int(os.environ.get("OPEN_PHOTOS_PER_CLASS", "2"))


def test_a_run_that_is_killed_twice_and_has_a_full_disk_ends_with_the_same_photos(
    tmp_path: Path,
) -> None:
    """Downloads photos of all 55 animals. A patched `write_bytes` stands for the full disk."""
    world = World(2 * PER_CLASS + 20)
    with serving(world) as port:
        whole = command(tmp_path, port, tmp_path / "whole", PER_CLASS)
        said, _ = whole.communicate(timeout=900)
        assert whole.returncode == 0, said
        out = tmp_path / "killed"
        for count in (15, 45):
            process = command(tmp_path, port, out, PER_CLASS)
            wait_for_photos(out, count, process)
            assert process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        full = tmp_path / "sitecustomize.py"
        full.write_text(FULL_DISK)
        environment = os.environ.get("PYTHONPATH", "")
        os.environ["PYTHONPATH"] = str(tmp_path)
        process = command(tmp_path, port, out, PER_CLASS)
        os.environ["PYTHONPATH"] = environment
        said, _ = process.communicate(timeout=900)
        assert process.returncode == 1
        assert "No space left on device. Free some space" in said
        assert "Traceback" not in said
        last = command(tmp_path, port, out, PER_CLASS)
        said, _ = last.communicate(timeout=900)
        assert last.returncode == 0, said
    assert files(out) == files(tmp_path / "whole")
    rows = credited(out)
    assert len(rows) == 55 * PER_CLASS == len(files(out))
    assert (out / "credits.csv").read_text() == (tmp_path / "whole" / "credits.csv").read_text()
    for row in rows:
        assert row["creator"] and row["licence"] and row["page"]
        assert int(row["id"].split("-")[-1]) % 5 != 4


FULL_DISK = """
import errno, pathlib
write, written = pathlib.Path.write_bytes, []
def write_bytes(self, data):
    if "open-photos" in str(self) or ".fetched" in str(self):
        written.append(self)
        if len(written) > 30:
            raise OSError(errno.ENOSPC, "No space left on device")
    return write(self, data)
pathlib.Path.write_bytes = write_bytes
"""


def test_animals_that_the_encoder_does_not_know_are_refused_before_any_download(
    tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["download", "photos", "--out", str(tmp_path / "out")]
    tiny = ["--checkpoint", str(tiny_checkpoint.folder)]
    for more, said in (
        ([*tiny, "--classes", "ant,zebra"], "The encoder lacks zebra. Choose among: ant, "),
        (["--classes", "ant,unicorn"], "There are no open photos of unicorn. Choose among: ant, "),
    ):
        assert main([*command, *more]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
