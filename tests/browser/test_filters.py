"""The dialog of a photo, and the filters that it sets."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.board import (
    CHIPS,
    CREDITS,
    DIALOG,
    LABELS,
    PHOTOS,
    STARTER,
    STATUS,
    draw,
    found,
    ink,
    open_photo,
    settled,
    upload,
)


def test_a_click_outside_closes_the_dialog_of_a_photo(horse: Page) -> None:
    open_photo(horse, 1)
    dialog = horse.locator(DIALOG)
    box = dialog.bounding_box()
    assert box
    bottom = box["y"] + box["height"]
    horse.mouse.click(box["x"] + 8, bottom - 8)
    expect(dialog).to_be_visible()
    horse.mouse.move(box["x"] + 100, bottom - 30)
    horse.mouse.down()
    horse.mouse.move(box["x"] - 30, bottom - 30)
    horse.mouse.up()
    expect(dialog).to_be_visible()
    horse.mouse.click(box["x"] - 30, bottom - 30)
    expect(dialog).to_be_hidden()


def test_a_click_shows_the_photo_large_with_its_credit(horse: Page) -> None:
    label = open_photo(horse, 2)
    dialog = horse.get_by_role("dialog", name=label)
    expect(dialog).to_contain_text(CREDITS)
    licence = dialog.get_by_role("link", name=re.compile("GPL-2|CC0|CC BY|CC-BY"))
    terms = re.compile(r"https://(spdx\.org/licenses|creativecommons\.org)/.+")
    expect(licence).to_have_attribute("href", terms)
    expect(licence).to_have_attribute("target", "_blank")
    expect(licence).to_have_attribute("rel", "noopener")
    image = horse.locator('[data-part="large"]')
    expect(image).to_have_attribute("alt", label)
    horse.wait_for_function(
        "() => { const i = document.querySelector('[data-part=large]');"
        "return i.src.includes('/photos/') && i.naturalWidth > 100; }"
    )
    horse.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    open_photo(horse, 1)
    horse.get_by_role("button", name="Close", exact=True).click()
    expect(horse.locator(DIALOG)).to_be_hidden()


def test_photos_like_a_photo_begin_with_itself_until_one_draws_on(
    horse: Page, examples: dict[str, list[dict[str, Any]]]
) -> None:
    before = found(horse)
    label = open_photo(horse, 5)
    horse.get_by_role("button", name="Photos like this one").click()
    expect(horse.locator(CHIPS)).to_have_text([f"like a photo: {label}"])
    assert found(horse)[0] == before[4]
    expect(horse.locator('[data-part="similarity"]').first).to_have_text("100 %")
    draw(horse, [{"points": [[0.1, 0.9], [0.12, 0.9]]}])
    expect(horse.locator(CHIPS)).to_have_count(0)
    assert found(horse)[0] != before[4]


def test_only_one_animal_or_all_but_one(horse: Page) -> None:
    label = open_photo(horse, 1)
    horse.get_by_role("button", name=f"No {label}").click()
    settled(horse)
    assert label not in horse.locator(LABELS).all_inner_texts()
    expect(horse.locator(PHOTOS)).to_have_count(12)
    horse.get_by_role("button", name=f"Remove: no {label}").click()
    settled(horse)
    assert horse.locator(LABELS).first.inner_text() == label
    other = open_photo(horse, 3)
    horse.get_by_role("button", name=f"Only {other}").click()
    settled(horse)
    assert set(horse.locator(LABELS).all_inner_texts()) == {other}


def test_animals_can_be_chosen_from_the_list_of_all(horse: Page) -> None:
    animals = horse.get_by_label("Search among one animal")
    expect(animals.locator("option").nth(1)).to_be_attached()
    options = animals.locator("option").all_inner_texts()
    assert options[0] == "All animals"
    assert sum(int(text.rpartition("(")[2].rstrip(")")) for text in options[1:]) == STARTER
    animals.select_option(index=4)
    settled(horse)
    chosen = options[4].rpartition(" (")[0]
    assert set(horse.locator(LABELS).all_inner_texts()) == {chosen}
    expect(horse.locator(CHIPS)).to_have_text([f"only {chosen}"])


def test_more_like_one_and_less_like_another_move_them(horse: Page) -> None:
    before = found(horse)
    open_photo(horse, 12)
    horse.get_by_role("button", name="More like this").click()
    settled(horse)
    liked = found(horse)
    assert liked.index(before[11]) < 11
    open_photo(horse, 1)
    horse.get_by_role("button", name="Less like this").click()
    settled(horse)
    after = found(horse)
    assert after != liked
    expect(horse.locator(CHIPS)).to_have_count(2)
    for _ in range(2):
        horse.locator(CHIPS).first.click()
    settled(horse)
    assert found(horse) == before


def test_an_upload_takes_the_place_of_a_photo_search(
    horse: Page, examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    open_photo(horse, 5)
    horse.get_by_role("button", name="Photos like this one").click()
    expect(horse.locator(CHIPS)).to_have_count(1)
    by_photo = found(horse)
    upload(horse, examples["duck"], tmp_path / "duck.png")
    expect(horse.locator(CHIPS)).to_have_count(0)
    assert found(horse) != by_photo
    horse.locator(f"{PHOTOS} button").first.click()
    expect(horse.get_by_role("button", name="Why this photo?")).to_be_visible()


def test_the_keyboard_stays_among_photos_and_chips_while_they_change(horse: Page) -> None:
    among = "part => document.activeElement.closest(`[data-part=${part}]`) !== null"
    before = found(horse)
    horse.locator(f"{PHOTOS} button").nth(11).press("Enter")
    horse.get_by_role("button", name="More like this").press("Enter")
    assert found(horse) != before
    assert horse.evaluate(among, "results")
    label = horse.locator(LABELS).first.inner_text()
    horse.locator(f"{PHOTOS} button").first.press("Enter")
    horse.get_by_role("button", name=f"No {label}").press("Enter")
    expect(horse.locator(CHIPS)).to_have_count(2)
    settled(horse)
    assert horse.evaluate(among, "results"), "its photo is gone, another has its place"
    horse.locator(CHIPS).first.press("Enter")
    expect(horse.locator(CHIPS)).to_have_count(1)
    expect(horse.locator(CHIPS)).to_be_focused()
    horse.locator(CHIPS).press("Enter")
    expect(horse.get_by_label("Search among one animal")).to_be_focused()
    settled(horse)
    assert found(horse) == before


def test_behind_the_dialog_of_a_photo_nothing_is_undone_or_pasted(horse: Page) -> None:
    before = ink(horse)
    open_photo(horse, 1)
    horse.keyboard.press("Control+z")
    horse.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "x.png", { type: "image/png" }));
          const event = { clipboardData: data, bubbles: true, cancelable: true };
          document.dispatchEvent(new ClipboardEvent("paste", event));
        }"""
    )
    horse.keyboard.press("Escape")
    expect(horse.locator(DIALOG)).to_be_hidden()
    assert ink(horse) == before
    expect(horse.locator(STATUS)).not_to_contain_text("picture")
    horse.keyboard.press("Control+z")
    expect(horse.locator(PHOTOS)).to_have_count(0)
