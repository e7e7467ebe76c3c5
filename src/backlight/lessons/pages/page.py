"""The page around a lesson's cells, and the index of the course."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path

from backlight.core import RunError, html
from backlight.lessons.catalogue import Lesson
from backlight.lessons.notebook import Cell
from backlight.lessons.pages.cells import code_html, outputs_html, text_html
from backlight.lessons.pages.linked import worlds_of
from backlight.lessons.pages.running import OnCell, Outputs, run_lesson
from backlight.lessons.pages.style import STYLE
from backlight.lessons.recorded import mark
from backlight.lessons.stepping.walk import asset
from backlight.lessons.worlds import WORLDS
from backlight.lessons.worlds.html import write_world
from backlight.runs.atomic import write_atomically
from backlight.studio.displayed import FOR_PAGES

INDEX = "index.html"

# the widget's own module, with a replacement for the kernel: on a page, nothing else needs the slider's position
_MOUNT = """
for (const data of document.querySelectorAll("script.walk")) {
  const state = { step: 0, ...JSON.parse(data.textContent) };
  const model = { get: (name) => state[name], set: (name, to) => { state[name] = to; }, save_changes() {}, on() {} };
  data.previousElementSibling.remove();
  render({ model, el: data.parentElement });
}
"""
_EXPORT = "export default { render };"


def lesson_page(lesson: Lesson, outputs: Sequence[Outputs], *, links: Sequence[str] = ()) -> str:
    """Return an executed lesson as an HTML page.

    Args:
        lesson: the lesson.
        outputs: the outputs of each of its code cells, with the solutions.
        links: HTML links, for the top and the bottom of the page.
    """
    cells = "\n".join(_cells(lesson, outputs))
    listed = "\n".join(links)
    above, below = (
        f'<nav class="way" aria-label="{where}">{listed}</nav>' if links else ""
        for where in ("The course", "The course, from the end of the page")
    )
    body = (
        f'<header>{above}\n<p class="about">This page shows the lesson with all outputs; the solutions are collapsed. '
        f"To work on it, open the notebook: <code>backlight lessons open {lesson.number}</code>."
        f"</p></header>\n{_contents(cells)}<main>\n{cells}\n</main>\n<footer>{below}</footer>"
    )
    title, walks = f"Lesson {lesson.number}: {lesson.title}", 'class="walk"' in cells
    return html_page(title, body, walks=walks, made_of=made_of(lesson))


def course_links(lesson: Lesson, lessons: Mapping[int, Lesson], *, notebooks: str = "../../notebooks") -> list[str]:
    """Return links from a lesson's page to the index, its neighbours, and its notebook.

    Args:
        lesson: the lesson of the page.
        lessons: all lessons that have pages, by number.
        notebooks: the path of the notebooks, relative to the page.
    """
    before = lessons.get(max((number for number in lessons if number < lesson.number), default=0))
    after = lessons.get(min((number for number in lessons if number > lesson.number), default=0))
    return [
        f'<a href="{INDEX}">The course</a>',
        *([f'<a rel="prev" href="{page_name(before)}">◂ Lesson {before.number}</a>'] if before else []),
        *([f'<a rel="next" href="{page_name(after)}">Lesson {after.number} ▸</a>'] if after else []),
        f'<a href="{escape(notebooks, quote=True)}/{lesson.file}">The notebook</a>',
    ]


def write_page(
    lesson: Lesson, folder: Path, *, again: bool = False, on_cell: OnCell | None = None
) -> tuple[Path, bool]:
    """Write a lesson's page into a folder, unless an up-to-date page is already there, and the worlds it leads to.

    Args:
        lesson: the lesson.
        folder: is created if necessary.
        again: run the lesson even if the page is up to date.
        on_cell: called after each cell, as in `run_lesson`.

    Returns: the path of the page, and whether it was made by this call.

    Raises:
        DataError: a cell of the lesson raises an error.
        RunError: the folder cannot be written.
    """
    path = folder / page_name(lesson)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not again and path.is_file() and made_of(lesson).encode() in path.read_bytes():
            return path, False
    except OSError as error:
        raise RunError(
            f"the folder of a page must be writable; got {folder}: {error.strerror}. Choose another: "
            f"backlight lessons read {lesson.number} DIR"
        ) from error
    page = lesson_page(lesson, run_lesson(lesson, environment={FOR_PAGES: "1"}, on_cell=on_cell))
    for one in worlds_of(lesson):
        write_world(one, folder)
    write_atomically(path, page.encode())
    return path, True


def index_page(lessons: Iterable[Lesson], *, notebooks: str = "../../notebooks") -> str:
    """Return the index as an HTML page: every lesson, what you can do after it, and its exercises.

    Args:
        lessons: in order.
        notebooks: the path of the notebooks, relative to the page.
    """
    listed = "\n".join(_entry(lesson, notebooks) for lesson in lessons)
    body = (
        "<main>\n<h1>Backlight: the course</h1>\n"
        '<p class="about">Neural networks written by hand, from a single derivative to a GPT. Every page shows a '
        "lesson with all outputs; to work on one, open its notebook: <code>backlight lessons open 1</code>. "
        f"Exercises are checked automatically.</p>\n{listed}\n{_worlds()}</main>"
    )
    return html_page("Backlight: the course", body)


def page_name(lesson: Lesson) -> str:
    """Return the file name of a lesson's page."""
    return f"{lesson.name}.html"


