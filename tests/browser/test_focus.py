"""The keyboard keeps its place when the button that it pressed disappears."""

from playwright.sync_api import Page, expect

from tests.browser.board import CHIPS, PHOTOS, open_photo


def test_an_example_hands_the_focus_on(page: Page) -> None:
    for name in ("horse", "Surprise me"):
        page.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")
        expect(page.locator(PHOTOS)).to_have_count(12)
        expect(page.get_by_role("button", name="Undo")).to_be_focused()
        page.get_by_role("button", name="Clear").click()


def test_the_last_chip_hands_the_focus_on_even_on_a_blank_page(horse: Page) -> None:
    open_photo(horse, 2)
    horse.get_by_role("button", name="Photos like this one").click()
    horse.get_by_role("button", name="Clear").click()
    horse.locator(CHIPS).focus()
    horse.keyboard.press("Enter")
    expect(horse.locator(PHOTOS)).to_have_count(0)
    expect(horse.get_by_role("button", name="Undo")).to_be_focused()
