"""Reports in real headless Chromium: opened, filtered, clicked, by keyboard, at two widths and in both themes."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_pages import HOSTILE, score, some_scores, write_scores

from markscheme.trainer.commands.cli import main

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll("canvas, .list, .detail, header")].map((one) => one.getBoundingClientRect());
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return boxes.filter((a, i) => boxes.slice(i + 1).some((b) => meet(a, b))).length;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed; `apt-get install chromium`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Opened:
    """A page that was opened without a network, and everything that it said or asked for."""

    def __init__(self, browser: Any, path: Path, *, width: int = 1280, theme: str = "light", at: str = ""):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, offline=True
        )
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri() + at)
        self.page.wait_for_selector("html[data-ready=true]")

    def groups(self) -> int:
        return int(self.page.get_attribute("#groups .list > div", "data-count"))

    def chosen(self) -> str:
        return self.page.inner_text("#detail h3 >> nth=0")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of scores, of a comparison, and of training steps."""
    folder = tmp_path_factory.mktemp("pages")
    one = some_scores(folder / "one.jsonl", problems=200)
    two = some_scores(folder / "two.jsonl", problems=200, flipped=True)
    rows = [
        score(
            f"p{step}-{group}",
            "x" * (10 + step),
            float((step + sample) % 2),
            step=step,
            group=group,
            sample=sample,
        )
        for step in range(1, 9)
        for group in range(1, 4)
        for sample in range(1, 5)
    ]
    steps = write_scores(folder / "steps.jsonl", rows)
    for name, inputs in {"one": [one], "two": [one, two], "steps": [steps]}.items():
        assert main(["report", *map(str, inputs), "-o", str(folder / f"{name}.html")]) == 0
    return {name: folder / f"{name}.html" for name in ("one", "two", "steps")}


@pytest.mark.parametrize("name", ["one", "two", "steps"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_opens_without_a_word(
    browser: Any, pages: dict[str, Path], name: str, width: int, theme: str
) -> None:
    opened = Opened(browser, pages[name], width=width, theme=theme)
    assert opened.said == []
    assert opened.asked == [pages[name].as_uri()]
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.evaluate(OVERLAPS) == 0
    back = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[theme]
    drawn = "[...document.querySelectorAll('canvas')].every((one) => one.width > 100)"
    assert opened.page.evaluate(drawn)
    assert len(opened.page.screenshot(full_page=True)) > 20_000


def test_hostile_texts_are_shown_as_they_are(browser: Any, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["one"])
    opened.page.fill("#q", "gnihton")
    assert opened.groups() == 200
    shown = opened.page.inner_text(".completion:has-text('taken') .text")
    assert "</script><script>document.title='taken'</script><!-- <b>bold</b> U+202Egnihton" in shown
    assert "&amp; \U0001f600 U+0007" in shown
    assert opened.page.title() == "one.jsonl"
    assert opened.page.locator(".text b").count() == 0
    assert HOSTILE[:9] not in opened.page.title()


def test_filters_search_and_order(browser: Any, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["one"])
    page = opened.page
    assert opened.groups() == 200
    for name, count in (("wrong", 40), ("mixed", 120), ("right", 40), ("flat", 80), ("all", 200)):
        page.select_option("#filter", name)
        assert opened.groups() == count, name
    page.select_option("#reason", label="correct: different (400)")
    assert opened.groups() == 160
    page.select_option("#reason", "")
    page.fill("#q", "P199")
    assert opened.groups() == 1
    assert opened.chosen() == "Problem p199"
    page.fill("#q", "")
    page.select_option("#order", "best")
    assert page.inner_text(".item >> nth=0").strip().startswith("1")
    assert opened.said == []


def test_the_list_holds_only_what_is_in_sight(browser: Any, pages: dict[str, Path]) -> None:
    page = Opened(browser, pages["one"]).page
    assert page.locator(".item").count() < 40
    page.evaluate("document.querySelector('.list').scrollTop = 46 * 150")
    page.wait_for_timeout(100)
    tops = page.evaluate("[...document.querySelectorAll('.item')].map((one) => parseInt(one.style.top) / 46)")
    assert min(tops) <= 150 <= max(tops)
    assert len(tops) < 40


def test_the_keyboard_and_the_address(browser: Any, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["one"])
    page = opened.page
    first = opened.chosen()
    page.keyboard.press("j")
    page.keyboard.press("j")
    third = opened.chosen()
    page.keyboard.press("k")
    assert len({first, third, opened.chosen()}) == 3
    page.keyboard.press("/")
    page.keyboard.type("p12")
    assert opened.groups() == 11  # p12, p120 to p129
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    wanted = opened.chosen()
    again = Opened(browser, pages["one"], at=page.evaluate("location.hash"))
    assert again.groups() == 11
    assert again.chosen() == wanted
    assert again.page.input_value("#q") == "p12"


def test_steps_are_coloured_and_have_their_advantages(browser: Any, pages: dict[str, Path]) -> None:
    page = Opened(browser, pages["one"]).page
    assert page.inner_text(".step.right >> nth=0").startswith("I think it is")
    assert "A 0.25" in page.inner_text("sub >> nth=0")
    assert page.locator(".step.wrong").count() >= 1


def test_two_sources_stand_side_by_side(browser: Any, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["two"])
    assert opened.groups() == 67  # every third of 200 problems is paid the other way
    heads = [one.strip() for one in opened.page.locator(".sides h3").all_inner_texts()]
    assert heads == ["one", "two"]
    left, right = (opened.page.locator(".sides > div").nth(i).bounding_box() for i in (0, 1))
    assert left["y"] == right["y"]
    assert opened.page.locator(".completion.disputed").count() == 2
    assert "134" not in opened.page.inner_text("#comparison p")
    assert "67 of these are marked differently" in opened.page.inner_text("#comparison p")


def test_a_click_on_a_chart_chooses_the_step(browser: Any, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["steps"])
    assert opened.groups() == 24
    over = opened.page.locator("#charts .u-over").nth(0)
    box = over.bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert opened.page.input_value("#step") == "8"
    assert opened.groups() == 3
    assert opened.said == []


def test_print_shows_the_numbers_and_no_controls(browser: Any, pages: dict[str, Path]) -> None:
    opened = Opened(browser, pages["steps"])
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert not opened.page.is_visible("#q")
    assert opened.page.is_visible("#charts table")
    assert len(opened.page.pdf()) > 10_000
