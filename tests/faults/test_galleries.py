"""Faults while galleries are served."""

import gc
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import MANIFEST
from model.errors import GalleryError
from model.gallery.build import build_gallery
from model.gallery.photos import photos_in
from model.search.search import SketchSearch
from server.application import build_app
from server.galleries import Galleries
from server.metrics import Metrics
from server.query import parse_query
from server.service import SearchService
from tests.harness.apps import ROOT, running_app
from tests.harness.checkpoints import make_checkpoint
from tests.harness.loops import in_a_loop
from tests.harness.pictures import fish

LINE = [{"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}]


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
    """Rebuilds the first gallery and waits until it is reloaded."""
    old = galleries.get_search().version
    build_gallery(checkpoint, photos_in(photos), folder)
    eventually(lambda: galleries.get_search().version != old)


def test_a_rebuilt_gallery_is_reloaded_without_a_restart(
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


def test_photos_of_a_version_that_is_gone_are_refused(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    gallery: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.galleries.CHECK_SECONDS", 0)
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    galleries = Galleries({"zoo": gallery})
    old = galleries.get_search().version
    (photo_folder / "blue_whale" / "0.jpg").unlink()
    rebuild(galleries, tiny_checkpoint, photo_folder, gallery)

    def is_refused() -> bool:
        try:
            galleries.get_search("zoo", old)
        except GalleryError as error:
            return "was rebuilt" in str(error)
        return False

    eventually(is_refused)


def test_a_search_keeps_its_photos_when_the_gallery_is_rebuilt(
    tiny_checkpoint: Checkpoint, photo_folder: Path, gallery: Path, client: TestClient
) -> None:
    """Their numbers change."""
    last = client.get("/map.json").json()["ids"][5]
    searched: dict[str, Any] = {"strokes": [], "photo": last, "k": 1}
    asked = {"strokes": LINE, "photo": last}
    before = client.post("/board/search", json=searched).json()["matches"][0]
    assert (before["id"], before["number"]) == (last, 5)
    (photo_folder / "blue_whale" / "0.jpg").unlink()
    build_gallery(tiny_checkpoint, photos_in(photo_folder), gallery)
    eventually(lambda: client.get("/healthz").json()["photos"] == 5)
    after = client.post("/board/search", json=searched).json()["matches"][0]
    assert (after["id"], after["number"]) == (last, 4)
    assert "photo" in client.post("/board/explain", json=asked).json()
    gone = client.post("/board/search", json={**searched, "photo": "0123"}).json()["error"]
    assert gone == (
        "This photo is no longer in the gallery: 0123. Remove it from the search, or reload the "
        "page."
    )
    unnamed = client.post("/board/explain", json={"strokes": LINE}).json()["error"]
    assert unnamed == "Name the photo to explain by its id."


def test_an_old_version_is_released_although_its_encoder_is_still_used(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a photo encoder, whose weights are in the version's folder."""
    monkeypatch.setattr("server.galleries.CHECK_SECONDS", 0)
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    checkpoint = make_checkpoint(tmp_path / "two networks", own_for_photos=True)
    zoo = tmp_path / "zoo"
    first = build_gallery(checkpoint, photos_in(photo_folder), zoo).checkpoint.folder
    galleries = Galleries({"zoo": zoo})
    encoder = galleries.get_search().encoder
    for number in range(2):
        (photo_folder / "blue_whale" / f"{number}.jpg").unlink()
        rebuild(galleries, checkpoint, photo_folder, zoo)
    assert galleries.get_search().encoder is encoder
    gc.collect()
    build_gallery(checkpoint, photos_in(photo_folder), zoo)
    assert not first.exists()
    photo = galleries.get_search().photos[0].path
    with Image.open(photo) as image:
        assert len(encoder.embed_photos([image])) == 1


def test_batchers_of_unused_encoders_end(
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
        encoders.add(galleries.get_search().encoder)
        assert len(in_a_loop(service.search(query))["matches"]) == 6
    assert len(encoders) == 3
    eventually(lambda: galleries.encoders() == {galleries.get_search().encoder})
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

    def damage() -> list[str]:
        return [said for said in caplog.messages if "is served as it was" in said]

    eventually(lambda: bool(client.get("/healthz").json() and damage()))
    (said,) = damage()
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


def test_a_gallery_in_milvus_is_rebuilt_while_it_is_searched(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "milvus"
    build_gallery(tiny_checkpoint, photos_in(photo_folder), out, "milvus")
    galleries = Galleries({"zoo": out})
    first = galleries.get_search()
    Image.new("RGB", (50, 50), "gold").save(photo_folder / "new.png")
    command = ["--photos", photo_folder, "--checkpoint", tiny_checkpoint.folder, "--out", out]
    subprocess.run(
        [sys.executable, "-m", "train", "index", *map(str, command), "--engine", "milvus"],
        cwd=ROOT,
        check=True,
    )
    eventually(lambda: len(galleries.get_search().photos) == 7)
    assert sorted(match.number for match in first.query(fish())) == list(range(6))
    assert sorted(match.number for match in galleries.get_search().query(fish())) == list(range(7))
    monkeypatch.setattr("server.galleries.KEEP_PREVIOUS_SECONDS", 0)
    folder = first.folder
    assert opened_below(folder)
    del first
    eventually(lambda: bool(galleries.get_search()) and not opened_below(folder))


def opened_below(folder: Path) -> list[str]:
    """The files of a folder that this process has open."""
    opened = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            opened.append(str(descriptor.readlink()))
    return [path for path in opened if path.startswith(str(folder.resolve()))]


@pytest.mark.parametrize("fault", ["deleted", "overwritten"])
def test_a_deleted_gallery_is_served_from_memory(gallery: Path, fault: str) -> None:
    galleries = Galleries({"zoo": gallery})
    client = TestClient(build_app(galleries))
    before = galleries.get_search().query(fish(), 6)
    told = client.get("/map.json").json()
    if fault == "deleted":
        shutil.rmtree(gallery)
    else:
        for path in gallery.rglob("*"):
            # A large index stays in its file, which only a new version replaces.
            if path.is_file():
                path.write_bytes(b"")
    time.sleep(1.2)  # longer than the interval of the checks
    assert galleries.get_search().query(fish(), 6) == before
    time.sleep(0.3)
    assert galleries.get_search().query(fish(), 6) == before
    assert client.get("/map.json").json() == told
    assert client.get("/photos/0").status_code == 200
    small = client.get("/thumbnails/0")
    assert small.status_code == 200
    assert len(small.content) > 100, "it is made of the photo"


def test_a_deleted_photo_still_has_its_thumbnail(client: TestClient, photo_folder: Path) -> None:
    shutil.rmtree(photo_folder)
    assert client.get("/thumbnails/0").status_code == 200
    large = client.get("/photos/0")
    assert large.status_code == 404
    assert large.json() == {"detail": "This photo was deleted, moved or damaged."}


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
        # Both find photos to index; one indexes them while the other waits.
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
