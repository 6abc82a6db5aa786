"""Drawing on the real app in a real browser."""

from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, Page, expect

from model.pictures.strokes import parse_strokes, render_strokes
from tests.browser.board import PAD, PHOTOS, STATUS, box, draw, found, wait_for_board
from tests.harness.pictures import huge_png


def test_an_animal_drawn_stroke_by_stroke_finds_photos_that_follow_the_drawing(
    page: Page, examples: dict[str, list[dict[str, Any]]]
) -> None:
    expect(page.locator(PHOTOS)).to_have_count(0)
    seen = []
    for stroke in examples["giraffe"]:
        draw(page, [stroke])
        seen.append(found(page))
        assert len(seen[-1]) == 12
        assert len(set(seen[-1])) == 12
    assert len({tuple(order) for order in seen}) >= len(seen) // 2
    loaded = page.locator(f"{PHOTOS} img").evaluate_all(
        "all => Promise.all(all.map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert min(loaded) > 40
    ranks = page.locator(f'{PHOTOS} [data-part="rank"]').all_inner_texts()
    assert ranks == [str(rank) for rank in range(1, 13)]
    shown = page.locator('[data-part="similarity"]').all_inner_texts()
    similarities = [int(s.removesuffix(" %")) for s in shown]
    assert similarities == sorted(similarities, reverse=True)
    assert -100 <= similarities[-1] <= similarities[0] <= 100
    assert all(page.locator(f'{PHOTOS} [data-part="label"]').all_inner_texts())
    expect(page.locator('[data-part="credits"]')).to_contain_text("Tux Paint stamps, ")


def test_photos_come_while_the_stroke_is_still_being_drawn(page: Page) -> None:
    pad = box(page, PAD)
    page.mouse.move(pad["x"] + 100, pad["y"] + 100)
    page.mouse.down()
    for step in range(30):
        page.mouse.move(pad["x"] + 100 + 6 * step, pad["y"] + 100 + 3 * step)
    expect(page.locator(PHOTOS)).to_have_count(12)
    page.mouse.up()


def test_undo_takes_back_a_stroke_and_clear_everything(
    page: Page, examples: dict[str, list[dict[str, Any]]]
) -> None:
    first, second = examples["horse"][:1], examples["horse"][1:]
    draw(page, first)
    after_first = found(page)
    draw(page, second)
    assert found(page) != after_first
    for _ in second:
        page.get_by_role("button", name="Undo").click()
    assert found(page) == after_first
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(PHOTOS)).to_have_count(0)
    expect(page.locator('[data-part="examples"]')).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    assert found(page) == after_first


def test_an_example_is_drawn_with_one_click(page: Page) -> None:
    page.get_by_role("button", name="elephant").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    expect(page.locator('[data-part="examples"]')).to_be_hidden()


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_an_uploaded_sketch_gives_the_answer_of_the_api(
    page: Page,
    address: str,
    client: Client,
    examples: dict[str, list[dict[str, Any]]],
    tmp_path: Path,
    ending: str,
) -> None:
    file = tmp_path / f"sketch.{ending}"
    render_strokes(parse_strokes(examples["rabbit"])).resize((500, 500)).save(file)
    page.locator('[data-part="file"]').set_input_files(file)
    expect(page.locator(PHOTOS)).to_have_count(12)
    shown = found(page)
    answer = client.predict(handle_file(file), 12, api_name="/search")
    assert [f"{address}/{match['thumbnail']}" for match in answer] == shown
    assert [match["rank"] for match in answer] == list(range(1, 13))
    assert {"label", "distance", "similarity", "credit", "licence"} <= set(answer[0])
    draw(page, examples["rabbit"][:1])
    draw(page, [{"points": [[0.1, 0.1], [0.9, 0.9]]}])
    assert found(page) != shown
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert found(page) == shown


