"""Slow cells: what is kept of them is what their text gave, and says when and where."""

import datetime as dt
import json

import pytest

from backlight.core import DataError
from backlight.lessons import LESSONS
from backlight.lessons import recorded as module
from backlight.lessons.recorded import RECORD, mark, names_in, recorded, recording, work_in

CELLS = [
    (name, cell)
    for lesson in LESSONS.values()
    for cell in lesson.cells(student=False)
    if cell.kind == "code"
    for name in names_in(cell.source)
]


def test_each_recording_was_made_by_its_cell_as_it_stands():
    stale = [name for name, cell in CELLS if recording(name)["cell"] != mark(work_in(cell.source))]
    assert stale == [], "make them again: python scripts/make_notebooks.py --record NUMBER"
    assert len({name for name, _ in CELLS}) == len(CELLS)


def test_no_recording_is_left_over():
    from importlib import resources

    kept = {path.name for path in resources.files("backlight.lessons").joinpath("recordings").iterdir()}
    assert {name for name in kept if name.endswith(".json")} == {f"{name}.json" for name, _ in CELLS}


def test_it_runs_only_when_asked_to(tmp_path, monkeypatch, capsys):
    def kept(name):
        return {"date": "2026-01-02", "machine": "an abacus", "seconds": 61.2, "result": [name]}

    monkeypatch.setattr(module, "recording", kept)
    monkeypatch.delenv(RECORD, raising=False)
    ran = []
    assert recorded("beads", lambda: ran.append(1)) == ["beads"]
    assert ran == []
    assert capsys.readouterr().out == "Recorded on 2026-01-02, 61 s on an abacus. To run it here: again=True.\n"
    assert recorded("beads", lambda: 7, again=True) == 7
    assert "Computed now" in capsys.readouterr().out
    monkeypatch.setenv(RECORD, str(tmp_path))
    assert recorded("beads", lambda: {"loss": 2.5}) == {"loss": 2.5}
    made = json.loads((tmp_path / "beads.json").read_text())
    assert made["result"] == {"loss": 2.5}
    assert dt.date.fromisoformat(made["date"]) <= dt.datetime.now(dt.UTC).date()


def test_names_and_marks():
    assert names_in('x = recorded("one", f)\ny = recorded(\n    "two", g, again=True)') == ["one", "two"]
    assert mark("a") != mark("b")


def test_there_is_no_such_recording():
    with pytest.raises(DataError, match="none called 'nothing'"):
        recording("nothing")


def test_what_shows_a_result_is_no_part_of_the_work():
    cell = 'def slow():\n    return 1\n\n\nfound = recorded(\n    "lesson_9_slow", slow\n)\nprint(found)'
    assert work_in(cell) == cell.removesuffix("\nprint(found)")
    assert work_in("a = 1\nprint(a)") == "a = 1\nprint(a)"
