"""The search as code, as people copy it, and what the API says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page, expect

from tests.browser.board import CHIPS, PHOTOS, draw, found, settled
from tests.browser.sharing import OUTCOME, clipboard, share
from tests.harness.apps import running_app

BEHIND_A_PATH = """
import os, sys
sys.path.insert(0, os.getcwd())
import uvicorn
from fastapi import FastAPI
import app
from server.application import build_app
from server.startup import open_galleries
chosen = app.parse_arguments([])
zoo = build_app(open_galleries(chosen.checkpoint, None, chosen.galleries))
outer = FastAPI(lifespan=lambda _: zoo.router.lifespan_context(zoo))
outer.get("/")(lambda: "ready")
outer.mount("/zoo/x", zoo)
uvicorn.run(outer, host=chosen.host, port=int(chosen.port), log_level="warning")
"""


def answers(command: str) -> list[str]:
    """The thumbnails that one line for a shell finds."""
    assert "\n" not in command
    events = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert events.startswith("event: complete\n")
    (photos,) = json.loads(events.partition("data: ")[2])
    return [photo["thumbnail"] for photo in photos]


def test_the_copied_calls_give_the_photos_that_are_shown(
    owl: Page, address: str, tmp_path: Path
) -> None:
    for rank, action in ((5, "like"), (1, "without")):
        owl.locator(f"{PHOTOS} button").nth(rank - 1).click()
        owl.locator(f'[data-action="{action}"]').click()
        settled(owl)
    owl.get_by_label("Photos to show").select_option("8")
    owl.get_by_role("radio", name="Eraser").click()
    draw(owl, [{"points": [[0.4, 0.5], [0.6, 0.5]]}])
    expect(owl.locator(PHOTOS)).to_have_count(8)
    expect(owl.locator(CHIPS)).to_have_count(2)
    shown = [url.partition(f"{address}/")[2] for url in found(owl)]
    share(owl)

    owl.get_by_role("button", name="Copy as curl").click()
    assert answers(clipboard(owl)) == shown

    owl.locator(OUTCOME).evaluate("outcome => (outcome.textContent = '')")
    owl.get_by_role("button", name="Copy as Python").click()
    program = tmp_path / "call.py"
    program.write_text(clipboard(owl), encoding="utf-8")
    printed = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    lines = printed.strip().splitlines()[-8:]
    assert [line.rpartition(" ")[2] for line in lines] == shown


def test_the_call_of_a_search_by_photo_gives_its_photos(owl: Page, address: str) -> None:
    owl.locator(f"{PHOTOS} button").nth(4).click()
    owl.get_by_role("button", name="Photos like this one").click()
    expect(owl.locator(CHIPS)).to_have_count(1)
    shown = [url.partition(f"{address}/")[2] for url in found(owl)]
    share(owl)
    owl.get_by_role("button", name="Copy as curl").click()
    assert answers(clipboard(owl)) == shown


def test_links_and_calls_work_behind_a_path(browser: Browser, tmp_path: Path) -> None:
    program = tmp_path / "behind.py"
    program.write_text(BEHIND_A_PATH, encoding="utf-8")
    with running_app(program) as address:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(f"{address}/zoo/x/")
        page.get_by_role("button", name="duck").click()
        expect(page.locator(PHOTOS)).to_have_count(12)
        photos, link = found(page), share(page)
        assert link.startswith(f"{address}/zoo/x/#d=")
        page.get_by_role("button", name="Copy as curl").click()
        # The board puts photos of the animal first, the API all photos by their rank.
        shown = [url.partition("/zoo/x/")[2] for url in photos]
        assert sorted(answers(clipboard(page))) == sorted(shown)
        page.get_by_role("button", name="Close", exact=True).click()
        page.get_by_role("button", name="Clear").click()
        page.goto(link)
        expect(page.locator(PHOTOS)).to_have_count(12)
        expect(page).to_have_url(f"{address}/zoo/x/")
        assert found(page)[0] == photos[0]
        context.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strokes": []}, "Draw a line to start"),
        ({"strokes": "line"}, "list of at most 1000 strokes"),
        ({"k": 49}, "from 1 to 48"),
        ({"only": [7]}, "at most 200 labels"),
        ({"like": [10_000]}, "ids of photos from an answer"),
        ({"like": ["0123456789abcdef"]}, "no longer in the gallery: 0123456789abcdef"),
        ({"photo": 3}, "photo must be the id of a photo"),
        ({"strokes": [{"width": 3, "points": [[50, 150], [100, 100]]}]}, "go from 0, 0"),
        ({"strokes": [{"width": 0.01, "points": [[0.5, 0.5], [28, 0]]}]}, "go from 0, 0"),
        ({"strokes": [{"width": 3, "points": [[0.2, 0.2], [0.8, 0.7]]}]}, "A width is a share"),
        ({"strokes": [{"width": 0.01, "points": [[0.2, 0.2, 90], [0.8, 0.7, 1]]}]}, "pressure"),
    ],
)
def test_the_api_says_what_is_wrong(client: Client, changes: dict[str, Any], said: str) -> None:
    strokes = [{"width": 0.012, "points": [[0.2, 0.2], [0.8, 0.7]]}]
    with pytest.raises(AppError, match=said):
        client.predict(**{"strokes": strokes, **changes}, api_name="/search_strokes")
