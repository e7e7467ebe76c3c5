"""Make the notebooks of the course from their sources; with options, run the lessons and make HTML pages.

python scripts/make_notebooks.py                   # write notebooks/*.ipynb, for students
python scripts/make_notebooks.py --check           # only check that they are up to date
python scripts/make_notebooks.py --html docs/course [NUMBER...]    # run the solutions; write pages and an index
python scripts/make_notebooks.py --record [NUMBER...]     # run slow cells, and record their results
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from backlight.lessons import LESSONS, Lesson
from backlight.lessons.display import FOR_PAGES
from backlight.lessons.pages.page import INDEX, course_links, index_page, lesson_page, page_name
from backlight.lessons.pages.running import run_lesson
from backlight.lessons.recorded import RECORD, mark, names_in, work_in
from backlight.lessons.worlds.html import write_worlds

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
RECORDINGS = ROOT / "src" / "backlight" / "lessons" / "recordings"


def contents() -> dict[Path, bytes]:
    """Return the content that each notebook should have, by path."""
    return {NOTEBOOKS / lesson.file: lesson.notebook() for lesson in LESSONS.values()}


def differences() -> list[str]:
    """Return one line for each notebook that is not up to date."""
    wanted = contents()
    wrong = [
        f"{path.relative_to(ROOT)} does not match its source"
        for path, content in wanted.items()
        if not path.is_file() or path.read_bytes() != content
    ]
    return wrong + [
        f"{path.relative_to(ROOT)} has no source" for path in sorted(NOTEBOOKS.glob("*")) if path not in wanted
    ]


def record(lesson: Lesson) -> None:
    """Run a lesson with its slow cells, and record their results, each with the hash of its cell."""
    marks = {
        name: mark(work_in(cell.source)) for cell in lesson.cells(student=False) if cell.kind == "code"
        for name in names_in(cell.source)
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run_lesson(lesson, environment={RECORD: folder})
        for name, cell in marks.items():
            made = json.loads((Path(folder) / f"{name}.json").read_text(encoding="utf-8"))
            path = RECORDINGS / f"{name}.json"
            path.write_text(json.dumps({"cell": cell, **made}) + "\n", encoding="utf-8")
            print(f"{path.relative_to(ROOT)}  {made['seconds']} s")


def write_pages(folder: Path, lessons: Mapping[int, Lesson], numbers: Iterable[int]) -> None:
    """Run lessons and write a page for each, the index of all lessons, and the small worlds.

    Args:
        folder: is created if necessary.
        lessons: all lessons, by number.
        numbers: those to run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notebooks = Path(os.path.relpath(NOTEBOOKS, folder)).as_posix()
    for number in numbers:
        lesson = lessons[number]
        outputs = run_lesson(lesson, environment={FOR_PAGES: "1"})
        path = folder / page_name(lesson)
        links = course_links(lesson, lessons, notebooks=notebooks)
        path.write_text(lesson_page(lesson, outputs, links=links), encoding="utf-8")
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    write_worlds(folder)
    (folder / INDEX).write_text(index_page(lessons.values(), notebooks=notebooks), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run the script; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a notebook is not up to date"
    )
    parser.add_argument("--html", type=Path, metavar="DIR", help="run the lessons and write a page for each")
    parser.add_argument("--record", action="store_true", help="run slow cells, and record their results")
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="only these lessons")
    asked = parser.parse_args(arguments)
    if asked.check:
        wrong = differences()
        print("\n".join(wrong) if wrong else f"{len(contents())} notebooks are up to date")
        return bool(wrong)
    if asked.record:
        for number in asked.numbers or LESSONS:
            record(LESSONS[number])
        return 0
    if asked.html:
        write_pages(asked.html, LESSONS, asked.numbers or LESSONS)
        return 0
    NOTEBOOKS.mkdir(exist_ok=True)
    for path, content in contents().items():
        path.write_bytes(content)
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
