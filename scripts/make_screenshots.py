"""Make the pictures of the viewer in docs/gallery.md, in a real browser, from runs that it trains.

    python scripts/make_screenshots.py

This takes about two minutes, and needs Chromium. The pictures of a notebook are made where JupyterLab is installed
(the extra [notebook]); elsewhere they stay as they are. Each picture is made for light and for dark pages.
"""

import base64
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.end_to_end.driving import Browser, Page  # noqa: E402
from tests.end_to_end.test_studio_in_a_browser import Server  # noqa: E402

import backlight  # noqa: E402
from backlight.runs.atomic import write_atomically  # noqa: E402

IMAGES = ROOT / "docs" / "images" / "gallery"
COLOURS = 256
UNIT = """((canvas) => {
  const { x, y, width } = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: x + 0.4 * width, clientY: y + 20 }));
})(document.querySelector(".units canvas"))"""
COMPARED = """(async () => {
  document.querySelector(".beside").open = true;
  while (!document.querySelector(".beside input")) await new Promise((done) => setTimeout(done, 50));
  document.querySelector(".beside input").click();
})()"""
SLID = """((list) => {
  list.value = "600";
  list.dispatchEvent(new Event("change"));
})(document.querySelector("[aria-label='checkpoint to branch from']"))"""


def train(folder: Path) -> None:
    """Train an MLP, a branch of it with a smaller learning rate, and a bigram network, each watched."""
    runs = folder / "runs"
    whole = backlight.train(
        "names", "mlp", steps=1500, eval_interval=100, watch_every=50, keep_checkpoints=5, hidden=(64,),
        line="elizabeth", run=runs / "names-mlp", progress=None,
    )  # fmt: skip
    backlight.train(start=whole, at_step=600, lr=0.0005, run=runs / "names-mlp-at-600-1", progress=None)
    backlight.train(
        "names", "bigram", steps=300, eval_interval=50, watch_every=50, run=runs / "names-bigram", progress=None
    )


def save(
    page: Page, name: str, height: int, *, top: str = "", method: Image.Quantize = Image.Quantize.MAXCOVERAGE
) -> None:
    """Write a part of a page to a PNG file with few colours.

    Args:
        page: the page.
        name: of the file.
        height: of the part, in CSS pixels.
        top: selects the element at which it begins; empty for the top of the page.
        method: how its colours are chosen: the default keeps the rare ones of lines.
    """
    page.settle()
    place = page.run(f"document.querySelector({json.dumps(top)}).getBoundingClientRect().top + scrollY" if top else "0")
    width = page.run("innerWidth")
    clip = {"x": 0, "y": place, "width": width, "height": height, "scale": 2 if width < 600 else 1}
    shot = page.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    few = (
        Image.open(BytesIO(base64.b64decode(shot["data"])))
        .convert("RGB")
        .quantize(COLOURS, method, dither=Image.Dither.NONE)
    )
    whole = BytesIO()
    few.save(whole, "PNG", optimize=True)
    write_atomically(IMAGES / f"{name}.png", whole.getvalue())
    print(f"{name}.png, {len(whole.getvalue()) / 1e3:.0f} kB", flush=True)


@contextmanager
def opened(browser: Browser, address: str, *, width: int = 1280, dark: bool) -> Iterator[Page]:
    """Open a run in the live page, once it is drawn."""
    with browser.page(address, width=width, dark=dark) as page:
        page.until("document.querySelectorAll('.panel:not([hidden]) canvas').length > 3")
        yield page


def live(browser: Browser, folder: Path) -> None:
    """Make the pictures of the live page."""
    server = Server(folder)
    try:
        for dark in (False, True):
            theme = "-dark" if dark else ""
            with opened(browser, f"{server.address}#names-mlp", dark=dark) as page:
                page.run(COMPARED)
                page.run(SLID)
                save(page, f"viewer{theme}", 900)
                page.run(UNIT)
                save(page, f"viewer-unit{theme}", 560, top=".panel:has(.units)")
            with opened(browser, f"{server.address}#names-bigram", dark=dark) as page:
                save(page, f"viewer-pairs{theme}", 620, top=".panel:has(.pairs)")
            with opened(browser, f"{server.address}#names-mlp", width=390, dark=dark) as page:
                save(page, f"viewer-narrow{theme}", 900)
    finally:
        server.end()


def notebook(browser: Browser, folder: Path) -> None:
    """Make the pictures of a cell in JupyterLab."""
    from tests.notebooks.test_viewer_in_a_notebook import TOKEN, Jupyter, in_view, run_all, write_notebook

    write_notebook(folder / "names.ipynb", "import backlight", 'backlight.view("names-mlp")')
    server = Jupyter(folder)
    try:
        with browser.page(f"{server.address}doc/tree/names.ipynb?token={TOKEN}") as page:
            run_all(page)
            page.until(in_view(0, "!view.querySelector('.controls').parentElement.hidden"))
            for dark in (False, True):
                theme = "JupyterLab Dark" if dark else "JupyterLab Light"
                page.run(f"jupyterapp.commands.execute('apputils:change-theme', {{ theme: '{theme}' }})")
                colour = in_view(0, "getComputedStyle(view.querySelector('.backlight-notebook')).backgroundColor")
                page.until(f"{colour} === '{'rgb(13, 17, 23)' if dark else 'rgb(255, 255, 255)'}'")
                save(page, f"viewer-notebook{'-dark' if dark else ''}", 760, method=Image.Quantize.MEDIANCUT)
    finally:
        server.end()


def main() -> None:
    """Train, and make the pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["COLUMNS"] = "80"
        train(folder)
        try:
            browser = Browser(folder)
        except pytest.skip.Exception as error:
            sys.exit(f"No pictures of the live page: {error}")
        try:
            live(browser, folder)
            if find_spec("jupyterlab") is None:
                print("JupyterLab is not installed: the pictures of a notebook stay as they are.")
            else:
                notebook(browser, folder)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