def test_bad_uploads_are_explained_and_the_app_lives_on(
    page: Page, client: Client, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    good = tmp_path / "good.png"
    drawing = render_strokes(parse_strokes(examples["fish"]))
    drawing.save(good)
    cases = [
        ("text.png", b"just some text", "cannot be read as a picture"),
        ("cut.png", good.read_bytes()[:300], "cannot be read as a picture"),
        ("huge.png", huge_png(30_000), "the limit is 50 million pixels"),
    ]
    for side, tone, said in [(1, 0, "1 x 1 pixels"), (99, 255, "nothing"), (99, 0, "nothing")]:
        drawing.resize((side, side)).point([tone] * 256).save(tmp_path / "even.png")
        cases.append((f"even{side}-{tone}.png", (tmp_path / "even.png").read_bytes(), said))
    for name, data, said in cases:
        file = tmp_path / name
        file.write_bytes(data)
        page.locator('[data-part="file"]').set_input_files(file)
        expect(page.locator(STATUS)).to_contain_text(said)
        with pytest.raises(AppError, match=said):
            client.predict(handle_file(file), 12, api_name="/search")
        page.get_by_role("button", name="Clear").click(force=True)
    page.locator('[data-part="file"]').set_input_files(good)
    expect(page.locator(PHOTOS)).to_have_count(12)


def test_odd_but_honest_pictures_are_searched(
    client: Client, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    drawing = render_strokes(parse_strokes(examples["duck"]))
    plain = tmp_path / "plain.png"
    drawing.save(plain)
    drawing.save(tmp_path / "moving.gif", save_all=True, append_images=[drawing.rotate(90)])
    drawing.convert("CMYK").save(tmp_path / "print.jpg", quality=98)
    drawing.convert("I").point(lambda value: value * 257).convert("I;16").save(
        tmp_path / "deep.png"
    )

    def labels(name: str) -> list[str]:
        answer = client.predict(handle_file(tmp_path / name), 5, api_name="/search")
        return [match["label"] for match in answer]

    expected = labels("plain.png")
    assert len(expected) == 5
    assert labels("moving.gif") == expected
    assert labels("deep.png") == expected
    assert labels("print.jpg")[0] == expected[0]


@pytest.mark.parametrize("k", [0, 49, -3])
def test_the_api_bounds_k(client: Client, tmp_path: Path, k: int) -> None:
    drawing = render_strokes(parse_strokes([{"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.7]]}]))
    drawing.save(tmp_path / "line.png")
    with pytest.raises(AppError, match="from 1 to 48"):
        client.predict(handle_file(tmp_path / "line.png"), k, api_name="/search")


def test_on_a_phone_a_finger_draws_and_the_page_does_not_overflow(phone: Page) -> None:
    pad = box(phone, PAD)
    assert pad["width"] >= 280
    touch = phone.context.new_cdp_session(phone)
    for step in range(20):
        place = {"x": pad["x"] + 60 + 8 * step, "y": pad["y"] + 80 + 6 * step}
        kind = "touchStart" if step == 0 else "touchMove"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(phone.locator(PHOTOS)).to_have_count(12)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert phone.evaluate("window.scrollY") == 0


def test_a_lost_server_is_said_and_the_drawing_stays(page: Page) -> None:
    page.get_by_role("button", name="owl").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    page.context.set_offline(True)
    draw(page, [{"points": [[0.1, 0.1], [0.3, 0.3]]}])
    expect(page.locator(STATUS)).to_contain_text("Your drawing is safe")
    page.context.set_offline(False)
    before = found(page)
    draw(page, [{"points": [[0.1, 0.9], [0.9, 0.1]]}])
    expect(page.locator(STATUS)).not_to_contain_text("Your drawing is safe")
    assert found(page) != before


def test_the_page_loads_each_script_once_and_those_that_it_preloads(
    browser: Browser, address: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        wait_for_board(page)
        links = page.locator("link[rel=modulepreload][href^=sketchzoo]")
        preloaded = links.evaluate_all("all => all.map(link => link.href)")
        assert len(preloaded) > 40
        loaded = [url for url in asked if "/sketchzoo/" in url and url.endswith(".js")]
        assert sorted(loaded) == sorted(preloaded)
