"""Downloads from a local server with a small archive in the official layout."""

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import py7zr
import pytest

from train.__main__ import main
from train.data.pictures import list_pictures, sketchy_folders


class Archive(BaseHTTPRequestHandler):
    """Serves ranges of `content`; the first answer ends after `breaks_after` bytes."""

    content = b""
    breaks_after: int | None = None
    page = False
    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = b"<html>too many people" if self.page else self.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if self.page else "application/x-7z")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.breaks_after is not None:
            body, type(self).breaks_after = body[: self.breaks_after], None
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(sketchy: Path, tmp_path: Path) -> Iterator[tuple[str, type[Archive]]]:
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w") as archive:
        archive.writeall(sketchy / "256x256", "256x256")
        archive.writestr(b"other variant", "256x256/photo/tx_000100000000/bat/a.jpg")

    class Handler(Archive):
        content = packed.getvalue()
        asked: list[str | None] = []  # noqa: RUF012

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/a.7z", Handler
    serving.shutdown()
    serving.server_close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits only a moment between tries."""
    monkeypatch.setattr("train.data.download.WAIT", 0.01)


def download(out: Path, url: str, *more: str) -> int:
    return main(["download", "sketchy", "--out", str(out), "--url", url, *more])


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    server: tuple[str, type[Archive]],
    sketchy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, handler = server
    handler.breaks_after = 5000
    digest = hashlib.sha256(handler.content).hexdigest()
    assert download(tmp_path, url, "--sha256", digest) == 0
    assert handler.asked == [None, "bytes=5000-"]
    said = capsys.readouterr().out
    assert "is for research" in said
    assert digest in said
    for mine, theirs in zip(sketchy_folders(tmp_path), sketchy_folders(sketchy), strict=True):
        found, expected = (list_pictures(f, sketches=False) for f in (mine, theirs))
        assert [p.path.read_bytes() for p in found] == [p.path.read_bytes() for p in expected]
    assert not (tmp_path / "256x256" / "photo" / "tx_000100000000").exists()
    assert download(tmp_path, url) == 0
    assert len(handler.asked) == 2


def test_a_second_command_takes_up_what_the_first_has_left(
    server: tuple[str, type[Archive]], tmp_path: Path
) -> None:
    url, handler = server
    (tmp_path / "rendered_256x256.part").write_bytes(handler.content[:7000])
    assert download(tmp_path, url) == 0
    assert handler.asked == ["bytes=7000-"]


def test_another_archive_is_refused(
    server: tuple[str, type[Archive]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, handler = server
    assert download(tmp_path, url, "--sha256", "0" * 64) == 1
    assert "Delete it to fetch it again" in capsys.readouterr().err
    middle = len(handler.content) // 2
    for damaged in (
        handler.content[:-100],
        handler.content[:middle] + bytes(64) + handler.content[middle + 64 :],
    ):
        (tmp_path / "rendered_256x256.7z").write_bytes(damaged)
        assert download(tmp_path, url) == 1
        assert "cannot be unpacked" in capsys.readouterr().err
        assert not (tmp_path / "256x256").exists()


def test_a_page_instead_of_the_archive_says_what_to_do(
    server: tuple[str, type[Archive]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, handler = server
    handler.page = True
    assert download(tmp_path, url) == 1
    assert "Download rendered_256x256.7z in a browser" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert download(tmp_path, "http://127.0.0.1:9/a.7z") == 1
    assert "Run the same command again to go on" in capsys.readouterr().err
