"""The opt-out pages in a real browser, without a mouse: Debian's Chromium, which `make test-full` needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from tests.engine.optout.site import EMAIL, NEWS, Site

pytestmark = pytest.mark.browser

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(params=[(360, 640, "dark"), (1280, 800, "light")], ids=["phone", "desk"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", java_script_enabled=False
    )
    page = context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "favicon" not in message.location.get("url", ""):
            complaints.append(message.text)

    page.on("console", note)
    yield page
    context.close()
    assert complaints == [], "the browser found nothing to complain of, such as a style the policy refuses"


def address(site: Site, path: str) -> str:
    return str(site.client.base_url).rstrip("/") + path


def fits(page: Page) -> bool:
    """Whether nothing must be scrolled sideways, and everything to be pressed is large enough for a thumb."""
    viewport = page.viewport_size
    assert viewport is not None
    for each in page.locator("main, button, label").all():
        box = each.bounding_box()
        if box is None or box["x"] < 0 or box["x"] + box["width"] > viewport["width"] or box["height"] < 44:
            return False
    return True


def test_opting_out_and_back_with_the_keyboard_alone(site: Site, page: Page) -> None:
    page.goto(address(site, site.path(site.send("letter"))))
    assert page.title() == "Stop these messages?"
    assert fits(page)
    page.keyboard.press("Tab")
    assert page.locator("button:focus").inner_text() == "Stop messages"
    assert site.blocks() == []
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="It is done").wait_for()
    assert site.blocks() == [(EMAIL, "email", "", "marketing")]
    assert fits(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Welcome back").wait_for()
    assert site.blocks() == []


def test_choosing_with_the_keyboard_alone(site: Site, page: Page) -> None:
    page.goto(address(site, site.path(site.send("letter"))))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What should we stop?").wait_for()
    assert fits(page)
    assert page.get_by_role("group", name="What should we stop?").get_by_role("radio").count() == 3
    assert page.get_by_role("radio", name="All our emails").is_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert page.get_by_role("radio", name="Messages from this sender only").is_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="It is done").wait_for()
    assert site.blocks() == [(EMAIL, "email", NEWS, "marketing")]


def test_it_is_drawn_as_it_is_meant(site: Site, page: Page) -> None:
    """The style is let in, and is light or dark as the reader has it."""
    page.goto(address(site, site.path(site.send("text"))))
    drawn = []
    page.emulate_media(color_scheme="light")
    drawn.append(page.screenshot())
    page.emulate_media(color_scheme="dark")
    drawn.append(page.screenshot())
    assert drawn[0] != drawn[1]
    card = page.locator("main").bounding_box()
    assert card is not None
    assert card["width"] <= 29 * 16 + 1
