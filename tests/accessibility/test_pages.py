"""axe-core on each page, in both themes, at two widths: no serious issue, and no moderate one."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.end_to_end.driving import Browser, Page
from tests.end_to_end.test_studio_in_a_browser import Server, texts, write_cell
from tests.unit.health import records as make
from tests.unit.health.records import well

import backlight
from backlight.health.over_time import over_time
from backlight.lessons.worlds.html import write_worlds
from backlight.page import write_page
from backlight.report import write_report
from backlight.studio.measured import measured_messages
from backlight.watch.stream import write_stream

STEPPED = "[...document.querySelectorAll('button')].find((one) => /^(One step|▸)$/.test(one.textContent)).click()"
PANELS = "document.querySelectorAll('.panel:not([hidden]) canvas').length > 3"


def issues(page: Page) -> list[str]:
    page.run(Path(os.environ["BACKLIGHT_AXE"]).read_text(encoding="utf-8") + ";0")
    found: list[str] = page.run("""axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact !== "minor")
      .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0].html}`))""")
    return found


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_no_page_has_an_issue(tmp_path: Path, width: int, *, dark: bool) -> None:
    sick = replace(make.with_layer(make.stuck(well()), "act1", saturated=0.9), texts=texts())
    write_report(sick, tmp_path / "report.html", title="my net", samples=[(0, ["emma"])])
    write_page(backlight.train(["emma", "olivia", "ava", "mia"], "gpt", steps=2, progress=None), tmp_path / "page.html")
    write_stream(sick, tmp_path / "record.jsonl")
    browser, server = Browser(tmp_path), Server(tmp_path, "record.jsonl")
    try:
        for address in (*(tmp_path.joinpath(name).as_uri() for name in ("report.html", "page.html")), server.address):
            with browser.page(address, width=width, dark=dark) as page:
                page.until(PANELS)
                if address == server.address:
                    page.run(
                        "[...document.querySelectorAll('button')].find((b) => b.textContent === 'New training').click()"
                    )
                page.settle()
                assert issues(page) == []
                page.run("document.querySelector('h1').insertAdjacentHTML('afterend', '<button></button>')")
                assert any("button-name" in one for one in issues(page)), "an issue would be noticed"
    finally:
        server.end()
        browser.close()


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_a_cell_of_a_notebook_has_no_issue(tmp_path: Path, width: int, *, dark: bool) -> None:
    sick = replace(make.with_layer(make.stuck(well()), "act1", saturated=0.9), texts=texts())
    messages = measured_messages(sick, over_time(sick), title="my net", samples=[(0, ["emma"])])
    told = [*map(json.loads, messages), {"type": "state", "state": "paused", "step": 3}]
    write_cell(tmp_path / "cell.html", [*told, {"type": "checkpoints", "steps": [0, 3], "bytes": 1_000_000}])
    browser = Browser(tmp_path)
    try:
        with browser.page((tmp_path / "cell.html").as_uri(), width=width, dark=dark) as page:
            page.until("window.root && root.querySelectorAll('.panel:not([hidden]) canvas').length > 3")
            page.run("answer({ asked: true, names: ['net', 'branch'] })")
            page.until("!root.querySelector('.controls').parentElement.hidden")
            page.settle()
            assert issues(page) == []
            page.run("root.querySelector('.bar').insertAdjacentHTML('afterend', '<button></button>')")
            assert any("button-name" in one for one in issues(page)), "an issue would be noticed"
    finally:
        browser.close()


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_no_world_has_an_issue(tmp_path: Path, width: int, *, dark: bool) -> None:
    browser = Browser(tmp_path)
    try:
        for path in write_worlds(tmp_path / "worlds"):
            with browser.page(path.as_uri(), width=width, dark=dark) as page:
                page.until("document.querySelector('#world').children.length")
                page.settle()
                for act in (STEPPED, "document.querySelector('.guessing input')?.click()", STEPPED):
                    page.run(f"{act}, 0")
                page.settle()
                assert issues(page) == []
                page.run("document.querySelector('h1').insertAdjacentHTML('afterend', '<button></button>')")
                assert any("button-name" in one for one in issues(page)), "an issue would be noticed"
    finally:
        browser.close()
