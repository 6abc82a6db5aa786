"""Open photos: licences, what each service's answers mean, and downloads from local services."""

import csv
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint.versions import Lock
from model.errors import GalleryError
from model.gallery.open_photos import fetch
from model.gallery.open_photos.animals import animals
from model.gallery.open_photos.download import Download
from model.gallery.open_photos.fetch import Fetcher, GoneError, ServiceError
from model.gallery.open_photos.judge import Judgement, most_different
from model.gallery.open_photos.licences import named_in_page, open_licence
from model.gallery.open_photos.services import Commons, INaturalist, Openverse, services
from model.gallery.open_photos.store import open_photos
from tests.harness.apps import ROOT
from tests.harness.open_services import RUNNER, ToLocal, World, serving
from train.data.classes import ANIMALS
from train.data.open_photos import remove

HOSTS = {host: 0.0 for each in (*services("me").values(),) for host in each.hosts}


@pytest.mark.parametrize(
    ("code", "version", "spdx"),
    [
        ("cc0", "", "CC0-1.0"),
        ("pdm", "1.0", "CC-PDM-1.0"),
        ("pd", "", "CC-PDM-1.0"),
        ("cc-by", "4.0", "CC-BY-4.0"),
        ("by-sa", "2.0", "CC-BY-SA-2.0"),
        ("cc-by-sa-3.0-de", "", "CC-BY-SA-3.0-DE"),
    ],
)
def test_open_licences_are_told_by_their_spdx_id(code: str, version: str, spdx: str) -> None:
    licence = open_licence(code, version)
    assert licence is not None and licence.spdx == spdx


@pytest.mark.parametrize(
    "code",
    ["cc-by-nc", "by-nd", "by-nc-sa", "cc-by-nc-4.0", "", None, 7, "gfdl", "unknown", "sampling+"],
)
def test_other_licences_are_not_open(code: object) -> None:
    assert open_licence(code, "4.0") is None


def test_a_page_names_licences_in_its_links() -> None:
    page = '<a rel="license" href="https://creativecommons.org/licenses/by/2.0/">x</a>'
    assert named_in_page(page) == {open_licence("by", "2.0")}
    assert named_in_page(page.replace("/by/", "/by-nc/")) == {None}
    assert named_in_page("<a href='https://creativecommons.org/licenses/by/2.0/'>") == set()


def test_all_55_animals_are_asked_for() -> None:
    assert tuple(animals()) == ANIMALS
    for animal in animals().values():
        assert animal.words
        assert (animal.source == "inaturalist") == bool(animal.taxa)


def test_words_tell_of_something_else() -> None:
    cat = animals()["cat"]
    assert cat.wrong_word("Bronze Statue of a cat") == "bronze"
    assert cat.wrong_word("Skulls of cats") == "skull"
    assert cat.wrong_word("My cat in the garden") == ""


def test_answers_with_missing_fields_give_no_usable_photo() -> None:
    empty: list[object] = [{}, [], None, {"results": None}]
    for service in (INaturalist(), Openverse(), Commons()):
        for odd in (*empty, {"results": [1]}, {"query": {"pages": [{}]}}):
            assert all(offer.licence is None for offer in service.read(odd))


def test_commons_is_read_as_its_documents_say() -> None:
    told = {
        "Artist": {"value": '<a href="//x">Example &amp; User</a>'},
        "License": {"value": "cc-by-sa-4.0"},
        "ObjectName": {"value": "Tabby cat"},
        "Categories": {"value": "Tabby cats|Quality images"},
    }
    info = {
        "mime": "image/jpeg",
        "thumburl": "https://thumb.wikimedia.org/a/960px-Tabby.jpg?utm_source=x",
        "descriptionurl": "https://commons.wikimedia.org/wiki/File:Tabby.jpg",
        "extmetadata": told,
    }
    page = {"pageid": 9, "title": "File:Tabby.jpg", "index": 1, "imageinfo": [info]}
    (offer,) = Commons().read({"query": {"pages": [page]}})
    assert (offer.id, offer.creator, offer.title) == ("commons-9", "Example & User", "Tabby cat")
    assert offer.image == "https://thumb.wikimedia.org/a/960px-Tabby.jpg"
    assert offer.licence == open_licence("cc-by-sa-4.0")
    told["Restrictions"] = {"value": "personality"}
    assert Commons().read({"query": {"pages": [page]}})[0].flaw == "restricted"


def test_commons_is_asked_only_with_a_contact() -> None:
    assert "commons" not in services("")
    assert "commons" in services("me@example.org")


def test_the_most_different_are_far_from_each_other() -> None:
    angles = np.radians([0, 1, 2, 90, 91, 180, 181, 270])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    chosen = most_different(points, 4)
    quarters = {round(float(np.degrees(angles[i])) / 90) for i in chosen}
    assert quarters == {0, 1, 2, 3}
    assert len(most_different(points[:0], 4)) == 0


def test_the_same_photo_is_taken_once() -> None:
    angles = np.radians([0, 1, 90, 91, 92, 180])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    chosen = most_different(points, 6).tolist()
    assert len(chosen) == 3, "cos(2 degrees) is 0.9994"
    assert {round(float(np.degrees(angles[i])) / 90) for i in chosen} == {0, 1, 2}


