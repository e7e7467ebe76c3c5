"""Progress of the exercises: a JSON file in the folder in which the learner works, or in one above it.

It is not in the home folder: two learners at one computer use two folders, the file can simply be deleted to start
again, and nothing is stored in an unexpected place. It is found from the folders below, as git finds a repository.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from backlight.core import RunError
from backlight.lessons.exercises.verdict import Verdict
from backlight.runs.atomic import write_atomically
from backlight.runs.failures import cannot_write
from backlight.runs.locking import lock, opened_for_lock
from backlight.runs.strict_json import read_object, to_bytes

FILE: Final = Path("backlight-progress.json")
"""The name of the file."""

OFF: Final = "BACKLIGHT_NO_PROGRESS"
"""If this environment variable is set and not empty, attempts are not recorded."""

_FORMAT: Final = "backlight.progress"
_VERSION: Final = 1
_REMEDY: Final = "Delete it to start again: backlight exercise reset"

_PATIENCE: Final = 30.0
"""Seconds to wait for another process that writes the file."""


@dataclass(frozen=True, kw_only=True)
class ExerciseProgress:
    """The progress of one exercise.

    Attributes:
        tries: how often an answer was checked; a stub that is not filled in does not count.
        hints: how many hints were read.
        done: whether an answer has been right.
    """

    tries: int = 0
    hints: int = 0
    done: bool = False


def location() -> Path:
    """Return the path of the file: in the nearest folder that has one, from the working folder upward, or else here."""
    try:
        here = Path.cwd()
    except OSError:  # the working folder was deleted
        return FILE
    return next((path for folder in (here, *here.parents) if os.path.lexists(path := folder / FILE)), here / FILE)


def load(path: Path | None = None) -> dict[str, ExerciseProgress]:
    """Return the recorded progress, by exercise; empty if there is no file.

    Args:
        path: the file; by default, that of the working folder.

    Raises:
        RunError: the file cannot be read, or is not a progress file.
    """
    path = path or location()
    if not os.path.lexists(path):
        return {}
    stored = read_object(path, remedy=_REMEDY)
    if stored.get("format") != _FORMAT or stored.get("version") != _VERSION:
        raise _foreign(path)
    exercises = stored.get("exercises")
    if not isinstance(exercises, dict):
        raise _foreign(path)
    return {str(id_): _progress(noted, path) for id_, noted in exercises.items()}


def record_try(verdict: Verdict) -> None:
    """Record that an answer was checked; an incomplete answer does not count.

    Raises:
        RunError: the file cannot be read or written, or is not a progress file.
    """
    if os.environ.get(OFF) or verdict.state in {"partial", "unfinished"}:
        return
    with _changing() as noted:
        before = noted.get(verdict.id, ExerciseProgress())
        noted[verdict.id] = replace(before, tries=before.tries + 1, done=before.done or verdict.right)


def record_hint(id_: str, count: int) -> None:
    """Record that the first `count` hints were read.

    Raises:
        RunError: the file cannot be read or written, or is not a progress file.
    """
    with _changing() as noted:
        before = noted.get(id_, ExerciseProgress())
        noted[id_] = replace(before, hints=max(before.hints, count))


def forget(id_: str | None) -> int:
    """Reset one exercise, or all if `id_` is None, and return how many were reset.

    A damaged file can only be reset as a whole, which deletes it.

    Raises:
        RunError: the file cannot be read or written, or is not a progress file.
    """
    if id_ is None:
        count, path = _count(), location()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(
                f"a progress file must be a file that may be deleted; got {path}: {error.strerror}. Remove it by hand."
            ) from error
        return count
    with _changing() as noted:
        return int(noted.pop(id_, None) is not None)


@contextmanager
def _changing() -> Iterator[dict[str, ExerciseProgress]]:
    """Context manager that yields the progress for changes, and writes it at the end if it has changed.

    Meanwhile no other process changes it. On a file system without locks, the last one that writes wins.
    """
    path = location()
    with _only_writer(path.parent):
        noted = load(path)
        before = dict(noted)
        yield noted
        if noted != before:
            exercises = {id_: asdict(noted[id_]) for id_ in sorted(noted)}
            write_atomically(path, to_bytes({"format": _FORMAT, "version": _VERSION, "exercises": exercises}, indent=1))


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    try:
        descriptor = opened_for_lock(folder)
    except OSError as error:
        raise cannot_write(folder / FILE, error, state="nothing was recorded") from error
    try:
        _wait_for_lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, folder: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            lock(descriptor)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:  # the file system has no locks
            return
        else:
            return
    raise RunError(
        f"progress must be written by one process at a time; another has held {folder / FILE} for {_PATIENCE:g} s. "
        "Stop it, or try again."
    )


def _count() -> int:
    try:
        return len(load())
    except RunError:
        return 0  # a damaged file can be deleted, too


def _progress(noted: Any, path: Path) -> ExerciseProgress:
    fields = {"tries": int, "hints": int, "done": bool}
    if not isinstance(noted, dict) or any(type(noted.get(name)) is not kind for name, kind in fields.items()):
        raise _foreign(path)
    if min(noted["tries"], noted["hints"]) < 0:
        raise _foreign(path)
    return ExerciseProgress(**{name: noted[name] for name in fields})


def _foreign(path: Path) -> RunError:
    return RunError(f"{path} must hold the progress of exercises; this file does not. {_REMEDY}")
