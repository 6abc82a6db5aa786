"""Which animals the gallery holds, as the board says it, and who made the photos."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.board import PHOTOS, STATUS


@pytest.fixture
def elephant(page: Page) -> Page:
    """A drawing of an elephant, of which the starter gallery has one photo."""
    page.get_by_role("button", name="elephant").click()
    expect(page.locator(STATUS)).to_contain_text("That looks like an elephant: 1 of these")
    return page


def test_a_line_parts_the_one_elephant_from_the_others(elephant: Page) -> None:
    expect(elephant.locator(PHOTOS)).to_have_count(12)
    expect(elephant.locator(f"{PHOTOS}:not(.other)")).to_have_count(1)
    expect(elephant.locator(PHOTOS).first).to_contain_text("elephant")
    line = elephant.locator('[data-part="results"]').evaluate(
        "list => getComputedStyle(list, '::after').content"
    )
    assert line == '"Other animals, nearest first"'
    first, second = (elephant.locator(PHOTOS).nth(i).bounding_box() for i in (0, 1))
    assert first and second
    assert second["y"] > first["y"] + first["height"] + 20


def test_credits_are_a_line_that_opens(elephant: Page) -> None:
    line = elephant.locator('[data-part="makers"]')
    expect(line).to_contain_text("makers: credits")
    entries = elephant.locator('[data-part="terms"] li')
    expect(entries.first).to_be_hidden()
    line.click()
    expect(entries.first).to_be_visible()
    texts = entries.all_inner_texts()
    assert len(texts) == len(set(texts)) > 1


def test_a_credit_links_to_the_page_that_a_photo_comes_from(page: Page) -> None:
    page.get_by_role("button", name="giraffe").click()
    page.locator('[data-part="animals"]').select_option("giraffe")
    expect(page.locator(PHOTOS)).to_have_count(3)
    links = set()
    for place in range(3):
        page.locator(f"{PHOTOS} button").nth(place).click()
        link = page.locator('[data-part="credit"] a[href*="commons.wikimedia.org"]')
        links.add(link.get_attribute("href") if link.count() else None)
        page.get_by_role("button", name="Close", exact=True).click()
    assert len(links) == 3
