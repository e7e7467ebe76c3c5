"""axe-core on the course's pages; nothing is wider than a telephone, and each picture has words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.accessibility.test_pages import issues
from tests.end_to_end.driving import Browser
from tests.unit.lessons.test_notebooks import script

from backlight.lessons import LESSONS
from backlight.lessons.pages.page import INDEX, page_name

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WORDLESS = "[...document.querySelectorAll('img, svg[role=img]')].filter((one) => !(one.alt || one.ariaLabel)).length"

SPOILED = """
(() => {
  const wide = document.createElement("p");
  wide.style.cssText = "display: block; width: 3000px; max-width: none; height: 9px";
  document.documentElement.append(wide, document.createElement("img"));
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


def visited(browser: Browser, path: Path) -> None:
    for width, dark in ((390, True), (1280, False)):
        with browser.page(path.as_uri(), width=width, dark=dark) as page:
            page.settle()
            assert issues(page) == []
            assert page.run(WIDER) == 0
            assert page.run(WORDLESS) == 0
            page.run(SPOILED)
            assert page.run(WIDER) > 0, "it would be noticed"
            assert page.run(WORDLESS) == 1, "it would be noticed"


@pytest.mark.parametrize("number", [1, 5, 8, 11])  # all kinds of content: steppers, text boxes, tables, the newest
def test_no_lesson_has_an_issue(number: int, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKLIGHT_FAST", "1")
    script().write_pages(tmp_path, LESSONS, [number])
    visited(browser, tmp_path / page_name(LESSONS[number]))
    if number == 1:
        visited(browser, tmp_path / INDEX)