def made_of(lesson: Lesson) -> str:
    """Return an HTML element with a hash of the lesson's text and the package's version, to recognise a stale page."""
    sources = [cell.source for student in (False, True) for cell in lesson.cells(student=student)]
    return f'\n<meta name="made-of" content="{mark(chr(10).join([version("backlight"), *sources]))}">'


def html_page(title: str, body: str, *, style: str = "", walks: bool = False, made_of: str = "") -> str:
    """Return an HTML page that needs no other file.

    Args:
        title: the title, as text.
        body: the content, in HTML.
        style: CSS in addition to that of all pages.
        walks: whether the content has a graph to step through.
        made_of: HTML for the head.
    """
    style, scripts = STYLE + style, ""
    if walks:
        script = asset("stepping.js").replace(_EXPORT, _MOUNT)
        body += f'\n<script type="module">{script}</script>'
        style, scripts = style + asset("stepping.css"), html.allowed(script)
    return html.document(title, style=style, body=f"<body>\n{body}\n</body>", scripts=scripts, head=made_of)


def _cells(lesson: Lesson, outputs: Sequence[Outputs]) -> Iterator[str]:
    cells, stubs = lesson.cells(student=False), lesson.cells(student=True)
    shown = iter(outputs)
    for cell, stub in zip(cells, stubs, strict=True):
        if cell.kind == "markdown":
            yield text_html(cell)
        else:
            yield code_html(cell, stub, outputs_html(next(shown)), _solved(lesson, cell))


def _solved(lesson: Lesson, cell: Cell) -> str:
    """Return the id of the exercise that a cell solves; "" for none."""
    if not cell.solved:
        return ""
    return next((one.id for one in lesson.checked if f'check("{one.id}"' in cell.source), str(lesson.number))


def _contents(cells: str) -> str:
    """Return links to the second-level headings."""
    found = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', cells)
    items = "".join(f'<li><a href="#{id_}">{heading}</a></li>' for id_, heading in found)
    return f'<nav class="contents" aria-label="In this lesson"><ul>{items}</ul></nav>\n' if items else ""


def _worlds() -> str:
    """Return links to the small worlds, whose pages are beside the index."""
    listed = "".join(
        f'<li><a href="{one.file}">{escape(one.title)}</a>: {escape(one.able)}</li>' for one in WORLDS.values()
    )
    return (
        f'<section class="entry">\n<h2>Small worlds</h2>\n<p>Pages to play with:</p>\n<ul>{listed}</ul>\n</section>\n'
    )


def _entry(lesson: Lesson, notebooks: str) -> str:
    exercises = "".join(f"<li>{one.id} {escape(one.title)}</li>" for one in lesson.exercises)
    return f"""<section class="entry">
<h2>{lesson.number}. <a href="{page_name(lesson)}">{escape(lesson.title)}</a></h2>
<p>After it you can {escape(lesson.able)}.</p>
<details open=""><summary>{len(lesson.exercises)} exercises</summary><ul>{exercises}</ul></details>
<p class="about"><a href="{escape(notebooks, quote=True)}/{lesson.file}">The notebook</a></p>
</section>"""
