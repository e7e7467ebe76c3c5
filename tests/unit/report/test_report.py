"""The health report as a page: complete, safe to open, and asking nobody for anything."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.health import records as make
from tests.unit.health.records import well

from backlight.health import diagnose, explained
from backlight.report import report, write_report
from backlight.report.style import _ON_DARK, _ON_LIGHT
from backlight.watch.records import Measurements, NonFinite
from backlight.watch.stream import line_of, records_of
from backlight.watch.stream_reader import parse

VOID = {"meta", "link", "img", "source", "br"}


class Strict(HTMLParser):
    """Checks that every element is closed in its turn, and collects what a page could ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asks: list[str] = []
        self.ids: list[str] = []
        self.scripts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.scripts += [named.get("type")] if tag == "script" else []
        self.asks += [value or "" for name, value in attrs if name in {"src", "srcset", "href", "data", "action"}]
        self.ids += [named["id"] or ""] if "id" in named else []
        assert tag not in {"iframe", "object", "form", "base"}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Strict:
    reader = Strict()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def faulty() -> Measurements:
    """Saturated from the first step, and with a bias before its batch norm, under awkward names."""
    seen = make.with_layer(make.stuck(well()), "act1", saturated=0.9)
    return replace(seen, model="<b>&amp;")


def test_findings_stand_first_each_with_its_numbers_and_the_panels_that_show_it() -> None:
    page = report(faulty(), title="mine")
    assert "saturated-units" in (ids := parsed(page).ids)
    (finding,) = [one for one in diagnose(faulty()).findings if one.id == "saturated-units"]
    for text in (finding.title, finding.because, *finding.try_this, *(one.what for one in finding.evidence)):
        assert text.replace("'", "&#x27;").replace(">", "&gt;") in page
    section = page[page.index('id="saturated-units"') : page.index("</section>", page.index('id="saturated-units"'))]
    assert '<a href="#panel-layers">Layers</a>' in section
    assert explained("saturated-units").split("\n\n")[0][:40] in section
    assert "Lesson 4: <code>backlight lessons open 4</code>" in section
    assert len(ids) == len(set(ids))
    assert page.index('id="saturated-units"') < page.index('id="viewer"')


def recording_of(page: str) -> list[dict[str, Any]]:
    """Return the messages inside a page."""
    inside = re.search(r'<script type="application/json" id="recording">(.*?)</script>', page, re.DOTALL)
    assert inside is not None
    found: list[dict[str, Any]] = json.loads(inside[1], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return found


def test_the_whole_recording_is_in_the_page() -> None:
    seen = replace(well(), first_nonfinite=NonFinite(where="fc", direction="forward", step=3))
    page = report(seen, title="mine", samples=[(0, ["xq"]), (10, ["</script><b>emma"])])
    messages = recording_of(page)
    assert [one["type"] for one in messages[:2]] == ["hello", "records"]
    lines = "\n".join(json.dumps(one) for one in messages[1]["records"]) + "\n"
    again = parse(lines.encode(), "the page")
    assert again == parse(stream(seen), "what was measured")
    assert [one["samples"] for one in messages if one["type"] == "samples"] == [["xq"], ["</script><b>emma"]]


def stream(seen: Measurements) -> bytes:
    return b"".join(line_of(*one) for one in records_of(seen))


def test_a_healthy_network_has_no_findings_and_has_its_figures() -> None:
    page = report(well(), title="mine")
    assert "No findings" in page
    assert '<p class="summary healthy">' in page
    assert {"loss", "step"} <= {one["type"] for one in recording_of(page)[1]["records"]}


def test_a_page_asks_nobody_and_runs_only_what_it_allows() -> None:
    for page in (report(well(), title="mine"), report(faulty(), title="mine")):
        found = parsed(page)
        assert all(ask.startswith(("data:", "#panel-")) for ask in found.asks)
        assert found.scripts == ["application/json", "importmap", "module"]
        policy = page[page.index("default-src") : page.index('">', page.index("default-src"))]
        assert "default-src 'none'" in policy
        assert "'unsafe-inline'" not in policy.split("script-src")[1]
        assert not re.search(r"url\(|@import|javascript:|https?://", page)


def test_names_cannot_break_out() -> None:
    page = report(faulty(), title="<script>alert(1)</script>", facts=[("<i>", "</dl><script>")])
    assert len(parsed(page).scripts) == 3
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("colours", [_ON_LIGHT, _ON_DARK], ids=["light", "dark"])
def test_every_colour_of_text_can_be_read_on_its_paper(colours: str) -> None:
    by_name = dict(re.findall(r"--(\w+):(#[0-9a-f]{6});", colours))
    paper = luminance(by_name.pop("paper"))
    by_name.pop("grid")  # lines, not text
    for name, colour in by_name.items():
        dark, light = sorted((paper, luminance(colour)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_report_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(well(), path, title="mine")
    assert path.read_text(encoding="utf-8") == report(well(), title="mine")
