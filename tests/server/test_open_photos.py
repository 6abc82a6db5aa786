"""Photos that are fetched while the app runs: what the board shows, and how it ends."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from model.checkpoint.checkpoint import Checkpoint
from model.gallery.open_photos.services import Offer
from model.gallery.open_photos.store import DATABASE, KEPT, SPARE, Store
from server.galleries import Galleries
from server.open_photos import TROUBLE, OpenPhotosFetcher, reasons
from server.routes.galleries import gallery_routes


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def fetcher_that_runs(program: str, folder: Path) -> OpenPhotosFetcher:
    return OpenPhotosFetcher(["-c", program], folder, ["ant", "cat"], 40)


def test_photos_are_counted_and_a_stop_ends_the_process(tmp_path: Path) -> None:
    fetcher = fetcher_that_runs("import time; time.sleep(600)", tmp_path)
    fetcher.start()
    wait_until(lambda: fetcher._process is not None)
    assert fetcher.progress() == {"done": 0, "wanted": 80, "trouble": ""}
    fetcher.stop()
    process = fetcher._process
    assert process is not None
    assert process.wait(30) == -signal.SIGTERM


def test_kept_photos_of_the_animals_that_are_fetched_are_counted(tmp_path: Path) -> None:
    """Others may be there from an earlier start with another checkpoint."""
    store = Store(tmp_path)
    outcomes = [("ant", KEPT), ("ant", KEPT), ("ant", SPARE), ("cat", KEPT), ("dog", KEPT)]
    for number, (animal, outcome) in enumerate(outcomes):
        offer = Offer(f"openverse-{number}", "", "", "", "", None)
        store.record(offer, animal, outcome, f"{animal}/{number}.jpg")
    store.close()
    progress = fetcher_that_runs("pass", tmp_path).progress()
    assert progress == {"done": 3, "wanted": 80, "trouble": ""}


def test_a_damaged_database_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.open_photos.COUNT_SECONDS", -1)
    (tmp_path / DATABASE).write_text("no database " * 100)
    fetcher = fetcher_that_runs("pass", tmp_path)
    for _ in range(3):
        assert fetcher.progress() == {"done": 0, "wanted": 80, "trouble": ""}
    [told] = caplog.messages
    assert told.startswith(f"open photos cannot be counted: {tmp_path / DATABASE} is damaged")


def test_progress_is_read_in_a_thread_so_that_searches_go_on(tiny_checkpoint: Checkpoint) -> None:
    def progress() -> dict[str, Any]:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return {"done": 3}

    routes = gallery_routes(Galleries({"zoo": tiny_checkpoint.folder}), "", progress)
    answer = TestClient(Starlette(routes=routes)).post("/board/galleries", json={})
    assert answer.json()["coming"] == {"done": 3}


def test_there_is_no_progress_once_all_photos_are_there(tmp_path: Path) -> None:
    fetcher = fetcher_that_runs("pass", tmp_path)
    fetcher.start()
    wait_until(lambda: fetcher.progress() is None)


@pytest.mark.parametrize(
    ("program", "logged"),
    [
        (
            "import sys; print('open photos: no answer', file=sys.stderr); sys.exit(1)",
            "open photos: no answer",
        ),
        ("[].index('ant')", "open photos: exit code 1: ValueError: 'ant' is not in list"),
        ("import sys; sys.exit(3)", "open photos: exit code 3: no message"),
    ],
)
def test_the_board_and_the_log_show_that_the_process_failed(
    program: str, logged: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fetcher = fetcher_that_runs(program, tmp_path)
    fetcher.start()
    wait_until(lambda: (fetcher.progress() or {})["trouble"] == TROUBLE)
    fetcher.stop()
    assert [record.getMessage() for record in caplog.records] == [logged]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_was_told_to_end_has_not_failed(told: signal.Signals) -> None:
    assert reasons("photos: 3%", -told) == []
