"""The grades of a class as one page: what was hard, which mistakes were made, and where the lesson explains them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from backlight.lessons.catalogue import LESSONS
from backlight.lessons.exercises import EXERCISES, Exercise
from backlight.lessons.grading.grades import Grade, StudentGrades
from backlight.lessons.notebook import Cell
from backlight.lessons.pages.cells import text_html
from backlight.lessons.pages.page import html_page

_CELLS: Final = {
    "exact": ("right", "right"), "close": ("right", "right"), "partial": ("part", "in part"),
    "unfinished": ("none", "not filled in"), "missing": ("none", "missing"),
}  # fmt: skip
"""The class and the word of a state in the table; every other state is "wrong"."""

_STYLE: Final = """
.grades{border-collapse:collapse;font-size:.85rem}
.grades th,.grades td{border:1px solid var(--grid);padding:.2em .5em;text-align:center;white-space:nowrap}
.grades th[scope=row]{text-align:left}
.right{color:var(--text);font-weight:600}
.wrong{color:var(--number);font-weight:600}
.part{color:var(--link)}
.none{color:var(--muted)}
.mistake{margin:1rem 0;padding-left:1rem;border-left:4px solid var(--grid)}
"""


def class_page(name: str, students: Sequence[StudentGrades], ids: Sequence[str], *, conditions: str) -> str:
    """Return the page of a class, which needs no other file.

    Args:
        name: of the class.
        students: their grades.
        ids: the exercises that are shown.
        conditions: how the answers were judged, in a sentence.
    """
    shown = [[one for one in student.grades if one.exercise in ids] for student in students]
    everything = [one for grades in shown for one in grades]
    right = sum(one.right for one in everything)
    body = "\n".join([
        f"<h1>{escape(name)}</h1>",
        f"<p>{len(students)} students, {len(ids)} exercises. {right} of {len(everything)} answers are right.</p>",
        f"<p>{escape(conditions)}</p>",
        *_mistakes(everything, ids),
        *_table(students, shown, ids),
        *_problems(students),
    ])  # fmt: skip
    return html_page(name, f"<main>\n{body}\n</main>", style=_STYLE)


def _mistakes(everything: Sequence[Grade], ids: Sequence[str]) -> Iterator[str]:
    yield "<h2>Mistakes</h2>"
    for id_ in ids:
        here = [one for one in everything if one.exercise == id_]
        wrong = [one for one in here if one.verdict is not None and not one.right and one.state != "unfinished"]
        if not wrong:
            continue
        exercise = EXERCISES[id_]
        right = sum(one.right for one in here)
        yield f"<section><h3>{id_} {escape(exercise.title)}</h3>"
        yield f"<p>{right} of {len(here)} right, {len(wrong)} not.</p>"
        by_mistake: dict[str, list[Grade]] = defaultdict(list)
        for one in wrong:
            by_mistake[one.verdict.mistake or "" if one.verdict else ""].append(one)
        for mistake, grades in sorted(by_mistake.items(), key=lambda one: (not one[0], -len(one[1]), one[0])):
            yield _mistake(exercise, mistake, grades)
        yield f"<details><summary>The lesson on this</summary>{passage_html(exercise)}</details></section>"


def _mistake(exercise: Exercise, name: str, grades: Sequence[Grade]) -> str:
    count = f"{len(grades)} student{'' if len(grades) == 1 else 's'}"
    who = escape(", ".join(one.student for one in grades))
    if name:
        said = next((one.message for one in exercise.mistakes if one.name == name), "")
        return f'<div class="mistake"><b>{escape(name)}</b>, {count}: {who}<br>{escape(said)}</div>'
    lines = "".join(f"<li>{escape(one.student)}: {escape(one.message)}</li>" for one in grades)
    return f'<div class="mistake"><b>no known mistake</b>, {count}:<ul>{lines}</ul></div>'


def _table(students: Sequence[StudentGrades], shown: Sequence[Sequence[Grade]], ids: Sequence[str]) -> Iterator[str]:
    yield "<h2>Students</h2>"
    yield '<div class="wide" role="region" aria-label="Grades of all students" tabindex="0"><table class="grades">'
    heads = "".join(f'<th scope="col">{id_}</th>' for id_ in ids)
    yield f'<thead><tr><th scope="col">student</th><th scope="col">right</th>{heads}</tr></thead><tbody>'
    for student, grades in zip(students, shown, strict=True):
        cells = "".join(_cell(one) for one in grades)
        right = sum(one.right for one in grades)
        yield f'<tr><th scope="row">{escape(student.student.name)}</th><td>{right}</td>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(grade: Grade) -> str:
    kind, word = _CELLS.get(grade.state, ("wrong", "wrong"))
    mistake = (grade.verdict.mistake if grade.verdict else None) or ""
    title = f' title="{escape(mistake, quote=True)}"' if mistake else ""
    return f'<td class="{kind}"{title}>{word}</td>'


def _problems(students: Sequence[StudentGrades]) -> Iterator[str]:
    lines = [f"<li>{escape(one.student.name)}: {escape(line)}</li>" for one in students for line in one.problems]
    if lines:
        yield f"<h2>Files with problems</h2><ul>{''.join(lines)}</ul>"


def passage_html(exercise: Exercise) -> str:
    """Return the lesson's text on an exercise as HTML: the section that leads to it, and its task."""
    cells = [cell for cell in LESSONS[exercise.lesson].cells(student=True) if cell.kind == "markdown"]
    at = next(i for i, cell in enumerate(cells) if f"### Exercise {exercise.id}:" in cell.source)
    start = next((i for i in range(at - 1, -1, -1) if "\n## " in f"\n{cells[i].source}"), 0)
    return "".join(_text(cell) for cell in cells[start : at + 1])


def _text(cell: Cell) -> str:
    source = f"\n{cell.source}"
    _, heading, section = source.rpartition("\n## ")
    return text_html(Cell(kind="markdown", source=f"#### {section}" if heading else cell.source))
