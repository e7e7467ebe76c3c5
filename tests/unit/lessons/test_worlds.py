"""The small worlds: their pages load nothing, and the lessons lead to them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.lessons.test_pages import tiny

from backlight.core import ConfigError, RunError
from backlight.lessons import LESSONS
from backlight.lessons.notebook import Cell
from backlight.lessons.pages.cells import text_html
from backlight.lessons.pages.linked import worlds_of
from backlight.lessons.pages.page import write_page
from backlight.lessons.worlds import WORLDS, world
from backlight.lessons.worlds.graphs import graphs
from backlight.lessons.worlds.html import page, write_world, write_worlds


def test_each_lesson_leads_to_its_worlds_from_the_section_that_they_are_about():
    for one in WORLDS.values():
        for start in one.starts:
            texts = [cell.source for cell in LESSONS[start.lesson].cells(student=True) if cell.kind == "markdown"]
            text = "\n".join(texts)
            after = text.partition(f"## {start.section}\n")[2].partition("\n## ")[0]
            assert f"`backlight worlds {one.name} --lesson {start.lesson}`" in after, (one.name, start.lesson)
            assert one in worlds_of(LESSONS[start.lesson])
            assert f'id="{start.anchor}"' in page(one)


def test_a_command_is_a_link_on_a_page():
    html = text_html(Cell(kind="markdown", source="Try `backlight worlds plane --lesson 4`, or `backlight worlds`."))
    assert '<a href="world_plane.html#lesson-4"><code>backlight worlds plane --lesson 4</code></a>' in html
    assert html.count("<a ") == 1


def test_a_page_of_a_lesson_comes_with_its_worlds(tmp_path: Path):
    source = "# %% [markdown]\n# # Lesson 1\n#\n# `backlight worlds graph --lesson 1`\n"
    write_page(replace(tiny(1), source=source), tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lesson_1_tiny.html", "world_graph.html"]
    wrong = replace(tiny(1), source=source.replace("graph --lesson 1", "graph --lesson 2"))
    with pytest.raises(ConfigError, match="the lesson of the world graph must be one of 1; got 2"):
        write_page(wrong, tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


def test_the_pages_load_nothing_and_are_small(tmp_path: Path):
    written = write_worlds(tmp_path)
    assert [one.name for one in written] == [f"world_{name}.html" for name in WORLDS]
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        assert re.findall(r'(?:src|href)="([^"#][^"]*)"', text) == ["data:,"]
        for data in re.findall(r'<script type="application/json" id="\w+">(.*?)</script>', text, re.DOTALL):
            assert "<" not in data
    assert sum(one.stat().st_size for one in written) < 500_000


def test_the_graphs_end_with_all_gradients():
    for one in graphs():
        assert one["steps"][0]["head"] == "Nothing is computed yet"
        assert "?" not in one["steps"][-1]["values"] + one["steps"][-1]["grads"]


def test_what_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ConfigError, match="must be one of graph, plane, attention; got 'moon'"):
        world("moon")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Choose another: backlight worlds plane DIR"):
        write_world(world("plane"), tmp_path / "file")
