"""The app with six photos."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from server.application import build_app
from server.environment import OWN_FOLDER
from server.galleries import Galleries
from server.startup import open_galleries
from tests.harness.checkpoints import make_checkpoint
from tests.harness.pictures import draw_photos


@pytest.fixture(scope="session")
def galleries(tmp_path_factory: pytest.TempPathFactory) -> Galleries:
    place = tmp_path_factory.mktemp("app")
    checkpoint = make_checkpoint(place / "checkpoint")
    return open_galleries(checkpoint.folder, draw_photos(place / "photos"), place / "galleries")


@pytest.fixture(scope="session")
def built(galleries: Galleries, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads") / OWN_FOLDER))
        return build_app(galleries, rate=0)


@pytest.fixture
def client(built: FastAPI) -> TestClient:
    """An app that other tests use, too."""
    return TestClient(built)


@pytest.fixture
def new_client(galleries: Galleries) -> TestClient:
    """An app that has counted no requests yet."""
    return TestClient(build_app(galleries))
