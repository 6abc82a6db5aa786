"""A closer look at a photo, and searches narrowed from there."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_board import PHOTOS, draw, found, settled

CLOSER = '[data-part="closer"]'
CHIPS = '[data-part="chips"] button'
LABELS = f'{PHOTOS} [data-part="label"]'


@pytest.fixture
def horse(page: Page) -> Page:
    """The board after a horse was drawn."""
    page.get_by_role("button", name="horse").click()
    expect(page.locator(PHOTOS)).to_have_count(12)
    settled(page)
    return page


def look_closer(page: Page, rank: int) -> str:
    """Opens a photo; returns what it shows."""
    label: str = page.locator(LABELS).nth(rank - 1).inner_text()
    page.locator(f"{PHOTOS} button").nth(rank - 1).click()
    expect(page.locator(CLOSER)).to_be_visible()
    return label


def test_a_click_shows_the_photo_large_with_its_credit(horse: Page) -> None:
    label = look_closer(horse, 2)
    dialog = horse.get_by_role("dialog", name=label)
    expect(dialog).to_contain_text("Tux Paint stamps")
    licence = dialog.get_by_role("link", name="GPL-2")
    which = "or-later" if "or later" in licence.inner_text() else "only"
    expect(licence).to_have_attribute("href", f"https://spdx.org/licenses/GPL-2.0-{which}.html")
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
    look_closer(horse, 1)
    horse.get_by_role("button", name="Close", exact=True).click()
    expect(horse.locator(CLOSER)).to_be_hidden()


def test_photos_like_a_photo_begin_with_itself_until_one_draws_on(
    horse: Page, examples: dict[str, list[dict[str, Any]]]
) -> None:
    before = found(horse)
    label = look_closer(horse, 5)
    horse.get_by_role("button", name="Photos like this one").click()
    expect(horse.locator(CHIPS)).to_have_text([f"like a photo: {label}"])
    assert found(horse)[0] == before[4]
    expect(horse.locator('[data-part="similarity"]').first).to_have_text("100 %")
    draw(horse, [{"points": [[0.1, 0.9], [0.12, 0.9]]}])
    expect(horse.locator(CHIPS)).to_have_count(0)
    assert found(horse)[0] != before[4]


def test_only_one_animal_or_all_but_one(horse: Page) -> None:
    label = look_closer(horse, 1)
    horse.get_by_role("button", name=f"No {label}").click()
    settled(horse)
    assert label not in horse.locator(LABELS).all_inner_texts()
    expect(horse.locator(PHOTOS)).to_have_count(12)
    horse.get_by_role("button", name=f"Take away: no {label}").click()
    settled(horse)
    assert horse.locator(LABELS).first.inner_text() == label
    other = look_closer(horse, 3)
    horse.get_by_role("button", name=f"Only {other}").click()
    settled(horse)
    assert set(horse.locator(LABELS).all_inner_texts()) == {other}


def test_animals_can_be_chosen_from_the_list_of_all(horse: Page) -> None:
    animals = horse.get_by_label("Search among one animal")
    options = animals.locator("option").all_inner_texts()
    assert options[0] == "All animals"
    assert sum(int(text.rpartition("(")[2].rstrip(")")) for text in options[1:]) == 118
    animals.select_option(index=4)
    settled(horse)
    chosen = options[4].rpartition(" (")[0]
    assert set(horse.locator(LABELS).all_inner_texts()) == {chosen}
    expect(horse.locator(CHIPS)).to_have_text([f"only {chosen}"])


def test_more_like_one_and_less_like_another_move_them(horse: Page) -> None:
    before = found(horse)
    look_closer(horse, 12)
    horse.get_by_role("button", name="More like this").click()
    settled(horse)
    liked = found(horse)
    assert liked.index(before[11]) < 11
    look_closer(horse, 1)
    horse.get_by_role("button", name="Less like this").click()
    settled(horse)
    after = found(horse)
    assert after != liked
    expect(horse.locator(CHIPS)).to_have_count(2)
    for _ in range(2):
        horse.locator(CHIPS).first.click()
    settled(horse)
    assert found(horse) == before