@pytest.fixture
def world() -> World:
    return World(20)


@pytest.fixture
def port(world: World) -> Iterator[int]:
    with serving(world) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetcher(port: int, waits: list[float]) -> Fetcher:
    return Fetcher(HOSTS, "me@example.org", waits.append, ToLocal(port))


API = "https://api.inaturalist.org/v1/observations?taxon_id=47336"
PHOTO = "https://live.staticflickr.com/1/b.jpg"


def test_a_busy_service_is_asked_again_when_it_says(
    world: World, fetcher: Fetcher, waits: list[float]
) -> None:
    busy = (429, "retry 7", b"slow down", 0.0)
    world.odd["observations"] = [busy, busy, (200, "application/json", b"{}", 0.0)]
    assert fetcher.json(API) == {}
    assert waits == [7.0, 7.0]
    world.odd["observations"] = [(503, "text/html", b"", 0.0)]
    with pytest.raises(ServiceError, match=r"api\.inaturalist\.org is busy \(status 503\)"):
        fetcher.json(API)
    assert waits[2:] == [60.0, 120.0]
    assert all("SketchZoo/" in agent and "me@example.org" in agent for agent in world.agents)


def test_a_page_instead_of_json_is_told(world: World, fetcher: Fetcher) -> None:
    world.odd["observations"] = [(200, "text/html", b"<html>", 0.0)]
    with pytest.raises(ServiceError, match="text/html instead of JSON"):
        fetcher.json(API)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, "text/html", b"", 0.0), "answered 404"),
        ((200, "text/html", b"<html>", 0.0), "not a photo but text/html"),
        ((200, "image/svg+xml", b"<svg>", 0.0), "not a photo but image/svg"),
        ((200, "image/jpeg", b"x" * 8_000_001, 0.0), "over 8 MB"),
        ((302, "to http://live.staticflickr.com/2/b.jpg", b"", 0.0), "not asked: http:"),
        ((302, "to https://169.254.169.254/x", b"", 0.0), "not asked: https://169"),
        ((302, "to https://example.org/x", b"", 0.0), "not asked: https://example.org"),
        ((302, "to https://live.staticflickr.com/1/b.jpg", b"", 0.0), "too many redirects"),
    ],
)
def test_what_is_no_photo_is_left_out(
    world: World, fetcher: Fetcher, answer: tuple[int, str, bytes, float], reason: str
) -> None:
    world.odd["staticflickr"] = [answer]
    with pytest.raises(GoneError, match=reason):
        fetcher.photo(PHOTO)


def test_a_slow_body_is_given_up(
    world: World, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "DEADLINE", -1.0)
    with pytest.raises(ServiceError, match="does not answer"):
        fetcher.photo(PHOTO)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.inaturalist.org/",
        "https://api.inaturalist.org:8443/",
        "https://me@api.inaturalist.org/",
        "https://api.inaturalist.org.example.org/",
        "https://127.0.0.1/",
        "https://staticflickr.com.example.org/",
        "file:///etc/passwd",
        "https://[::1",
    ],
)
def test_only_the_services_are_asked(world: World, fetcher: Fetcher, url: str) -> None:
    with pytest.raises(GoneError):
        fetcher.photo(url)
    assert not world.asked


def test_a_name_of_a_private_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1"):
        monkeypatch.setattr(
            "socket.getaddrinfo", lambda *_, found=address, **__: [(2, 1, 6, "", (found, 443))]
        )
        with pytest.raises(GoneError, match="private network"):
            Fetcher(HOSTS).photo(PHOTO)


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
    assert remove(tmp_path, [gone], 4) == 0
    assert not list(tmp_path.glob(f"**/{gone}.*"))
    assert gone not in {row["id"] for row in credited(tmp_path)}
    download(tmp_path, fetcher, "ant").run()
    assert gone not in {row["id"] for row in credited(tmp_path)}
    assert len(credited(tmp_path)) == 4
    with pytest.raises(GalleryError, match="holds no photo"):
        remove(tmp_path, [gone], 4)


def test_nothing_is_asked_twice(world: World, fetcher: Fetcher, tmp_path: Path) -> None:
    download(tmp_path, fetcher, "ant", "cat").run()
    asked = world.asked.total()
    download(tmp_path, fetcher, "ant", "cat").run()
    assert world.asked.total() == asked


def test_a_service_that_is_gone_is_told_and_the_other_goes_on(
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
        if not path.parent.name.startswith(".")
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


PER_CLASS = int(os.environ.get("OPEN_PHOTOS_PER_CLASS", "3"))


def test_a_run_that_is_killed_twice_and_has_a_full_disk_ends_with_the_same_photos(
    tmp_path: Path,
) -> None:
    """All 55 animals; the full disk is a folder that cannot be made where a file is in its way."""
    world = World(2 * PER_CLASS + 20)
    with serving(world) as port:
        whole = command(tmp_path, port, tmp_path / "whole", PER_CLASS)
        said, _ = whole.communicate(timeout=900)
        assert whole.returncode == 0, said
        out = tmp_path / "killed"
        for count in (20, 70):
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
