"""Pages of the course: what they hold, in what order, and that everything in them can be read."""

import html
import re
from dataclasses import dataclass, replace
from xml.etree import ElementTree as ET

import pytest
from tests.unit.figures.test_style import contrast

from backlight import Value
from backlight.lessons import LESSONS, Lesson
from backlight.lessons.notebook import Cell, parse
from backlight.lessons.pages.page import course_links, index_page, lesson_page, made_of
from backlight.lessons.pages.style import STYLE
from backlight.lessons.stepping import stepping

SOURCE = """
# %% [markdown]
# # Lesson 1: a title
#
# Text with `code`, <https://example.org> and 2 < 3.
#
# ## A heading

# %%
print("<b>hello</b>")

# %%
def double(x):
    # solution begins
    # instead: return None
    return 2 * x
    # solution ends


check("1.1", double)
"""


@dataclass(frozen=True, kw_only=True)
class Tiny(Lesson):
    """A lesson whose source is not in the package."""

    source: str = SOURCE

    def cells(self, *, student: bool) -> list[Cell]:
        return parse(self.source, student=student)


def tiny(number: int = 1) -> Tiny:
    return Tiny(number=number, name=f"lesson_{number}_tiny", title="<Tiny>", able="do & say it")


def printed(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text}


def shown(**data: str) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": {}}


def test_what_was_printed_is_escaped():
    page = lesson_page(tiny(), [[printed("<b>hello</b>\n")], []])
    assert "<pre>&lt;b&gt;hello&lt;/b&gt;</pre>" in page
    assert "&lt;Tiny&gt;" in page
    assert "<Tiny>" not in page
    assert "2 &lt; 3" in page


def test_a_solution_is_folded_away_below_its_stub():
    page = lesson_page(tiny(), [[], [printed("1.1 is right")]])
    stub, rest = page.split("<details>")
    folded, after = rest.split("</details>")
    assert "your code here" in stub
    assert "A solution of exercise 1.1" in folded
    assert "1.1 is right" in folded
    for part in (stub, after):
        assert "1.1 is right" not in part
        assert '<span class="mi">2</span>' not in part


def test_the_best_form_of_an_output_is_taken():
    both = {"text/html": "<i>html</i>", "text/plain": "plain", "image/png": "AAAA"}
    page = lesson_page(tiny(), [[shown(**both)], [shown(**{"image/png": "AA\nAA", "text/plain": "plain"})]])
    assert "<i>html</i>" in page
    assert 'src="data:image/png;base64,AAAA" alt="a figure' in page
    assert "plain" not in page
    assert "<pre>plain</pre>" in lesson_page(tiny(), [[shown(**{"text/plain": "plain"})], []])


def test_links():
    page = lesson_page(
        tiny(2), [[], []], links=course_links(tiny(2), {n: tiny(n) for n in (1, 2, 3)}, notebooks="../n")
    )
    links = re.findall(r'href="([^"#]+)"', page)
    ways = ["index.html", "lesson_1_tiny.html", "lesson_3_tiny.html", "../n/lesson_2_tiny.ipynb"]
    assert links == ["data:,", *ways, "https://example.org", *ways]
    assert '<a href="#A-heading">A heading</a>' in page
    assert 'id="A-heading"' in page


def test_numbers_of_lessons_may_have_a_gap():
    lessons = {n: tiny(n) for n in (7, 10)}
    assert "lesson_10_tiny.html" in "".join(course_links(lessons[7], lessons))
    assert "lesson_7_tiny.html" in "".join(course_links(lessons[10], lessons))


def test_a_page_without_a_walk_has_no_script_and_may_have_none():
    page = lesson_page(tiny(), [[], []])
    assert "<script" not in page
    assert "script-src" not in page


def test_a_page_with_a_walk_has_the_one_script_that_it_allows(monkeypatch):
    monkeypatch.setenv("BACKLIGHT_FOR_PAGES", "1")
    walk = stepping(Value(2.0, label="a") * 3)._repr_html_()
    page = lesson_page(tiny(), [[shown(**{"text/html": walk})], []])
    assert page == lesson_page(tiny(), [[shown(**{"text/html": walk})], []])
    assert page.count('<script type="module">') == 1
    assert "export default" not in page
    assert re.search(r"script-src 'sha256-[\w+/]+='", page)


def test_the_index_has_every_lesson():
    page = index_page(LESSONS.values())
    for lesson in LESSONS.values():
        assert f'<a href="{lesson.name}.html">' in page
        assert f'href="../../notebooks/{lesson.file}"' in page
        assert lesson.able in html.unescape(page)
        assert all(f"<li>{one.id} " in page for one in lesson.exercises)
    body = page[page.index("<body>") : page.index("</body>")] + "</body>"
    ET.fromstring(body)  # noqa: S314  (it is our own)
    assert "do &amp; say it" in index_page([tiny()])


@pytest.mark.parametrize("paper", ["paper", "code"])
def test_everything_can_be_read_by_day_and_by_night(paper):
    light, dark = (dict(re.findall(r"--([\w-]+):(#\w+)", part)) for part in STYLE.split("}\n@media", 1))
    for theme in (light, dark):
        for colour in ("ink", "muted", "word", "text", "number", "link"):
            assert contrast(theme[colour], theme[paper]) >= 4.5, colour


def test_a_page_tells_another_text_by_its_mark():
    assert made_of(tiny()) in lesson_page(tiny(), [[], [], []])
    assert made_of(tiny()) != made_of(
        Tiny(number=1, name="x", title="x", able="x", source=SOURCE.replace("2 * x", "x"))
    )


def test_what_is_wide_scrolls_and_keys_can_reach_it():
    source = SOURCE.replace("# ## A heading", "# | a | b |\n# |---|---|\n# | 1 | 2 |\n#\n# ## A heading")
    page = lesson_page(replace(tiny(), source=source), [[printed("x" * 60 + "\n")], [printed("short\n")]])
    assert page.count('<div class="wide" role="group" aria-label="a table" tabindex="0"><table>') == 1
    assert page.count("</table></div>") == 1
    assert f'<pre tabindex="0">{"x" * 60}</pre>' in page
    assert "<pre>short</pre>" in page
    assert ".wide{overflow-x:auto" in STYLE
    assert "pre-wrap" not in STYLE
