"""Requests to local services."""

import pytest

from model.gallery.open_photos import fetch
from model.gallery.open_photos.fetch import Fetcher, GoneError, ServiceError
from tests.harness.open_services import World
from tests.model.gallery.open_photos.conftest import HOSTS

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


def test_a_page_instead_of_json_raises_an_error(world: World, fetcher: Fetcher) -> None:
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
        ((302, "to //[", b"", 0.0), "invalid address"),
        ((302, "to https://live.staticflickr.com:x/", b"", 0.0), "invalid address"),
    ],
)
def test_an_answer_that_is_not_a_photo_raises_an_error(
    world: World, fetcher: Fetcher, answer: tuple[int, str, bytes, float], reason: str
) -> None:
    world.odd["staticflickr"] = [answer]
    with pytest.raises(GoneError, match=reason):
        fetcher.photo(PHOTO)


def test_a_body_that_is_too_slow_raises_an_error(
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
        "https://live.staticflickr.com/\0.jpg",
        "https://live.staticflickr.com/\ud800.jpg",
        f"https://live.staticflickr.com/{'a' * 70_000}.jpg",
    ],
)
def test_requests_go_only_to_the_services(world: World, fetcher: Fetcher, url: str) -> None:
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


def test_a_name_that_dns_cannot_have_is_refused() -> None:
    with pytest.raises(GoneError, match="invalid address"):
        Fetcher(HOSTS).photo("https://a..staticflickr.com/1.jpg")
