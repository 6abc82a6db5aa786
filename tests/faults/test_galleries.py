"""What may happen to galleries while they are built and served."""

import gc
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from benchmarks.running import ROOT, running_app
from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.manifest import EMBEDDINGS, LAYOUT, MANIFEST
from model.errors import GalleryError
from model.gallery.build import build_gallery, photos_in
from model.search.search import SketchSearch
from server.application import build_app
from server.galleries import Galleries
from server.metrics import Metrics
from server.query import parse_query
from server.service import SearchService
from tests.conftest import make_checkpoint
from tests.drawings import fish
from tests.loops import in_a_loop
from train.__main__ import main


@pytest.fixture
def gallery(tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path) -> Path:
    build_gallery(tiny_checkpoint, photos_in(photo_folder), tmp_path / "zoo")
    return tmp_path / "zoo"


@pytest.fixture
def client(gallery: Path) -> TestClient:
    """The app that serves the gallery."""
    return TestClient(build_app(Galleries({"zoo": gallery})))


def eventually(happens: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


def rebuild(galleries: Galleries, checkpoint: Checkpoint, photos: Path, folder: Path) -> None:
    """Builds the first gallery anew, and waits until it is searched."""
    old = galleries.search().version
    build_gallery(checkpoint, photos_in(photos), folder)
    eventually(lambda: galleries.search().version != old)


@pytest.mark.parametrize("moment", ["unfinished-version/0.npz", "version-*/embeddings.npy"])
def test_an_index_run_that_was_killed_goes_on_where_it_was(
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


def test_a_gallery_can_be_opened_at_every_moment_of_its_builds(
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


def test_a_gallery_that_was_built_anew_is_taken_over_without_a_restart(
    tiny_checkpoint: Checkpoint, photo_folder: Path, gallery: Path, client: TestClient
) -> None:
    old = client.get("/map.json").json()["version"]
    thumbnail = client.get(f"/thumbnails/3?v={old}").content
    (photo_folder / "blue_whale" / "0.jpg").unlink()
    build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    eventually(lambda: client.get("/healthz").json()["photos"] == 5)
    new = client.get("/map.json").json()["version"]
    assert new != old
    assert client.get(f"/thumbnails/3?v={old}").content == thumbnail, "pages still show the old one"
    assert client.get(f"/thumbnails/2?v={new}").content == thumbnail


def test_photos_of_a_version_that_is_gone_are_never_taken_for_others(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    gallery: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.galleries.CHECK_SECONDS", 0)
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    galleries = Galleries({"zoo": gallery})
    old = galleries.search().version
    (photo_folder / "blue_whale" / "0.jpg").unlink()
    rebuild(galleries, tiny_checkpoint, photo_folder, gallery)
    with pytest.raises(GalleryError, match="has changed since"):
        galleries.search("zoo", old)


def test_an_old_version_is_let_go_though_its_encoder_is_still_used(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an encoder of its own for photos, whose weights lie in the version."""
    monkeypatch.setattr("server.galleries.CHECK_SECONDS", 0)
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    checkpoint = make_checkpoint(tmp_path / "two networks", own_for_photos=True)
    zoo = tmp_path / "zoo"
    first = build_gallery(checkpoint, photos_in(photo_folder), zoo).checkpoint.folder
    galleries = Galleries({"zoo": zoo})
    encoder = galleries.search().encoder
    for number in range(2):
        (photo_folder / "blue_whale" / f"{number}.jpg").unlink()
        rebuild(galleries, checkpoint, photo_folder, zoo)
    assert galleries.search().encoder is encoder
    gc.collect()
    build_gallery(checkpoint, photos_in(photo_folder), zoo)
    assert not first.exists()
    photo = galleries.search().photos[0].path
    with Image.open(photo) as image:
        assert len(encoder.embed_photos([image])) == 1


def test_batchers_of_encoders_that_are_gone_end(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    gallery: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.galleries.CHECK_SECONDS", 0)
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    galleries = Galleries({"zoo": gallery})
    service = SearchService(galleries, Metrics())
    query = parse_query({"strokes": [{"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}]})
    encoders = set()
    before = threading.active_count()
    for seed in (1, 2, 3):
        other = make_checkpoint(tmp_path / f"other {seed}", seed)
        rebuild(galleries, other, photo_folder, gallery)
        encoders.add(galleries.search().encoder)
        assert len(in_a_loop(service.search(query))["matches"]) == 6
    assert len(encoders) == 3
    eventually(lambda: galleries.encoders() == {galleries.search().encoder})
    assert len(in_a_loop(service.search(query))["matches"]) == 6
    eventually(lambda: threading.active_count() <= before)
    service.close()


def test_a_damaged_new_version_is_refused_and_the_old_one_stays(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    gallery: Path,
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damaged = gallery / "version-damaged"
    shutil.copytree(SketchSearch.load(gallery).folder, damaged)
    (damaged / MANIFEST).write_text((damaged / MANIFEST).read_text()[:1000])
    versions.publish(damaged)
    eventually(lambda: bool(client.get("/healthz").json() and caplog.messages))
    (said,) = caplog.messages
    assert "is served as it was" in said
    assert "manifest.json is damaged" in said
    assert client.get("/healthz").json()["photos"] == 6
    Image.new("RGB", (50, 50), "gold").save(photo_folder / "new.png")
    build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    eventually(lambda: client.get("/healthz").json()["photos"] == 7)


def test_a_new_version_that_could_not_be_opened_is_tried_again(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    gallery: Path,
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.new("RGB", (50, 50), "gold").save(photo_folder / "new.png")
    build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    opened, tries = SketchSearch.of, []

    def flaky(*given: Any) -> SketchSearch:
        tries.append(given)
        if len(tries) < 3:
            raise OSError(24, "Too many open files")
        return opened(*given)

    monkeypatch.setattr("server.galleries.RETRY_SECONDS", 0.1)
    monkeypatch.setattr(SketchSearch, "of", flaky)
    eventually(lambda: client.get("/healthz").json()["photos"] == 7)
    assert len(tries) == 3


def test_a_gallery_in_milvus_is_built_anew_while_it_is_searched(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "milvus"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), out, "milvus")
    galleries = Galleries({"zoo": out})
    first = galleries.search()
    Image.new("RGB", (50, 50), "gold").save(photo_folder / "new.png")
    command = ["--photos", photo_folder, "--checkpoint", tiny_checkpoint.folder, "--out", out]
    subprocess.run(
        [sys.executable, "-m", "train", "index", *map(str, command), "--engine", "milvus"],
        cwd=ROOT,
        check=True,
    )
    eventually(lambda: len(galleries.search().photos) == 7)
    assert sorted(match.number for match in first.query(fish())) == list(range(6))
    assert sorted(match.number for match in galleries.search().query(fish())) == list(range(7))
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    folder = first.folder
    assert opened_below(folder)
    del first
    eventually(lambda: bool(galleries.search()) and not opened_below(folder))


def opened_below(folder: Path) -> list[str]:
    """What this process has opened in a folder."""
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            opened.append(str(descriptor.readlink()))
    return [path for path in opened if path.startswith(str(folder.resolve()))]


@pytest.mark.parametrize("fault", ["deleted", "overwritten"])
def test_a_gallery_that_is_gone_is_served_from_what_is_loaded(gallery: Path, fault: str) -> None:
    galleries = Galleries({"zoo": gallery})
    client = TestClient(build_app(galleries))
    before = galleries.search().query(fish(), 6)
    told = client.get("/map.json").json()
    if fault == "deleted":
        shutil.rmtree(gallery)
    else:
        for path in gallery.rglob("*"):
            # The index of a large gallery stays in its file, which only a new version replaces.
            if path.is_file():
                path.write_bytes(b"")
    time.sleep(1.2)  # longer than it is taken for unchanged
    assert galleries.search().query(fish(), 6) == before
    time.sleep(0.3)
    assert galleries.search().query(fish(), 6) == before
    assert client.get("/map.json").json() == told
    assert client.get("/photos/0").status_code == 200
    small = client.get("/thumbnails/0")
    assert small.status_code == 200
    assert len(small.content) > 100, "it is made of the photo"


def test_a_photo_that_was_deleted_is_shown_small(client: TestClient, photo_folder: Path) -> None:
    shutil.rmtree(photo_folder)
    assert client.get("/thumbnails/0").status_code == 200
    large = client.get("/photos/0")
    assert large.status_code == 404
    assert large.json() == {"detail": "This photo was deleted, moved or damaged."}


FULL_DISK = """
import resource, sys
from train.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("size", [100, 800, 2500])
def test_a_full_disk_leaves_the_last_version_as_it_was(
    tiny_checkpoint: Checkpoint, photo_folder: Path, gallery: Path, size: int
) -> None:
    """A limit on the size of files stands for the disk: of thumbnails, of a batch, of the rest."""
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


def test_a_second_builder_is_refused_until_the_first_has_ended_in_whatever_way(
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


def test_two_servers_share_a_gallery_folder(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    command: list[str | Path] = [
        "app.py",
        "--photos",
        photo_folder,
        "--checkpoint",
        tiny_checkpoint.folder,
    ]
    command += ["--galleries", tmp_path / "galleries"]

    def photos(address: str) -> int:
        with urllib.request.urlopen(f"{address}/healthz") as answer:
            count: int = json.load(answer)["photos"]
            return count

    with ExitStack() as servers:
        # Both find that the photos have to be indexed; one does it and the other waits.
        starting = [running_app(*command), running_app(*command)]
        addresses: list[str] = []

        def start(server: int) -> None:
            addresses.append(servers.enter_context(starting[server]))

        threads = [threading.Thread(target=start, args=(server,)) for server in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [photos(address) for address in addresses] == [6, 6]
        (folder,) = (tmp_path / "galleries").iterdir()
        (photo_folder / "blue_whale" / "0.jpg").unlink()
        build_gallery(tiny_checkpoint, photos_in(photo_folder), folder)
        eventually(lambda: [photos(address) for address in addresses] == [5, 5])
