"""Watching a file: each save is judged once, and a right answer leads to the next exercise."""

from itertools import repeat
from pathlib import Path

from backlight.core import DataError
from backlight.lessons.check_file import Answers
from backlight.lessons.checking.watching import saves, watch
from backlight.lessons.exercises import Verdict


def test_a_save_is_seen_once_and_a_missing_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "answers.py"
    steps = iter(["", "x = 1", "", "x = 1\ny = 2", "gone", "", "x = 1\ny = 2\n"])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        content = next(steps)
        if content == "gone":
            path.unlink()
        elif content:
            path.write_text(content)

    seen = saves(path, sleep=sleep)
    contents = []
    for _ in range(4):
        next(seen)
        contents.append(path.read_text() if path.exists() else None)
    assert contents == [None, "x = 1", "x = 1\ny = 2", "x = 1\ny = 2\n"]
    assert len(slept) == 7


def answers_of(id_: str, state: str) -> Answers:
    return Answers((Verdict(id=id_, state=state),), ())  # type: ignore[arg-type]


def test_a_right_answer_leads_to_the_next_exercise() -> None:
    given = iter([
        DataError("no answer yet"), answers_of("1.1", "wrong"), answers_of("1.1", "exact"),
        answers_of("1.2", "unfinished"), Answers((), ("SyntaxError",)), answers_of("1.2", "close"),
    ])  # fmt: skip

    def judge(id_: str) -> Answers:
        one = next(given)
        if isinstance(one, DataError):
            raise one
        assert not one.verdicts or one.verdicts[0].id == id_
        return one

    events = list(watch(["1.1", "1.2"], repeat(None), judge))
    assert [(one.kind, one.id, one.verdict.state if one.verdict else one.line) for one in events] == [
        ("task", "1.1", ""), ("problem", "1.1", "no answer yet"), ("verdict", "1.1", "wrong"),
        ("verdict", "1.1", "exact"), ("task", "1.2", ""), ("verdict", "1.2", "unfinished"),
        ("problem", "1.2", "SyntaxError"), ("verdict", "1.2", "close"), ("finished", "", ""),
    ]  # fmt: skip
    assert [one.kind for one in watch([], repeat(None), judge)] == ["finished"]
