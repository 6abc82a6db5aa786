"""What browsers keep of the page's scripts and styles."""

import re

import pytest
from fastapi.testclient import TestClient

from server.routes.assets import ASSETS

PRELOADED = re.compile(r'<link rel="modulepreload" href="([^"]+)">')


def test_all_scripts_of_the_board_are_preloaded_and_kept(client: TestClient) -> None:
    addresses = PRELOADED.findall(client.get("/").text)
    expected = {path.name for path in (ASSETS / "js").glob("*.js")} - {"start.js"}
    assert {address.rpartition("/")[2] for address in addresses} == expected
    for address in addresses:
        answer = client.get(f"/{address}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.content == (ASSETS / "js" / address.rpartition("/")[2]).read_bytes()


@pytest.mark.parametrize("version", ["", "0123456789abcdef/"])
def test_the_address_of_another_version_is_answered_but_not_kept(
    client: TestClient, version: str
) -> None:
    answer = client.get(f"/sketchzoo/{version}js/board.js")
    assert answer.content == (ASSETS / "js" / "board.js").read_bytes()
    assert answer.headers["cache-control"] == "no-cache"


def test_a_missing_file_is_not_kept(client: TestClient) -> None:
    address = PRELOADED.findall(client.get("/").text)[0]
    for path in (f"/{address}.map", "/sketchzoo/js/none.js", "/assets/none.js"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["/", "/sketchzoo/js/board.js"])
def test_pages_and_scripts_are_compressed_where_that_is_understood(
    client: TestClient, path: str
) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(plain.content)
    small = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["vary"]
    assert small.content == plain.content
    assert int(small.headers["content-length"]) < len(plain.content) / 2


def test_who_refuses_gzip_gets_none(client: TestClient) -> None:
    for path in ("/", "/sketchzoo/js/board.js"):
        answer = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0"})
        assert "content-encoding" not in answer.headers


def test_the_page_itself_is_asked_for_each_time(client: TestClient) -> None:
    assert client.get("/").headers["cache-control"] == "no-cache"


def test_the_page_asks_for_nothing_outside_its_own_path(client: TestClient) -> None:
    page = client.get("/").text
    assert re.findall(r'\s(?:href|src)="/[^"]*"', page) == []
    icon = client.get(re.findall(r'<link rel="icon" href="([^"]+)">', page)[0])
    assert icon.content == (ASSETS / "favicon.svg").read_bytes()
    assert client.get(re.findall(r'rel="manifest" href="([^"]+)"', page)[0]).status_code == 200


def test_nothing_else_of_the_folder_is_served(client: TestClient) -> None:
    for name in ("board.html", "js", "", "../app.py", "js/../../app.py", "%2e%2e/app.py"):
        assert client.get(f"/sketchzoo/{name}").status_code == 404


def test_gradios_own_scripts_are_kept_too(client: TestClient) -> None:
    script = re.search(r'src="\./(assets/[^"]+\.js)"', client.get("/").text)
    assert script
    answer = client.get(f"/{script[1]}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
