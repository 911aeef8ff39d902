"""The console in Debian's Chromium: visits that remember what no page may cause, and axe, which looks for barriers.

`pip` brings Playwright without a browser. Where there is no Chromium, what needs it is skipped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, sync_playwright

from .console import SESSION_COOKIE

CHROMIUM = Path("/usr/bin/chromium")
LAPTOP, PHONE = (1440, 900), (390, 844)
Theme = Literal["light", "dark"]

_AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# A limit of waits, not an expectation.
_WITHIN_MS = 30_000
# Chromium says so of a page whose status is 4xx, which is how the console refuses, and of one that breaks, which `open`
# has to expect. Of all else `_answered` tells.
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|500)")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium. Skips where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: scripts/debian-extras installs it")
    # Chromium refuses to run as root with its sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Visit:
    """One person's window of the console. `wrong` is what happened in it that never may."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url, self.wrong = context, url.rstrip("/"), list[str]()
        context.set_default_timeout(_WITHIN_MS)
        context.on("console", lambda message: self._said(message.type, message.text))
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        context.on("dialog", self._refuse_dialog)
        context.on("request", self._asked)
        context.on("response", self._answered)
        self.page: Page = context.new_page()

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not _STATUS.match(text):
            self.wrong.append(f"{kind} on the browser's console: {text}")

    def _refuse_dialog(self, dialog: Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/console/", "data:")):
            self.wrong.append(f"request elsewhere: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.wrong.append(f"{response.status} of {response.url}")

    def open(self, path: str = "/", *, status: int = 200) -> Page:
        """Go to a page of the console, which answers with this status."""
        answer = self.page.goto(f"{self.url}/console{path}")
        assert answer is not None
        assert answer.status == status, (path, answer.status, answer.text()[:2000])
        return self.page

    @property
    def path(self) -> str:
        """Where the window is."""
        return urlsplit(self.page.url).path

    def overflows(self) -> int:
        """By how many pixels the page is wider than its window."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))

    def barriers(self) -> list[str]:
        """What axe finds on the page, by WCAG 2.2 AA and best practice."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE.read_text())
        rules = {"type": "tag", "values": list(_RULES)}
        options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]


@contextmanager
def visiting(
    browser: Browser,
    url: str,
    token: str | None = None,
    *,
    size: tuple[int, int] = LAPTOP,
    theme: Theme = "light",
    scripts: bool = True,
    for_axe: bool = False,
) -> Iterator[Visit]:
    """A window of somebody with this session, or of nobody. Fails at the end if anything went wrong in it.

    `for_axe`: without the pages' content policy, because axe gives elements styles while it measures them.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        reduced_motion="reduce",
        java_script_enabled=scripts,
        bypass_csp=for_axe,
    )
    if token is not None:
        context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": url}])
    try:
        visit = Visit(context, url)
        yield visit
        visit.page.wait_for_load_state()
        assert not visit.wrong, visit.wrong
    finally:
        context.close()
