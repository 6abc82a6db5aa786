"""The security headers of all responses."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from server.middleware.gradio_page import inline_hashes

ROUTES = ["/", "/config", "/healthz", "/thumbnails/0", "/photos/0", "/map.json", "/theme.css"]


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in map(str.split, policy.split(";"))}


@pytest.mark.parametrize("path", [*ROUTES, "/sketchzoo/js/board.js", "/nothing", "/thumbnails/99"])
def test_every_response_has_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "camera=(self)" in headers["permissions-policy"]
    assert "geolocation=()" in headers["permissions-policy"]
    told = directives(headers["content-security-policy"])
    assert told["default-src"] == ["'self'"]
    assert told["object-src"] == told["frame-src"] == ["'none'"]
    assert told["frame-ancestors"] == ["'self'", "https://huggingface.co", "https://*.hf.space"]
    assert "x-frame-options" not in headers


@pytest.mark.parametrize("encoding", ["identity", "gzip, br"])
def test_only_the_scripts_of_the_page_itself_may_run(client: TestClient, encoding: str) -> None:
    answer = client.get("/", headers={"Accept-Encoding": encoding})
    scripts = directives(answer.headers["content-security-policy"])["script-src"]
    assert "'unsafe-inline'" not in scripts
    expected = {f"'{value}'" for value in inline_hashes(answer.content)}
    assert len(expected) >= 4
    assert set(scripts) == {"'self'", "'unsafe-eval'"} | expected
    assert not re.search(rb"<[^>]+\son\w+=", answer.content)


def test_the_hash_of_a_script_is_that_of_the_specification() -> None:
    """The example of Content Security Policy Level 2, section 7.17.2."""
    page = b"<script>alert('Hello, world.');</script><script src='a.js'></script>"
    assert inline_hashes(page) == ["sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="]


def test_an_uploaded_page_does_not_run(client: TestClient, uploads: Path) -> None:
    for name in ("a.html", "a.svg", "a.xml", "a.js"):
        (uploads / name).write_text("<script>alert(1)</script>")
        answer = client.get(f"/gradio_api/file={uploads / name}")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"
        policy = answer.headers["content-security-policy"]
        assert "sandbox" in policy and "default-src 'none'" in policy


def test_no_header_names_the_server_software(client: TestClient) -> None:
    for path in ROUTES:
        assert "server" not in client.get(path).headers
