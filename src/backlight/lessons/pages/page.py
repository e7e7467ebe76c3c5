"""The page around a lesson's cells, and the index of the course."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from backlight.lessons.catalogue import Lesson
from backlight.lessons.notebook import Cell
from backlight.lessons.pages.cells import code_html, outputs_html, text_html
from backlight.lessons.pages.style import STYLE
from backlight.lessons.recorded import mark
from backlight.lessons.stepping.walk import asset

INDEX = "index.html"

# the widget's own module, with a stand-in for the kernel: on a page, nobody else wants to know where the slider is
_MOUNT = """
for (const data of document.querySelectorAll("script.walk")) {
  const state = { step: 0, ...JSON.parse(data.textContent) };
  const model = { get: (name) => state[name], set: (name, to) => { state[name] = to; }, save_changes() {}, on() {} };
  data.previousElementSibling.remove();
  render({ model, el: data.parentElement });
}
"""
_EXPORT = "export default { render };"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'{may}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">{made_of}
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def lesson_page(
    lesson: Lesson,
    notebook: Mapping[str, Any],
    *,
    before: Lesson | None = None,
    after: Lesson | None = None,
    notebooks: str = "../../notebooks",
) -> str:
    """Return a lesson that has been run as a page.

    Args:
        lesson: which.
        notebook: the lesson's, with solutions and outputs: its cells are the lesson's, in order.
        before: the lesson before it, if there is one.
        after: the next lesson, if there is one.
        notebooks: where the notebooks are, as seen from the page.
    """
    cells = "\n".join(_cells(lesson, notebook))
    links = _links(lesson, before, after, notebooks)
    body = (
        f'<nav class="way">{links}</nav>\n'
        '<p class="about">This page is the lesson after it was run, solutions and all; '
        f"these are folded away. To work on it, take the notebook: <code>backlight lessons open {lesson.number}</code>."
        f'</p>\n{_contents(cells)}<main>\n{cells}\n</main>\n<footer><nav class="way">{links}</nav></footer>'
    )
    title, walks = f"Lesson {lesson.number}: {lesson.title}", 'class="walk"' in cells
    return _page(title, body, walks=walks, made_of=made_of(lesson))


def index_page(lessons: Iterable[Lesson], *, notebooks: str = "../../notebooks") -> str:
    """Return the index: every lesson, what you can do after it, and its exercises.

    Args:
        lessons: in order.
        notebooks: where the notebooks are, as seen from the page.
    """
    listed = "\n".join(_entry(lesson, notebooks) for lesson in lessons)
    body = (
        "<main>\n<h1>Backlight: the course</h1>\n"
        '<p class="about">Neural networks from one derivative up to a GPT, written by hand. Every page is a lesson '
        "that was run; to work on one, take its notebook: <code>backlight lessons open 1</code>. Exercises check "
        f"themselves.</p>\n{listed}\n</main>"
    )
    return _page("Backlight: the course", body)


def page_name(lesson: Lesson) -> str:
    """Return the name of a lesson's page."""
    return f"{lesson.name}.html"


def made_of(lesson: Lesson) -> str:
    """Return the element by which a page tells which text it was made of: a test holds the pages to the sources."""
    sources = "\n".join(cell.source for student in (False, True) for cell in lesson.cells(student=student))
    return f'\n<meta name="made-of" content="{mark(sources)}">'


def _page(title: str, body: str, *, walks: bool = False, made_of: str = "") -> str:
    if not walks:
        return _PAGE.format(title=escape(title), style=STYLE, body=body, may="", made_of=made_of)
    module = asset("stepping.js")
    script = module.replace(_EXPORT, _MOUNT)
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    body += f'\n<script type="module">{script}</script>'
    style = STYLE + asset("stepping.css")
    may = f"; script-src 'sha256-{sha}'"
    return _PAGE.format(title=escape(title), style=style, body=body, may=may, made_of=made_of)


def _cells(lesson: Lesson, notebook: Mapping[str, Any]) -> Iterator[str]:
    cells, stubs = lesson.cells(student=False), lesson.cells(student=True)
    for cell, stub, done in zip(cells, stubs, notebook["cells"], strict=True):
        if cell.kind == "markdown":
            yield text_html(cell)
        else:
            outputs = outputs_html(done["outputs"])
            yield code_html(cell, stub, outputs, _solved(lesson, cell))


def _solved(lesson: Lesson, cell: Cell) -> str:
    """Return the id of the exercise that a cell solves; "" for none."""
    if not cell.solved:
        return ""
    return next((one.id for one in lesson.exercises if f'check("{one.id}"' in cell.source), str(lesson.number))


def _links(lesson: Lesson, before: Lesson | None, after: Lesson | None, notebooks: str) -> str:
    ways = [f'<a href="{INDEX}">The course</a>']
    if before:
        ways.append(f'<a rel="prev" href="{page_name(before)}">◂ Lesson {before.number}</a>')
    if after:
        ways.append(f'<a rel="next" href="{page_name(after)}">Lesson {after.number} ▸</a>')
    ways.append(f'<a href="{escape(notebooks, quote=True)}/{lesson.file}">The notebook</a>')
    return "\n".join(ways)


def _contents(cells: str) -> str:
    """Return links to the headings of the second level."""
    found = re.findall(r'<h2 id="([^"]+)">(.*?)<a class="anchor-link"', cells)
    items = "".join(f'<li><a href="#{id_}">{heading}</a></li>' for id_, heading in found)
    return f'<nav class="contents" aria-label="In this lesson"><ul>{items}</ul></nav>\n' if items else ""


def _entry(lesson: Lesson, notebooks: str) -> str:
    exercises = "".join(f"<li>{one.id} {escape(one.title)}</li>" for one in lesson.exercises)
    return f"""<section class="entry">
<h2>{lesson.number}. <a href="{page_name(lesson)}">{escape(lesson.title)}</a></h2>
<p>After it you can {escape(lesson.able)}.</p>
<details open=""><summary>{len(lesson.exercises)} exercises</summary><ul>{exercises}</ul></details>
<p class="about"><a href="{escape(notebooks, quote=True)}/{lesson.file}">The notebook</a></p>
</section>"""
