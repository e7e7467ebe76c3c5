"""Progress: noted in the working folder, refused when it is damaged, and silent when it is told to be."""

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from backlight.core import RunError
from backlight.lessons.exercises import EXERCISES, check
from backlight.lessons.exercises.progress import FILE, OFF, ExerciseProgress, forget, load, location, record_hint
from backlight.runs.locking import lock, opened_for_lock


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(OFF, raising=False)


def solve(id_):
    return check(id_, EXERCISES[id_].solution)


def test_tries_are_counted_and_what_is_done_stays_done():
    check("1.1", lambda a, b, c: (a, b, c))
    assert load() == {"1.1": ExerciseProgress(tries=1)}
    solve("1.1")
    check("1.1", lambda a, b, c: (a, b, c))
    record_hint("1.2", 2)
    assert load() == {"1.1": ExerciseProgress(tries=3, done=True), "1.2": ExerciseProgress(hints=2)}


def test_a_stub_is_no_try():
    check("1.1", None)
    assert not FILE.exists()


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(OFF, "1")
    assert solve("1.1").right
    assert not FILE.exists()


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "{}", '{"format": "backlight.progress", "version": 2, "exercises": {}}',
        '{"format": "backlight.progress", "version": 1, "exercises": 3}',
        '{"format": "backlight.progress", "version": 1, "exercises": {"1.1": 3}}',
        '{"format": "backlight.progress", "version": 1, "exercises": {"1.1": {"tries": "1", "hints": 0}}}',
        '{"format": "backlight.progress", "version": 1, "exercises": {"1.1": {"tries": 1, "hints": -3, "done": true}}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_and_can_be_forgotten(content):
    FILE.write_text(content)
    with pytest.raises(RunError, match="backlight exercise reset"):
        load()
    verdict = solve("1.1")
    assert verdict.right
    assert verdict.lines[-1].startswith("This attempt was not recorded: ")
    assert FILE.read_text() == content
    forget(None)
    assert load() == {}


def test_one_exercise_is_forgotten():
    solve("1.1")
    solve("2.1")
    assert forget("1.1") == 1
    assert forget("1.1") == 0
    assert list(load()) == ["2.1"]
    assert forget(None) == 1
    assert not Path(FILE).exists()


def test_the_file_says_what_it_is():
    solve("1.1")
    stored = json.loads(FILE.read_text())
    assert stored == {
        "format": "backlight.progress", "version": 1, "exercises": {"1.1": {"tries": 1, "hints": 0, "done": True}},
    }  # fmt: skip


def test_it_is_found_from_the_folders_below(tmp_path, monkeypatch):
    solve("1.1")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    solve("1.2")
    assert location() == tmp_path / FILE
    assert sorted(load()) == ["1.1", "1.2"]
    assert list(below.iterdir()) == []


def test_no_try_is_lost_when_many_write_at_once():
    threads = [threading.Thread(target=record_hint, args=(id_, 1)) for id_ in EXERCISES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(load()) == sorted(EXERCISES)


def test_a_file_system_without_locks_is_written_all_the_same(monkeypatch):
    def without(descriptor):  # noqa: ARG001
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("backlight.lessons.exercises.progress.lock", without)
    solve("1.1")
    assert load()["1.1"].done


def test_one_that_waits_too_long_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("backlight.lessons.exercises.progress._PATIENCE", 0.05)
    descriptor = opened_for_lock(tmp_path)
    lock(descriptor)
    try:
        assert "by one process at a time" in solve("1.1").lines[-1]
    finally:
        os.close(descriptor)


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(RunError, match="Remove it by hand"):
        forget(None)
