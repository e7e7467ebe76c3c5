"""A lesson is run without Jupyter: what each cell shows, what stops it, and when its page is made anew."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.lessons.test_pages import Tiny, tiny

from backlight.core import DataError, RunError
from backlight.lessons.pages.page import write_page
from backlight.lessons.pages.running import run_cells

SHOWING = """
class Both:
    def _repr_html_(self):
        return "<b>bold</b>"

    def _repr_png_(self):
        return b"png"

class Image:
    def _repr_html_(self):
        return None

    def _repr_png_(self):
        return b"png", {"alt": "an image"}
"""


def shown(outputs):
    """Return the outputs of a cell in short."""
    return [one.get("text") or one["data"].get("text/html") or one["data"]["text/plain"] for one in outputs]


def test_a_cell_shows_what_it_prints_and_the_value_of_its_last_line():
    done = []
    cells = [
        "x = 2\nprint('a'); print('b')\nx + 1",
        "x = x * 2",
        "x",
        "print(x)",
        "if x:\n    x",
        "None",
        "",
        "# only text",
    ]
    outputs = run_cells(cells, on_cell=lambda *numbers: done.append(numbers))
    assert list(map(shown, outputs)) == [["a\nb\n", "3"], [], ["4"], ["4\n"], [], [], [], []]
    assert done == [(number, len(cells)) for number in range(1, len(cells) + 1)]


def test_html_comes_before_an_image_and_an_image_before_text():
    _, (both,), (image,) = run_cells([SHOWING, "Both()", "Image()"])
    assert "image/png" not in both["data"]
    assert both["data"]["text/html"] == "<b>bold</b>"
    assert base64.b64decode(image["data"]["image/png"]) == b"png"
    assert image["metadata"] == {"image/png": {"alt": "an image"}}


def test_the_process_has_the_variables_and_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = "import os\nopen('made.txt', 'w').close()\nos.environ['MINE'] + os.environ['MPLBACKEND']"
    assert shown(run_cells([cell], environment={"MINE": "yes "})[0]) == ["'yes agg'"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (
            ["x = 1", "def f():\n    return 1 / 0\n\nf()"],
            r"cell 2: ZeroDivisionError in line 2, in f: division by zero",
        ),
        (["x = ("], r"cell 1: SyntaxError in line 1"),
        (["import os\nos._exit(3)"], r"its process ended \(exit code 3\)"),
    ],
)
def test_a_lesson_that_does_not_run_to_its_end(cells, says):
    with pytest.raises(DataError, match=says):
        run_cells(cells)


SOURCE = """
# %% [markdown]
# # Lesson 1: a title

# %%
6 * 7
"""


def test_a_page_is_made_once_for_a_text(tmp_path):
    lesson = replace(tiny(), source=SOURCE)
    page, new = write_page(lesson, tmp_path / "pages")
    assert new
    assert "<pre>42</pre>" in page.read_text()
    assert "<nav" not in page.read_text()
    page.write_text(page.read_text().replace("42", "43"))
    assert write_page(lesson, tmp_path / "pages") == (page, False)
    assert "43" in page.read_text()
    assert write_page(lesson, tmp_path / "pages", again=True) == (page, True)
    assert "42" in page.read_text()
    other = replace(lesson, source=SOURCE.replace("6", "5"))
    assert write_page(other, tmp_path / "pages") == (page, True)
    assert "35" in page.read_text()


def test_a_page_that_cannot_be_made_leaves_the_old_one(tmp_path):
    lesson = replace(tiny(), source=SOURCE)
    page, _ = write_page(lesson, tmp_path)
    before = page.read_bytes()
    with pytest.raises(DataError, match="cell 1: ZeroDivisionError"):
        write_page(replace(lesson, source=SOURCE.replace("6 * 7", "6 / 0")), tmp_path)
    assert page.read_bytes() == before


def test_a_page_needs_a_folder(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Choose another: backlight lessons read 1 DIR"):
        write_page(Tiny(number=1, name="lesson_1_tiny", title="x", able="x", source=SOURCE), tmp_path / "file")
