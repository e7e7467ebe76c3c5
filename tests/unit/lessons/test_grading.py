"""The grades of a class: who is a student, which verdict counts, what the table and the page say."""

import csv
import io
from pathlib import Path

import pytest

from backlight.core import DataError
from backlight.lessons.checking.process import FileResult
from backlight.lessons.exercises import EXERCISES, Verdict
from backlight.lessons.exercises.progress import ExerciseProgress
from backlight.lessons.grading.grades import Grade, StudentGrades, _best, as_csv, asked_exercises
from backlight.lessons.grading.page import class_page, passage_html
from backlight.lessons.grading.roster import Student, students_in


def test_students_are_folders_and_files(tmp_path: Path) -> None:
    for name in ("ana/a.py", "ana/deep/b.ipynb", "ana/.ipynb_checkpoints/b.ipynb", "ana/notes.txt", "cem.ipynb",
                 "ana/backlight-progress.json", ".git/hook.py", "list.csv", "empty/readme.md"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "ana" / "link.py").symlink_to(tmp_path / "cem.ipynb")
    found = students_in(tmp_path)
    assert [(one.name, [file.name for file in one.files]) for one in found] == [
        ("ana", ["a.py", "b.ipynb"]), ("cem", ["cem.ipynb"]), ("empty", []),
    ]  # fmt: skip
    assert found[0].progress == tmp_path / "ana" / "backlight-progress.json"
    (tmp_path / "cem.py").write_text("")
    with pytest.raises(DataError, match="'cem' twice"):
        students_in(tmp_path)
    with pytest.raises(DataError, match="has none"):
        students_in(tmp_path / "empty")


def verdict(state: str, id_: str = "1.2", mistake: str | None = None, *lines: str) -> Verdict:
    return Verdict(id=id_, state=state, mistake=mistake, lines=lines)  # type: ignore[arg-type]


def test_of_several_files_a_right_answer_counts_and_then_the_last_that_is_filled_in() -> None:
    def files(*states: str) -> list[FileResult]:
        return [FileResult(Path(f"{at}.py"), {"1.2": verdict(state)}) for at, state in enumerate(states)]

    def counted(*states: str) -> tuple[str, str]:
        found, path = _best(files(*states), "1.2")
        assert found is not None
        assert path is not None
        return found.state, path.name

    assert counted("wrong", "exact", "unfinished", "error") == ("exact", "1.py")
    assert counted("wrong", "error", "unfinished") == ("error", "1.py")
    assert counted("unfinished", "unfinished") == ("unfinished", "1.py")
    assert _best(files("exact"), "1.3") == (None, None)


def a_class() -> list[StudentGrades]:
    known = EXERCISES["1.2"].mistakes[0].name
    rows = {
        "=ana": verdict("exact"), "<b>": verdict("wrong", "1.2", known, "df/da is wrong."),
        "cem": verdict("wrong", "1.2", known, "df/da is wrong."), "dan": verdict("error", "1.2", None, "+x <i>"),
        "eve": None,
    }  # fmt: skip
    progress = {"cem": ExerciseProgress(tries=4, hints=2)}
    return [
        StudentGrades(Student(name, ()), (Grade(name, "1.2", one, progress=progress.get(name)), Grade(name, "1.3")),
                      ("bad.ipynb: <not JSON>",) if name == "eve" else ())
        for name, one in rows.items()
    ]  # fmt: skip


def test_the_table_is_read_by_csv_and_holds_no_formula() -> None:
    grades = a_class()
    assert asked_exercises(grades) == ["1.2"]
    rows = list(csv.DictReader(io.StringIO(as_csv(grades, ["1.2"]).decode("utf-8-sig"), newline="")))
    known = EXERCISES["1.2"].mistakes[0].name
    assert [(row["student"], row["state"], row["mistake"], row["tries"], row["hints"]) for row in rows] == [
        ("'=ana", "exact", "", "", ""), ("<b>", "wrong", known, "", ""), ("cem", "wrong", known, "4", "2"),
        ("dan", "error", "", "", ""), ("eve", "missing", "", "", ""),
    ]  # fmt: skip
    assert rows[3]["message"] == "'+x <i>"


def test_the_page_counts_mistakes_and_quotes_the_lesson() -> None:
    mistake = EXERCISES["1.2"].mistakes[0]
    page = class_page("Class <1>", a_class(), ["1.2"], conditions="So.")
    assert f"<b>{mistake.name}</b>, 2 students: &lt;b&gt;, cem" in page
    assert "+x &lt;i&gt;" in page
    assert "1 of 5 right, 3 not" in page
    assert "Class &lt;1&gt;" in page
    assert "bad.ipynb: &lt;not JSON&gt;" in page
    assert "<b>, " not in page.replace("<b>no", "")
    assert passage_html(EXERCISES["1.2"]) in page


@pytest.mark.parametrize("id_", EXERCISES)
def test_every_exercise_has_a_passage(id_: str) -> None:
    passage = passage_html(EXERCISES[id_])
    assert f"Exercise {id_}:" in passage
    assert 400 < len(passage) < 20_000
