"""Starts a real browser."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserType, sync_playwright


@contextmanager
def chromium(options: Sequence[str] = ()) -> Iterator[Browser]:
    """Headless Chromium: that of the system if there is one, otherwise Playwright's."""
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium, options)
        try:
            yield browser
        finally:
            browser.close()


def launched(kind: BrowserType, options: Sequence[str] = ()) -> Browser:
    """Starts one more browser. `kind` is `browser.browser_type` of a running one."""
    path = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    return kind.launch(
        executable_path=path,
        args=["--no-sandbox", "--disable-background-networking", *options],
    )
