"""Local services that replace the real ones."""

from collections.abc import Iterator

import pytest

from model.gallery.open_photos.fetch import Fetcher
from model.gallery.open_photos.services import services
from tests.harness.open_services import ToLocal, World, serving

HOSTS = {host: 0.0 for each in (*services("me").values(),) for host in each.hosts}


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
