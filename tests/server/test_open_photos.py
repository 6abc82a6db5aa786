"""Photos that are fetched while the app runs: what the board shows, and how it ends."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.open_photos import TROUBLE, OpenPhotosFetcher


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_photos_are_counted_and_a_stop_ends_the_process(tmp_path: Path) -> None:
    fetcher = OpenPhotosFetcher(["-c", "import time; time.sleep(600)"], tmp_path, 2200)
    fetcher.start()
    wait_until(lambda: fetcher._process is not None)
    assert fetcher.progress() == {"done": 0, "wanted": 2200, "trouble": ""}
    fetcher.stop()
    process = fetcher._process
    assert process is not None
    assert process.wait(30) != 0


def test_there_is_no_progress_once_all_photos_are_there(tmp_path: Path) -> None:
    fetcher = OpenPhotosFetcher(["-c", "pass"], tmp_path, 2200)
    fetcher.start()
    wait_until(lambda: fetcher.progress() is None)


def test_the_board_and_the_log_show_that_services_do_not_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = "import sys; print('open photos: no answer', file=sys.stderr); sys.exit(1)"
    fetcher = OpenPhotosFetcher(["-c", command], tmp_path, 2200)
    fetcher.start()
    wait_until(lambda: (fetcher.progress() or {})["trouble"] == TROUBLE)
    fetcher.stop()
    assert "open photos: no answer" in caplog.text
