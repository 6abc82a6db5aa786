"""What tests do with the dialog that shares a drawing."""

from playwright.sync_api import Page, expect

LINK = '[data-part="link"]'
OUTCOME = '[data-part="outcome"]'


def share(page: Page) -> str:
    """Opens the dialog; returns the link in it."""
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("dialog", name="Share this drawing")).to_be_visible()
    return page.locator(LINK).input_value()


def clipboard(page: Page) -> str:
    """What was copied last."""
    expect(page.locator(OUTCOME)).to_have_text("Copied.")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text
