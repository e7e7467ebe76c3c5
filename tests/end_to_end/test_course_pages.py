"""The course as pages: lessons show what they show in Jupyter, and what comes of it in a real browser."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.end_to_end.browsing import Visit, found_browser
from tests.unit.lessons.test_notebooks import script
from tests.unit.lessons.test_pages import Tiny

from backlight.lessons import LESSONS
from backlight.lessons.pages.running import run_lesson
from backlight.lessons.worlds import WORLDS

FIRST = """
# %% [markdown]
# # Lesson 1: a tiny one
#
# ## A walk

# %%
from backlight import Value
from backlight.lessons import check
from backlight.lessons.display import show
from backlight.lessons.stepping import stepping

x = Value(3.0, label="<!--<script>")
end = x * x
print(end.data)
stepping(end)

# %%
show(lambda ax: ax.plot([1, 2], label="</script>") and ax.set_title("A line"))

# %%
def gradient_by_formula(a, b, c):
    # solution begins
    # instead: return None
    return 1
    # solution ends


check("1.1", gradient_by_formula)
"""

SECOND = """
# %% [markdown]
# # Lesson 2: a tinier one

# %%
1 + 1
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found_browser()  # or skip, before two lessons are run for nothing
    folder: Path = tmp_path_factory.mktemp("docs") / "course"
    lessons = {
        1: Tiny(number=1, name="lesson_1_tiny", title="Tiny", able="do it", source=FIRST),
        2: Tiny(number=2, name="lesson_2_tiny", title="Tinier", able="do it again", source=SECOND),
    }
    script().write_pages(folder, lessons, lessons)
    return folder


@pytest.mark.parametrize("name", ["index", "lesson_1_tiny", "lesson_2_tiny"])
def test_a_page_opens_in_silence(pages: Path, tmp_path: Path, name: str) -> None:
    visit = Visit(found_browser(), pages / f"{name}.html", tmp_path)
    assert visit.console == []
    assert visit.asked == set()
    here = set(re.findall(r'href="([^":#]+)"', visit.dom)) - {f"{name}.html"}
    for link in here:
        target = (pages / link).resolve()
        assert target.parent == pages or target.parent.name == "notebooks", link
    assert {link for link in here if link.endswith(".html")} == {
        "index.html",
        "lesson_1_tiny.html",
        "lesson_2_tiny.html",
        *((one.file for one in WORLDS.values()) if name == "index" else ()),
    } - {f"{name}.html"}
    assert sum(link.endswith(".ipynb") for link in here) == (2 if name == "index" else 1)


def test_the_slider_is_on_the_page_and_both_pictures_are(pages: Path, tmp_path: Path) -> None:
    page = pages / "lesson_1_tiny.html"
    dom = Visit(found_browser(), page, tmp_path).dom
    assert dom.count('<div class="backlight-stepping">') == 1
    assert "No gradient is known yet" in dom.split('<div class="backlight-stepping">')[1]
    assert "A line" in re.search(r'<img [^>]*alt="([^"]*)"', dom)[1]  # type: ignore[index]
    assert dom.count("data:image/png;base64,") == 2, "for light paper and for dark"
    assert "1.1: not yet" in dom
    assert "9.0" in dom
    assert page.stat().st_size < 100_000


def test_the_same_lesson_gives_the_same_page(pages: Path) -> None:
    lessons = {2: Tiny(number=2, name="lesson_2_tiny", title="Tinier", able="do it again", source=SECOND)}
    (pages.parent / "again").mkdir()
    script().write_pages(pages.parent / "again", {1: LESSONS[1], **lessons}, [2])
    again = (pages.parent / "again" / "lesson_2_tiny.html").read_text()
    assert again.replace("lesson_1_micrograd", "lesson_1_tiny") == (pages / "lesson_2_tiny.html").read_text()


def test_a_lesson_shows_what_it_shows_in_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("BACKLIGHT_FAST", "1")
    monkeypatch.setenv("BACKLIGHT_FOR_PAGES", "1")
    monkeypatch.setenv("BACKLIGHT_NO_PROGRESS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.reads(LESSONS[1].notebook(student=False).decode(), as_version=4)
    notebook.cells = notebook.cells[2:]  # without what installs, and the badge
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    theirs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    for mine, other in zip(run_lesson(LESSONS[1]), theirs, strict=True):
        assert list(map(best, mine)) == list(map(best, other))


def best(output: Any) -> Any:
    """Return what a page takes of an output."""
    data = output.get("data", {"text/plain": output.get("text")})
    kind = next(one for one in ("text/html", "image/png", "text/plain") if one in data)
    return kind, "".join(data[kind].split()) if kind == "image/png" else data[kind]


def test_a_students_notebook_runs_in_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("BACKLIGHT_FAST", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.reads(LESSONS[1].notebook().decode(), as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs: list[Any] = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    assert not [one for one in outputs if one.output_type == "error"]
    data = [one.data for one in outputs if "data" in one]
    said = [one["text/plain"] for one in data if ": not yet, nothing is filled in" in one["text/plain"]]
    assert [text.split(":")[0] for text in said] == [one.id for one in LESSONS[1].exercises]
    walks = [one for one in data if "boxes; displayed in a notebook" in one["text/plain"]]
    assert len(walks) == 2
    assert all(set(one) == {"text/plain", "text/html"} for one in walks), "no hand would move a slider"
    assert any("image/png" in one for one in data)
