"""A small app with all its middleware, made once."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw

from model.search.search import SketchSearch
from server.application import build_app
from server.environment import OWN_FOLDER
from server.galleries import Galleries
from server.middleware.forwarded import read_proxies
from server.middleware.rate_limit import TokenBuckets
from server.startup import open_galleries
from tests.harness.checkpoints import make_checkpoint


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with uploads, a checkpoint, photos and galleries that no route may serve."""
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="session")
def galleries(place: Path) -> Galleries:
    checkpoint = make_checkpoint(place / "checkpoint")
    (place / "photos").mkdir()
    for number in range(3):
        photo = Image.new("RGB", (60, 40), "white")
        ImageDraw.Draw(photo).ellipse((5 * number, 5, 40 + 5 * number, 35), fill="navy")
        photo.save(place / "photos" / f"cat {number}.jpg")
    (place / "galleries").mkdir()
    (place / "galleries" / "beside.txt").write_text("SECRET beside the gallery")
    return open_galleries(checkpoint.folder, place / "photos", place / "galleries")


@pytest.fixture(autouse=True)
def uploads(place: Path, own_uploads: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The upload folder, empty."""
    folder = place / OWN_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def search(galleries: Galleries) -> SketchSearch:
    return galleries.get_search()


@pytest.fixture(scope="session")
def built(galleries: Galleries, place: Path) -> FastAPI:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(place / OWN_FOLDER))
        return build_app(galleries, rate=0)


@pytest.fixture
def client(built: FastAPI) -> Iterator[TestClient]:
    yield TestClient(built, raise_server_exceptions=False)


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For rates, no time passes."""
    stopped = partial(TokenBuckets, clock=lambda: 0.0)
    for user in ("server.middleware.rate_limit", "server.downloads"):
        monkeypatch.setattr(f"{user}.TokenBuckets", stopped)


@pytest.fixture
def limited(galleries: Galleries, stopped_clock: None) -> Callable[[float, str], TestClient]:
    """Makes an app with a rate and trusted proxies, for which no time passes."""
    return lambda rate, proxies: TestClient(
        build_app(galleries, rate=rate, proxies=read_proxies(proxies))
    )
