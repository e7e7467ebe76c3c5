"""Every planted bug still applies: its text stands in its file once, and what it makes can be compiled."""

from pathlib import Path

import pytest
from scripts.planted_bugs import FOLDER, Bug, load_bugs

ROOT = Path(__file__).parents[2]
GROUPS = sorted(path.name for path in FOLDER.glob("*.txt"))
BUGS = load_bugs()


def test_there_are_bugs_in_every_group() -> None:
    assert len(BUGS) > 500
    assert len({bug.group for bug in BUGS}) == len(GROUPS)


def test_names_are_unique() -> None:
    names = [bug.name for bug in BUGS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("file", sorted({bug.file for bug in BUGS}))
def test_every_bug_of_a_file_applies(file: str) -> None:
    source = (ROOT / "src" / "backlight" / file).read_text(encoding="utf-8")
    stale = [problem for bug in BUGS if bug.file == file and (problem := _problem(bug, source))]
    assert stale == [], "correct these lines in tests/planted_bugs, or remove them with the code they are about"


def _problem(bug: Bug, source: str) -> str | None:
    try:
        return None if bug.plant(source) != source else f"{bug.name!r} changes nothing."
    except ValueError as error:
        return str(error)


def test_the_tests_that_should_catch_a_bug_exist() -> None:
    missing = {test for bug in BUGS for test in bug.tests if not (ROOT / test).exists()}
    assert missing == set()


def bug(old: str, new: str) -> Bug:
    return Bug(name="a bug", file="a.py", old=old, new=new, group="some", tests=("tests",))


def test_a_bug_is_planted_in_its_place() -> None:
    assert bug("x + 1", "x - 1").plant("y = x + 1\n") == "y = x - 1\n"


@pytest.mark.parametrize(("source", "new"), [("y = 2\n", "3"), ("y = x + x\n", "3"), ("y = x\n", "(")])
def test_a_stale_bug_is_refused(source: str, new: str) -> None:
    with pytest.raises(ValueError, match="'a bug'"):
        bug("x", new).plant(source)


def test_the_format_has_line_breaks_and_backslashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# Some\ntests: tests/unit\n\na.py\n  first: one | a\\n  b → c\\\\n\n  second | d | e →\n"
    (tmp_path / "some.txt").write_text(text, encoding="utf-8")
    monkeypatch.setattr("scripts.planted_bugs.FOLDER", tmp_path)
    assert [(b.name, b.old, b.new, b.file) for b in load_bugs()] == [
        ("first: one", "a\n  b", "c\\n", "a.py"),
        ("second", "d | e", "", "a.py"),
    ]


def test_a_line_without_an_arrow_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some.txt").write_text("# Some\ntests: tests/unit\n\na.py\n  first | a\n", encoding="utf-8")
    monkeypatch.setattr("scripts.planted_bugs.FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"some.txt, line 5 must be"):
        load_bugs()
