"""Locks and renames as Windows has them; tests/end_to_end/test_windows.py has the rest."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from backlight.runs import RunDirectory, list_runs, locking, new_files


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "WINDOWS", True)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("refusals", [0, 2, 6])
def test_a_file_that_somebody_reads_is_replaced_once_they_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    real, waited = Path.replace, []

    def refuse(temporary: Path, path: Path) -> Path:
        if len(waited) < refusals:
            raise PermissionError
        return real(temporary, path)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(locking.time, "sleep", waited.append)
    (tmp_path / "new").write_bytes(b"new")
    locking.replace(tmp_path / "new", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(waited) == refusals


@pytest.mark.usefixtures("windows")
def test_the_refusal_is_passed_on_if_they_never_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(locking.time, "sleep", waited.append)
    (tmp_path / "new").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(PermissionError("in use")))
    with pytest.raises(PermissionError, match="in use"):
        locking.replace(tmp_path / "new", tmp_path / "file")
    assert 0.5 < sum(waited) < 2


@pytest.mark.usefixtures("windows")
def test_what_is_locked_lies_beyond_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = []

    def locking_call(descriptor: int, mode: int, count: int) -> None:
        locked.append((os.lseek(descriptor, 0, os.SEEK_CUR), mode, count))

    module = SimpleNamespace(LK_NBLCK=2, locking=locking_call)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    run = RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))
    locked.clear()
    with run.lock():
        assert (run.path / ".held").is_file()  # a folder cannot be opened there
    assert locked == [(2**30, 2, 1)]


def test_a_run_that_is_trained_is_told_from_a_stopped_one(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))
    assert not locking.is_trained(run.path)
    with run.lock():
        assert locking.is_trained(run.path)
        assert locking.is_trained(run.path)  # looking does not end the lock
        assert list_runs(tmp_path)[0].state == "training"
    assert (run.path / locking.HOLDER).exists()
    assert not locking.is_trained(run.path)
    assert list_runs(tmp_path)[0].state == "started"
    assert not locking.is_trained(tmp_path / "missing")


def test_a_training_waits_for_one_that_only_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))
    look = locking.opened_for_lock(run.path)
    locking.lock(look)
    waited: list[float] = []

    def stop_looking(seconds: float) -> None:
        waited.append(seconds)
        os.close(look)

    monkeypatch.setattr(locking.time, "sleep", stop_looking)
    with run.lock():
        assert locking.is_trained(run.path)
    assert waited == [locking.LOOK_SECONDS[0]]


def test_without_locks_in_the_file_system_no_run_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.create(tmp_path / "run", new_files(config={}, vocabulary={}))
    (run.path / locking.HOLDER).write_text("1\n")

    def refuse(_: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locking, "lock", refuse)
    assert not locking.is_trained(run.path)
