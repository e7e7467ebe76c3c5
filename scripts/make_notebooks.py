"""Make the notebooks of the course again from their sources; on demand, run them and make pages to look at.

python scripts/make_notebooks.py                   # notebooks/*.ipynb, for students
python scripts/make_notebooks.py --check           # only say whether they are what the sources give
python scripts/make_notebooks.py --html docs/course [NUMBER...]    # run the solutions and make a page of each
"""

import argparse
import sys
import tempfile
from pathlib import Path

from backlight.lessons import LESSONS, Lesson

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
SECONDS = 600
"""That a lesson may take."""


def contents() -> dict[Path, bytes]:
    """Return what each notebook should hold."""
    return {NOTEBOOKS / lesson.file: lesson.notebook() for lesson in LESSONS.values()}


def differences() -> list[str]:
    """Return what is different from what should be, in lines."""
    wanted = contents()
    wrong = [
        f"{path.relative_to(ROOT)} is not what its source gives"
        for path, content in wanted.items()
        if not path.is_file() or path.read_bytes() != content
    ]
    return wrong + [
        f"{path.relative_to(ROOT)} has no source" for path in sorted(NOTEBOOKS.glob("*")) if path not in wanted
    ]


def page(lesson: Lesson) -> str:
    """Run a lesson, solutions and all, as Jupyter does, and return it as a page of HTML."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    notebook = nbformat.reads(lesson.notebook(student=False).decode(), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", [])]
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    exporter = HTMLExporter(template_name="lab", theme="light")
    text, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": lesson.title}})
    return str(text)


def main(arguments: list[str]) -> int:
    """Do what is asked; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if something differs")
    parser.add_argument("--html", type=Path, metavar="DIR", help="run the lessons and write a page of each")
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="for --html, only these lessons")
    asked = parser.parse_args(arguments)
    if asked.check:
        wrong = differences()
        print("\n".join(wrong) if wrong else f"{len(contents())} notebooks are what their sources give")
        return bool(wrong)
    if asked.html:
        asked.html.mkdir(parents=True, exist_ok=True)
        for number in asked.numbers or LESSONS:
            path = asked.html / f"{LESSONS[number].name}.html"
            path.write_text(page(LESSONS[number]), encoding="utf-8")
            print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
        return 0
    NOTEBOOKS.mkdir(exist_ok=True)
    for path, content in contents().items():
        path.write_bytes(content)
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
