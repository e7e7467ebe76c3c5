"""A small world that is open in a browser, and what a reader does in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.end_to_end.driving import Browser, Page

from backlight.lessons.worlds import world
from backlight.lessons.worlds.html import write_world

STATUS = "document.querySelector('.state').textContent"
ALARM = "[...document.querySelectorAll('[role=alert]:not([hidden])')].map((one) => one.textContent).join(' ')"
OVERFLOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@contextmanager
def opened(browser: Browser, folder: Path, name: str, start: str = "", **look: Any) -> Iterator[Page]:
    """Open a world; at the end, nothing was said on the console, and nothing was asked of anybody."""
    address = write_world(world(name), folder).as_uri() + start
    with browser.page(address, **look) as page:
        page.until("document.querySelector('#world .backlight-viewer, #world .backlight-stepping')")
        yield page
        assert page.console == []
        assert [one.partition("#")[0] for one in page.asked] == [address.partition("#")[0]]


def button(page: Page, text: str) -> None:
    """Press a button by keyboard."""
    page.run(f"[...document.querySelectorAll('button')].find((one) => one.textContent === '{text}').focus()")
    page.press("Enter")


def choose(page: Page, label: str, value: Any) -> None:
    """Choose a value in the field of this name."""
    page.run(f"""(() => {{
      const labels = [...document.querySelectorAll("label")];
      const field = labels.find((one) => one.textContent.startsWith({json.dumps(label)}));
      const input = field.querySelector("select, input");
      if (input.type === "checkbox") input.checked = {json.dumps(value)};
      else input.value = {json.dumps(str(value))};
      for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, {{ bubbles: true }}));
    }})()""")


def in_the_world(page: Page, name: str, script: str) -> Any:
    """Return what a function of the world gives; the world is opened again, so that its state is at hand."""
    return page.run(f"import('backlight/{name}.js').then(({{ open }}) => ({script})(open()))")
