"""No route serves a file outside of the upload folder."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute, Mount

from model.errors import SketchZooError
from model.search.search import SketchSearch
from server.uploads import find_upload
from tests.harness.apps import ROOT


def paths_of(routes: list[BaseRoute], prefix: str = "") -> list[str]:
    """All paths of an app and of the apps mounted in it, with parameters in braces."""
    found = []
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        included = getattr(route, "original_router", None)
        if included is not None:
            found += paths_of(included.routes, prefix)
        elif isinstance(route, Mount):
            inner: Any = route.app
            while not hasattr(inner, "routes") and hasattr(inner, "app"):
                inner = inner.app
            found += paths_of(getattr(inner, "routes", []), path) or [f"{path}/{{path}}"]
        else:
            found.append(path)
    return found


def encodings(target: str) -> list[str]:
    up = "../" * 12
    relative = target.lstrip("/")
    doubled = quote(quote(up + relative, safe=""), safe="")
    return [
        *(target, quote(target, safe=""), "/" + target, up + relative, up + quote(relative)),
        *(quote(up + relative, safe=""), doubled, up.replace("../", "..%2f") + relative),
        *(up.replace("../", "%2e%2e/") + relative, up.replace("../", "..%5c") + relative),
        *(up.replace("../", "..\\") + relative, up.replace("../", "....//") + relative),
        *("static/" + up + relative, "0/" + up + relative, target + "%00.png", "0%00" + target),
        *(f"file://{target}", "..%c0%af" * 12 + relative, os.path.relpath(target, ROOT)),
    ]


@pytest.fixture
def secrets(search: SketchSearch, place: Path) -> dict[str, bytes]:
    """Files that must not be served: some bytes of each, by path."""
    hidden = {
        Path("/etc/passwd"): b"root:x:0",
        place / "checkpoint" / "encoder.safetensors": b"backbone.",
        search.folder / "manifest.json": b'"photos_key"',
        search.folder / "layout.npy": b"NUMPY",
        place / "galleries" / "beside.txt": b"SECRET",
        ROOT / "app.py": b"def parse_arguments",
        ROOT / "server" / "routes" / "page.py": b"def build_page",
    }
    for path, part in hidden.items():
        assert part in path.read_bytes()
    return {str(path): part for path, part in hidden.items()}


def test_no_route_serves_a_secret_file(
    client: TestClient, built: FastAPI, secrets: dict[str, bytes]
) -> None:
    routes = paths_of(built.routes)
    assert {"/thumbnails/{number}", "/gradio_api/file={path_or_url:path}"} <= set(routes)
    assert len(routes) > 60
    asked = 0
    for before in dict.fromkeys(route[: route.index("{")] for route in routes if "{" in route):
        for target, part in secrets.items():
            for name in encodings(target):
                answer = client.get(before + name, follow_redirects=True)
                assert part not in answer.content, f"{before}{name}"
                asked += 1
    assert asked > 2000


def test_no_parameter_names_a_secret_file(
    client: TestClient, built: FastAPI, secrets: dict[str, bytes]
) -> None:
    keys = ("deep_link", "path", "file", "page", "upload_id", "url", "session_hash")
    routes = [
        route
        for route in dict.fromkeys(paths_of(built.routes))
        if "{" not in route and "heartbeat" not in route and "queue/data" not in route
    ]

    def check(target: str) -> None:
        for route in routes:
            answer = client.get(route, params=dict.fromkeys(keys, target))
            assert secrets[target] not in answer.content, route

    # In threads, since one of Gradio's routes waits 3 seconds for an upload that it does not know.
    with ThreadPoolExecutor(len(secrets)) as threads:
        list(threads.map(check, secrets))


@pytest.mark.parametrize("route", ["search", "explain", "read"])
def test_pictures_are_read_only_from_the_upload_folder(
    client: TestClient, place: Path, uploads: Path, route: str
) -> None:
    photo = place / "photos" / "cat 0.jpg"
    shutil.copy(photo, uploads / "own.jpg")
    (uploads / "link.jpg").unlink(missing_ok=True)
    (uploads / "link.jpg").symlink_to(photo)
    (uploads / "links").unlink(missing_ok=True)
    (uploads / "links").symlink_to(place / "photos", target_is_directory=True)

    def ask(path: str) -> Any:
        query: dict[str, Any] = {"strokes": [], "picture": path, "photo": None, "k": 1}
        if route == "explain":
            query["photo"] = client.get("/map.json").json()["ids"][0]
        return client.post(f"/board/{route}", json=query | {"path": path}).json()

    assert "error" not in ask(str(uploads / "own.jpg"))
    for path in (
        *(str(photo), f"{uploads}/../photos/cat 0.jpg", f"{uploads}/link.jpg"),
        *(f"{uploads}/links/cat 0.jpg", f"{uploads}/own.jpg\0", f"{uploads}/", "own.jpg"),
        *(f"file://{photo}", "/proc/self/environ", "/dev/zero", "/dev/stdin", "http://127.0.0.1/"),
    ):
        assert "Upload it again" in ask(path)["error"], path


@pytest.mark.parametrize("route", ["search", "search_strokes"])
def test_a_program_cannot_have_a_file_copied_into_the_uploads(
    client: TestClient, uploads: Path, place: Path, route: str
) -> None:
    for path in ("/etc/passwd", place / "photos" / "cat 0.jpg", "/dev/zero"):
        file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
        strokes = [[file], 1, None, None, None, None, None, None]
        data = [file, 12, ""] if route == "search" else strokes
        answer = client.post(f"/gradio_api/run/{route}", json={"data": data})
        assert answer.status_code == 500
        assert "rank" not in answer.text
    assert [path for path in uploads.rglob("*") if path.name in ("passwd", "cat 0.jpg")] == []


def test_symbolic_links_in_the_upload_folder_are_not_followed(
    client: TestClient, place: Path, uploads: Path
) -> None:
    (uploads / "own.txt").write_text("own")
    (uploads / "away.txt").unlink(missing_ok=True)
    (uploads / "away.txt").symlink_to("/etc/passwd")
    (uploads / "root").unlink(missing_ok=True)
    (uploads / "root").symlink_to("/")
    assert client.get(f"/gradio_api/file={uploads}/own.txt").text == "own"
    for name in ("away.txt", "root/etc/passwd"):
        assert client.get(f"/gradio_api/file={uploads}/{name}").status_code == 404


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "..\\evil.png", "a/../b.png"])
def test_the_name_of_an_upload_does_not_choose_its_folder(
    client: TestClient, uploads: Path, place: Path, name: str
) -> None:
    answer = client.post("/gradio_api/upload", files={"files": (name, b"x")})
    for saved in answer.json() if answer.status_code == 200 else []:
        assert Path(saved).resolve().is_relative_to(uploads)
    assert not list(place.glob("evil*"))


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/proxy=https://example.hf.space/", "/gradio_api/file=https://example.com/"),
        *("/gradio_api/file=http://127.0.0.1:1/", "/monitoring", "/monitoring/summary"),
        *("/gradio_api/deep_link?session_hash=a", "/pwa_icon/30000", "/gradio_api/token"),
        *("/gradio_api/stream/a/1/1/playlist.m3u8", "/gradio_api/dev/reload", "/login_check"),
        *("/gradio_api/custom_component/a/client/b/c.js", "/gradio_api/runs", "/gradio_api/user"),
        *("/gradio_api/vibe-code", "/gradio_api/file/etc/passwd", "/docs", "/openapi.json"),
        *("/GRADIO_API/proxy=x", "//gradio_api/proxy=x"),
    ],
)
def test_other_routes_of_gradio_are_closed(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["process_recording", "vibe-edit", "stream/a", "run-history/connect"]
)
def test_other_routes_of_gradio_are_closed_for_posts(client: TestClient, path: str) -> None:
    assert client.post(f"/gradio_api/{path}", json={}).status_code == 404


def test_a_wrong_path_is_not_an_upload() -> None:
    paths: list[Any] = [None, 7, [], {"path": "/etc/passwd"}, b"/etc/passwd", "x" * 100_000]
    for path in paths:
        with pytest.raises(SketchZooError, match="Upload it again"):
            find_upload(path)
